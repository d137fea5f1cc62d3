// Plays notes through Web Audio. Everything is timed by the audio clock: notes are scheduled a little ahead of it, so
// that a busy page does not delay notes, and the position is read from it.
//
//   const player = new Player({ seconds, notes, parts, clicks }, { onended });   parts: program and drums of each part
//   player.play(); player.pause(); player.seek(seconds); player.position; player.playing; player.seconds
//   player.replace({ seconds, notes, parts, clicks })   other music from the same position, also while it plays
//   player.extend(notes, seconds)                       more notes, and the new length
//   player.tempo = 1.5; player.volume = 0.8; player.loop = true; player.loop = [from, to]
//   player.metronome = true                             plays the clicks
//   player.mix(part, { mute, solo, volume })            any of the three; heard at once
//   player.sound({ part, pitch, velocity, seconds })    one note now, whether it plays or not
//   player.use(program, instrument)                     another sound than the synthesised one (see samples.ts)
//   player.sendTo({ note, silence })                    also sends each note, for MIDI out
//   player.muted = true                                 silences the page, not what is sent
//   player.destroy()
//
// Only one player of a document plays at a time: when one starts, the others pause.

import { Mixer } from "./mixer.js";
import { clamp, type Click, type PartMix, type Playable, type SentNote, type TimedNote } from "./music.js";
import type { Instrument, SoundingNote } from "./synth.js";
import { firstFrom } from "./time_index.js";

/** Where notes go beside the page's own sound. */
export interface NoteReceiver {
  /** Called a moment before the note. */
  note(note: SentNote): void;
  /** Called when the music stops or jumps: what sounds has to end. */
  silence(): void;
}

export interface PlayerOptions {
  readonly onended?: () => void;
}

const NEARLY_OVER = 0.05; // seconds before the end of a note in which it does not begin again

const startOf = ([start]: TimedNote | Click): number => start;

export class Player {
  static readonly AHEAD = 1; // seconds of music that are scheduled ahead
  static readonly INTERVAL = 100; // milliseconds between two calls of the scheduler
  static readonly SHORTEST = 0.012; // seconds of a note at least
  static readonly SENT_AHEAD = 30; // milliseconds before a note at which it is sent

  #data: Playable;
  #onended: (() => void) | undefined;
  #mixer = new Mixer();
  #timer: ReturnType<typeof setInterval> | null = null;
  #anchor = { time: 0, position: 0 }; // a time of the audio clock and the position at that time
  #pausedAt = 0; // the position while it does not play
  #next = 0; // the index of the first note that is not scheduled yet, ...
  #nextClick = 0; // ... and of the first click ...
  #lap = 0; // ... in this repetition of the loop
  #tempo = 1;
  #loop: boolean | readonly [from: number, to: number] = false;
  #receiver: NoteReceiver | null = null;

