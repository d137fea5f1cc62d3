import assert from "node:assert/strict";
import { test } from "node:test";
import * as geometry from "../src/studio/geometry.js";
import type { Note, Piece } from "../src/studio/piece.js";
import { withNotes } from "../src/studio/piece.js";

const SCALE: geometry.Geometry = { beat: 40, row: 10, lowest: 60, highest: 72 };
const note = (pitch: number, start: number, length = 1, part = 0): Note => ({ part, pitch, start, length, velocity: 64 });
const piece = (...notes: Note[]): Piece =>
  withNotes({ beats_per_minute: 90, beats_per_bar: 4, beats: 8, parts: [], notes: [] }, notes);

test("an index finds what sounds, also long notes that began before", () => {
  const [long, early, late, at] = [note(60, 0, 6), note(61, 1), note(62, 7), note(63, 4, 0.5)];
  const index = new geometry.NoteIndex(piece(long, early, late, at));
  assert.deepEqual(index.between(4, 5), [long, at]);
  assert.deepEqual(index.between(2, 3), [long]);
  assert.deepEqual(index.between(8, 9), []);
  assert.deepEqual(new geometry.NoteIndex(piece()).between(0, 9), []);
});

test("a point hits the note of the chosen part, and its end stretches", () => {
  const [a, b] = [note(70, 1), note(70, 1, 1, 1)];
  const index = new geometry.NoteIndex(piece(a, b));
  assert.deepEqual(geometry.hit(index, SCALE, 50, 25, 0), { note: a, end: false });
  assert.deepEqual(geometry.hit(index, SCALE, 50, 25, 1), { note: b, end: false });
  assert.deepEqual(geometry.hit(index, SCALE, 50, 25, 7), { note: b, end: false });
  assert.equal(geometry.hit(index, SCALE, 78, 25, 0)!.end, true);
  assert.equal(geometry.hit(index, SCALE, 81, 25, 0), null);
  assert.equal(geometry.hit(index, SCALE, 50, 35, 0), null);
});

test("a short note can be moved as well as stretched", () => {
  const index = new geometry.NoteIndex(piece(note(70, 1, 0.25)));
  assert.equal(geometry.hit(index, SCALE, 42, 25, 0)!.end, false);
  assert.equal(geometry.hit(index, SCALE, 48, 25, 0)!.end, true);
});

test("pitches have rows and a range that shows every note", () => {
  assert.equal(geometry.pitchAt(SCALE, geometry.yOf(SCALE, 65) + 9), 65);
  assert.equal(geometry.pitchAt(SCALE, 5000), 60);
  assert.deepEqual(geometry.shownPitches(piece(note(50, 0), note(80, 0)), 55, 72), [50, 80]);
});

test("bar numbers are never closer than their width", () => {
  for (const beat of geometry.BEAT_PIXELS) {
    assert.ok(geometry.barStep({ ...SCALE, beat }, 4) * 4 * beat >= 36);
  }
  assert.equal(geometry.barStep(SCALE, 4), 1);
});
