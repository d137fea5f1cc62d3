import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Page } from "../src/studio/page.js";
import { LOADING_PAUSE, mountRecorded } from "../src/studio/recorded.js";
import { Store } from "../src/studio/store.js";
import { piece, settings } from "./examples.js";

const part = (program: number, is_drums = false) => ({ name: String(program), program, is_drums });

/** A page whose instruments load at once; what was loaded, and what was said. */
function open(values: { samples?: string | null; fails?: boolean } = {}) {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  const target = new EventTarget();
  Object.assign(globalThis, { document: target });
  const store = new Store(piece([], { parts: [part(52), part(52), part(0, true), part(40)] }));
  const asking = { running: false };
  const said: string[] = [];
  const page = {
    store,
    asking,
    settings: { ...settings(), samples: values.samples ?? null },
    status: (text: string) => said.push(text),
  } as unknown as Page;
  const loaded: number[] = [];
  mountRecorded(page, { use: (program) => void loaded.push(program) }, async () => {
    if (values.fails) throw new Error("No SoundFont.");
    return () => [];
  });
  return {
    ...{ store, asking, loaded, said },
    click: () => target.dispatchEvent(new Event("pointerdown")),
    async wait(pauses: number) {
      for (let count = 0; count < pauses; count++) {
        mock.timers.tick(LOADING_PAUSE);
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      }
    },
  };
}

test("each instrument of the piece loads once, after the first click, and drums do not", async () => {
  const { click, loaded, wait } = open();
  await wait(3);
  assert.deepEqual(loaded, []);
  click();
  click();
  assert.deepEqual(loaded, [], "what the click does has priority");
  await wait(5);
  assert.deepEqual(loaded, [52, 40]);
});

test("nothing loads while a model writes, and an instrument that is chosen later loads too", async () => {
  const { asking, click, loaded, store, wait } = open();
  asking.running = true;
  click();
  await wait(3);
  assert.deepEqual(loaded, []);
  asking.running = false;
  await wait(3);
  store.change("Choose", { ...store.piece, parts: [part(73)] });
  await wait(2);
  assert.deepEqual(loaded, [52, 40, 73]);
});

test("without recorded instruments the page asks for none, and says what fails", async () => {
  const without = open({ samples: "Recorded instruments need a SoundFont." });
  without.click();
  await without.wait(5);
  assert.deepEqual(without.loaded, []);
  const failing = open({ fails: true });
  failing.click();
  await failing.wait(5);
  assert.equal(failing.loaded.length, 0);
  assert.equal(failing.said.length, 2);
  assert.match(failing.said[0] ?? "", /No SoundFont/);
});