  constructor(data: Playable, { onended }: PlayerOptions = {}) {
    this.#data = data;
    this.#onended = onended;
    document.addEventListener("pianoroll-play", this.#onOtherPlay);
  }

  get playing(): boolean {
    return this.#timer !== null;
  }

  get seconds(): number {
    return this.#data.seconds;
  }

  get position(): number {
    if (!this.playing) return this.#pausedAt;
    const elapsed = this.#elapsed();
    const [from, to] = this.#range() ?? [0, Infinity];
    return elapsed < to ? Math.min(elapsed, this.seconds) : from + ((elapsed - from) % (to - from));
  }

  get tempo(): number {
    return this.#tempo;
  }

  set tempo(factor: number) {
    this.#adjust(() => (this.#tempo = factor));
  }

  /** Whether it repeats: the whole, or from one second to another. */
  get loop(): boolean | readonly [from: number, to: number] {
    return this.#loop;
  }

  set loop(range: boolean | readonly [from: number, to: number]) {
    this.#adjust(() => (this.#loop = range));
  }

  get volume(): number {
    return this.#mixer.volume;
  }

  set volume(level: number) {
    this.#mixer.volume = level;
  }

  /** Whether the page itself is silent; notes are still sent to the receiver. */
  get muted(): boolean {
    return this.#mixer.muted;
  }

  set muted(on: boolean) {
    this.#mixer.muted = on;
  }

  get metronome(): boolean {
    return this.#mixer.metronome;
  }

  set metronome(on: boolean) {
    this.#mixer.metronome = on;
  }

  mix(part: number, change: Partial<PartMix>): void {
    this.#mixer.mix(part, change);
  }

  /** Notes of the program sound by this instrument from now on; by the synthesiser again without one. */
  use(program: number, instrument: Instrument | null): void {
    this.#mixer.use(program, instrument);
  }

  sendTo(receiver: NoteReceiver | null): void {
    this.#receiver?.silence();
    this.#receiver = receiver;
  }

  /** Plays from the current position; from the beginning if it is at the end. */
  play(): void {
    if (this.playing || !this.seconds) return;
    document.dispatchEvent(new CustomEvent("pianoroll-play", { detail: this }));
    this.#start(this.#pausedAt < this.seconds ? this.#pausedAt : 0);
    this.#timer = setInterval(() => this.#tick(), Player.INTERVAL);
  }

  pause(): void {
    if (!this.playing) return;
    this.#stopAt(this.position);
    this.#fade();
  }

  seek(seconds: number): void {
    const position = clamp(seconds, 0, this.seconds);
    if (this.playing) {
      this.#fade();
      this.#start(position);
    } else this.#pausedAt = position;
  }

  /** Continues with other music from the same position. What sounds and is gone ends; what is new there begins. */
  replace(data: Playable): void {
    const before = this.#data;
    if (!this.playing) {
      this.#data = data;
      this.#pausedAt = Math.min(this.#pausedAt, data.seconds);
      return;
    }
    const position = this.position;
    const old = new Set(held(before.notes, position).map(String));
    const kept = new Set(held(data.notes, position).map(String));
    this.#adjust(
      () => (this.#data = data),
      (note) => note[1] <= position + NEARLY_OVER || kept.has(String(note)),
    );
    for (const note of held(data.notes, position)) if (!old.has(String(note))) this.#playNote(note, position);
  }

  /** Adds notes and sets the new length. Notes whose start has passed begin at once. */
  extend(notes: readonly TimedNote[], seconds: number): void {
    this.replace({ ...this.#data, seconds, notes: this.#data.notes.concat(notes).sort((a, b) => a[0] - b[0]) });
  }

  /** Sounds one note now, whether it plays or not. */
  sound({ part = 0, pitch, velocity = 0.7, seconds = 0.3 }: Partial<SentNote> & { readonly pitch: number }): void {
    this.#mixer.sound(this.#data.parts?.[part], pitch, velocity, seconds);
    this.#receiver?.note({ part, pitch, velocity, seconds, at: performance.now() });
  }

  destroy(): void {
    this.pause();
    document.removeEventListener("pianoroll-play", this.#onOtherPlay);
    this.#mixer.close();
  }

  #onOtherPlay = (event: Event): void => {
    if ((event as CustomEvent).detail !== this) this.pause();
  };

  /** The part that repeats, if the position is in it or before it. */
  #range(): readonly [from: number, to: number] | null {
    if (!this.#loop) return null;
    const [from, to] = this.#loop === true ? [0, this.seconds] : this.#loop;
    const end = Math.min(to, this.seconds);
    return end - from > 0.01 && this.#anchor.position <= end ? [from, end] : null;
  }

  /** The position without the loop's wrapping: the anchor's position and what has played since. */
  #elapsed(): number {
    const since = Math.max(this.#mixer.time - this.#anchor.time, 0);
    return this.#anchor.position + since * this.#tempo;
  }

  /** The time of the audio clock for a position in the repetition that is being scheduled. */
  #timeOf(position: number): number {
    const [from, to] = this.#range() ?? [0, 0];
    return this.#anchor.time + (this.#lap * (to - from) + position - this.#anchor.position) / this.#tempo;
  }

  /** Starts at a position, with the notes that are held there. */
  #start(position: number): void {
    this.#mixer.start();
    this.#setAnchor(position, 0.02); // time to schedule the first notes
    for (const note of held(this.#data.notes, position)) this.#playNote(note, position);
    this.#schedule();
  }

  #setAnchor(position: number, delay: number): void {
    this.#anchor = { time: this.#mixer.time + delay, position };
    this.#lap = 0;
    this.#continueFrom(position);
  }

  #continueFrom(position: number): void {
    this.#next = firstFrom(this.#data.notes, position, startOf);
    this.#nextClick = firstFrom(this.#data.clicks ?? [], position, startOf);
  }

  #stopAt(position: number): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#pausedAt = position;
  }

