// The piece that the studio shows: values that never change, and functions that make new ones.
// Times and lengths are in beats.

export interface Note {
  readonly part: number; // index in the parts of the piece
  readonly pitch: number; // MIDI pitch
  readonly start: number;
  readonly length: number;
  readonly velocity: number; // 1..127
}

export interface Part {
  readonly name: string;
  readonly program: number; // General MIDI, 0..127
  readonly is_drums: boolean;
}

export interface Piece {
  readonly beats_per_minute: number;
  readonly beats_per_bar: number;
  readonly beats: number; // length of the piece
  readonly parts: readonly Part[];
  readonly notes: readonly Note[]; // sorted by start, part, pitch
}

export const noteEnd = (note: Note): number => note.start + note.length;

export function sorted(notes: readonly Note[]): Note[] {
  return [...notes].sort((a, b) => a.start - b.start || a.part - b.part || a.pitch - b.pitch);
}

export function withNotes(piece: Piece, notes: readonly Note[]): Piece {
  return { ...piece, notes: sorted(notes) };
}

/** Whether the parts of a piece are those of the piece before, by index: renamed maybe, and more are possible. */
export function keepsParts(before: Piece, after: Piece): boolean {
  if (after.parts.length < before.parts.length) return false;
  return after.notes === before.notes || before.parts.every((part, index) => part === after.parts[index]);
}

/** The first and the last beat of bars, numbered from 1, both included. */
export function barBeats(piece: Piece, [first, last]: readonly [number, number]): [number, number] {
  return [(first - 1) * piece.beats_per_bar, Math.min(last * piece.beats_per_bar, piece.beats)];
}

/** The number of the bar that holds a beat, from 1. */
export const barAt = (piece: Piece, beat: number): number => Math.floor(beat / piece.beats_per_bar + 1e-9) + 1;

/** What a piece may last. */
export interface Longest {
  readonly max_beats: number;
  readonly max_seconds: number;
}

/** The most bars of a piece, by its tempo and metre. */
export function mostBars({ beats_per_minute, beats_per_bar }: Piece, { max_beats, max_seconds }: Longest): number {
  return Math.max(Math.floor(Math.min(max_beats, (max_seconds * beats_per_minute) / 60) / beats_per_bar + 1e-9), 1);
}

/** Whether a piece lasts longer than it may. */
export function isTooLong({ beats, beats_per_minute }: Piece, { max_beats, max_seconds }: Longest): boolean {
  return beats > Math.min(max_beats, (max_seconds * beats_per_minute) / 60) + 1e-6;
}

export const countBars = (piece: Piece): number => Math.max(Math.ceil(piece.beats / piece.beats_per_bar - 1e-9), 1);
