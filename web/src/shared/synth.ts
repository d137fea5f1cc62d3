// Synthesised sounds: a timbre for each family of General MIDI programs, drums, and the clicks of a metronome.

/** One note. Times are those of the audio clock. */
export interface SoundingNote {
  readonly pitch: number; // MIDI pitch
  readonly velocity: number; // 0..1
  readonly from: number;
  readonly until: number; // when it is released
}

/** Shapes `envelope`, through which the note sounds, and starts the sources, which it returns. They end together. */
export type Instrument = (
  context: BaseAudioContext,
  envelope: GainNode,
  note: SoundingNote,
) => readonly AudioScheduledSourceNode[];

declare global {
  interface BaseAudioContext {
    pianorollNoise?: AudioBuffer;
    pianorollWaves?: Map<Timbre, PeriodicWave>;
  }
}

export interface Timbre {
  readonly overtones: readonly number[]; // levels, from the fundamental upwards
  readonly attack: number; // seconds until a note has its full level
  readonly decay: number; // time constant in seconds of the fall to ...
  readonly sustain: number; // ... this share of the level
  readonly release: number; // time constant of the end, seconds
  readonly cutoff: number; // where a closing filter begins, in multiples of the frequency; 0: no filter
}

const timbre = (
  overtones: readonly number[],
  attack: number,
  decay: number,
  sustain: number,
  release: number,
  cutoff = 0,
): Timbre => ({ overtones, attack, decay, sustain, release, cutoff });

const BOWED = [1, 0.6, 0.45, 0.35, 0.25, 0.2, 0.15, 0.1, 0.08, 0.06];

// The families of General MIDI, eight programs each.
const FAMILIES: readonly Timbre[] = [
  timbre([1, 0.45, 0.3, 0.16, 0.1, 0.08, 0.05, 0.03], 0.006, 0.6, 0.25, 0.05, 7), // piano
  timbre([1, 0, 0.1, 0.35, 0, 0, 0, 0, 0, 0.1], 0.004, 0.4, 0.02, 0.15), // chromatic percussion
  timbre([1, 0.8, 0.5, 0.5, 0, 0.3, 0, 0.25], 0.02, 1, 1, 0.03), // organ
  timbre([1, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05], 0.005, 0.45, 0.08, 0.06, 6), // guitar
  timbre([1, 0.6, 0.3, 0.2, 0.1, 0.05], 0.008, 0.6, 0.3, 0.05, 5), // bass
  timbre(BOWED, 0.07, 0.5, 0.85, 0.07), // strings
  timbre([1, 0.5, 0.35, 0.12, 0.1, 0.05], 0.09, 0.5, 0.9, 0.12), // ensemble, with the choirs
  timbre([1, 0.9, 0.75, 0.6, 0.45, 0.3, 0.2, 0.12, 0.08], 0.04, 0.3, 0.8, 0.05), // brass
  timbre([1, 0.15, 0.7, 0.12, 0.45, 0.1, 0.25, 0.05], 0.03, 0.4, 0.85, 0.05), // reed
  timbre([1, 0.25, 0.08, 0.03], 0.04, 0.4, 0.9, 0.05), // pipe
  timbre([1, 0.5, 0.33, 0.25, 0.2, 0.16, 0.14, 0.12], 0.01, 0.3, 0.7, 0.05), // synth lead
  timbre([1, 0.5, 0.25, 0.12, 0.06], 0.2, 0.8, 0.9, 0.25), // synth pad
  timbre([1, 0.3, 0.3, 0.1, 0.2], 0.1, 0.8, 0.6, 0.25), // synth effects
  timbre([1, 0.8, 0.6, 0.5, 0.3, 0.2, 0.1], 0.004, 0.3, 0.05, 0.06, 8), // plucked, from around the world
  timbre([1, 0.1, 0.3, 0, 0.15], 0.003, 0.15, 0.02, 0.08), // tuned percussion
  timbre([1, 0.4, 0.2], 0.1, 0.8, 0.6, 0.2), // sound effects
];

/** The timbre of a General MIDI program, 0..127. */
export function timbreOf(program: number): Timbre {
  return FAMILIES[program >> 3] ?? (FAMILIES[0] as Timbre);
}

/** The level of a note: 40 dB from the softest to the loudest. */
export const levelOf = (velocity: number): number => 0.25 * velocity ** 1.5;

/** Rises to the level, falls to the sustained level, and is released at `until`. Returns when it is silent. */
export function shape(
  gain: AudioParam,
  level: number,
  { from, until }: Pick<SoundingNote, "from" | "until">,
  { attack, decay, sustain, release }: Pick<Timbre, "attack" | "decay" | "sustain" | "release">,
): number {
  const rise = Math.min(attack, Math.max((until - from) / 2, 0.003));
  const end = Math.max(until, from + 2 * rise);
  gain.setValueAtTime(0, from);
  gain.linearRampToValueAtTime(level, from + rise);
  gain.setTargetAtTime(sustain * level, from + rise, decay);
  gain.setTargetAtTime(0, end, release);
  return end + 8 * release;
}