  #fade(): void {
    this.#mixer.fade();
    this.#receiver?.silence();
  }

  /** Changes what determines the times of notes. Sounding notes continue; scheduled notes are scheduled again. */
  #adjust(change: () => void, wanted?: (note: TimedNote) => boolean): void {
    if (!this.playing) return change();
    const position = this.position;
    change();
    this.#mixer.cancel(wanted);
    this.#setAnchor(position, 0);
    this.#schedule();
  }

  #tick(): void {
    if (!this.#range() && this.#elapsed() >= this.seconds) {
      this.#stopAt(this.seconds); // the last notes fade out
      this.#onended?.();
    } else this.#schedule();
  }

  #schedule(): void {
    const until = this.#mixer.time + Player.AHEAD;
    for (;;) {
      const range = this.#range();
      const end = range?.[1] ?? Infinity;
      const { notes, clicks = [] } = this.#data;
      const due = (event: TimedNote | Click | undefined) => event && event[0] < end && this.#timeOf(event[0]) < until;
      while (due(notes[this.#next])) this.#playNote(notes[this.#next++] as TimedNote, 0);
      while (due(clicks[this.#nextClick])) this.#playClick(clicks[this.#nextClick++] as Click);
      if (!range || this.#timeOf(end) >= until) return;
      this.#lap += 1;
      this.#continueFrom(range[0]);
      for (const note of held(this.#data.notes, range[0])) this.#playNote(note, range[0]);
    }
  }

  /** Schedules one note, from a position within it if it began before. */
  #playNote(note: TimedNote, position: number): void {
    const [start, end, pitch, velocity, part = 0] = note;
    const playing = this.#data.parts?.[part];
    if (playing?.drums && position > start) return;
    const from = Math.max(this.#timeOf(Math.max(start, position)), this.#mixer.time);
    const last = Math.min(end, this.#range()?.[1] ?? this.seconds);
    const sounding = { pitch, velocity, from, until: Math.max(this.#timeOf(last), from + Player.SHORTEST) };
    this.#mixer.play(part, playing, sounding, note, this.#send(sounding, part));
  }

  #playClick([position, accented]: Click): void {
    this.#mixer.click(Math.max(this.#timeOf(position), this.#mixer.time), accented);
  }

  /** Sends a scheduled note a moment before it begins, so that pausing can still keep it back. */
  #send({ pitch, velocity, from, until }: SoundingNote, part: number): ReturnType<typeof setTimeout> | undefined {
    if (!this.#receiver) return undefined;
    const delay = 1000 * (from - this.#mixer.time);
    const sent = { part, pitch, velocity, seconds: until - from, at: performance.now() + delay };
    const send = () => this.#mixer.level(part) > 0 && this.#receiver?.note(sent);
    return setTimeout(send, Math.max(delay - Player.SENT_AHEAD, 0));
  }
}

/** The notes that have begun before a position and go on after it. */
function held(notes: readonly TimedNote[], position: number): TimedNote[] {
  return notes.slice(0, firstFrom(notes, position, startOf)).filter(([, end]) => end > position + NEARLY_OVER);
}
