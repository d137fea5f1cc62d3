// Pieces and models that the tests of the studio share.

import type { ModelSettings, Settings, Transport } from "../src/studio/page.js";
import { withNotes, type Note, type Piece } from "../src/studio/piece.js";

export const NAMES = ["soprano", "alto", "tenor", "bass"];

export function note(part: number, pitch: number, start: number, length = 1, velocity = 80): Note {
  return { part, pitch, start, length, velocity };
}

export function piece(notes: readonly Note[] = [], values: Partial<Piece> = {}): Piece {
  const parts = NAMES.map((name) => ({ name, program: 52, is_drums: false }));
  return withNotes({ beats_per_minute: 90, beats_per_bar: 4, beats: 16, parts, notes: [], ...values }, notes);
}

export function model(values: Partial<ModelSettings> = {}): ModelSettings {
  return {
    name: "voices",
    card: {},
    lowest: 36,
    highest: 81,
    frames_per_beat: 4,
    conditional: false,
    is_drums: false,
    parts: NAMES.map((name) => ({ name, program: 52, is_drums: false, lowest: 36, highest: 81 })),
    tasks: { continue: null, fill: null, harmonize: null, vary: null },
    ...values,
  };
}

export function settings(...models: ModelSettings[]): Settings {
  return {
    models: models.length ? models : [model()],
    roots: ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"],
    scales: { major: [0, 2, 4, 5, 7, 9, 11], minor: [0, 2, 3, 5, 7, 8, 10] },
    beats_per_minute: [20, 400],
    max_takes: 4,
    max_file_bytes: 1_000_000,
    max_beats: 2000,
    max_seconds: 600,
    scores: null,
    samples: null,
  };
}

/** A transport that writes down what it is asked to do. */
export class QuietTransport implements Transport {
  playing = false;
  metronome = false;
  position = 0;
  readonly calls: string[] = [];
  unlock(): void {
    this.calls.push("unlock");
  }
  play(from?: number): void {
    this.playing = true;
    this.position = from ?? this.position;
    this.calls.push(`play ${this.position}`);
  }
  pause(): void {
    this.playing = false;
    this.calls.push("pause");
  }
  seek(beat: number): void {
    this.position = beat;
  }
  sound(): void {}
  subscribe(): () => void {
    return () => undefined;
  }
  sendTo(): void {}
}
