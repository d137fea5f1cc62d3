// Call and response: a phrase is what is played until a bar of silence; then it is the model's turn.

import { KeyRecorder, quantised, type KeyEvent, type Played } from "./midi_in.js";

export interface Phrase {
  readonly notes: readonly Played[]; // from beat 0, on the model's grid
  readonly bars: number; // its length
}

export interface Beat {
  readonly milliseconds: number;
  readonly perBar: number;
  readonly steps: number; // of the model's grid
}

export class Conversation {
  #keys = new KeyRecorder();
  #notes: Played[] = [];
  #began: number | null = null; // time of the first key
  #last = 0; // time of the last key

  constructor(public beat: Beat) {}

  /** Whether a phrase is being played. */
  get isPlaying(): boolean {
    return this.#began !== null;
  }

  /** A key, at a time in milliseconds. */
  key(event: KeyEvent, at: number): void {
    if (this.#began === null) {
      if (event.kind === "release") return; // of a key that was pressed before
      this.#began = at;
    }
    this.#last = at;
    this.#notes.push(...this.#keys.key(event, (at - this.#began) / this.beat.milliseconds));
  }

  /** The phrase, when no key has sounded for a bar; null before. A new phrase begins then. */
  phrase(now: number): Phrase | null {
    const { milliseconds, perBar, steps } = this.beat;
    if (this.#began === null || this.#keys.isHeld || now - this.#last < milliseconds * perBar) return null;
    const notes = this.#notes.map((note) => quantised(note, steps));
    const end = notes.reduce((latest, note) => Math.max(latest, note.start + note.length), 0);
    [this.#notes, this.#began] = [[], null];
    return { notes, bars: Math.max(Math.ceil(end / perBar - 1e-6), 1) };
  }
}
