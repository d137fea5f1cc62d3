// The messages between the page and the studio's server. Times are in beats.

import { checkedNote, checkedPiece, integer, list, object, real, text } from "./checks.js";
import type { Note, Piece } from "./piece.js";
import type { Task } from "./page.js";

export interface FillRequest {
  readonly model: string;
  readonly piece: Piece;
  readonly task: Task;
  readonly bars: readonly [number, number] | null; // first and last, from 1
  readonly parts: readonly number[] | null; // parts that the model writes
  readonly beats: number | null; // length of a continuation
  readonly takes: number;
  readonly temperature: number;
  readonly scale: readonly number[] | null; // pitch classes
  readonly seed: number;
  readonly strength: number | null; // of "vary", in (0, 1]
}

/** A line of the answer to a request: what is written, notes that have ended, the end of a take, or an error. */
export type FillLine =
  | { readonly kind: "region"; readonly from: number; readonly to: number; readonly parts: readonly number[] }
  | { readonly kind: "notes"; readonly take: number; readonly until: number; readonly notes: readonly Note[] }
  | { readonly kind: "done"; readonly take: number }
  | { readonly kind: "cancelled" }
  | { readonly kind: "error"; readonly message: string };

export interface Opened {
  readonly piece: Piece;
  readonly changes: readonly string[]; // what was changed so that the piece fits the model, as sentences
}

export type ExportFormat = "mid" | "musicxml" | "wav" | "svg" | "pdf";

/**
 * Checks a line of the answer about a piece with so many parts.
 *
 * @throws Error naming the field that is wrong.
 */
export function fillLine(value: unknown, numParts: number): FillLine {
  const line = object(value, "line");
  if (line.error !== undefined) {
    const error = line.error;
    return { kind: "error", message: typeof error === "string" ? error : text(object(error, "error").message, "error.message") };
  }
  if (line.cancelled === true) return { kind: "cancelled" };
  if (line.begin !== undefined) {
    const parts = list(line.parts, "parts").map((part, index) => integer(part, `parts[${index}]`, 0, numParts - 1));
    return { kind: "region", from: real(line.begin, "begin", 0, Infinity), to: real(line.end, "end", 0, Infinity), parts };
  }
  const take = integer(line.take, "take", 0, 63);
  if (line.done === true) return { kind: "done", take };
  const notes = list(line.notes, "notes").map((note, index) => checkedNote(note, `notes[${index}]`, numParts));
  return { kind: "notes", take, until: real(line.until, "until", 0, Infinity), notes };
}

/** Checks the answer to an opened file. */
export function openedFile(value: unknown): Opened {
  const opened = object(value, "answer");
  return {
    piece: checkedPiece(opened.piece, "piece"),
    changes: list(opened.changes, "changes").map((sentence, index) => text(sentence, `changes[${index}]`)),
  };
}
