import assert from "node:assert/strict";
import { test } from "node:test";
import { Asking, type Ask } from "../src/studio/asking.js";
import { Choices } from "../src/studio/choices.js";
import { addPart, removePart, withPart } from "../src/studio/edit.js";
import { follow, type Following } from "../src/studio/following.js";
import type { Piece } from "../src/studio/piece.js";
import { withNotes } from "../src/studio/piece.js";
import { Store } from "../src/studio/store.js";
import { note, piece, QuietTransport, settings } from "./examples.js";

const MELODY = piece([note(0, 72, 0, 4), note(0, 74, 4, 4)]);
const CHORDS = [note(1, 65, 0, 4), note(2, 60, 0, 4), note(1, 67, 4, 4), note(2, 59, 4, 4)];

type Step = object | ((store: Store) => unknown);

/** An Asking whose server answers with some lines; functions between them act like a user. */
function asking(lines: readonly Step[], from: Piece = MELODY, values = {}): { asking: Asking; store: Store; transport: QuietTransport } {
  const store = new Store(from);
  const choices = new Choices(settings());
  choices.set({ seed: 3, length: 8, ...values });
  const transport = new QuietTransport();
  const ask: Ask = async function* (_request, signal) {
    for (const line of lines) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (typeof line === "function") await line(store);
      else if (signal.aborted) throw new DOMException("aborted", "AbortError");
      else yield line;
    }
  };
  return { asking: new Asking(store, choices, transport, ask), store, transport };
}

const pitches = (store: Store, part: number): number[] =>
  store.piece.notes.filter((one) => one.part === part).map(({ pitch }) => pitch);
const half = { take: 0, until: 4, notes: CHORDS.slice(0, 2) };
const rest = { take: 0, until: 8, notes: CHORDS.slice(2) };
const second = [{ take: 1, until: 8, notes: [note(1, 64, 0, 8)] }, { take: 1, done: true }];
const done = { take: 0, done: true };

test("an answer is one step, the melody stays the same values, and it plays", async () => {
  const { asking: one, store, transport } = asking([half, rest, done]);
  assert.equal(await one.run("harmonize"), "done");
  assert.deepEqual([pitches(store, 1), pitches(store, 2)], [[65, 67], [60, 59]]);
  for (const given of MELODY.notes) assert.ok(store.piece.notes.includes(given));
  assert.deepEqual(transport.calls, ["play 0"]);
  assert.deepEqual([store.undoable, one.running, one.takes], ["Harmonize", false, []]);
  assert.ok(store.undo());
  assert.equal(store.piece, MELODY);
  assert.equal(store.undoable, null);
});

test("two answers are two steps", async () => {
  const { asking: one, store } = asking([half, rest, done]);
  await one.run("harmonize");
  const first = store.piece;
  await one.run("continue");
  store.undo();
  assert.equal(store.piece, first);
});

test("the server says what is written", async () => {
  const { asking: one, store } = asking([{ begin: 4, end: 8, parts: [1], takes: 1 }, { take: 0, until: 8, notes: [note(1, 67, 4, 4)] }, done], piece(CHORDS));
  await one.run("fill", { bars: [1, 2], parts: [1, 2], notes: [] });
  assert.deepEqual([pitches(store, 1), pitches(store, 2)], [[65, 67], [60, 59]]);
});

test("Stop keeps what has arrived", async () => {
  const { asking: one, store } = asking([half, () => one.stop(), rest, done]);
  assert.equal(await one.run("harmonize"), "stopped");
  assert.deepEqual(pitches(store, 1), [65]);
  store.undo();
  assert.equal(store.piece, MELODY);
});

test("undo while an answer arrives ends it", async () => {
  const { asking: one, store } = asking([half, (store) => store.undo(), rest, done]);
  assert.equal(await one.run("harmonize"), "stopped");
  assert.equal(store.piece, MELODY);
});

