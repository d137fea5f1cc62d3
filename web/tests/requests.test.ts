import assert from "node:assert/strict";
import { test } from "node:test";
import { Choices } from "../src/studio/choices.js";
import { openingPiece } from "../src/studio/opening.js";
import type { Piece } from "../src/studio/piece.js";
import { before, placements, question, refusal, withModelParts, type Question } from "../src/studio/requests.js";
import { NOTHING, type Selection } from "../src/studio/store.js";
import { model, note, piece, settings } from "./examples.js";

const MELODY = piece([note(0, 72, 0), note(0, 74, 1), note(0, 76, 4, 2)]);
const CHORALE = piece([0, 4, 8].flatMap((start) => [0, 1, 2, 3].map((part) => note(part, 70 - 7 * part, start, 4))));

function asked(task: Question["task"], from: Piece, selection: Partial<Selection> = {}, values = {}): Question {
  const choices = new Choices(settings());
  choices.set({ seed: 7, length: 8, ...values });
  return question(task, from, { ...NOTHING, ...selection }, choices.model, choices.values, choices.pitchClasses);
}

test("Harmonize writes the parts without notes, in the bars of the melody", () => {
  const { request, region } = asked("harmonize", MELODY);
  assert.deepEqual([request.bars, request.parts], [[1, 2], [1, 2, 3]]);
  assert.deepEqual(region, { from: 0, to: 8, parts: [1, 2, 3] });
  assert.equal(request.piece, MELODY);
});

test("selected bars and parts are what a model writes", () => {
  const { request, region } = asked("fill", CHORALE, { bars: [2, 2], parts: [1, 3] });
  assert.deepEqual([request.bars, request.parts, request.beats], [[2, 2], [1, 3], null]);
  assert.deepEqual(region, { from: 4, to: 8, parts: [1, 3] });
  assert.deepEqual(asked("fill", CHORALE, { parts: [2] }).request.bars, [1, 4]);
  assert.deepEqual(asked("vary", CHORALE, { bars: [3, 3] }).request.parts, [0, 1, 2, 3]);
});

test("Vary changes the music that is there, by the chosen strength", () => {
  const { request } = asked("vary", MELODY, {}, { strength: 0.25 });
  assert.deepEqual([request.bars, request.parts, request.strength], [[1, 2], [0], 0.25]);
  assert.equal(asked("fill", CHORALE, { bars: [1, 1] }).request.strength, null);
});

test("Continue goes on at the next beat after the music, or after the selected bars", () => {
  const early = asked("continue", piece([note(0, 60, 0, 2.1)]));
  assert.deepEqual([early.region.from, early.region.to, early.request.piece.beats], [3, 11, 3]);
  const cut = asked("continue", CHORALE, { bars: [1, 1] });
  assert.deepEqual([cut.region.from, cut.request.beats, cut.request.bars], [4, 8, null]);
  assert.equal(cut.request.piece.notes.length, 4);
  assert.equal(cut.piece.notes.length, 12);
});

test("a model of one part writes into the selected part", () => {
  const choices = new Choices(settings(model({ parts: null })));
  const of = (task: Question["task"], parts: number[] | null) =>
    question(task, CHORALE, { ...NOTHING, bars: [1, 1], parts }, choices.model, choices.values, null);
  assert.deepEqual([of("fill", [2]).request.parts, of("fill", [2]).region.parts], [[2], [0, 1, 2, 3]]);
  assert.deepEqual([of("continue", [2]).request.parts, of("continue", null).request.parts], [[2], null]);
});

test("a model of drums has the drums of the piece, and no other part", () => {
  const drums = model({ parts: null, is_drums: true });
  const parts = [{ name: "lead", program: 0, is_drums: false }, { name: "kit", program: 0, is_drums: true }];
  const band = piece([note(0, 60, 0, 4), note(1, 36, 0, 1)], { parts });
  assert.deepEqual(placements(band, drums), [null, 0]);
  assert.deepEqual(placements(band, model({ parts: null })), [0, null]);
  const choices = new Choices(settings(drums));
  const asking = (task: Question["task"], from: Piece) => question(task, from, NOTHING, drums, choices.values, null);
  assert.deepEqual([asking("continue", band).region.parts, asking("continue", band).region.from], [[1], 1]);
  const solo = asking("silence", { ...band, parts: parts.slice(0, 1), notes: [] });
  assert.deepEqual([solo.piece.parts.map(({ is_drums }) => is_drums), solo.region.parts], [[false, true], [1]]);
  assert.deepEqual(openingPiece(drums).parts.map(({ is_drums }) => is_drums), [true]);
  assert.deepEqual(withModelParts({ ...band, parts: parts.slice(1), notes: [] }, model({ parts: null })).parts[1]!.name, "music");
});

