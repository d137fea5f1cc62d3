// MIDI that goes out: the notes of the piece, each part on a channel of its own.

import type { Receiver, SentNote } from "./page.js";
import type { Part } from "./piece.js";

export interface Output {
  send(data: number[], timestamp?: number): void;
  clear?(): void; // drops what has been sent for later; some browsers lack it
}

const DRUMS = 9;

/** The channel of a part, 0 to 15: drums have the tenth, the others all but that one, in order. */
export function channelOf(parts: readonly Part[], part: number): number {
  if (parts[part]?.is_drums) return DRUMS;
  const before = parts.slice(0, part).filter((one) => !one.is_drums).length % 15;
  return before < DRUMS ? before : before + 1;
}

export class MidiReceiver implements Receiver {
  #programs = new Map<number, number>(); // by channel, as they were sent
  #until = new Map<string, { channel: number; pitch: number; end: number }>(); // notes that may still sound

  /**
   * Messages to an output that has been unplugged are dropped.
   *
   * @param parts the parts of the piece now.
   * @param now the present time of `performance.now()`; tests give their own.
   */
  constructor(
    readonly output: Output,
    readonly parts: () => readonly Part[],
    readonly now: () => number = () => performance.now(),
  ) {}

  note({ part, pitch, velocity, seconds, at }: SentNote): void {
    const parts = this.parts();
    const channel = channelOf(parts, part);
    const program = parts[part]?.program ?? 0;
    if (channel !== DRUMS && this.#programs.get(channel) !== program) {
      this.#programs.set(channel, program);
      this.#send([0xc0 | channel, program], at);
    }
    this.#send([0x90 | channel, pitch, Math.min(Math.max(Math.round(velocity), 1), 127)], at);
    const end = at + 1000 * seconds;
    this.#send([0x80 | channel, pitch, 0], end);
    for (const [key, note] of this.#until) if (note.end < this.now()) this.#until.delete(key);
    this.#until.set(`${channel} ${pitch}`, { channel, pitch, end });
  }

  silence(): void {
    this.#whilePlugged(() => this.output.clear?.());
    for (const { channel, pitch, end } of this.#until.values()) {
      if (end >= this.now()) this.#send([0x80 | channel, pitch, 0]);
    }
    this.#until.clear();
  }

  #send(data: number[], at?: number): void {
    this.#whilePlugged(() => this.output.send(data, at));
  }

  #whilePlugged(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "InvalidStateError")) throw error;
    }
  }
}