test("a selection while an answer arrives does not end it, also after an undo", async () => {
  const { asking: one, store } = asking([(store) => store.select({ parts: [0] }), half, (store) => store.select({ parts: null }), rest, done]);
  store.change("Draw", withNotes(store.piece, [...store.piece.notes, note(0, 79, 12)]));
  store.undo();
  assert.equal(await one.run("harmonize"), "done");
  assert.deepEqual(pitches(store, 1), [65, 67]);
});

test("a part that is missing by now comes back with its notes", async () => {
  const solo = { ...MELODY, parts: MELODY.parts.slice(0, 1) };
  const { asking: one, store } = asking([half, rest, done, ...second], solo, { takes: 2 });
  await one.run("harmonize");
  store.undo();
  assert.equal(store.piece.parts.length, 1);
  one.hear(one.takes[0]!.id);
  assert.deepEqual([store.piece.parts.length, pitches(store, 2)], [4, [60, 59]]);
});

test("notes drawn while an answer arrives stay", async () => {
  const drawn = note(0, 79, 12);
  const { asking: one, store } = asking([half, (store) => store.change("Draw", withNotes(store.piece, [...store.piece.notes, drawn])), rest, done]);
  await one.run("harmonize");
  assert.ok(store.piece.notes.includes(drawn));
  assert.deepEqual(pitches(store, 1), [65, 67]);
});

test("an edit while an answer arrives is a step of its own, and the answer stays one", async () => {
  const drawn = note(0, 79, 12);
  const draw = (at: number) => (store: Store) =>
    store.change("Draw", withNotes(store.piece, [...store.piece.notes.filter(({ start }) => start < 12), { ...drawn, start: at }]), "drag");
  const third = { take: 0, until: 6, notes: [CHORDS[2]!] };
  const last = { take: 0, until: 8, notes: [CHORDS[3]!] };
  const later = () => new Promise((resolve) => setTimeout(resolve, Asking.PAUSE + 10));
  const { asking: one, store } = asking([half, draw(12), later, third, draw(13), later, last, draw(14), done]);
  await one.run("harmonize");
  assert.ok(store.piece.notes.some(({ start }) => start === 14));
  assert.equal(store.undoable, "Draw");
  store.undo();
  assert.deepEqual([pitches(store, 0), pitches(store, 1), pitches(store, 2)], [[72, 74], [65, 67], [60, 59]]);
  assert.equal(store.undoable, "Harmonize");
  store.undo();
  assert.deepEqual([store.piece, store.undoable], [MELODY, null]);
  store.redo();
  store.redo();
  assert.deepEqual([pitches(store, 0), pitches(store, 1)], [[72, 74, 79], [65, 67]]);
});

const OTHER = piece([note(0, 40, 0, 4), note(1, 41, 0, 4)], { beats: 4 });

test("another piece or a part less ends an answer that arrives", async () => {
  for (const next of [OTHER, removePart(MELODY, 0), removePart(MELODY, 3)]) {
    const { asking: one, store } = asking([half, (store) => store.change("Open", next), rest, done, ...second], MELODY, { takes: 2 });
    assert.equal(await one.run("harmonize"), "stopped");
    assert.equal(store.piece, next);
    assert.deepEqual([one.takes, one.current], [[], null]);
  }
});

test("takes are for their piece, also after undo and redo", async () => {
  const { asking: one, store } = asking([half, rest, done, ...second], MELODY, { takes: 2 });
  await one.run("harmonize");
  store.change("Rename a part", withPart(store.piece, 1, { name: "mine" }));
  store.change("Add a part", addPart(store.piece, MELODY.parts[0]!));
  one.hear(one.takes[1]!.id);
  assert.deepEqual([pitches(store, 1), store.piece.parts[1]!.name, one.takes.length], [[64], "mine", 2]);
  store.change("Open", OTHER);
  assert.deepEqual([one.takes, one.current], [[], null]);
  store.undo();
  assert.deepEqual(one.takes, []);
});

test("an error has the server's words, and what arrived before can be undone", async () => {
  const { asking: one, store } = asking([half, { error: { message: "The model failed." } }]);
  await assert.rejects(one.run("harmonize"), /The model failed/);
  assert.deepEqual([pitches(store, 1), one.running], [[65], false]);
  store.undo();
  assert.equal(store.piece, MELODY);
});

