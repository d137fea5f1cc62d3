// The piece that is there when the page opens for the first time.

import type { ModelSettings } from "./page.js";
import { type Note, type Piece, withNotes } from "./piece.js";
import { partsOf } from "./requests.js";

// "Old Hundredth" of the Genevan Psalter (1551), in G: eight bars of quarter notes.
const MELODY = [67, 67, 66, 64, 62, 67, 69, 71, 71, 71, 71, 69, 67, 72, 71, 69, 67, 69, 71, 69, 67, 64, 66, 67, 74, 71, 67, 69, 72, 71, 69, 67];

// Bass drum and snare in turn, with a closed hi-hat.
const BEAT = [[36, 42], [38, 42], [36, 42], [38, 42]];

// A cadence in C.
const CADENCE = [[48, 64, 67, 72], [53, 65, 69, 72], [55, 62, 67, 71], [48, 64, 67, 72]];

/** A melody to harmonize, if the model can; a cadence or a beat of drums to continue otherwise. */
export function openingPiece(model: ModelSettings): Piece {
  const parts = partsOf(model).map(({ name, program, is_drums }) => ({ name, program, is_drums }));
  const melody = model.tasks.harmonize === null && parts.length > 1;
  const empty: Piece = { beats_per_minute: 90, beats_per_bar: 4, beats: melody ? MELODY.length : 16, parts, notes: [] };
  return withNotes(empty, melody ? melodyOf(model) : beginningOf(model, parts[0]!.is_drums ? BEAT : CADENCE));
}

const note = (pitch: number, start: number): Note => ({ part: 0, pitch, start, length: 1, velocity: 80 });

function melodyOf({ parts }: ModelSettings): Note[] {
  const { lowest, highest } = parts![0]!;
  const octaves = [0, -12, 12].find((shift) => MELODY.every((pitch) => pitch + shift >= lowest && pitch + shift <= highest));
  return octaves === undefined ? [] : MELODY.map((pitch, beat) => note(pitch + octaves, beat));
}

function beginningOf(model: ModelSettings, chords: readonly number[][]): Note[] {
  const { lowest, highest } = model.parts?.[0] ?? model;
  const notes = chords.flatMap((chord, beat) => chord.map((pitch) => note(pitch, beat)));
  return notes.filter(({ pitch }) => pitch >= lowest && pitch <= highest);
}
