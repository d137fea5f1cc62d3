// Plays the piece of the store. The player's seconds are beats here, and its tempo is the piece's.

import type { Click, Playable } from "../shared/music.js";
import { Player } from "../shared/player.js";
import type { Receiver, SentNote, Transport } from "./page.js";
import { barBeats, type Piece } from "./piece.js";
import type { Store } from "./store.js";

export interface Mix {
  readonly mute: boolean;
  readonly solo: boolean;
}

const AUDIBLE: Mix = { mute: false, solo: false };

/** The piece as the player takes it, in beats. */
export function playable(piece: Piece): Playable {
  const clicks: Click[] = [];
  for (let beat = 0; beat < piece.beats - 1e-6; beat++) clicks.push([beat, isBarLine(piece, beat)]);
  return {
    seconds: piece.beats,
    notes: piece.notes.map(({ part, pitch, start, length, velocity }) => [start, start + length, pitch, velocity / 127, part]),
    parts: piece.parts.map(({ program, is_drums: drums }) => ({ program, drums })),
    clicks,
  };
}

function isBarLine({ beats_per_bar: bar }: Piece, beat: number): boolean {
  const rest = beat % bar;
  return Math.min(rest, bar - rest) < 1e-6;
}

export class StudioTransport implements Transport {
  static readonly PAUSE = 60; // milliseconds between two exchanges of the music while it plays

  #store: Store;
  #player: Player;
  #played: Piece;
  #isLooping = false;
  #mixes: Mix[] = [];
  #listeners = new Set<() => void>();
  #exchange: ReturnType<typeof setTimeout> | null = null;

  constructor(store: Store) {
    this.#store = store;
    this.#played = store.piece;
    this.#player = new Player(playable(store.piece), { onended: () => this.#notify() });
    this.#player.tempo = store.piece.beats_per_minute / 60;
    store.subscribe(() => this.#follow());
    // Another player of the page has started, so this one pauses.
    document.addEventListener("pianoroll-play", () => setTimeout(() => this.#notify()));
  }

  get playing(): boolean {
    return this.#player.playing;
  }

  get position(): number {
    return this.#player.position;
  }

  get looping(): boolean {
    return this.#isLooping;
  }

  /** Repeats the selected bars, or the piece if none are selected. */
  set looping(on: boolean) {
    this.#isLooping = on;
    this.#setLoop();
    this.#notify();
  }

  get metronome(): boolean {
    return this.#player.metronome;
  }

  set metronome(on: boolean) {
    this.#player.metronome = on;
    this.#notify();
  }

  get player(): Player {
    return this.#player;
  }

  mixOf(part: number): Mix {
    return this.#mixes[part] ?? AUDIBLE;
  }

  /** The parts that do not sound. */
  get silent(): ReadonlySet<number> {
    const { parts } = this.#store.piece;
    const someSolo = parts.some((_, part) => this.mixOf(part).solo);
    const isSilent = (part: number): boolean => this.mixOf(part).mute || (someSolo && !this.mixOf(part).solo);
    return new Set([...parts.keys()].filter(isSilent));
  }

  mix(part: number, change: Partial<Mix>): void {
    this.#mixes[part] = { ...this.mixOf(part), ...change };
    this.#player.mix(part, change);
    this.#notify();
  }

  /** Forgets what was set for a part that is removed; the parts behind it move up. */
  removeMix(part: number): void {
    const mixes = Array.from(this.#store.piece.parts, (_, index) => this.mixOf(index));
    mixes.splice(part, 1);
    this.#mixes = mixes;
    [...mixes, AUDIBLE].forEach((mix, index) => this.#player.mix(index, mix));
    this.#notify();
  }

  unlock(): void {
    void (window.pianorollAudio ??= new AudioContext()).resume();
  }

  /** Plays from a beat, or from where it was paused. With selected bars, it plays within them. */
  play(from?: number): void {
    this.#exchangeMusic();
    const { piece, selection } = this.#store;
    const [first, last] = selection.bars ? barBeats(piece, selection.bars) : [0, piece.beats];
    const inside = this.position >= first - 1e-6 && this.position < last - 1e-6;
    if (from !== undefined) this.#player.seek(from);
    else if (!inside) this.#player.seek(first);
    this.#player.play();
    this.#notify();
  }

  pause(): void {
    this.#player.pause();
    this.#notify();
  }

  seek(beat: number): void {
    this.#exchangeMusic();
    this.#player.seek(beat);
    this.#notify();
  }

  sound(part: number, pitch: number, velocity: number): void {
    this.#exchangeMusic();
    this.#player.sound({ part, pitch, velocity: velocity / 127 });
  }

  sendTo(receiver: Receiver | null, muted = false): void {
    const note = (sent: SentNote): void => receiver?.note({ ...sent, velocity: Math.round(sent.velocity * 127) });
    this.#player.sendTo(receiver && { note, silence: () => receiver.silence() });
    this.#player.muted = muted;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Follows the store. While it plays, changes that come quickly are heard together.
  #follow(): void {
    this.#setLoop();
    const { piece } = this.#store;
    if (piece === this.#played || !this.playing) return;
    if (piece.beats_per_minute !== this.#played.beats_per_minute) this.#exchangeMusic();
    else this.#exchange ??= setTimeout(() => this.#exchangeMusic(), StudioTransport.PAUSE);
  }

  #exchangeMusic(): void {
    if (this.#exchange !== null) clearTimeout(this.#exchange);
    this.#exchange = null;
    const { piece } = this.#store;
    if (piece === this.#played) return;
    this.#player.replace(playable(piece));
    if (piece.beats_per_minute !== this.#played.beats_per_minute) this.#player.tempo = piece.beats_per_minute / 60;
    this.#played = piece;
    this.#setLoop();
  }

  #setLoop(): void {
    const { piece, selection } = this.#store;
    const wanted = this.#isLooping ? (selection.bars ? barBeats(piece, selection.bars) : true) : false;
    if (String(wanted) !== String(this.#player.loop)) this.#player.loop = wanted;
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
