import assert from "node:assert/strict";
import { test } from "node:test";
import { openingPiece } from "../src/studio/opening.js";
import type { ModelSettings } from "../src/studio/page.js";
import type { Piece } from "../src/studio/piece.js";
import { playable } from "../src/studio/transport.js";

const PIECE: Piece = {
  beats_per_minute: 120,
  beats_per_bar: 1.5,
  beats: 4,
  parts: [{ name: "drums", program: 3, is_drums: true }],
  notes: [{ part: 0, pitch: 38, start: 0.5, length: 0.25, velocity: 127 }],
};

test("the player gets beats, and clicks that are accented where bars begin", () => {
  const { seconds, notes, parts, clicks } = playable(PIECE);
  assert.equal(seconds, 4);
  assert.deepEqual(notes, [[0.5, 0.75, 38, 1, 0]]);
  assert.deepEqual(parts, [{ program: 3, drums: true }]);
  assert.deepEqual(clicks, [[0, true], [1, false], [2, false], [3, true]]);
});

const model = (harmonize: string | null, lowest: number, highest: number, numParts: number): ModelSettings => ({
  name: "m",
  card: {},
  lowest,
  highest,
  conditional: false,
  is_drums: false,
  frames_per_beat: 4,
  parts:
    numParts === 1 ? null : Array.from({ length: numParts }, (_, index) => ({ name: `p${index}`, program: 0, is_drums: false, lowest, highest })),
  tasks: { continue: null, fill: null, harmonize, vary: null },
});

test("the page opens with a melody in the model's pitches, or with what it can continue", () => {
  const melody = openingPiece(model(null, 56, 83, 4));
  assert.equal(melody.notes.length, 32);
  assert.deepEqual([...new Set(melody.notes.map(({ part }) => part))], [0]);
  assert.equal(melody.parts.length, 4);
  const low = openingPiece(model(null, 40, 66, 2));
  assert.equal(low.notes[0]!.pitch, 55);
  assert.deepEqual(openingPiece(model(null, 60, 62, 2)).notes, []);
  const cadence = openingPiece(model("It only continues.", 60, 72, 1));
  assert.ok(cadence.notes.length > 8);
  assert.ok(cadence.notes.every(({ pitch }) => pitch >= 60 && pitch <= 72));
  assert.equal(cadence.parts.length, 1);
});
