// Music as the Python package writes it into pages. Times are seconds from the beginning.

/** Start, end, MIDI pitch, velocity 0..1, and the index of the part (0 if left out). */
export type TimedNote = readonly [start: number, end: number, pitch: number, velocity: number, part?: number];

export interface Part {
  readonly name: string;
  readonly program: number; // General MIDI, 0..127
  readonly drums: boolean;
  readonly colour: string; // in CSS; empty in music of one part
}

/** What the player plays. */
export interface Playable {
  readonly seconds: number;
  readonly notes: readonly TimedNote[]; // sorted by start
  readonly parts?: readonly Pick<Part, "program" | "drums">[];
  readonly clicks?: readonly Click[]; // of the metronome, sorted
}

/** A click of the metronome, and whether a bar begins there. */
export type Click = readonly [seconds: number, accented: boolean];

/** A note that the player sends elsewhere, such as to a MIDI port. */
export interface SentNote {
  readonly part: number;
  readonly pitch: number;
  readonly velocity: number; // 0..1
  readonly seconds: number; // how long it sounds
  readonly at: number; // when it begins: milliseconds of performance.now(), as Web MIDI takes them
}

export interface PartMix {
  readonly mute: boolean;
  readonly solo: boolean; // if any part is solo, only those sound
  readonly volume: number; // 0..1
}

/** What the figure shows and plays: `PlayerData` of the Python package. */
export interface Music extends Playable {
  readonly name: string;
  readonly primer_seconds: number; // notes that start before it are drawn as notes of the primer
  readonly lowest: number; // the lowest MIDI pitch to draw
  readonly highest: number;
  readonly beats: readonly number[];
  readonly bars?: readonly number[];
  readonly parts?: readonly Part[];
}

export function pitchName(pitch: number): string {
  const names = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
  return `${names[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
}

export const isBlackKey = (pitch: number): boolean => [1, 3, 6, 8, 10].includes(pitch % 12);

export const clamp = (value: number, lowest: number, highest: number): number =>
  Math.min(Math.max(value, lowest), highest);
