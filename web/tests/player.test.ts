import assert from "node:assert/strict";
import test from "node:test";
import type { SentNote, TimedNote } from "../src/shared/music.js";
import { Player } from "../src/shared/player.js";
import { FakeAudio, openAudio, pitchOf } from "./audio.js";

const SCALE: TimedNote[] = [60, 62, 64, 65, 67, 69, 71, 72].map((pitch, at) => [at, at + 1, pitch, 0.8, 0]);
const PARTS = [
  { program: 0, drums: false },
  { program: 40, drums: false },
];

const starts = (audio: FakeAudio): [number, number][] =>
  audio.planned.map((sound) => [pitchOf(sound), Math.round(10 * sound.from) / 10]);

test("notes are scheduled a second ahead, at the times of the audio clock", () => {
  const audio = openAudio();
  const player = new Player({ notes: SCALE, seconds: 8 });
  player.play();
  assert.deepEqual(starts(audio), [[60, 0]]);
  audio.advance(2);
  assert.deepEqual(starts(audio).at(-1), [64, 2]);
  assert.ok(Math.abs(player.position - 1.98) < 1e-6);
});

test("a position after many notes is found at once, with the notes that are held there", () => {
  const audio = openAudio();
  const player = new Player({ notes: [[0, 9, 40, 0.8, 0], ...SCALE], seconds: 9 });
  player.seek(5);
  player.play();
  assert.deepEqual(starts(audio), [[40, 0], [69, 0]]);
});

test("a range of bars repeats, and nothing after it sounds", () => {
  const audio = openAudio();
  const player = new Player({ notes: SCALE, seconds: 8 });
  player.loop = [1, 3];
  player.seek(1);
  player.play();
  audio.advance(5);
  assert.deepEqual(starts(audio).slice(0, 5), [[62, 0], [64, 1], [62, 2], [64, 3], [62, 4]]);
  assert.ok(player.position >= 1 && player.position < 3);
  player.seek(4); // after the range: to the end
  audio.advance(5);
  assert.equal(player.playing, false);
});

test("music that is changed while it plays goes on from the same position", () => {
  const audio = openAudio();
  const player = new Player({ notes: SCALE, seconds: 8, parts: PARTS });
  player.play();
  audio.advance(1.5);
  const before = player.position;
  const other: TimedNote[] = [[1, 5, 48, 0.8, 0], ...SCALE.filter(([start]) => start > 2)];
  player.replace({ notes: other, seconds: 8, parts: PARTS });
  assert.ok(Math.abs(player.position - before) < 1e-6);
  const [held] = audio.planned.filter((sound) => pitchOf(sound) === 48);
  assert.ok(held && Math.abs(held.from - audio.currentTime) < 1e-6, "a new note that is held begins at once");
  const [gone] = audio.planned.filter((sound) => pitchOf(sound) === 62);
  assert.ok(gone && gone.until < audio.currentTime + 0.3, "a note that is gone ends");
  assert.ok(!starts(audio).some(([pitch]) => pitch === 64), "a note that is gone does not begin");
  audio.advance(2);
  assert.deepEqual(starts(audio).filter(([pitch]) => pitch === 65), [[65, 3]], "and each other note sounds once");
});

test("a cymbal that fades out is not cut when other notes change", () => {
  const audio = openAudio();
  const cymbal: TimedNote = [0, 0.1, 49, 0.8, 0];
  const player = new Player({ notes: [cymbal], seconds: 8, parts: [{ program: 0, drums: true }] });
  player.play();
  audio.advance(0.5);
  const until = audio.started.map((sound) => sound.until);
  player.replace({ notes: [cymbal, [4, 5, 36, 0.8, 0]], seconds: 8, parts: [{ program: 0, drums: true }] });
  assert.deepEqual(audio.started.map((sound) => sound.until), until);
});

test("muted parts are silent, a solo part is alone, and both are heard at once", () => {
  const audio = openAudio();
  const notes: TimedNote[] = [[0, 4, 60, 0.8, 0], [0, 4, 72, 0.8, 1]];
  const player = new Player({ notes, seconds: 4, parts: PARTS });
  player.play();
  const audible = () => audio.started.map((sound) => sound.gains().every((gain) => gain > 0));
  assert.deepEqual(audible(), [true, true]);
  player.mix(0, { mute: true });
  assert.deepEqual(audible(), [false, true]);
  player.mix(0, { mute: false, solo: true });
  assert.deepEqual(audible(), [true, false]);
  player.mix(0, { solo: false, volume: 0.5 });
  assert.deepEqual(audible(), [true, true]);
  assert.ok(audio.started[0]?.gains().includes(0.5));
});

test("the metronome clicks, with an accent where a bar begins", () => {
  const audio = openAudio();
  const player = new Player({ notes: [], seconds: 4, clicks: [[0, true], [0.5, false]] });
  player.play();
  const [accent, beat] = audio.started;
  assert.ok(accent && beat && accent.frequency > beat.frequency);
  assert.ok(accent.gains().includes(0), "silent until it is on");
  player.metronome = true;
  assert.ok(accent.gains().every((gain) => gain > 0));
});

test("one note sounds without the music, by the instrument of its part", () => {
  const audio = openAudio();
  const player = new Player({ notes: [], seconds: 0, parts: PARTS });
  player.sound({ pitch: 64, velocity: 1, part: 1, seconds: 0.5 });
  assert.deepEqual(starts(audio), [[64, 0]]);
  assert.equal(player.playing, false);
});

test("notes are sent at their times, and none after a pause", () => {
  const audio = openAudio();
  const player = new Player({ notes: SCALE, seconds: 8, parts: PARTS });
  const sent: SentNote[] = [];
  let silences = 0;
  player.muted = true;
  player.sendTo({ note: (note) => void sent.push(note), silence: () => void (silences += 1) });
  player.play();
  audio.advance(1.1);
  assert.deepEqual(sent.map(({ pitch }) => pitch), [60, 62]);
  assert.ok(Math.abs((sent[1]?.seconds ?? 0) - 1) < 1e-6);
  assert.ok(audio.started.every((sound) => sound.gains().includes(0)), "the page is silent");
  player.pause();
  audio.advance(3);
  assert.equal(sent.length, 2, "what was scheduled is kept back");
  assert.equal(silences, 1);
});

test("a muted part is not sent", () => {
  const audio = openAudio();
  const player = new Player({ notes: SCALE, seconds: 8, parts: PARTS });
  const sent: number[] = [];
  player.sendTo({ note: ({ pitch }) => void sent.push(pitch), silence: () => {} });
  player.play();
  player.mix(0, { mute: true });
  audio.advance(3);
  assert.deepEqual(sent, []);
});

test("other sounds than the synthesised ones play where they are given", () => {
  const audio = openAudio();
  const player = new Player({ notes: SCALE, seconds: 8, parts: [{ program: 40, drums: false }] });
  const played: number[] = [];
  player.use(40, (_context, _envelope, note) => (played.push(note.pitch), []));
  player.play();
  assert.deepEqual([played, audio.started.length], [[60], 0]);
});
