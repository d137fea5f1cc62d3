// Records keys into a part while the piece plays, after a bar of clicks. A recording is one step of the history.

import { click } from "../shared/synth.js";
import { lay } from "./edit.js";
import { KeyRecorder, quantised, type KeyEvent, type Played } from "./midi_in.js";
import type { Transport } from "./page.js";
import { keepsParts, mostBars, noteEnd, type Longest, type Piece } from "./piece.js";
import type { Store } from "./store.js";

const ROOM = 4; // bars that are added when the recording comes near the end

export class Recording {
  static #count = 0;

  #keys = new KeyRecorder();
  #gesture = `recording ${++Recording.#count}`;
  #beats: number; // length of the piece before
  #countIn: ReturnType<typeof setTimeout> | null;
  #began: number; // time at which the piece begins to play
  #timer: ReturnType<typeof setInterval> | null = null;
  #metronome: boolean;
  #seen: Piece;
  #unsubscribe: () => void;

  /**
   * @param from the beat at which it begins, after the count-in.
   * @param steps lines of the grid in a beat.
   * @param longest what the piece may grow to; the recording ends there.
   * @param onend called when it ends, by `stop`, because playback was paused, or because its piece has lost parts.
   */
  constructor(
    readonly store: Store,
    readonly transport: Transport,
    readonly part: number,
    readonly from: number,
    readonly steps: number,
    readonly longest: Longest,
    readonly onend: () => void,
  ) {
    const { beats, beats_per_bar: count } = store.piece;
    this.#beats = beats;
    this.#seen = store.piece;
    this.#unsubscribe = store.subscribe(() => this.#onChange());
    this.#metronome = transport.metronome;
    transport.pause();
    clicks(Math.round(count), this.#milliseconds / 1000);
    const wait = Math.round(count) * this.#milliseconds;
    this.#began = performance.now() + wait;
    this.#countIn = setTimeout(() => this.#begin(), wait);
  }

  /** A key, at a time of `performance.now()`. */
  key(event: KeyEvent, at: number): void {
    if (!this.#isOver) this.#write(this.#keys.key(event, this.#beatAt(at)));
  }

  stop(): void {
    if (this.#isOver) return;
    this.#write(this.#keys.finish(this.#beatAt(performance.now())));
    this.#trim();
    this.#end();
  }

  #end(): void {
    this.#unsubscribe();
    if (this.#countIn !== null) clearTimeout(this.#countIn);
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#countIn = this.#timer = null;
    this.transport.pause();
    this.transport.metronome = this.#metronome;
    this.store.endGesture(this.#gesture);
    this.onend();
  }

  get #isOver(): boolean {
    return this.#countIn === null && this.#timer === null;
  }

  get #milliseconds(): number {
    return 60_000 / this.store.piece.beats_per_minute;
  }

  // Another piece, or one without some part, is not what is recorded.
  #onChange(): void {
    const before = this.#seen;
    this.#seen = this.store.piece;
    if (!keepsParts(before, this.#seen)) this.#end();
  }

  #begin(): void {
    this.#countIn = null;
    this.#makeRoom();
    this.transport.metronome = true;
    this.transport.play(this.from);
    this.#timer = setInterval(() => (this.transport.playing ? this.#makeRoom() : this.stop()), 100);
  }

  #beatAt(at: number): number {
    if (this.#countIn !== null) return this.from - (this.#began - at) / this.#milliseconds;
    return this.transport.position - (performance.now() - at) / this.#milliseconds;
  }

  #write(played: readonly Played[]): void {
    const notes = played
      .filter(({ start, length }) => start + length > this.from) // not what was tried during the count-in
      .map((note) => ({ part: this.part, ...quantised(note, this.steps) }))
      .map((note) => ({ ...note, start: Math.max(note.start, this.from) }));
    if (notes.length) this.store.change("Record", lay(this.store.piece, notes).piece, this.#gesture);
  }

  #makeRoom(): void {
    const { piece } = this.store;
    const bar = piece.beats_per_bar;
    const position = this.transport.playing ? this.transport.position : this.from;
    if (position + bar <= piece.beats) return;
    const bars = Math.min(Math.ceil(position / bar - 1e-6) + ROOM, mostBars(piece, this.longest));
    if (bars * bar <= piece.beats) return;
    const beats = bars * bar;
    this.store.change("Record", { ...piece, beats }, this.#gesture);
  }

  /** Takes the room that was not needed. */
  #trim(): void {
    const { piece } = this.store;
    const bar = piece.beats_per_bar;
    const end = piece.notes.reduce((latest, note) => Math.max(latest, noteEnd(note)), 0);
    const beats = Math.max(this.#beats, Math.ceil(end / bar - 1e-6) * bar);
    if (beats !== piece.beats) this.store.change("Record", { ...piece, beats }, this.#gesture);
  }
}

/** Clicks that count in, from now. */
function clicks(count: number, seconds: number): void {
  const context = (window.pianorollAudio ??= new AudioContext());
  for (let beat = 0; beat < count; beat++) {
    const envelope = context.createGain();
    envelope.connect(context.destination);
    const from = context.currentTime + beat * seconds;
    click(context, envelope, { pitch: 0, velocity: beat === 0 ? 1 : 0.7, from, until: from + 0.02 });
  }
}
