// Checks of values that come from outside: files, the browser's storage, the server. Each error names the field.

import { sorted, type Note, type Part, type Piece } from "./piece.js";

type Fields = Readonly<Record<string, unknown>>;

function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : (JSON.stringify(value) ?? String(value));
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function wrong(name: string, expected: string, value: unknown): Error {
  return new Error(`${name}: expected ${expected}, got ${shown(value)}.`);
}

export function object(value: unknown, name: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(name, "an object", value);
  return value as Fields;
}

export function list(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(name, "a list", value);
  return value;
}

export function text(value: unknown, name: string): string {
  if (typeof value !== "string") throw wrong(name, "a text", value);
  return value;
}

export function flag(value: unknown, name: string): boolean {
  if (typeof value !== "boolean") throw wrong(name, "true or false", value);
  return value;
}

export function real(value: unknown, name: string, lowest: number, highest: number): number {
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(name, "a number", value);
  if (value < lowest || value > highest) throw wrong(name, range(lowest, highest), value);
  return value;
}

export function integer(value: unknown, name: string, lowest: number, highest: number): number {
  if (!Number.isInteger(value)) throw wrong(name, "a whole number", value);
  return real(value, name, lowest, highest);
}

const range = (lowest: number, highest: number): string =>
  highest === Infinity ? `at least ${lowest}` : `${lowest} to ${highest}`;

/** The longest piece and the most notes that the page takes from a file. */
export const MAX_BEATS = 100_000;
export const MAX_NOTES = 200_000;

/**
 * Checks a piece field by field.
 *
 * @throws Error naming the field.
 */
export function checkedPiece(value: unknown, name: string): Piece {
  const piece = object(value, name);
  const parts = list(piece.parts, `${name}.parts`).map((part, index) => checkedPart(part, `${name}.parts[${index}]`));
  if (!parts.length) throw wrong(`${name}.parts`, "at least one part", piece.parts);
  const notes = list(piece.notes, `${name}.notes`);
  if (notes.length > MAX_NOTES) throw new Error(`${name}.notes: at most ${MAX_NOTES} notes, got ${notes.length}.`);
  const beats = real(piece.beats, `${name}.beats`, 0, MAX_BEATS);
  return {
    beats_per_minute: real(piece.beats_per_minute, `${name}.beats_per_minute`, 1, 1000),
    beats_per_bar: real(piece.beats_per_bar, `${name}.beats_per_bar`, 0.25, 64),
    beats,
    parts,
    notes: sorted(notes.map((note, index) => checkedNote(note, `${name}.notes[${index}]`, parts.length))),
  };
}

function checkedPart(value: unknown, name: string): Part {
  const part = object(value, name);
  return {
    name: text(part.name, `${name}.name`),
    program: integer(part.program, `${name}.program`, 0, 127),
    is_drums: flag(part.is_drums, `${name}.is_drums`),
  };
}

/** Checks a note of a piece with so many parts. */
export function checkedNote(value: unknown, name: string, numParts: number): Note {
  const note = object(value, name);
  const length = real(note.length, `${name}.length`, 0, MAX_BEATS);
  if (length === 0) throw wrong(`${name}.length`, "more than 0", length);
  return {
    part: integer(note.part, `${name}.part`, 0, numParts - 1),
    pitch: integer(note.pitch, `${name}.pitch`, 0, 127),
    start: real(note.start, `${name}.start`, 0, MAX_BEATS),
    length,
    velocity: integer(note.velocity, `${name}.velocity`, 1, 127),
  };
}
