import assert from "node:assert/strict";
import { test } from "node:test";
import { Choices } from "../src/studio/choices.js";
import { readSession, Sessions, sessionText, usable, type Session, type Shelf } from "../src/studio/saved.js";
import { model, note, piece, settings } from "./examples.js";

const SETTINGS = settings(model(), model({ name: "other" }));
const SESSION: Session = {
  name: "tune",
  piece: piece([note(0, 60, 0.1, 0.3, 99), note(3, 41, 1.75, 2)], { beats_per_bar: 3, beats_per_minute: 87.5 }),
  choices: { ...new Choices(SETTINGS).values, model: "other", root: 7, scale: "minor", takes: 3, seed: 12, from_start: false },
};

class MapShelf implements Shelf {
  readonly map = new Map<string, string>();
  constructor(readonly room = Infinity) {}
  get length(): number {
    return this.map.size;
  }
  key(index: number): string | null {
    return [...this.map.keys()][index] ?? null;
  }
  getItem(key: string): string | null {
    return this.map.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    if (value.length > this.room) throw new DOMException("full", "QuotaExceededError");
    this.map.set(key, value);
  }
  removeItem(key: string): void {
    this.map.delete(key);
  }
}

const shelves = (): [MapShelf, MapShelf, Sessions] => {
  const [shelf, tab] = [new MapShelf(), new MapShelf()];
  return [shelf, tab, new Sessions(shelf, tab, SETTINGS)];
};

test("a session comes back as it was", () => {
  assert.deepEqual(readSession(sessionText(SESSION), SETTINGS), { session: SESSION, changes: [] });
});

/** The text of a session with another value at a path. */
function spoiled(path: string, value: unknown): string {
  const session = JSON.parse(sessionText(SESSION));
  const names = path.split(".");
  const last = names.pop()!;
  const owner = names.reduce((fields, name) => fields[name], session);
  if (value === undefined) delete owner[last];
  else owner[last] = value;
  return JSON.stringify(session);
}

test("each wrong field is named", () => {
  const wrong: [path: string, value: unknown, message: RegExp][] = [
    ["format", "other", /^Error: format: /],
    ["version", 0, /^Error: version: expected 1, got 0/],
    ["version", undefined, /^Error: version: expected 1, got nothing/],
    ["name", 3, /^Error: name: expected a text, got 3/],
    ["piece", null, /^Error: piece: expected an object, got null/],
    ["piece.beats", -1, /^Error: piece\.beats: expected 0 to/],
    ["piece.beats_per_bar", "4", /^Error: piece\.beats_per_bar: expected a number, got "4"/],
    ["piece.beats_per_minute", 0, /^Error: piece\.beats_per_minute: /],
    ["piece.parts", [], /^Error: piece\.parts: expected at least one part/],
    ["piece.parts.1.program", 128, /^Error: piece\.parts\[1\]\.program: expected 0 to 127, got 128/],
    ["piece.parts.1.is_drums", "no", /^Error: piece\.parts\[1\]\.is_drums: expected true or false/],
    ["piece.parts.2.name", undefined, /^Error: piece\.parts\[2\]\.name: expected a text, got nothing/],
    ["piece.notes", {}, /^Error: piece\.notes: expected a list/],
    ["piece.notes.1.part", 4, /^Error: piece\.notes\[1\]\.part: expected 0 to 3, got 4/],
    ["piece.notes.0.pitch", 60.5, /^Error: piece\.notes\[0\]\.pitch: expected a whole number/],
    ["piece.notes.0.start", -1, /^Error: piece\.notes\[0\]\.start: /],
    ["piece.notes.0.length", 0, /^Error: piece\.notes\[0\]\.length: expected more than 0/],
    ["piece.notes.0.velocity", 0, /^Error: piece\.notes\[0\]\.velocity: expected 1 to 127/],
    ["choices", [], /^Error: choices: expected an object/],
    ["choices.temperature", 9, /^Error: choices\.temperature: expected 0.2 to 2, got 9/],
    ["choices.takes", 5, /^Error: choices\.takes: expected 1 to 4/],
    ["choices.unit", "bars", /^Error: choices\.unit: expected beats or seconds/],
    ["choices.root", 12, /^Error: choices\.root: /],
    ["choices.seed", 1.5, /^Error: choices\.seed: expected a whole number/],
    ["choices.strength", null, /^Error: choices\.strength: /],
    ["choices.from_start", 1, /^Error: choices\.from_start: /],
  ];
  for (const [path, value, message] of wrong) assert.throws(() => readSession(spoiled(path, value), SETTINGS), message, path);
  assert.throws(() => readSession("no session", SETTINGS), /not JSON/);
  assert.throws(() => readSession("[]", SETTINGS), /session: expected an object/);
});

