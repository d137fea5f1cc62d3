import assert from "node:assert/strict";
import { test } from "node:test";
import * as edit from "../src/studio/edit.js";
import { isTooLong, mostBars, type Note, type Piece } from "../src/studio/piece.js";
import { Store } from "../src/studio/store.js";

const bounds: edit.Bounds = { step: 0.25, pitches: (part) => (part === 0 ? [60, 72] : [40, 60]) };
const note = (pitch: number, start: number, length = 1, part = 0): Note => ({ part, pitch, start, length, velocity: 64 });
const part = (name: string) => ({ name, program: 0, is_drums: false });
const piece = (...notes: Note[]): Piece => ({
  beats_per_minute: 90,
  beats_per_bar: 4,
  beats: 8,
  parts: [part("high"), part("low")],
  notes,
});
const short = ({ notes }: Piece) => notes.map(({ part, pitch, start, length }) => [part, pitch, start, length]);

function frozen(value: Piece): Piece {
  value.notes.forEach((one) => Object.freeze(one));
  Object.freeze(value.notes);
  return Object.freeze(value);
}

test("a drawn note lies on the grid and ends at the next note of its pitch and part", () => {
  const before = frozen(piece(note(64, 2), note(64, 0.9, 1, 1)));
  const { piece: after, notes } = edit.draw(before, note(64, 0.6, 4), bounds);
  assert.deepEqual(short(after), [[0, 64, 0.5, 1.5], [1, 64, 0.9, 1], [0, 64, 2, 1]]);
  assert.ok(after.notes.includes(notes[0]!));
  assert.deepEqual(short(edit.draw(piece(), note(64, 7.9, 4), bounds).piece), [[0, 64, 7.75, 0.25]]);
  assert.equal(edit.draw(before, note(59, 0), bounds).piece, before); // below the part's lowest pitch
});

test("a drawn note cuts the note that it starts in", () => {
  assert.deepEqual(short(edit.draw(piece(note(64, 0, 4)), note(64, 1), bounds).piece), [[0, 64, 0, 1], [0, 64, 1, 1]]);
});

test("notes move together until one of them is at a limit, and replace what they cover", () => {
  const [a, b, c] = [note(70, 0), note(62, 1), note(64, 1)];
  const before = frozen(piece(a, b, c));
  const moved = edit.move(before, [a, b], 5, 5, bounds);
  assert.deepEqual(short(moved.piece), [[0, 64, 1, 1], [0, 72, 5, 1], [0, 64, 6, 1]]);
  assert.deepEqual(short(edit.move(before, [b], 0, 2, bounds).piece), [[0, 70, 0, 1], [0, 64, 1, 1]]);
  assert.deepEqual(short(edit.move(before, [a, b], -3, -9, bounds).piece), [[0, 68, 0, 1], [0, 60, 1, 1], [0, 64, 1, 1]]);
  assert.equal(edit.move(before, [a], 0, 0, bounds).piece, before);
  assert.equal(edit.move(before, [a], 99, 0, bounds).notes[0]!.start, 7.75);
});

test("a note stays in its part when it is moved over another part", () => {
  const [high, low] = [note(60, 0), note(58, 0, 1, 1)];
  assert.deepEqual(short(edit.move(piece(high, low), [low], 0, 9, bounds).piece), [[0, 60, 0, 1], [1, 60, 0, 1]]);
});

test("notes stretch from one step to the next note", () => {
  const [a, b] = [note(64, 0), note(64, 2)];
  const before = frozen(piece(a, b));
  assert.deepEqual(short(edit.stretch(before, [a], 5, bounds).piece), [[0, 64, 0, 2], [0, 64, 2, 1]]);
  assert.deepEqual(short(edit.stretch(before, [a, b], -5, bounds).piece), [[0, 64, 0, 0.25], [0, 64, 2, 0.25]]);
  assert.deepEqual(short(edit.stretch(before, [b], 50, bounds).piece), [[0, 64, 0, 1], [0, 64, 2, 6]]);
});

test("velocities stay in MIDI's range", () => {
  const a = note(64, 0);
  assert.deepEqual([-200, 10, 200].map((by) => edit.louden(piece(a), [a], by).notes[0]!.velocity), [1, 74, 127]);
  assert.equal(a.velocity, 64);
});

