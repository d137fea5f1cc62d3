// What the modules of the page share.

import type { Asking } from "./asking.js";
import type { Choices } from "./choices.js";
import type { Part } from "./piece.js";
import type { Store } from "./store.js";

export type Task = "continue" | "fill" | "harmonize" | "vary";

export interface ModelPart extends Part {
  readonly lowest: number; // MIDI pitches that the model can write
  readonly highest: number;
}

export interface ModelSettings {
  readonly name: string;
  readonly card: Readonly<Record<string, unknown>>;
  readonly lowest: number;
  readonly highest: number;
  readonly frames_per_beat: number | null; // null: the model counts in seconds
  readonly conditional: boolean; // the scale is a condition of the model; else it bounds the notes
  readonly parts: readonly ModelPart[] | null; // null: a model of one part, which takes all parts together
  readonly is_drums: boolean; // a model of one part: it takes all drums, and no other parts
  readonly tasks: Readonly<Record<Task, string | null>>; // null: the model can; else why not, as a sentence
}

/** What the server embeds in the page. */
export interface Settings {
  readonly models: readonly ModelSettings[];
  readonly roots: readonly string[]; // names of the twelve pitch classes
  readonly scales: Readonly<Record<string, readonly number[]>>; // pitch classes above the root
  readonly beats_per_minute: readonly [number, number]; // lowest and highest
  readonly max_takes: number; // of one request
  readonly max_file_bytes: number;
  readonly max_beats: number; // of a piece
  readonly max_seconds: number; // of a piece
  readonly scores: string | null; // null: notation can be drawn; else why not, as a sentence
  readonly samples: string | null; // null: recorded instruments can be had; else why not
}

/** A note that is about to sound: velocities are MIDI's, `at` is a time of `performance.now()`. */
export interface SentNote {
  readonly part: number;
  readonly pitch: number;
  readonly velocity: number;
  readonly seconds: number;
  readonly at: number;
}

/** Where notes go beside the page's own sound. */
export interface Receiver {
  note(note: SentNote): void;
  /** The music has stopped or jumped: what sounds has to end. */
  silence(): void;
}

/** Plays the piece of the store and sounds single notes. Positions are in beats. */
export interface Transport {
  /** Starts the page's audio; browsers allow it only inside a click. */
  unlock(): void;
  readonly playing: boolean;
  readonly position: number;
  play(from?: number): void;
  pause(): void;
  seek(beat: number): void;
  /** Sounds one note now, for example the note under the pointer. */
  sound(part: number, pitch: number, velocity: number): void;
  /** Calls the listener when it starts, pauses or ends. Returns the function that ends the subscription. */
  subscribe(listener: () => void): () => void;
  /** Whether beats click while it plays. */
  metronome: boolean;
  /** Also sends every note to a receiver: MIDI out. `null` ends it. `muted` silences the page's own sound. */
  sendTo(receiver: Receiver | null, muted?: boolean): void;
}

export interface Page {
  readonly store: Store;
  readonly settings: Settings;
  readonly choices: Choices; // the model and how it is asked
  readonly asking: Asking; // what the models write
  readonly transport: Transport;
  /** The part that new notes go to: an index in the parts of the piece. */
  readonly part: number;
  choosePart(index: number): void;
  /** Shows a sentence to everyone, and to screen readers. */
  status(text: string): void;
  error(text: string): void;
}
