// The piece that is there when the page opens for the first time.

import type { ModelSettings } from "./page.js";
import { type Note, type Part, type Piece, withNotes } from "./piece.js";

// "Old Hundredth" of the Genevan Psalter (1551), in G: eight bars of quarter notes.
const MELODY = [67, 67, 66, 64, 62, 67, 69, 71, 71, 71, 71, 69, 67, 72, 71, 69, 67, 69, 71, 69, 67, 64, 66, 67, 74, 71, 67, 69, 72, 71, 69, 67];

// A cadence in C.
const CADENCE = [[48, 64, 67, 72], [53, 65, 69, 72], [55, 62, 67, 71], [48, 64, 67, 72]];

/** A melody to harmonise, if the model can; a cadence to continue otherwise. */
export function openingPiece(model: ModelSettings): Piece {
  const parts: readonly Part[] = model.parts?.length
    ? model.parts.map(({ name, program, is_drums }) => ({ name, program, is_drums }))
    : [{ name: "music", program: 0, is_drums: false }];
  const melody = model.tasks.harmonise === null && parts.length > 1;
  const empty: Piece = { beats_per_minute: 90, beats_per_bar: 4, beats: melody ? MELODY.length : 16, parts, notes: [] };
  return withNotes(empty, melody ? melodyOf(model) : cadenceOf(model));
}

const note = (pitch: number, start: number): Note => ({ part: 0, pitch, start, length: 1, velocity: 80 });

function melodyOf({ parts }: ModelSettings): Note[] {
  const { lowest, highest } = parts![0]!;
  const octaves = [0, -12, 12].find((shift) => MELODY.every((pitch) => pitch + shift >= lowest && pitch + shift <= highest));
  return octaves === undefined ? [] : MELODY.map((pitch, beat) => note(pitch + octaves, beat));
}

function cadenceOf(model: ModelSettings): Note[] {
  const { lowest, highest } = model.parts?.[0] ?? model;
  const notes = CADENCE.flatMap((chord, beat) => chord.map((pitch) => note(pitch, beat)));
  return notes.filter(({ pitch }) => pitch >= lowest && pitch <= highest);
}
