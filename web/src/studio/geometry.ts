// Where the beats and pitches of a piece lie in the roll, in pixels, and what lies under a point.

import { clamp } from "../shared/music.js";
import { TimeIndex } from "../shared/time_index.js";
import { type Note, type Piece, noteEnd } from "./piece.js";

export interface Geometry {
  readonly beat: number; // pixels of a beat
  readonly row: number; // pixels of a semitone
  readonly lowest: number;
  readonly highest: number; // the pitches that the roll shows
}

export const KEYS = 44; // pixels of the piano keys at the left
export const RULER = 24; // pixels of the bar numbers at the top
export const END = 8; // pixels at the end of a note that stretch it
export const BEAT_PIXELS: readonly [number, number] = [6, 240];
export const ROW_PIXELS: readonly [number, number] = [6, 28];

export const xOf = (geometry: Geometry, beat: number): number => beat * geometry.beat;

export const yOf = (geometry: Geometry, pitch: number): number => (geometry.highest - pitch) * geometry.row;

export const beatAt = (geometry: Geometry, x: number): number => x / geometry.beat;

export const pitchAt = (geometry: Geometry, y: number): number =>
  clamp(geometry.highest - Math.floor(y / geometry.row), geometry.lowest, geometry.highest);

/** The pitches to show: those that can be written, and those that are there. */
export function shownPitches(piece: Piece, lowest: number, highest: number): [number, number] {
  let [low, high] = [lowest, highest];
  for (const { pitch } of piece.notes) {
    if (pitch < low) low = pitch;
    if (pitch > high) high = pitch;
  }
  return [low, high];
}

/** The notes of a piece, ready to be asked for those in a stretch of beats. */
export class NoteIndex extends TimeIndex<Note> {
  constructor(piece: Piece) {
    super(piece.notes, ({ start }) => start, noteEnd);
  }
}

export interface Hit {
  readonly note: Note;
  readonly end: boolean; // the point is at the end of the note, which stretches it
}

/** The note under a point of the grid. A note of the chosen part lies above the others. */
export function hit(index: NoteIndex, geometry: Geometry, x: number, y: number, part: number): Hit | null {
  const beat = beatAt(geometry, x);
  const pitch = pitchAt(geometry, y);
  const under = index.between(beat, beat + 1e-9).filter((note) => note.pitch === pitch);
  const note = under.find((one) => one.part === part) ?? under.at(-1);
  if (!note) return null;
  const right = xOf(geometry, noteEnd(note));
  const zone = Math.min(END, (note.length * geometry.beat) / 3);
  return { note, end: right - x <= zone };
}

/** Beats between two bar numbers, so that they do not touch. */
export function barStep(geometry: Geometry, beatsPerBar: number): number {
  let bars = 1;
  while (bars * beatsPerBar * geometry.beat < 36) bars *= bars === 1 ? 4 : 2;
  return bars;
}
