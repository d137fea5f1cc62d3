// Plays notes through Web Audio. Everything is timed by the audio clock: notes are scheduled a little ahead of it, so
// that a busy page delays no note, and the position is read off it.
//
//   music = {seconds, notes: [[start, end, pitch, velocity], ...]}: seconds from the beginning, sorted by start; MIDI
//   pitches; velocities 0..1.
//
// Only one player of a document sounds at a time: one that begins tells the others, which pause.

class Player {
  static AHEAD = 1; // seconds of music that are scheduled ahead
  static EVERY = 100; // milliseconds between two looks at the clock
  static ATTACK = 0.006; // seconds until a note has its full level; softer than a click
  static FADE = 0.05; // time constant of a note's release, seconds

  #notes;
  #seconds;
  #onended;
  #context = null;
  #output = null;
  #bus = null; // what is scheduled sounds through it, so that all of it can be faded at once
  #voices = new Set();
  #timer = null;
  #anchor = { time: 0, position: 0 }; // the music stood at this position at this time of the audio clock
  #stopped = 0; // the position while nothing plays
  #next = 0; // the first note that is not scheduled yet ...
  #lap = 0; // ... in this turn of the loop
  #tempo = 1;
  #loop = false;
  #volume = 0.8;

  constructor(music, { onended } = {}) {
    this.#notes = music.notes.slice();
    this.#seconds = music.seconds;
    this.#onended = onended;
    document.addEventListener("pianoroll-play", this.#others);
  }

  get playing() {
    return this.#timer !== null;
  }

  get seconds() {
    return this.#seconds;
  }

  get position() {
    if (!this.playing) return this.#stopped;
    const run = this.#run();
    return this.#loop && this.#seconds > 0 ? run % this.#seconds : Math.min(run, this.#seconds);
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

  // Plays on from where it stands; from the beginning where it stands at the end.
  play() {
    if (this.playing || !this.#seconds) return;
    document.dispatchEvent(new CustomEvent("pianoroll-play", { detail: this }));
    this.#open();
    this.#context.resume();
    this.#begin(this.#stopped < this.#seconds ? this.#stopped : 0);
    this.#timer = setInterval(() => this.#tick(), Player.EVERY);
  }

  pause() {
    if (!this.playing) return;
    const position = this.position;
    this.#halt(position);
    this.#fade();
  }

  seek(seconds) {
    const position = Math.min(Math.max(seconds, 0), this.#seconds);
    if (this.playing) {
      this.#fade();
      this.#begin(position);
    } else this.#stopped = position;
  }

  // More notes, and how long the music is with them. Those that should sound already begin at once.
  extend(notes, seconds) {
    const lapped = this.playing && (this.#lap > 0 || this.#run() >= this.#seconds);
    const position = this.position;
    const scheduled = this.#next < this.#notes.length ? this.#notes[this.#next][0] : this.#scheduledUntil();
    this.#notes = this.#notes.concat(notes).sort((a, b) => a[0] - b[0]);
    this.#seconds = seconds;
    if (!this.playing) return;
    if (lapped) return this.seek(position); // the turns are of another length from now on
    for (const note of notes) if (note[0] < scheduled && note[1] > position) this.#strike(note, position);
    this.#next = this.#firstFrom(scheduled);
    this.#schedule();
  }

  destroy() {
    this.pause();
    document.removeEventListener("pianoroll-play", this.#others);
    const output = this.#output;
    this.#output = null;
    if (output) setTimeout(() => output.disconnect(), 300);
  }

  #others = (event) => {
    if (event.detail !== this) this.pause();
  };

  // One context is enough for all players of a document, also where a notebook's outputs each bring this script.
  #open() {
    if (this.#output) return;
    this.#context = window.pianorollAudio ??= new AudioContext();
    this.#output = this.#context.createGain();
    this.#output.gain.value = this.#volume;
    const limiter = this.#context.createDynamicsCompressor();
    this.#output.connect(limiter).connect(this.#context.destination);
  }

  // How far the music has run since the anchor, through all turns of the loop.
  #run() {
    const since = Math.max(this.#context.currentTime - this.#anchor.time, 0);
    return this.#anchor.position + since * this.#tempo;
  }

  // When the audio clock reaches a position of the turn that is being scheduled.
  #timeOf(position) {
    const along = this.#lap * this.#seconds + position - this.#anchor.position;
    return this.#anchor.time + along / this.#tempo;
  }

  #scheduledUntil() {
    return this.playing ? this.#run() + Player.AHEAD * this.#tempo : 0;
  }

  #firstFrom(position) {
    const index = this.#notes.findIndex((note) => note[0] >= position);
    return index < 0 ? this.#notes.length : index;
  }

  // Starts the clock of the music at a position, with the notes that are held there.
  #begin(position) {
    this.#bus = this.#context.createGain();
    this.#bus.connect(this.#output);
    this.#goOn(position, 0.02); // time to schedule what sounds first
    for (const note of this.#notes) {
      if (note[0] >= position) break;
      if (note[1] > position + 0.05) this.#strike(note, position);
    }
    this.#schedule();
  }

  #goOn(position, delay) {
    this.#anchor = { time: this.#context.currentTime + delay, position };
    this.#lap = 0;
    this.#next = this.#firstFrom(position);
  }

