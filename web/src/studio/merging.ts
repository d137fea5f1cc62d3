// A model's answer becomes part of the piece: its notes replace those of the region, and all else stays as it is.

import { noteEnd, withNotes, type Note, type Piece } from "./piece.js";
import type { Question, Region } from "./requests.js";

const EPSILON = 1e-6;

/** The notes of an answer, as they arrive. */
export interface Answer {
  readonly notes: readonly Note[];
  readonly until: number; // the answer is known up to this beat
  readonly done: boolean;
}

export const NO_ANSWER: Answer = { notes: [], until: 0, done: false };

/** Whether a note lies in the region, from its start to its end. Notes that reach out of it are given. */
export function isWritten(note: Note, { from, to, parts }: Region): boolean {
  return note.start >= from - EPSILON && noteEnd(note) <= to + EPSILON && parts.includes(note.part);
}

const beginning = ({ part, pitch, start }: Note): string => [part, pitch, Math.round(start * 1e3)].join(" ");
const identity = (note: Note): string => `${beginning(note)} ${Math.round(note.length * 1e3)}`;

/**
 * The piece with an answer in the place of what the region had. Notes of the region that begin before `until` go out. A
 * note of the answer that was there stays as it was, with its velocity. The piece grows to the end of the answer.
 *
 * @param current the piece now, which may have been edited since the question.
 * @param asked the piece that the question was about.
 */
export function merged(current: Piece, region: Region, { notes, until, done }: Answer, asked: Piece = current): Piece {
  const reached = done ? Infinity : until - EPSILON;
  const known = new Map<string, Note>();
  for (const piece of [asked, current]) for (const note of piece.notes) if (isWritten(note, region)) known.set(identity(note), note);
  const added = notes.map((note) => known.get(identity(note)) ?? note);
  const end = added.reduce((latest, note) => Math.max(latest, noteEnd(note)), Math.min(until, region.to));
  const begun = new Set(added.map(beginning)); // a given note that goes on longer than before comes anew
  const given = current.notes.filter((note) => {
    if (noteEnd(note) < region.from - EPSILON || note.start > region.to + EPSILON) return true;
    return (!isWritten(note, region) || note.start >= reached) && !begun.has(beginning(note));
  });
  const parts = [...current.parts, ...asked.parts.slice(current.parts.length)];
  return withNotes({ ...current, parts, beats: Math.max(current.beats, end) }, [...given, ...added]);
}

/** The piece with what the region had before the question; notes elsewhere stay as they are now. */
export function restored(current: Piece, { task, region }: Pick<Question, "task" | "region">, before: Piece): Piece {
  if (task === "silence") return before;
  const given = current.notes.filter((note) => !isWritten(note, region));
  const notes = [...given, ...before.notes.filter((note) => isWritten(note, region))];
  const beats = notes.reduce((latest, note) => Math.max(latest, noteEnd(note)), before.beats);
  return withNotes({ ...current, beats }, notes);
}
