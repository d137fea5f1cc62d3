// Plays notes through Web Audio. Everything is timed by the audio clock: notes are scheduled a little ahead of it, so
// that a busy page does not delay notes, and the position is read from it.
//
//   data = {seconds, notes: [[start, end, pitch, velocity, part], ...], parts: [{drums}, ...]}: seconds from the
//   beginning, sorted by start; MIDI pitches; velocities 0..1. Drums are short noises.
//
// Only one player of a document plays at a time: when one starts, the others pause.

class Player {
  static AHEAD = 1; // seconds of music that are scheduled ahead
  static INTERVAL = 100; // milliseconds between two calls of the scheduler
  static ATTACK = 0.006; // seconds until a note has its full level; softer than a click
  static FADE = 0.05; // time constant of a note's release, seconds

  #notes;
  #drums;
  #seconds;
  #onended;
  #context = null;
  #output = null;
  #bus = null; // all scheduled notes play through it, so that they can be faded out together
  #voices = new Set();
  #timer = null;
  #anchor = { time: 0, position: 0 }; // a time of the audio clock and the position at that time
  #pausedAt = 0; // the position while it does not play
  #next = 0; // the index of the first note that is not scheduled yet ...
  #lap = 0; // ... in this repetition of the loop
  #tempo = 1;
  #loop = false;
  #volume = 0.8;

  constructor(data, { onended } = {}) {
    this.#notes = data.notes.slice();
    this.#drums = (data.parts ?? []).map((part) => part.drums);
    this.#seconds = data.seconds;
    this.#onended = onended;
    document.addEventListener("pianoroll-play", this.#onOtherPlay);
  }

  get playing() {
    return this.#timer !== null;
  }

  get seconds() {
    return this.#seconds;
  }

  get position() {
    if (!this.playing) return this.#pausedAt;
    const elapsed = this.#elapsed();
    return this.#loop && this.#seconds > 0 ? elapsed % this.#seconds : Math.min(elapsed, this.#seconds);
  }

  get tempo() {
    return this.#tempo;
  }

  set tempo(factor) {
    this.#adjust(() => (this.#tempo = factor));
  }

  get loop() {
    return this.#loop;
  }

  set loop(on) {
    this.#adjust(() => (this.#loop = Boolean(on)));
  }

  get volume() {
    return this.#volume;
  }

  set volume(level) {
    this.#volume = level;
    if (this.#output) this.#output.gain.setTargetAtTime(level, this.#context.currentTime, 0.02);
  }

  // Plays from the current position; from the beginning if it is at the end.
  play() {
    if (this.playing || !this.#seconds) return;
    document.dispatchEvent(new CustomEvent("pianoroll-play", { detail: this }));
    this.#open();
    this.#context.resume();
    this.#start(this.#pausedAt < this.#seconds ? this.#pausedAt : 0);
    this.#timer = setInterval(() => this.#tick(), Player.INTERVAL);
  }

  pause() {
    if (!this.playing) return;
    const position = this.position;
    this.#stopAt(position);
    this.#fade();
  }

  seek(seconds) {
    const position = Math.min(Math.max(seconds, 0), this.#seconds);
    if (this.playing) {
      this.#fade();
      this.#start(position);
    } else this.#pausedAt = position;
  }

  // Adds notes and sets the new length. Notes whose start has passed begin at once.
  extend(notes, seconds) {
    const lapped = this.playing && (this.#lap > 0 || this.#elapsed() >= this.#seconds);
    const position = this.position;
    const scheduled = this.#next < this.#notes.length ? this.#notes[this.#next][0] : this.#scheduledUntil();
    this.#notes = this.#notes.concat(notes).sort((a, b) => a[0] - b[0]);
    this.#seconds = seconds;
    if (!this.playing) return;
    if (lapped) return this.seek(position); // repetitions have another length from now on
    for (const note of notes) if (note[0] < scheduled && note[1] > position) this.#playNote(note, position);
    this.#next = this.#firstFrom(scheduled);
    this.#schedule();
  }

  destroy() {
    this.pause();
    document.removeEventListener("pianoroll-play", this.#onOtherPlay);
    const output = this.#output;
    this.#output = null;
    if (output) setTimeout(() => output.disconnect(), 300);
  }

  #onOtherPlay = (event) => {
    if (event.detail !== this) this.pause();
  };

  // All players of a document share one audio context, even if each output of a notebook contains this script.
  #open() {
    if (this.#output) return;
    this.#context = window.pianorollAudio ??= new AudioContext();
    this.#output = this.#context.createGain();
    this.#output.gain.value = this.#volume;
    const limiter = this.#context.createDynamicsCompressor();
    this.#output.connect(limiter).connect(this.#context.destination);
  }

  // The position without the loop's wrapping: the anchor's position and what has played since.
  #elapsed() {
    const since = Math.max(this.#context.currentTime - this.#anchor.time, 0);
    return this.#anchor.position + since * this.#tempo;
  }

  // The time of the audio clock for a position in the repetition that is being scheduled.
  #timeOf(position) {
    const offset = this.#lap * this.#seconds + position - this.#anchor.position;
    return this.#anchor.time + offset / this.#tempo;
  }

  #scheduledUntil() {
    return this.playing ? this.#elapsed() + Player.AHEAD * this.#tempo : 0;
  }

  #firstFrom(position) {
    const index = this.#notes.findIndex((note) => note[0] >= position);
    return index < 0 ? this.#notes.length : index;
  }

  // Starts at a position, with the notes that are held there.
  #start(position) {
    this.#bus = this.#context.createGain();
    this.#bus.connect(this.#output);
    this.#setAnchor(position, 0.02); // time to schedule the first notes
    for (const note of this.#notes) {
      if (note[0] >= position) break;
      if (note[1] > position + 0.05) this.#playNote(note, position);
    }
    this.#schedule();
  }

  #setAnchor(position, delay) {
    this.#anchor = { time: this.#context.currentTime + delay, position };
    this.#lap = 0;
    this.#next = this.#firstFrom(position);
  }

