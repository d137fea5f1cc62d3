// A stand-in for Web Audio whose clock the tests move, and which keeps what was started.

import { mock } from "node:test";

export interface Started {
  readonly frequency: number; // Hz of an oscillator, or the playback rate of a buffer
  readonly kind: "oscillator" | "buffer";
  readonly from: number;
  until: number;
  readonly gains: () => number[]; // of all nodes from the source to the loudspeaker
  readonly loop: boolean;
}

class Param {
  value = 1;

  constructor(readonly context: FakeAudio) {}

  setValueAtTime(value: number): void {
    this.value = value;
  }
  linearRampToValueAtTime(value: number): void {
    this.value = value;
  }
  setTargetAtTime(value: number, from: number): void {
    if (from <= this.context.currentTime) this.value = value; // later ones belong to an envelope
  }
}

class Node {
  readonly gain: Param;
  readonly frequency: Param;
  readonly playbackRate: Param;
  readonly Q: Param;
  next: Node | null = null;
  buffer: unknown = null;
  loop = false;
  loopStart = 0;
  loopEnd = 0;
  type = "";
  onended: (() => void) | null = null;
  #started: Started | null = null;

  constructor(
    readonly context: FakeAudio,
    readonly kind: Started["kind"] | "other" = "other",
  ) {
    this.gain = new Param(context);
    this.frequency = new Param(context);
    this.playbackRate = new Param(context);
    this.Q = new Param(context);
  }

  connect(next: Node): Node {
    return (this.next = next);
  }

  disconnect(): void {
    this.next = null;
  }

  setPeriodicWave(): void {}

  start(from: number): void {
    if (this.kind === "other") throw new Error("not a source");
    const frequency = this.kind === "buffer" ? this.playbackRate.value : this.frequency.value;
    const gains = () => {
      const levels: number[] = [];
      for (let node: Node | null = this.next; node; node = node.next) levels.push(node.gain.value);
      return levels;
    };
    this.#started = { frequency, kind: this.kind, from, until: Infinity, gains, loop: this.loop };
    this.context.started.push(this.#started);
  }

  stop(until: number): void {
    if (this.#started) this.#started.until = until;
  }
}

export class FakeAudio {
  currentTime = 0;
  readonly sampleRate = 44100;
  readonly started: Started[] = [];
  readonly destination = new Node(this);

  resume(): Promise<void> {
    return Promise.resolve();
  }
  createGain = (): Node => new Node(this);
  createDynamicsCompressor = (): Node => new Node(this);
  createBiquadFilter = (): Node => new Node(this);
  createOscillator = (): Node => new Node(this, "oscillator");
  createBufferSource = (): Node => new Node(this, "buffer");
  createPeriodicWave = (): object => ({});
  createBuffer = (_channels: number, length: number): object => ({ getChannelData: () => new Float32Array(length) });

  /** What still sounds or will: not taken back before it began. */
  get planned(): Started[] {
    return this.started.filter(({ from, until }) => until > from);
  }

  /** Moves the clock, with the page's timers. */
  advance(seconds: number): void {
    for (let passed = 0; passed < seconds - 1e-9; passed += 0.05) {
      this.currentTime += 0.05;
      mock.timers.tick(50);
    }
  }
}

/** A page with a new audio clock at 0 and timers that the tests move. */
export function openAudio(): FakeAudio {
  const audio = new FakeAudio();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  Object.assign(globalThis, { window: { pianorollAudio: audio }, document: new EventTarget() });
  return audio;
}

export const pitchOf = ({ frequency }: Started): number => Math.round(69 + 12 * Math.log2(frequency / 440));