test("from silence, nothing of the piece is sent", () => {
  const { request, piece: empty, region } = asked("silence", CHORALE);
  assert.equal(request.task, "continue");
  assert.deepEqual([request.piece.notes, request.piece.beats, empty.notes], [[], 0, []]);
  assert.deepEqual(region, { from: 0, to: 8, parts: [0, 1, 2, 3] });
});

test("a cut piece ends where it is cut", () => {
  const cut = before(piece([note(0, 60, 0, 3), note(1, 50, 2)]), 2);
  assert.deepEqual(cut.notes, [note(0, 60, 0, 2)]);
  assert.equal(cut.beats, 2);
});

test("parts of the model that a piece lacks are added without changing the others", () => {
  const duet = { ...MELODY, parts: [{ name: "Soprano", program: 0, is_drums: false }] };
  const whole = withModelParts(duet, model());
  assert.deepEqual(whole.parts.map(({ name }) => name), ["Soprano", "alto", "tenor", "bass"]);
  assert.equal(withModelParts(MELODY, model()), MELODY);
  assert.equal(withModelParts(duet, model({ parts: null })), duet);
  assert.deepEqual(asked("harmonize", duet).request.parts, [1, 2, 3]);
  const piano = { ...duet, parts: [{ name: "Piano", program: 0, is_drums: false }] };
  assert.deepEqual(withModelParts(piano, model()).parts.map(({ name }) => name), ["Piano", "alto", "tenor", "bass"]);
  const swapped = { ...duet, parts: ["Bass", "x", "soprano", "y"].map((name) => ({ name, program: 0, is_drums: false })) };
  assert.deepEqual(placements(swapped, model()), [3, 1, 0, 2]);
});

test("the scale that is sent has its root", () => {
  assert.equal(asked("harmonize", MELODY).request.scale, null);
  assert.deepEqual(asked("harmonize", MELODY, {}, { root: 2, scale: "major" }).request.scale, [2, 4, 6, 7, 9, 11, 1]);
});

test("what cannot be done has its reason", () => {
  const reason = (task: "continue" | "fill" | "harmonize" | "vary", from: Piece, selection: Partial<Selection> = {}, of = model()) =>
    refusal(task, from, { ...NOTHING, ...selection }, of);
  assert.match(reason("continue", piece())!, /no notes/);
  assert.match(reason("harmonize", piece())!, /melody/);
  assert.match(reason("vary", piece())!, /nothing to vary/);
  assert.match(reason("fill", MELODY)!, /Select/);
  assert.match(reason("harmonize", CHORALE)!, /All parts have notes/);
  assert.match(reason("harmonize", MELODY, { parts: [0] })!, /All parts with notes are selected/);
  assert.match(reason("harmonize", MELODY, { bars: [4, 4] })!, /no notes in these bars/);
  assert.match(reason("vary", MELODY, { bars: [4, 4] })!, /no notes in these bars/);
  const cannot = { continue: null, fill: "Only continues.", harmonize: "Only continues.", vary: "Only continues." };
  assert.equal(reason("fill", MELODY, { bars: [1, 1] }, model({ tasks: cannot })), "Only continues.");
  const five = { ...MELODY, parts: [...MELODY.parts, { name: "organ", program: 19, is_drums: false }] };
  assert.match(reason("harmonize", five)!, /writes 4 parts, soprano, .* and the piece has 5/);
  for (const task of ["continue", "fill", "harmonize", "vary"] as const) {
    assert.equal(reason(task, MELODY, task === "fill" ? { bars: [1, 1] } : {}), null);
  }
  assert.equal(reason("continue", five, {}, model({ parts: null })), null);
});
