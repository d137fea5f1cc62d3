// Changes of a piece by hand. Every function returns a new piece and the notes that it made; no value is changed.

import { clamp } from "../shared/music.js";
import { type Note, type Part, type Piece, noteEnd, withNotes } from "./piece.js";

/** What can be written: the pitches of each part, and the grid in beats. */
export interface Bounds {
  readonly step: number;
  pitches(part: number): readonly [lowest: number, highest: number];
}

export interface Edit {
  readonly piece: Piece;
  readonly notes: readonly Note[];
}

const EPSILON = 1e-6;

/** The last grid line at or before a beat. */
export const floorTo = (step: number, beat: number): number => Math.floor(beat / step + EPSILON) * step;

/** The nearest grid line. */
export const roundTo = (step: number, beat: number): number => Math.round(beat / step) * step;

const sameKey = (a: Note, b: Note): boolean => a.part === b.part && a.pitch === b.pitch;

/** The note of a part that sounds at a beat, or undefined. */
export function noteAt(piece: Piece, part: number, pitch: number, beat: number): Note | undefined {
  return piece.notes.find(
    (note) =>
      note.part === part && note.pitch === pitch && note.start <= beat + EPSILON && noteEnd(note) > beat + EPSILON,
  );
}

// Notes by part and pitch.
function byKey(notes: readonly Note[]): Map<number, Note[]> {
  const map = new Map<number, Note[]>();
  for (const note of notes) {
    const key = note.part * 128 + note.pitch;
    const list = map.get(key);
    if (list) list.push(note);
    else map.set(key, [note]);
  }
  return map;
}

const ofKey = (map: Map<number, Note[]>, note: Note): readonly Note[] => map.get(note.part * 128 + note.pitch) ?? [];

// The start of the first of the notes that begins after a note, or the end of the piece.
function nextStart(notes: readonly Note[], note: Note, end: number): number {
  let next = end;
  for (const { start } of notes) if (start > note.start + EPSILON && start < next) next = start;
  return next;
}

/**
 * Lays notes over a piece. A note of the piece with the same part and pitch gives way: it ends where the new one
 * starts, and vanishes if it starts within the new one. Notes that were laid end where the next one of them starts.
 */
export function lay(piece: Piece, notes: readonly Note[]): Edit {
  const wanted = byKey(notes);
  const laid: Note[] = [];
  for (const note of notes) {
    const list = ofKey(wanted, note);
    if (list.find((other) => Math.abs(other.start - note.start) < EPSILON) !== note) continue; // a twin
    const length = Math.min(note.length, nextStart(list, note, piece.beats) - note.start);
    if (length > EPSILON) laid.push(length === note.length ? note : { ...note, length });
  }
  const over = byKey(laid);
  const kept: Note[] = [];
  for (const note of piece.notes) {
    let end = noteEnd(note);
    for (const other of ofKey(over, note)) {
      if (other.start < noteEnd(note) - EPSILON && noteEnd(other) > note.start + EPSILON) end = Math.min(end, other.start);
    }
    if (end > note.start + EPSILON) kept.push(end === noteEnd(note) ? note : { ...note, length: end - note.start });
  }
  return { piece: withNotes(piece, [...kept, ...laid]), notes: laid };
}

export function without(piece: Piece, notes: readonly Note[]): Piece {
  const gone = new Set(notes);
  return withNotes(piece, piece.notes.filter((note) => !gone.has(note)));
}

/** Puts other notes in the place of notes of the piece. */
export function replace(piece: Piece, old: readonly Note[], notes: readonly Note[]): Edit {
  return lay(without(piece, old), notes);
}

/** A new note on the grid, as long as `length`, or up to the next note of its pitch and part. */
export function draw(piece: Piece, note: Note, bounds: Bounds): Edit {
  const [lowest, highest] = bounds.pitches(note.part);
  const start = clamp(floorTo(bounds.step, note.start), 0, Math.max(piece.beats - bounds.step, 0));
  if (note.pitch < lowest || note.pitch > highest) return { piece, notes: [] };
  const drawn = { ...note, start };
  return lay(piece, [{ ...drawn, length: Math.min(note.length, roomAfter(piece, drawn)) }]);
}

/** Beats from the start of a note to the next note of its pitch and part, or to the end of the piece. */
export function roomAfter(piece: Piece, note: Note): number {
  return nextStart(piece.notes.filter((other) => sameKey(other, note)), note, piece.beats) - note.start;
}

/**
 * Moves notes together by beats and semitones, as far as all of them stay in the piece and in their pitches.
 * Moved notes that come to lie on others replace them.
 */
