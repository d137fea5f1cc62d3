// The way of sound from notes to the loudspeaker: instruments, the levels of the parts, the metronome, the volume.
//
//   note -> envelope -> part -> bus -> output -> limiter -> loudspeaker
//
// The bus carries all that is scheduled, so that it can be faded out together.

import type { Part, PartMix, TimedNote } from "./music.js";
import { click, drums, type Instrument, type SoundingNote, synthesised } from "./synth.js";

declare global {
  interface Window {
    pianorollAudio?: AudioContext;
  }
}

type Playing = Pick<Part, "program" | "drums">;
type Timer = ReturnType<typeof setTimeout>;

export interface Voice {
  readonly note: TimedNote | null; // null: a click
  readonly from: number; // a time of the audio clock
  readonly envelope: GainNode;
  readonly sources: readonly AudioScheduledSourceNode[];
  readonly sending: Timer | undefined; // sends the note elsewhere
}

interface Open {
  readonly context: AudioContext;
  readonly output: GainNode;
  bus: GainNode;
  clicks: GainNode;
  parts: Map<number, GainNode>;
}

const FULL: PartMix = { mute: false, solo: false, volume: 1 };

export class Mixer {
  #open: Open | null = null;
  #voices = new Set<Voice>();
  #volume = 0.8;
  #muted = false;
  #metronome = false;
  #mixes = new Map<number, PartMix>();
  #instruments = new Map<number, Instrument>();

  /** The time of the audio clock; 0 before `start`. */
  get time(): number {
    return this.#open?.context.currentTime ?? 0;
  }

  get volume(): number {
    return this.#volume;
  }

  set volume(level: number) {
    this.#volume = level;
    this.#showLevels();
  }

  get muted(): boolean {
    return this.#muted;
  }

  set muted(on: boolean) {
    this.#muted = on;
    this.#showLevels();
  }

  get metronome(): boolean {
    return this.#metronome;
  }

  set metronome(on: boolean) {
    this.#metronome = on;
    this.#showLevels();
  }

  mix(part: number, change: Partial<PartMix>): void {
    this.#mixes.set(part, { ...FULL, ...this.#mixes.get(part), ...change });
    this.#showLevels();
  }

  /** The level of a part, 0 if it is silent: muted, or not among those that are solo. */
  level(part: number): number {
    const { mute, solo, volume } = this.#mixes.get(part) ?? FULL;
    const others = [...this.#mixes.values()].some((mix) => mix.solo);
    return mute || (others && !solo) ? 0 : volume;
  }

  use(program: number, instrument: Instrument | null): void {
    if (instrument) this.#instruments.set(program, instrument);
    else this.#instruments.delete(program);
  }

  /** Opens the audio and gives what is scheduled from now on a new bus. */
  start(): void {
    const open = this.#opened();
    void open.context.resume();
    Object.assign(open, this.#newBus(open.context, open.output));
  }

  /** Fades out all that sounds or is scheduled. */
  fade(): void {
    if (!this.#open) return;
    const { bus, context } = this.#open;
    bus.gain.setTargetAtTime(0, context.currentTime, 0.015);
    setTimeout(() => bus.disconnect(), 200);
    for (const voice of this.#voices) clearTimeout(voice.sending);
    this.#voices.clear();
  }

  /** Takes back what is scheduled and does not sound yet, and ends the sounding notes that are not wanted any more. */
  cancel(wanted: (note: TimedNote) => boolean = () => true): void {
    const { time } = this;
    for (const voice of this.#voices) {
      const waiting = voice.from > time;
      if (waiting) clearTimeout(voice.sending);
      else if (!voice.note || wanted(voice.note)) continue;
      else voice.envelope.gain.setTargetAtTime(0, time, 0.03);
      for (const source of voice.sources) source.stop(waiting ? 0 : time + 0.25);
    }
  }

  close(): void {
    const open = this.#open;
    this.#open = null;
    if (open) setTimeout(() => open.output.disconnect(), 300);
  }

  /** Schedules a note of a part. */
  play(part: number, playing: Playing | undefined, sounding: SoundingNote, note: TimedNote, sending?: Timer): void {
    const output = this.#partOutput(this.#opened(), part);
    this.#keep({ note, from: sounding.from, ...this.#begin(this.#instrument(playing), output, sounding), sending });
  }

  click(from: number, accented: boolean): void {
    const sounding = { pitch: 0, velocity: accented ? 1 : 0.6, from, until: from };
    this.#keep({ note: null, from, ...this.#begin(click, this.#opened().clicks, sounding), sending: undefined });
  }

  /** Sounds one note now, also while nothing plays. */
  sound(playing: Playing | undefined, pitch: number, velocity: number, seconds: number): void {
    const { context, output } = this.#opened();
    void context.resume();
    const from = context.currentTime;
    const note = { pitch, velocity, from, until: from + seconds };
    const { envelope, sources } = this.#begin(this.#instrument(playing), output, note);
    if (sources[0]) sources[0].onended = () => envelope.disconnect();
  }

  #begin(instrument: Instrument, output: AudioNode, note: SoundingNote): Pick<Voice, "envelope" | "sources"> {
    const { context } = this.#opened();
    const envelope = context.createGain();
    envelope.connect(output);
    return { envelope, sources: instrument(context, envelope, note) };
  }

  #keep(voice: Voice): void {
    this.#voices.add(voice);
    const [source] = voice.sources;
    if (!source) return;
    source.onended = () => {
      this.#voices.delete(voice);
      voice.envelope.disconnect();
    };
  }

  /** All players of a document share one audio context, even if each output of a notebook contains this script. */
  #opened(): Open {
    if (this.#open) return this.#open;
    const context = (window.pianorollAudio ??= new AudioContext());
    const output = context.createGain();
    output.gain.value = this.#muted ? 0 : this.#volume;
    output.connect(context.createDynamicsCompressor()).connect(context.destination);
    return (this.#open = { context, output, ...this.#newBus(context, output) });
  }

  #newBus(context: AudioContext, output: AudioNode): Pick<Open, "bus" | "clicks" | "parts"> {
    const bus = context.createGain();
    const clicks = context.createGain();
    clicks.gain.value = this.#metronome ? 1 : 0;
    clicks.connect(bus).connect(output);
    return { bus, clicks, parts: new Map() };
  }

  #partOutput({ context, bus, parts }: Open, part: number): GainNode {
    const known = parts.get(part);
    if (known) return known;
    const made = context.createGain();
    made.gain.value = this.level(part);
    made.connect(bus);
    parts.set(part, made);
    return made;
  }

  #showLevels(): void {
    if (!this.#open) return;
    const { context, output, parts, clicks } = this.#open;
    const fade = (node: GainNode, level: number) => node.gain.setTargetAtTime(level, context.currentTime, 0.02);
    fade(output, this.#muted ? 0 : this.#volume);
    fade(clicks, this.#metronome ? 1 : 0);
    for (const [part, node] of parts) fade(node, this.level(part));
  }

  #instrument({ program, drums: isDrums }: Playing = { program: 0, drums: false }): Instrument {
    return isDrums ? drums : (this.#instruments.get(program) ?? synthesised(program));
  }
}
