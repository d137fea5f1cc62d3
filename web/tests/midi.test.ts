import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversation } from "../src/studio/conversation.js";
import { keyEvent, KeyRecorder, quantised } from "../src/studio/midi_in.js";
import { channelOf, MidiReceiver } from "../src/studio/midi_out.js";

const press = (pitch: number, velocity = 80) => ({ kind: "press", pitch, velocity }) as const;
const release = (pitch: number) => ({ kind: "release", pitch }) as const;

test("keys are read from messages of any channel, and other messages are not keys", () => {
  assert.deepEqual(keyEvent([0x95, 60, 100]), { kind: "press", pitch: 60, velocity: 100 });
  assert.deepEqual(keyEvent([0x90, 60, 0]), { kind: "release", pitch: 60 });
  assert.deepEqual(keyEvent(new Uint8Array([0x83, 61, 64])), { kind: "release", pitch: 61 });
  for (const other of [[0xb0, 64, 127], [0xf8], [0xe0, 0, 64], [0xc0, 5], [0x90, 200, 3], null]) assert.equal(keyEvent(other), null);
});

test("played notes lie on the grid, and none is lost by it", () => {
  const played = { pitch: 60, velocity: 80, start: 1.1, length: 0.05 };
  assert.deepEqual(quantised(played, 4), { ...played, start: 1, length: 0.25 });
  assert.deepEqual(quantised({ ...played, start: -0.1, length: 1 }, 4), { ...played, start: 0, length: 1 });
  assert.deepEqual(quantised({ ...played, start: 1.13, length: 0.9 }, 4), { ...played, start: 1.25, length: 0.75 });
});

test("keys become notes, also when a release is missing", () => {
  const keys = new KeyRecorder();
  assert.deepEqual(keys.key(press(60), 0), []);
  assert.deepEqual(keys.key(press(64, 90), 0.5), []);
  assert.deepEqual(keys.key(release(60), 1), [{ pitch: 60, velocity: 80, start: 0, length: 1 }]);
  assert.deepEqual(keys.key(release(60), 1.5), []);
  assert.deepEqual(keys.key(press(64), 2), [{ pitch: 64, velocity: 90, start: 0.5, length: 1.5 }]);
  assert.ok(keys.isHeld);
  assert.deepEqual(keys.finish(3), [{ pitch: 64, velocity: 80, start: 2, length: 1 }]);
  assert.ok(!keys.isHeld);
});

test("a phrase ends after a bar of silence", () => {
  const talk = new Conversation({ milliseconds: 500, perBar: 4, steps: 4 });
  talk.key(release(50), 0);
  assert.ok(!talk.isPlaying);
  talk.key(press(60), 10_000);
  assert.equal(talk.phrase(20_000), null); // still held
  talk.key(release(60), 20_000);
  assert.equal(talk.phrase(21_999), null);
  const phrase = talk.phrase(22_000)!;
  assert.deepEqual(phrase, { notes: [{ pitch: 60, velocity: 80, start: 0, length: 20 }], bars: 5 });
  assert.equal(talk.phrase(40_000), null);
  talk.key(press(62), 50_010);
  talk.key(release(62), 50_240);
  assert.deepEqual(talk.phrase(52_300), { notes: [{ pitch: 62, velocity: 80, start: 0, length: 0.5 }], bars: 1 });
});

const PARTS = [0, 1, 2].map((index) => ({ name: String(index), program: 10 * index, is_drums: index === 1 }));

test("parts have channels of their own, and drums the tenth", () => {
  assert.deepEqual(PARTS.map((_, index) => channelOf(PARTS, index)), [0, 9, 1]);
  const many = Array.from({ length: 20 }, () => PARTS[0]!);
  const channels = many.map((_, index) => channelOf(many, index));
  assert.ok(!channels.includes(9));
  assert.deepEqual([Math.max(...channels), channels[9], channels[15]], [15, 10, 0]);
});

test("notes are sent at their time with their program, and silence ends what sounds", () => {
  const sent: [number[], number?][] = [];
  let time = 1000;
  const receiver = new MidiReceiver({ send: (data, at) => void sent.push(at === undefined ? [data] : [data, at]) }, () => PARTS, () => time);
  receiver.note({ part: 2, pitch: 60, velocity: 90, seconds: 0.5, at: 1030 });
  receiver.note({ part: 2, pitch: 64, velocity: 0, seconds: 2, at: 1030 });
  receiver.note({ part: 1, pitch: 36, velocity: 90, seconds: 0.1, at: 1030 });
  assert.deepEqual(sent, [
    [[0xc1, 20], 1030], [[0x91, 60, 90], 1030], [[0x81, 60, 0], 1530],
    [[0x91, 64, 1], 1030], [[0x81, 64, 0], 3030],
    [[0x99, 36, 90], 1030], [[0x89, 36, 0], 1130],
  ]);
  sent.length = 0;
  time = 2000;
  receiver.silence();
  assert.deepEqual(sent, [[[0x81, 64, 0]]]);
  receiver.silence();
  assert.equal(sent.length, 1);
});

test("an output that has been unplugged is not an error", () => {
  const gone = (): never => {
    throw new DOMException("The port is disconnected.", "InvalidStateError");
  };
  const receiver = new MidiReceiver({ send: gone, clear: gone }, () => PARTS, () => 0);
  receiver.note({ part: 0, pitch: 60, velocity: 90, seconds: 1, at: 0 });
  receiver.silence();
});
