import assert from "node:assert/strict";
import { test } from "node:test";
import { merged, restored } from "../src/studio/merging.js";
import { note, piece } from "./examples.js";

const REGION = { from: 4, to: 8, parts: [1, 2] };
const BASE = piece([
  note(0, 72, 4, 4), // another part
  note(1, 60, 2, 3), // begins before
  note(1, 61, 4, 2),
  note(1, 62, 6, 2),
  note(2, 49, 6, 4), // ends behind
  note(2, 50, 7, 1),
  note(1, 63, 8, 1), // begins behind
]);

test("notes in the region go out, and all others stay the same values", () => {
  const answer = { notes: [note(1, 65, 4, 4), note(2, 48, 4, 4)], until: 8, done: true };
  const { notes, beats } = merged(BASE, REGION, answer);
  assert.deepEqual(notes.map(({ pitch }) => pitch), [60, 72, 65, 48, 49, 63]);
  for (const given of BASE.notes.filter(({ pitch }) => [60, 72, 49, 63].includes(pitch))) assert.ok(notes.includes(given));
  assert.equal(beats, 16);
});

test("while an answer arrives, what it has not reached stays", () => {
  const { notes } = merged(BASE, REGION, { notes: [note(1, 65, 4, 1)], until: 6, done: false });
  assert.deepEqual(notes.map(({ pitch }) => pitch), [60, 72, 65, 62, 49, 50, 63]);
  assert.deepEqual(merged(BASE, REGION, { notes: [], until: 0, done: false }).notes, BASE.notes);
});

test("a note that the model kept stays as it was, also when it ends after its place was reached", () => {
  const kept = BASE.notes.find(({ pitch }) => pitch === 62)!;
  const first = merged(BASE, REGION, { notes: [], until: 7, done: false });
  assert.ok(!first.notes.includes(kept));
  const second = merged(first, REGION, { notes: [{ ...kept, velocity: 1 }], until: 8, done: true }, BASE);
  assert.equal(second.notes.filter((one) => one === kept).length, 1);
});

test("a given note that goes on longer than before is one note", () => {
  const longer = { ...BASE.notes.find(({ pitch }) => pitch === 60)!, length: 4 };
  const { notes } = merged(BASE, REGION, { notes: [longer], until: 8, done: true });
  assert.deepEqual(notes.filter(({ pitch }) => pitch === 60), [longer]);
});

test("a second take replaces the first one", () => {
  const first = merged(BASE, REGION, { notes: [note(1, 65, 4, 4)], until: 8, done: true });
  const second = merged(first, REGION, { notes: [note(1, 67, 5, 1)], until: 8, done: true }, BASE);
  assert.deepEqual(second.notes.map(({ pitch }) => pitch), [60, 72, 67, 49, 63]);
});

test("a continuation lengthens the piece as it arrives", () => {
  const region = { from: 16, to: 24, parts: [0, 1, 2, 3] };
  assert.equal(merged(BASE, region, { notes: [], until: 18, done: false }).beats, 18);
  assert.equal(merged(BASE, region, { notes: [note(0, 60, 20, 4)], until: 24, done: true }).beats, 24);
});

test("a dropped answer leaves what was there, and edits elsewhere", () => {
  const changed = merged(BASE, REGION, { notes: [note(1, 65, 4, 4)], until: 8, done: true });
  const edited = { ...changed, notes: changed.notes.filter(({ pitch }) => pitch !== 63) };
  assert.deepEqual(restored(edited, { task: "fill", region: REGION }, BASE).notes, BASE.notes.filter(({ pitch }) => pitch !== 63));
  assert.equal(restored(edited, { task: "silence", region: REGION }, BASE), BASE);
});