  #stopAt(position) {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#pausedAt = position;
  }

  #fade() {
    const bus = this.#bus;
    bus.gain.setTargetAtTime(0, this.#context.currentTime, 0.015);
    setTimeout(() => bus.disconnect(), 200);
    this.#voices.clear();
  }

  // Changes the tempo or the loop. Sounding notes continue; scheduled notes are scheduled again.
  #adjust(change) {
    if (!this.playing) return void change();
    const position = this.position;
    change();
    for (const voice of this.#voices) if (voice.from > this.#context.currentTime) voice.oscillator.stop(0);
    this.#setAnchor(position, 0);
    this.#schedule();
  }

  #tick() {
    if (!this.#loop && this.#elapsed() >= this.#seconds) {
      this.#stopAt(this.#seconds); // the last notes fade out
      this.#onended?.();
    } else this.#schedule();
  }

  #schedule() {
    const until = this.#context.currentTime + Player.AHEAD;
    for (;;) {
      while (this.#next < this.#notes.length && this.#timeOf(this.#notes[this.#next][0]) < until) {
        this.#playNote(this.#notes[this.#next++], 0);
      }
      if (this.#next < this.#notes.length || !this.#loop || this.#timeOf(this.#seconds) >= until) return;
      this.#lap += 1;
      this.#next = 0;
    }
  }

  // Schedules one note, from a position within it if it began before.
  #playNote([start, end, pitch, velocity, part], position) {
    const drum = this.#drums[part];
    if (drum && position > start) return;
    const context = this.#context;
    const from = Math.max(this.#timeOf(Math.max(start, position)), context.currentTime);
    const until = drum ? from + 0.05 : Math.max(this.#timeOf(Math.min(end, this.#seconds)), from + 2 * Player.ATTACK);
    const level = 0.25 * velocity ** 1.5; // 40 dB from the softest to the loudest note
    const envelope = context.createGain();
    envelope.gain.setValueAtTime(0, from);
    envelope.gain.linearRampToValueAtTime(level, from + (drum ? 0.001 : Player.ATTACK));
    envelope.gain.setTargetAtTime(0.3 * level, from + Player.ATTACK, 0.5);
    envelope.gain.setTargetAtTime(0, until, Player.FADE);
    const oscillator = drum ? Player.#noise(context, pitch, envelope) : context.createOscillator();
    if (!drum) {
      oscillator.setPeriodicWave(Player.#wave(context));
      oscillator.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
      oscillator.connect(envelope);
    }
    envelope.connect(this.#bus);
    oscillator.start(from);
    oscillator.stop(until + 8 * Player.FADE);
    const voice = { from, oscillator };
    this.#voices.add(voice);
    oscillator.onended = () => {
      this.#voices.delete(voice);
      envelope.disconnect();
    };
  }

  // A source of noise, dull for low drums (a bass drum is 36) and bright for high ones (a hi-hat is 42).
  static #noise(context, pitch, output) {
    if (!context.pianorollNoise) {
      const buffer = context.createBuffer(1, context.sampleRate, context.sampleRate);
      const samples = buffer.getChannelData(0);
      for (let index = 0; index < samples.length; index++) samples[index] = 2 * Math.random() - 1;
      context.pianorollNoise = buffer;
    }
    const source = context.createBufferSource();
    source.buffer = context.pianorollNoise;
    source.loop = true;
    const filter = context.createBiquadFilter();
    filter.type = "bandpass";
    filter.frequency.value = Math.min(80 * 2 ** (Math.max(pitch - 35, 0) / 2.5), 8000);
    source.connect(filter).connect(output);
    return source;
  }

  // A tone with a few overtones, each fainter than the one below.
  static #wave(context) {
    const overtones = new Float32Array([0, 1, 0.4, 0.2, 0.1, 0.05, 0.02]);
    return (context.pianorollWave ??= context.createPeriodicWave(new Float32Array(overtones.length), overtones));
  }
}
