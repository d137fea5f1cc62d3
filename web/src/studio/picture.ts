// A picture of the whole piece: its notes by time and pitch, as the roll shows them.

import { partColour } from "./painting.js";
import { noteEnd, type Piece } from "./piece.js";

const MAX_WIDTH = 8000; // pixels; canvases of some browsers end at 8192
const BEAT = 24;
const ROW = 8;
const MARGIN = 8;

export interface Frame {
  readonly beat: number; // pixels
  readonly width: number;
  readonly height: number;
  readonly highest: number; // pitch of the topmost row
}

/** The size of a picture that holds all notes and an octave at least. */
export function frameOf({ beats, notes }: Piece): Frame {
  const pitches = notes.map(({ pitch }) => pitch);
  const middle = pitches.length ? pitches : [60];
  let [lowest, highest] = [Math.min(...middle), Math.max(...middle)];
  const missing = Math.max(11 - (highest - lowest), 0);
  [lowest, highest] = [lowest - Math.floor(missing / 2) - 1, highest + Math.ceil(missing / 2) + 1];
  const end = Math.max(beats, ...notes.map(noteEnd), 1);
  const beat = Math.min(BEAT, (MAX_WIDTH - 2 * MARGIN) / end);
  return { beat, width: Math.ceil(end * beat + 2 * MARGIN), height: (highest - lowest + 1) * ROW + 2 * MARGIN, highest };
}

export async function pictureOf(piece: Piece): Promise<Blob> {
  const { beat, width, height, highest } = frameOf(piece);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d")!;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#ddd";
  for (let at = 0; at <= piece.beats + 1e-6; at += piece.beats_per_bar) context.fillRect(Math.round(MARGIN + at * beat), 0, 1, height);
  for (const { part, pitch, start, length, velocity } of piece.notes) {
    context.fillStyle = partColour(part);
    context.globalAlpha = 0.35 + (0.65 * velocity) / 127;
    context.fillRect(MARGIN + start * beat, MARGIN + (highest - pitch) * ROW, Math.max(length * beat - 1, 1), ROW - 1);
  }
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The browser cannot make a picture of this size."))), "image/png"),
  );
}