test("copied notes are pasted at a beat, without those that do not fit", () => {
  const [a, b] = [note(64, 1.5), note(50, 2.25, 1, 1)];
  const before = frozen(piece(a, b));
  const kept = edit.copied([a, b], 0.25);
  assert.deepEqual(kept.map(({ start }) => start), [0, 0.75]);
  const pasted = edit.paste(before, kept, 7.3, bounds);
  assert.deepEqual(short(pasted.piece), [[0, 64, 1.5, 1], [1, 50, 2.25, 1], [0, 64, 7.25, 0.75]]);
  assert.equal(pasted.notes.length, 1);
});

test("notes that overlap each other when they are laid are cut, and twins are one", () => {
  const { piece: after } = edit.lay(piece(), [note(64, 0, 3), note(64, 1), note(64, 1, 2), note(65, 0)]);
  assert.deepEqual(short(after), [[0, 64, 0, 1], [0, 65, 0, 1], [0, 64, 1, 1]]);
});

test("a rectangle selects what sounds in it", () => {
  const [a, b, c] = [note(64, 0, 2), note(66, 2), note(70, 1)];
  assert.deepEqual(edit.notesIn(piece(a, b, c), [1, 2], [62, 66]), [a]);
});

test("a shorter piece cuts its notes, and a removed part takes its notes with it", () => {
  assert.deepEqual(short(edit.withBeats(piece(note(64, 0, 3), note(64, 4)), 2)), [[0, 64, 0, 2]]);
  const left = edit.removePart(piece(note(64, 0), note(50, 0, 1, 1)), 0);
  assert.deepEqual(short(left), [[0, 50, 0, 1]]);
  assert.deepEqual(left.parts.map(({ name }) => name), ["low"]);
});

test("the longest piece follows its tempo and metre", () => {
  const longest = { max_beats: 2400, max_seconds: 600 };
  const most = (beats_per_minute: number, beats_per_bar: number) => mostBars({ ...piece(), beats_per_minute, beats_per_bar }, longest);
  assert.deepEqual([most(90, 4), most(240, 4), most(400, 4), most(90, 3.5), most(20, 16)], [225, 600, 600, 257, 12]);
  assert.ok(!isTooLong({ ...piece(), beats: 900 }, longest));
  assert.ok(isTooLong({ ...piece(), beats: 900, beats_per_minute: 89 }, longest));
});

test("a drag is one step, and undo brings the selection's notes back", () => {
  const a = note(64, 0);
  const store = new Store(piece(a));
  store.select({ notes: [a] });
  for (const beats of [1, 2, 3]) {
    const moved = edit.move(piece(a), [a], beats, 0, bounds);
    store.change("Move", moved.piece, "drag 1", moved.notes);
  }
  store.endGesture("drag 0"); // another one
  store.endGesture("drag 1");
  assert.equal(store.selection.notes[0]!.start, 3);
  const moved = edit.move(store.piece, store.selection.notes, 1, 0, bounds);
  store.change("Move", moved.piece, "drag 2", moved.notes);
  assert.ok(store.undo());
  assert.equal(store.piece.notes[0]!.start, 3);
  assert.ok(store.undo());
  assert.deepEqual(short(store.piece), [[0, 64, 0, 1]]);
  assert.ok(!store.undo());
  assert.ok(store.redo() && store.redo() && !store.redo());
  assert.equal(store.piece.notes[0]!.start, 4);
  assert.deepEqual(store.selection.notes, []); // none of them is in this piece
});

test("a piece grows by whole bars to hold a beat", () => {
  const short = piece();
  assert.equal(edit.reaching(short, 7.75, 100), short);
  assert.equal(edit.reaching(short, 8, 100).beats, 12);
  assert.equal(edit.reaching(short, 8, 10).beats, 10);
  assert.equal(edit.reaching({ ...short, beats: 9 }, 9.5, 100).beats, 12);
  assert.equal(edit.reaching(short, 20, 8), short);
});

test("a selection stays within the piece", () => {
  const store = new Store(piece());
  store.select({ bars: [1, 2], parts: [0, 1] });
  store.change("Shorten", edit.withBeats(store.piece, 4));
  assert.deepEqual(store.selection.bars, [1, 1]);
  store.change("Remove a part", edit.removePart(store.piece, 1));
  assert.deepEqual(store.selection.parts, [0]);
  store.select({ bars: [2, 2], parts: [1] });
  store.change("Rename", edit.withPart(store.piece, 0, { name: "x" }));
  assert.deepEqual(store.selection, { bars: null, parts: null, notes: [] });
});