/** An instrument with the timbre of a program. */
export function synthesised(program: number): Instrument {
  const sound = timbreOf(program);
  return (context, envelope, note) => {
    const frequency = 440 * 2 ** ((note.pitch - 69) / 12);
    const silent = shape(envelope.gain, levelOf(note.velocity), note, sound);
    const oscillator = context.createOscillator();
    oscillator.setPeriodicWave(wave(context, sound));
    oscillator.frequency.value = frequency;
    if (sound.cutoff) {
      const filter = context.createBiquadFilter(); // a lowpass; soft notes are darker
      const highest = context.sampleRate / 2;
      const open = Math.min(sound.cutoff * frequency * (0.4 + 0.6 * note.velocity), highest);
      filter.frequency.setValueAtTime(open, note.from);
      filter.frequency.setTargetAtTime(Math.min(2 * frequency, highest), note.from, sound.decay);
      oscillator.connect(filter).connect(envelope);
    } else oscillator.connect(envelope);
    oscillator.start(note.from);
    oscillator.stop(silent);
    return [oscillator];
  };
}

function wave(context: BaseAudioContext, sound: Timbre): PeriodicWave {
  const waves = (context.pianorollWaves ??= new Map());
  const known = waves.get(sound);
  if (known) return known;
  const sines = Float32Array.from([0, ...sound.overtones]);
  const made = context.createPeriodicWave(new Float32Array(sines.length), sines);
  waves.set(sound, made);
  return made;
}

/** The drums of General MIDI: skins are falling tones, snares and cymbals are noise. */
export const drums: Instrument = (context, envelope, { pitch, velocity, from }) => {
  const sound = drumOf(pitch);
  const decaying = { attack: 0.001, decay: sound.decay, sustain: 0, release: sound.decay };
  const silent = shape(envelope.gain, levelOf(velocity) * sound.level, { from, until: from + 0.1 }, decaying);
  const sources: AudioScheduledSourceNode[] = [];
  if (sound.tone) {
    const oscillator = context.createOscillator();
    oscillator.frequency.setValueAtTime(2.2 * sound.tone, from);
    oscillator.frequency.setTargetAtTime(sound.tone, from, 0.03);
    oscillator.connect(envelope);
    sources.push(oscillator);
  }
  if (sound.noise) {
    const source = context.createBufferSource();
    source.buffer = context.pianorollNoise ??= noise(context);
    source.loop = true;
    const filter = context.createBiquadFilter();
    filter.type = "bandpass";
    filter.frequency.value = sound.noise;
    filter.Q.value = 0.7;
    source.connect(filter).connect(envelope);
    sources.push(source);
  }
  for (const source of sources) {
    source.start(from);
    source.stop(silent);
  }
  return sources;
};

interface Drum {
  readonly tone: number; // Hz; 0: none
  readonly noise: number; // the middle of its band in Hz; 0: none
  readonly decay: number; // time constant, seconds
  readonly level: number;
}

function drumOf(pitch: number): Drum {
  if (pitch <= 36) return { tone: 50, noise: 0, decay: 0.12, level: 2.5 }; // bass drums
  if ([37, 39, 54, 56].includes(pitch)) return { tone: 0, noise: 2500, decay: 0.03, level: 1.2 }; // stick, clap, bells
  if (pitch === 38 || pitch === 40) return { tone: 180, noise: 3000, decay: 0.07, level: 1.2 }; // snares
  if ([42, 44].includes(pitch)) return { tone: 0, noise: 8000, decay: 0.02, level: 0.8 }; // closed hi-hats
  if (pitch === 46) return { tone: 0, noise: 8000, decay: 0.15, level: 0.8 };
  if ([49, 51, 52, 53, 55, 57, 59].includes(pitch)) return { tone: 0, noise: 6500, decay: 0.35, level: 0.8 }; // cymbals
  if (pitch <= 50) return { tone: 70 + 12 * (pitch - 41), noise: 0, decay: 0.12, level: 1.8 }; // toms
  const band = Math.min(80 * 2 ** ((pitch - 35) / 2.5), 8000);
  return { tone: 0, noise: band, decay: 0.05, level: 1 };
}

function noise(context: BaseAudioContext): AudioBuffer {
  const buffer = context.createBuffer(1, context.sampleRate, context.sampleRate);
  const samples = buffer.getChannelData(0);
  for (let index = 0; index < samples.length; index++) samples[index] = 2 * Math.random() - 1;
  return buffer;
}

/** A click of a metronome: velocity 1 is the accent of a bar's first beat. */
export const click: Instrument = (context, envelope, { velocity, from }) => {
  const oscillator = context.createOscillator();
  oscillator.frequency.value = velocity === 1 ? 1760 : 1320;
  const short = { attack: 0.001, decay: 0.02, sustain: 0, release: 0.01 };
  const silent = shape(envelope.gain, 0.2 * velocity, { from, until: from + 0.02 }, short);
  oscillator.connect(envelope);
  oscillator.start(from);
  oscillator.stop(silent);
  return [oscillator];
};
