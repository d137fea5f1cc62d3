import assert from "node:assert/strict";
import test from "node:test";
import { nearest, type Sample, sampled } from "../src/shared/samples.js";
import { drums, synthesised, timbreOf } from "../src/shared/synth.js";
import { FakeAudio } from "./audio.js";

const sample = (pitch: number, loop: Sample["loop"] = null): Sample => ({ pitch, buffer: {} as AudioBuffer, loop });

function play(instrument: ReturnType<typeof sampled>, pitch: number) {
  const audio = new FakeAudio();
  const context = audio as unknown as BaseAudioContext;
  instrument(context, context.createGain(), { pitch, velocity: 0.8, from: 1, until: 2 });
  return audio.started;
}

test("every program of General MIDI has a timbre, and families differ", () => {
  const timbres = Array.from({ length: 128 }, (_, program) => timbreOf(program));
  assert.equal(new Set(timbres).size, 16);
  assert.equal(timbreOf(0), timbreOf(7));
  assert.notEqual(timbreOf(48), timbreOf(56));
});

test("a note ends after its release", () => {
  for (const program of [0, 19, 40, 52, 89]) {
    const [sound] = play(synthesised(program), 69);
    assert.equal(sound?.frequency, 440);
    assert.ok(sound.until > 2 && sound.until < 5, `program ${program}`);
  }
});

test("every drum sounds", () => {
  for (let pitch = 0; pitch < 128; pitch++) assert.ok(play(drums, pitch).length, `pitch ${pitch}`);
});

test("the nearest recorded pitch plays, faster or slower", () => {
  const samples = [sample(48), sample(60, [0.5, 1]), sample(72)];
  assert.equal(nearest(samples, 65).pitch, 60);
  const [up] = play(sampled(samples), 72 + 12);
  assert.equal(up?.frequency, 2);
  const [held] = play(sampled(samples), 60);
  assert.deepEqual([held?.frequency, held?.loop], [1, true]);
});
