import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOf } from "../src/studio/picture.js";
import { bringsFiles, downloadUrl, fileName, isSessionFile, kindOf, pieceName } from "../src/studio/share.js";
import { note, piece } from "./examples.js";

test("names of files are names that every system takes", () => {
  const midi = kindOf("mid");
  assert.equal(fileName("My piece", midi), "My piece.mid");
  assert.equal(fileName("../../etc/passwd", midi), "etc passwd.mid");
  assert.equal(fileName('a:b*c?"<d>|\n', midi), "a b c d.mid");
  assert.equal(fileName(" .. ", midi), "piece.mid");
  assert.equal(fileName("x".repeat(300), midi).length, 84);
  assert.equal(fileName("Präludium ♪", kindOf("json")), "Präludium ♪.json");
});

test("a piece is named after its file", () => {
  assert.equal(pieceName("tune.v2.mid"), "tune.v2");
  assert.equal(pieceName("tune"), "tune");
  assert.equal(pieceName(".mid"), "piece");
});

test("sessions are told from music by their names", () => {
  assert.ok(isSessionFile({ name: "A.JSON", type: "" }));
  assert.ok(!isSessionFile({ name: "a.musicxml", type: "application/xml" }));
});

test("a drag carries its type, name and address", () => {
  assert.equal(downloadUrl("audio/midi", "a: b.mid", "blob:http://127.0.0.1/1"), "audio/midi:a  b.mid:blob:http://127.0.0.1/1");
  assert.ok(bringsFiles(["text/plain", "Files"]));
  assert.ok(!bringsFiles(["text/plain"]));
});

test("a picture holds all notes, and a long piece keeps to what browsers draw", () => {
  const { highest, height, width } = frameOf(piece([note(0, 50, 0), note(1, 80, 15, 3)]));
  assert.deepEqual([highest, height, width], [81, 33 * 8 + 16, 18 * 24 + 16]);
  assert.ok(frameOf(piece([], { beats: 5000 })).width <= 8000);
  assert.ok(frameOf(piece()).height > 80);
});
