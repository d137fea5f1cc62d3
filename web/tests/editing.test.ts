import assert from "node:assert/strict";
import { test } from "node:test";
import * as edit from "../src/studio/edit.js";
import { Drag, type Editing } from "../src/studio/editing.js";
import { withNotes } from "../src/studio/piece.js";
import { Store } from "../src/studio/store.js";
import { note, piece } from "./examples.js";

const BOUNDS: edit.Bounds = { step: 0.25, pitches: () => [0, 127] };

/** A drag of the last note of a piece, and a function that moves it by beats. */
function dragged(start = piece([note(0, 60, 0), note(3, 40, 2)])) {
  const store = new Store(start);
  const drag = new Drag({ page: { store } } as Editing, [start.notes.at(-1)!]);
  const to = (beats: number) => drag.to("Move notes", (base) => edit.move(base.piece, base.notes, beats, 0, BOUNDS));
  return { store, to };
}

test("a drag goes on from where it began while notes are added", () => {
  const { store, to } = dragged(piece([note(3, 40, 2)]));
  to(1);
  store.change("Add a note", withNotes(store.piece, [...store.piece.notes, note(0, 60, 0)]));
  to(2);
  to(1.5);
  assert.deepEqual(store.piece.notes, [note(0, 60, 0), note(3, 40, 3.5)]);
});

test("a drag brings no notes into another piece, or into one without their part", () => {
  for (const next of [piece([note(0, 50, 0)], { beats: 4 }), edit.removePart(piece([note(0, 60, 0)]), 0), edit.removePart(piece(), 3)]) {
    const { store, to } = dragged();
    to(1);
    store.change("Open", next);
    to(2);
    assert.equal(store.piece, next);
  }
});
