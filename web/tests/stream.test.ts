import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { fillLine, openedFile } from "../src/studio/protocol.js";
import { loaded } from "../src/studio/recorded.js";
import { exported } from "../src/studio/share.js";
import { isAbort, jsonLines, Latest, post } from "../src/studio/stream.js";
import { note, piece } from "./examples.js";

const realFetch = globalThis.fetch;
afterEach(() => void (globalThis.fetch = realFetch));

function streamed(chunks: readonly Uint8Array[], end: "close" | "break" = "close"): ReadableStream<Uint8Array> {
  const left = [...chunks];
  return new ReadableStream({
    pull(controller) {
      const chunk = left.shift();
      if (chunk) controller.enqueue(chunk);
      else if (end === "close") controller.close();
      else controller.error(new TypeError("network error"));
    },
  });
}

async function all(stream: ReadableStream<Uint8Array>): Promise<unknown[]> {
  const lines: unknown[] = [];
  for await (const line of jsonLines(stream)) lines.push(line);
  return lines;
}

test("lines arrive whole, however the bytes are cut", async () => {
  const bytes = new TextEncoder().encode('{"a":"é♪"}\n{"b":2}\n{"c":3}');
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.slice(index * size, (index + 1) * size));
    assert.deepEqual(await all(streamed(chunks)), [{ a: "é♪" }, { b: 2 }, { c: 3 }]);
  }
});

test("an answer that breaks off is an error in words", async () => {
  await assert.rejects(all(streamed([new TextEncoder().encode('{"a":1}\n')], "break")), /stopped answering in the middle/);
  await assert.rejects(all(streamed([new TextEncoder().encode('{"a":')])), /stopped answering in the middle/);
});

test("requests name the page, and errors have the server's words", async () => {
  let sent: RequestInit | undefined;
  globalThis.fetch = async (_address, options) => {
    sent = options;
    return new Response(JSON.stringify({ error: { message: "bars: the piece has 4." } }), { status: 422 });
  };
  await assert.rejects(post("/fill", "{}"), /^Error: bars: the piece has 4.$/);
  assert.match((sent!.headers as Record<string, string>)["X-Studio-Page"]!, /^[0-9a-f]{32}$/);
  globalThis.fetch = async () => new Response("<html>", { status: 502 });
  await assert.rejects(post("/fill", "{}"), /status 502/);
  globalThis.fetch = () => Promise.reject(new TypeError("failed to fetch"));
  await assert.rejects(post("/fill", "{}"), /Is it still running/);
  globalThis.fetch = () => Promise.reject(new DOMException("stopped", "AbortError"));
  await assert.rejects(post("/fill", "{}"), isAbort);
});

test("a studio that has ended is said in words of its own, wherever the page asks", async () => {
  const ways = [() => post("/open", "{}"), () => exported("mid", piece()), () => loaded(52)];
  globalThis.fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  for (const ask of ways) await assert.rejects(ask(), /^Error: The studio does not answer. Is it still running\?$/);
  globalThis.fetch = async () => new Response(streamed([new TextEncoder().encode('{"a"')], "break"));
  for (const ask of ways.slice(1)) await assert.rejects(ask(), /^Error: The studio stopped answering in the middle of its answer.$/);
  globalThis.fetch = async () => new Response(JSON.stringify({ error: { message: "No SoundFont." } }), { status: 404 });
  await assert.rejects(loaded(52), /^Error: No SoundFont.$/);
});

test("of requests that overtake each other, the last one counts", async () => {
  const answers: (() => void)[] = [];
  globalThis.fetch = (address, options) =>
    new Promise((resolve, reject) => {
      options!.signal!.addEventListener("abort", () => reject(options!.signal!.reason));
      answers.push(() => resolve(new Response(String(address))));
    });
  const opening = new Latest();
  const first = post("/open?first", "", opening.next());
  const last = post("/open?last", "", opening.next());
  answers.reverse().forEach((answer) => answer());
  await assert.rejects(first, isAbort);
  assert.equal(await (await last).text(), "/open?last");
});

test("lines of an answer are checked field by field", () => {
  const notes = [note(1, 60, 2)];
  assert.deepEqual(fillLine({ take: 1, until: 3, notes }, 4), { kind: "notes", take: 1, until: 3, notes });
  assert.deepEqual(fillLine({ take: 0, done: true }, 4), { kind: "done", take: 0 });
  assert.deepEqual(fillLine({ error: { message: "The model failed." } }, 4), { kind: "error", message: "The model failed." });
  const region = { begin: 4, end: 8, parts: [1, 2], takes: 1 };
  assert.deepEqual(fillLine(region, 4), { kind: "region", from: 4, to: 8, parts: [1, 2] });
  assert.throws(() => fillLine(region, 2), /parts\[1\]: expected 0 to 1, got 2/);
  assert.deepEqual(fillLine({ cancelled: true }, 4), { kind: "cancelled" });
  assert.throws(() => fillLine({ take: 0, until: 3, notes: [{ ...notes[0], pitch: 200 }] }, 4), /notes\[0\]\.pitch: expected 0 to 127, got 200/);
  assert.throws(() => fillLine({ take: 0, until: 3, notes }, 1), /notes\[0\]\.part: expected 0 to 0, got 1/);
  assert.throws(() => fillLine({ take: 0, notes }, 4), /until: expected a number, got nothing/);
  assert.throws(() => fillLine([], 4), /line: expected an object/);
});

test("an opened file is a checked piece with sentences", () => {
  const opened = { piece: piece([note(0, 60, 0)]), changes: ["1 note was left out."] };
  assert.deepEqual(openedFile(opened), opened);
  assert.throws(() => openedFile({ ...opened, piece: { ...opened.piece, beats: "8" } }), /piece.beats: expected a number, got "8"/);
});
