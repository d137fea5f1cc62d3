// Recorded sounds of an instrument at some pitches. The notes between them play the nearest one faster or slower.

import { type Instrument, levelOf, shape } from "./synth.js";

/** The sounds of a General MIDI program, as the studio's server sends them: WAV files in base64. */
export interface SampleFile {
  readonly program: number;
  readonly notes: readonly { readonly pitch: number; readonly wav: string }[];
}

export interface Sample {
  readonly pitch: number;
  readonly buffer: AudioBuffer;
  readonly loop: readonly [from: number, to: number] | null; // seconds that repeat while a long note is held
}

const DECODER_RATE = 44100;
const CROSSFADE = 0.1; // seconds
const ENVELOPE = { attack: 0.004, decay: 1, sustain: 1, release: 0.08 };
const GAIN = 2; // over the level of a synthesised note: recorded peaks are far above the recorded mean

/** Decodes the sounds. Rejected if one is no WAV file. */
export async function decoded(file: SampleFile): Promise<Sample[]> {
  const decoder = new OfflineAudioContext(1, 1, DECODER_RATE);
  const samples: Sample[] = [];
  for (const { pitch, wav } of file.notes) {
    const buffer = await decoder.decodeAudioData(bytesOf(wav)); // one after another, so that the page stays responsive
    samples.push({ pitch, buffer, loop: repeated(buffer) });
  }
  return samples;
}

function bytesOf(base64: string): ArrayBuffer {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes.buffer;
}

/** An instrument that plays the samples; at least one. */
export function sampled(samples: readonly Sample[]): Instrument {
  return (context, envelope, note) => {
    const { pitch, buffer, loop } = nearest(samples, note.pitch);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.playbackRate.value = 2 ** ((note.pitch - pitch) / 12);
    if (loop) [source.loop, source.loopStart, source.loopEnd] = [true, ...loop];
    const silent = shape(envelope.gain, GAIN * levelOf(note.velocity), note, ENVELOPE);
    source.connect(envelope);
    source.start(note.from);
    source.stop(silent);
    return [source];
  };
}

export function nearest(samples: readonly Sample[], pitch: number): Sample {
  return samples.reduce((best, sample) =>
    Math.abs(sample.pitch - pitch) < Math.abs(best.pitch - pitch) ? sample : best,
  );
}

/** Where a sound that still sounds at its end repeats; the end is crossfaded, in the buffer, into the repetition. */
function repeated(buffer: AudioBuffer): [from: number, to: number] | null {
  const fade = Math.round(CROSSFADE * buffer.sampleRate);
  const from = Math.floor(buffer.length / 2);
  const to = buffer.length - 1;
  if (from < fade || to - from < 2 * fade) return null;
  const loudest = (start: number) => {
    const piece = buffer.getChannelData(0).subarray(start, start + fade);
    return piece.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  };
  if (loudest(to - fade) < 0.7 * loudest(from)) return null; // it decays
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const values = buffer.getChannelData(channel);
    for (let index = 0; index < fade; index++) {
      const share = index / fade;
      const before = values[from - fade + index] as number;
      const end = values[to - fade + index] as number;
      values[to - fade + index] = Math.cos((share * Math.PI) / 2) * end + Math.sin((share * Math.PI) / 2) * before;
    }
  }
  return [from / buffer.sampleRate, to / buffer.sampleRate];
}
