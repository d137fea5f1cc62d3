// Recorded instruments for the parts of the piece, where the server has a SoundFont. They load one after another from the
// first click on, while no model writes. Until then, and without them, the parts sound synthesised.

import type { Player } from "../shared/player.js";
import { decoded, type SampleFile, sampled } from "../shared/samples.js";
import type { Instrument } from "../shared/synth.js";
import type { Page } from "./page.js";
import { get, messageOf, whole } from "./stream.js";

/** Milliseconds before the next instrument loads: what the user does first has priority. */
export const LOADING_PAUSE = 1500;

/** @throws Error if the server does not send the instrument. */
export async function loaded(program: number): Promise<Instrument> {
  const response = await get(`/samples/${program}.json`);
  return sampled(await decoded((await whole(response.json())) as SampleFile));
}

export function mountRecorded(page: Page, player: Pick<Player, "use">, load = loaded): void {
  const { asking, settings, store } = page;
  if (settings.samples !== null) return;
  const tried = new Set<number>();
  let isPlanned = false;

  const wanted = (): number | undefined =>
    store.piece.parts.find(({ program, is_drums }) => !is_drums && !tried.has(program))?.program;

  function plan(): void {
    if (isPlanned || wanted() === undefined) return;
    isPlanned = true;
    setTimeout(() => void next(), LOADING_PAUSE);
  }

  async function next(): Promise<void> {
    const program = wanted();
    if (program !== undefined && !asking.running) {
      tried.add(program);
      try {
        player.use(program, await load(program));
      } catch (error) {
        page.status(`A recorded instrument is missing, so a synthesised one plays. ${messageOf(error)}`);
      }
    }
    isPlanned = false;
    plan();
  }

  const begin = new AbortController();
  for (const name of ["pointerdown", "keydown"]) {
    document.addEventListener(
      name,
      () => {
        begin.abort();
        store.subscribe(plan);
        plan();
      },
      { signal: begin.signal },
    );
  }
}
