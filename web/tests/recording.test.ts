import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { removePart } from "../src/studio/edit.js";
import { Recording } from "../src/studio/recording.js";
import { Store } from "../src/studio/store.js";
import { note, piece, QuietTransport, settings } from "./examples.js";

const BEAT = 500; // milliseconds, at 120 beats per minute
const press = (pitch: number) => ({ kind: "press", pitch, velocity: 90 }) as const;
const release = (pitch: number) => ({ kind: "release", pitch }) as const;

/** An audio context that takes everything and sounds nothing. */
const anything: unknown = new Proxy(() => undefined, {
  get: (_, name) => (name === Symbol.toPrimitive ? () => 0 : anything),
  set: () => true,
  apply: () => anything,
});
let now = 0;

beforeEach(() => {
  mock.reset();
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  now = 0;
  mock.method(performance, "now", () => now);
  (globalThis as { window?: unknown }).window = { pianorollAudio: anything };
});

/** A recording from bar 2 of four, and a function that lets time pass. */
function recording(start = piece([note(0, 60, 0)], { beats_per_minute: 120 }), from = 4, longest = settings()) {
  const store = new Store(start);
  const transport = new QuietTransport();
  let ended = 0;
  const one = new Recording(store, transport, 1, from, 4, longest, () => (ended += 1));
  const pass = (milliseconds: number): void => {
    for (let left = milliseconds; left > 0; left -= 10) {
      now += 10;
      if (transport.playing) transport.position += 10 / BEAT;
      mock.timers.tick(10);
    }
  };
  return { store, transport, one, pass, ended: () => ended };
}

test("the piece plays after a bar of clicks, with the metronome, and as before when it has ended", () => {
  const { transport, one, pass, ended } = recording();
  pass(4 * BEAT - 10);
  assert.ok(!transport.playing);
  pass(10);
  assert.deepEqual([transport.playing, transport.position, transport.metronome], [true, 4, true]);
  one.stop();
  one.stop();
  assert.deepEqual([transport.playing, transport.metronome, ended()], [false, false, 1]);
});

test("keys become notes on the grid of the chosen part, in one step", () => {
  const { store, one, pass } = recording();
  pass(4 * BEAT);
  for (const pitch of [62, 64]) {
    one.key(press(pitch), now);
    pass(BEAT - 40);
    one.key(release(pitch), now);
    pass(40);
  }
  one.stop();
  assert.deepEqual(store.piece.notes, [note(0, 60, 0), note(1, 62, 4, 1, 90), note(1, 64, 5, 1, 90)]);
  assert.equal(store.piece.beats, 16);
  store.undo();
  assert.deepEqual(store.piece.notes, [note(0, 60, 0)]);
  assert.equal(store.undoable, null);
});

test("a key just before the first beat belongs to it, and what is tried during the clicks is not kept", () => {
  const { store, one, pass } = recording();
  pass(BEAT);
  one.key(press(50), now);
  pass(100);
  one.key(release(50), now);
  pass(3 * BEAT - 150);
  one.key(press(62), now); // 50 milliseconds early
  pass(BEAT + 50);
  one.key(release(62), now);
  one.stop();
  assert.deepEqual(store.piece.notes.slice(1), [note(1, 62, 4, 1, 90)]);
});

test("a key that a busy page gets late is recorded when it was played", () => {
  const { store, one, pass } = recording();
  pass(4 * BEAT);
  const zero = now;
  pass(3 * BEAT);
  for (const beat of [0, 1, 2]) {
    one.key(press(62 + beat), zero + beat * BEAT);
    one.key(release(62 + beat), zero + (beat + 0.9) * BEAT);
  }
  one.stop();
  assert.deepEqual(store.piece.notes.slice(1), [note(1, 62, 4, 1, 90), note(1, 63, 5, 1, 90), note(1, 64, 6, 1, 90)]);
});

test("keys that are held at the end are notes up to there", () => {
  const { store, one, pass } = recording();
  pass(4 * BEAT);
  one.key(press(62), now);
  pass(2 * BEAT);
  one.stop();
  assert.deepEqual(store.piece.notes.slice(1), [note(1, 62, 4, 2, 90)]);
});

test("the piece grows while it is recorded, and keeps the bars that are used", () => {
  const { store, one, pass } = recording(piece([], { beats: 4, beats_per_minute: 120 }), 0);
  pass(4 * BEAT + 9 * BEAT);
  assert.ok(store.piece.beats >= 13);
  one.key(press(62), now);
  pass(BEAT);
  one.key(release(62), now);
  pass(5 * BEAT);
  one.stop();
  assert.equal(store.piece.beats, 12);
  store.undo();
  assert.equal(store.piece.beats, 4);
});

test("the piece grows to the longest that its tempo allows", () => {
  const { store, pass } = recording(piece([], { beats: 4, beats_per_minute: 120 }), 0, { ...settings(), max_seconds: 7 });
  pass(4 * BEAT + 6 * BEAT);
  assert.equal(store.piece.beats, 12); // of 14
});

test("a pause of the playback ends the recording", () => {
  const { transport, pass, ended } = recording();
  pass(5 * BEAT);
  transport.pause();
  pass(200);
  assert.equal(ended(), 1);
});

test("another piece or a part less ends the recording, and stays as it is", () => {
  const other = piece([note(0, 40, 0)], { beats: 4 });
  for (const next of [other, removePart(piece([note(0, 60, 0)]), 0), removePart(piece(), 3)]) {
    const { store, one, pass, ended } = recording();
    pass(5 * BEAT);
    one.key(press(62), now);
    pass(BEAT);
    store.change("Open", next);
    one.key(release(62), now);
    pass(2 * BEAT);
    assert.deepEqual([ended(), store.piece], [1, next]);
  }
});