test("a model or a scale that is not open here is changed, and that is said", () => {
  const { session, changes } = readSession(spoiled("choices.model", "lost"), SETTINGS);
  assert.deepEqual([session.choices.model, changes.length], ["voices", 1]);
  assert.match(changes[0]!, /lost is not open here; voices/);
  const scaled = readSession(spoiled("choices.scale", "blues"), SETTINGS);
  assert.deepEqual([scaled.session.choices.root, scaled.changes.length], [null, 1]);
});

test("a saved session is restored, and each tab has its own", () => {
  const [shelf, , sessions] = shelves();
  assert.deepEqual(sessions.restore(), { session: null, changes: [] });
  sessions.save(SESSION);
  const other = new Sessions(shelf, new MapShelf(), SETTINGS);
  assert.deepEqual(other.restore().session, SESSION);
  other.save({ ...SESSION, name: "another" });
  assert.equal(sessions.restore().session!.name, "tune");
  assert.equal(other.restore().session!.name, "another");
});

test("a saved state that cannot be read is set aside with a sentence", () => {
  const [shelf, tab, sessions] = shelves();
  sessions.save(SESSION);
  const broken = spoiled("version", 0);
  tab.setItem("pianoroll-studio.current", broken);
  const { session, changes } = sessions.restore();
  assert.equal(session, null);
  assert.match(changes[0]!, /cannot be read and was set aside. version: expected 1, got 0/);
  assert.equal(sessions.setAside, broken);
  assert.deepEqual(sessions.restore().session, SESSION); // the other one
  shelf.setItem("pianoroll-studio.current", "{");
  tab.removeItem("pianoroll-studio.current");
  assert.equal(sessions.restore().session, null);
  assert.equal(sessions.restore().changes.length, 0);
  sessions.discardSetAside();
  assert.equal(sessions.setAside, null);
});

test("pieces are kept by name", () => {
  const [, , sessions] = shelves();
  sessions.keep(SESSION);
  sessions.keep({ ...SESSION, name: "a song" });
  sessions.save(SESSION);
  assert.deepEqual(sessions.names, ["a song", "tune"]);
  assert.deepEqual(sessions.kept("tune").session, SESSION);
  sessions.remove("tune");
  assert.deepEqual(sessions.names, ["a song"]);
  assert.throws(() => sessions.kept("tune"), /No piece is kept as tune/);
});

test("a full browser is reported in words", () => {
  const sessions = new Sessions(new MapShelf(10), new MapShelf(10), SETTINGS);
  assert.throws(() => sessions.save(SESSION), /no room for more pieces/);
});

const blocked = (): never => {
  throw new DOMException("Access is denied for this document.", "SecurityError");
};

test("a browser that blocks its storage stops nothing, and keeping a piece says why it is not kept", () => {
  const silent = Object.assign(new MapShelf(), { getItem: blocked, setItem: blocked });
  for (const storage of [blocked, () => null, () => silent]) {
    const sessions = new Sessions(usable(storage), usable(storage), SETTINGS);
    assert.ok(sessions.isBlocked);
    assert.deepEqual(sessions.restore(), { session: null, changes: [] });
    assert.deepEqual([sessions.names, sessions.setAside], [[], null]);
    assert.throws(() => sessions.keep(SESSION), /keeps nothing for this page.*Save it as a file/);
    sessions.remove("tune");
  }
});

test("where only one storage is blocked, the other one keeps the piece", () => {
  for (const [shelf, tab] of [[new MapShelf(), null], [null, new MapShelf()]]) {
    const sessions = new Sessions(shelf!, tab!, SETTINGS);
    assert.ok(!sessions.isBlocked);
    sessions.save(SESSION);
    assert.deepEqual(sessions.restore().session, SESSION);
  }
});

test("what cannot be read is offered also if the browser has no room to set it aside", () => {
  const [shelf, tab] = [new MapShelf(10), new MapShelf()];
  const sessions = new Sessions(shelf, tab, SETTINGS);
  const broken = spoiled("version", 0);
  tab.setItem("pianoroll-studio.current", broken);
  const { session, changes } = sessions.restore();
  assert.equal(session, null);
  assert.match(changes.join(" "), /version: expected 1, got 0.*no room for more pieces/);
  assert.equal(sessions.setAside, broken);
  sessions.discardSetAside();
  assert.equal(sessions.setAside, null);
});
