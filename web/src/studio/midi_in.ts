// MIDI that comes in: messages, and notes that are played to a beat.

import type { Note } from "./piece.js";

export type KeyEvent = { readonly kind: "press"; readonly pitch: number; readonly velocity: number } | { readonly kind: "release"; readonly pitch: number };

/** A key pressed or released, of any channel; null for other messages. */
export function keyEvent(message: ArrayLike<number> | null): KeyEvent | null {
  if (!message || message.length < 3) return null;
  const [status, pitch, velocity] = [message[0]! & 0xf0, message[1]!, message[2]!];
  if (pitch > 127 || velocity > 127) return null;
  if (status === 0x90 && velocity > 0) return { kind: "press", pitch, velocity };
  return status === 0x90 || status === 0x80 ? { kind: "release", pitch } : null;
}

/** A note that was played, in beats. */
export type Played = Omit<Note, "part">;

/** A played note on the lines of the grid: its start on the nearest line, and at least one step long. */
export function quantised(note: Played, stepsPerBeat: number): Played {
  const start = Math.max(Math.round(note.start * stepsPerBeat), 0);
  const end = Math.max(Math.round((note.start + note.length) * stepsPerBeat), start + 1);
  return { ...note, start: start / stepsPerBeat, length: (end - start) / stepsPerBeat };
}

/** Makes notes of keys that are pressed and released. Times are in beats. */
export class KeyRecorder {
  #pressed = new Map<number, Played>();

  get isHeld(): boolean {
    return this.#pressed.size > 0;
  }

  /** A key at a beat. Returns the notes that end there. */
  key(event: KeyEvent, beat: number): Played[] {
    const ended = this.#end(event.pitch, beat); // a second press without a release ends the first
    if (event.kind === "press") this.#pressed.set(event.pitch, { pitch: event.pitch, velocity: event.velocity, start: beat, length: 0 });
    return ended;
  }

  /** Releases all keys. */
  finish(beat: number): Played[] {
    return [...this.#pressed.keys()].flatMap((pitch) => this.#end(pitch, beat));
  }

  #end(pitch: number, beat: number): Played[] {
    const note = this.#pressed.get(pitch);
    this.#pressed.delete(pitch);
    return note ? [{ ...note, length: Math.max(beat - note.start, 0) }] : [];
  }
}