  #halt(position) {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#stopped = position;
  }

  #fade() {
    const bus = this.#bus;
    bus.gain.setTargetAtTime(0, this.#context.currentTime, 0.015);
    setTimeout(() => bus.disconnect(), 200);
    this.#voices.clear();
  }

  // Changes how time runs, from here on: what sounds goes on, what is only scheduled is scheduled anew.
  #adjust(change) {
    if (!this.playing) return void change();
    const position = this.position;
    change();
    for (const voice of this.#voices) if (voice.from > this.#context.currentTime) voice.oscillator.stop(0);
    this.#goOn(position, 0);
    this.#schedule();
  }

  #tick() {
    if (!this.#loop && this.#run() >= this.#seconds) {
      this.#halt(this.#seconds); // the last notes ring out
      this.#onended?.();
    } else this.#schedule();
  }

  #schedule() {
    const until = this.#context.currentTime + Player.AHEAD;
    for (;;) {
      while (this.#next < this.#notes.length && this.#timeOf(this.#notes[this.#next][0]) < until) {
        this.#strike(this.#notes[this.#next++], 0);
      }
      if (this.#next < this.#notes.length || !this.#loop || this.#timeOf(this.#seconds) >= until) return;
      this.#lap += 1;
      this.#next = 0;
    }
  }

  // Schedules one note, from a position within it where it has begun before.
  #strike([start, end, pitch, velocity], position) {
    const context = this.#context;
    const from = Math.max(this.#timeOf(Math.max(start, position)), context.currentTime);
    const until = Math.max(this.#timeOf(Math.min(end, this.#seconds)), from + 2 * Player.ATTACK);
    const level = 0.2 * velocity;
    const envelope = context.createGain();
    envelope.gain.setValueAtTime(0, from);
    envelope.gain.linearRampToValueAtTime(level, from + Player.ATTACK);
    envelope.gain.setTargetAtTime(0.3 * level, from + Player.ATTACK, 0.5);
    envelope.gain.setTargetAtTime(0, until, Player.FADE);
    const oscillator = context.createOscillator();
    oscillator.setPeriodicWave(Player.#wave(context));
    oscillator.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
    oscillator.connect(envelope).connect(this.#bus);
    oscillator.start(from);
    oscillator.stop(until + 8 * Player.FADE);
    const voice = { from, oscillator };
    this.#voices.add(voice);
    oscillator.onended = () => {
      this.#voices.delete(voice);
      envelope.disconnect();
    };
  }

  // A tone with a few overtones, fainter the higher.
  static #wave(context) {
    const overtones = new Float32Array([0, 1, 0.4, 0.2, 0.1, 0.05, 0.02]);
    return (context.pianorollWave ??= context.createPeriodicWave(new Float32Array(overtones.length), overtones));
  }
}