export function move(piece: Piece, notes: readonly Note[], beats: number, semitones: number, bounds: Bounds): Edit {
  if (!notes.length) return { piece, notes };
  let [up, down] = [Infinity, Infinity];
  for (const { part, pitch } of notes) {
    const [lowest, highest] = bounds.pitches(part);
    up = Math.min(up, Math.max(highest - pitch, 0));
    down = Math.min(down, Math.max(pitch - lowest, 0));
  }
  const first = Math.min(...notes.map(({ start }) => start));
  const last = Math.max(...notes.map(({ start }) => start));
  const along = clamp(beats, -first, Math.max(piece.beats - bounds.step - last, 0));
  const rise = clamp(semitones, -down, up);
  if (Math.abs(along) < EPSILON && rise === 0) return { piece, notes };
  const moved = notes.map((note) => ({ ...note, start: note.start + along, pitch: note.pitch + rise }));
  return replace(piece, notes, moved);
}

/** Makes notes longer or shorter by beats, from one step up to the next note of the same pitch and part. */
export function stretch(piece: Piece, notes: readonly Note[], beats: number, bounds: Bounds): Edit {
  const rest = without(piece, notes);
  const others = byKey(rest.notes);
  const stretched = notes.map((note) => {
    const shortest = Math.min(bounds.step, note.length);
    const room = nextStart(ofKey(others, note), note, piece.beats) - note.start;
    const length = clamp(note.length + beats, shortest, Math.max(room, shortest));
    return length === note.length ? note : { ...note, length };
  });
  if (stretched.every((note, index) => note === notes[index])) return { piece, notes };
  return lay(rest, stretched);
}

/** Makes notes louder or softer by steps of MIDI velocity, within 1..127. */
export function louden(piece: Piece, notes: readonly Note[], by: number): Edit {
  const changed = notes.map((note) => ({ ...note, velocity: clamp(Math.round(note.velocity + by), 1, 127) }));
  return replace(piece, notes, changed);
}

/** Notes with their starts counted from the first grid line of the earliest of them: what copying keeps. */
export function copied(notes: readonly Note[], step: number): Note[] {
  const origin = floorTo(step, Math.min(...notes.map(({ start }) => start)));
  return notes.map((note) => ({ ...note, start: note.start - origin }));
}

/** Lays copied notes at a beat. Those outside the piece, its parts or the pitches are left out. */
export function paste(piece: Piece, notes: readonly Note[], beat: number, bounds: Bounds): Edit {
  const placed = notes
    .map((note) => ({ ...note, start: note.start + floorTo(bounds.step, beat) }))
    .filter(({ part, pitch, start }) => {
      const [lowest, highest] = bounds.pitches(part);
      return part < piece.parts.length && pitch >= lowest && pitch <= highest && start < piece.beats - EPSILON;
    });
  return lay(piece, placed);
}

/** The notes that start in a rectangle of beats and pitches, or sound in it. */
export function notesIn(
  piece: Piece,
  [from, until]: readonly [number, number],
  [low, high]: readonly [number, number],
): Note[] {
  return piece.notes.filter(
    (note) => note.start < until - EPSILON && noteEnd(note) > from + EPSILON && note.pitch >= low && note.pitch <= high,
  );
}

/** The piece with another length. Notes after its end are left out, and notes over it are cut. */
export function withBeats(piece: Piece, beats: number): Piece {
  const notes = piece.notes
    .filter(({ start }) => start < beats - EPSILON)
    .map((note) => (noteEnd(note) > beats ? { ...note, length: beats - note.start } : note));
  return { ...piece, beats, notes };
}

/** The piece, longer by whole bars if a beat lies behind its end, up to so many beats. */
export function reaching(piece: Piece, beat: number, most: number): Piece {
  const bars = Math.floor(beat / piece.beats_per_bar + EPSILON) + 1;
  const beats = Math.min(Math.max(bars * piece.beats_per_bar, piece.beats), most);
  return beat < piece.beats - EPSILON || beats <= piece.beats ? piece : { ...piece, beats };
}

export function withPart(piece: Piece, index: number, change: Partial<Part>): Piece {
  return { ...piece, parts: piece.parts.map((part, at) => (at === index ? { ...part, ...change } : part)) };
}

export function addPart(piece: Piece, part: Part): Piece {
  return { ...piece, parts: [...piece.parts, part] };
}

/** The piece without a part and its notes. The parts after it move up by one. */
export function removePart(piece: Piece, index: number): Piece {
  const notes = piece.notes
    .filter(({ part }) => part !== index)
    .map((note) => (note.part > index ? { ...note, part: note.part - 1 } : note));
  return withNotes({ ...piece, parts: piece.parts.filter((_, at) => at !== index) }, notes);
}