test("a wrong line is an error that names the field", async () => {
  const { asking: one } = asking([{ take: 0, until: 4, notes: [{ ...CHORDS[0], pitch: -1 }] }]);
  await assert.rejects(one.run("harmonize"), /notes\[0\].pitch/);
});

test("takes are heard in turn, and all of them are one step", async () => {
  const { asking: one, store, transport } = asking([half, second[0]!, rest, done, second[1]!], MELODY, { takes: 2 });
  await one.run("harmonize");
  assert.deepEqual(one.takes.map(({ name }) => name), ["Take 1 · seed 3", "Take 2 · seed 3"]);
  const [first, other] = one.takes;
  one.hear(other!.id);
  assert.deepEqual([pitches(store, 1), pitches(store, 2), one.current], [[64], [], other!.id]);
  assert.equal(transport.calls.at(-1), "play 0");
  one.hear(first!.id);
  one.keep(other!.id);
  assert.deepEqual([pitches(store, 1), one.takes], [[64], []]);
  store.undo();
  assert.equal(store.piece, MELODY);
});

test("a dropped take makes place for the next, and the last for what was there", async () => {
  const { asking: one, store } = asking([half, rest, done, ...second], MELODY, { takes: 2 });
  await one.run("harmonize");
  one.drop(one.takes[0]!.id);
  assert.deepEqual([pitches(store, 1), one.takes.length], [[64], 1]);
  one.drop(one.takes[0]!.id);
  assert.deepEqual([store.piece.notes, one.current], [MELODY.notes, null]);
});

test("from silence the piece is new, and undo brings the old one back", async () => {
  const { asking: one, store } = asking([{ take: 0, until: 8, notes: [note(3, 48, 0, 8)] }, done]);
  await one.run("silence");
  assert.deepEqual([store.piece.notes, store.piece.beats], [[note(3, 48, 0, 8)], 8]);
  store.undo();
  assert.equal(store.piece, MELODY);
});

test("an answer plays from where it begins if the user wants that", async () => {
  const lines = [{ take: 0, until: 10, notes: [note(0, 60, 8, 2)] }, { take: 0, until: 16, notes: [] }, done];
  const { asking: one, transport } = asking(lines, MELODY, { from_start: false });
  await one.run("continue");
  assert.deepEqual(transport.calls, ["play 8"]);
});

test("it does not start before what it plays is in the piece", async () => {
  const quick = [0, 1, 2, 3].map((until) => ({ take: 0, until, notes: [] }));
  const { asking: one, store, transport } = asking([...quick, ...Array.from({ length: 60 }, () => () => undefined), done], piece());
  transport.play = () => void transport.calls.push(`play with ${store.piece.beats}`);
  store.open(piece([], { beats: 0 }));
  await one.run("silence");
  assert.deepEqual(transport.calls, ["play with 8"]);
});

function moves(...progress: [boolean, number, number][]): (string | null)[] {
  let state: Following = "starting";
  return progress.map(([playing, position, known]) => {
    const [next, action] = follow(state, { playing, position, known });
    state = next;
    return action;
  });
}

test("playback waits where a slow answer ends, and goes on when there is more", () => {
  assert.deepEqual(moves([false, 0, 0.25], [false, 0, 1], [true, 0.5, 1], [true, 0.95, 1], [false, 0.95, 1.5], [false, 0.95, 2]), [null, "play", null, "pause", null, "play"]);
  assert.deepEqual(moves([false, 0, Infinity], [true, 1, Infinity]), ["play", null]);
});

test("playback that reached the end goes on, and a user who pauses is left alone", () => {
  assert.deepEqual(moves([false, 0, 1], [false, 1, 1], [false, 1, 2]), ["play", null, "play"]);
  assert.deepEqual(moves([false, 0, 8], [false, 2, 8], [false, 2, 16]), ["play", null, null]);
});
