// Files of the piece: their names and kinds, and how they come from the server.

import type { Piece } from "./piece.js";
import type { ExportFormat } from "./protocol.js";
import { post, whole } from "./stream.js";

export type SaveFormat = ExportFormat | "png" | "json";

export interface FileKind {
  readonly format: SaveFormat;
  readonly text: string; // for people
  readonly suffix: string;
  readonly type: string; // media type
  readonly isScore: boolean; // notation, which the server draws only where it can
}

const kind = (format: SaveFormat, text: string, suffix: string, type: string, isScore = false): FileKind => ({ format, text, suffix, type, isScore });

export const KINDS: readonly FileKind[] = [
  kind("mid", "MIDI file", ".mid", "audio/midi"),
  kind("musicxml", "MusicXML", ".musicxml", "application/vnd.recordare.musicxml+xml"),
  kind("wav", "Sound, WAV", ".wav", "audio/wav"),
  kind("png", "Picture of the roll, PNG", ".png", "image/png"),
  kind("svg", "Score, SVG", ".svg", "image/svg+xml", true),
  kind("pdf", "Score, PDF", ".pdf", "application/pdf", true),
  kind("json", "Session: piece and settings", ".json", "application/json"),
];

export const kindOf = (format: SaveFormat): FileKind => KINDS.find((one) => one.format === format)!;

/** A name that every system takes for a file. */
export function fileName(name: string, { suffix }: Pick<FileKind, "suffix">): string {
  const plain = name.normalize("NFC").replace(/[\u0000-\u001f\u007f/\\:*?"<>|]+/g, " ").replace(/\s+/g, " ").replace(/^[ .]+|[ .]+$/g, "");
  return `${plain.slice(0, 80).trim() || "piece"}${suffix}`;
}

/** The name of a piece from the name of its file. */
export const pieceName = (file: string): string => file.replace(/\.[A-Za-z0-9]{1,8}$/, "").slice(0, 80) || "piece";

export const isSessionFile = ({ name, type }: Pick<File, "name" | "type">): boolean =>
  name.toLowerCase().endsWith(".json") || type === "application/json";

/** A file of the piece from the server. */
export async function exported(format: ExportFormat, piece: Piece): Promise<Blob> {
  const response = await post(`/export?format=${format}`, JSON.stringify(piece));
  return new Blob([await whole(response.arrayBuffer())], { type: kindOf(format).type });
}

/** What a drag of a file out of the page carries: Chromium writes the file where it is dropped. */
export const downloadUrl = (type: string, name: string, url: string): string => `${type}:${name.replaceAll(":", " ")}:${url}`;

/** Whether a drag brings files into the page. */
export const bringsFiles = (types: readonly string[]): boolean => types.includes("Files");
