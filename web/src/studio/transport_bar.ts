// Play, the position, the loop, the metronome, the tempo, the metre and the length of the piece.

import { html } from "../shared/elements.js";
import { withBeats } from "./edit.js";
import { boundNumber, button, checkbox, field, numberField } from "./form.js";
import type { Page } from "./page.js";
import { barAt, countBars, isTooLong, mostBars, type Piece } from "./piece.js";
import type { StudioTransport } from "./transport.js";

/** Play and the position go into `root`, the fields of the piece into `more`. */
export function mountTransport(root: HTMLElement, more: HTMLElement, page: Page, transport: StudioTransport): void {
  const { store, settings } = page;
  const play = button(root, "play", "Play", () => (transport.playing ? transport.pause() : transport.play()), "main");
  const start = button(root, "to-start", "Start", () => transport.seek(0));
  start.setAttribute("aria-label", "To the beginning");
  const position = html("input", "position", root);
  Object.assign(position, { id: "position", type: "range", min: "0", step: "any" });
  position.setAttribute("aria-label", "Position");
  const time = html("span", "time", root);
  position.addEventListener("input", () => transport.seek(Number(position.value)));
  position.addEventListener("keydown", (event) => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
    const beats = steps[event.key];
    if (beats === undefined) return;
    event.preventDefault();
    transport.seek(transport.position + beats);
  });
  const loop = checkbox(root, "loop", "Loop", (on) => (transport.looping = on));
  checkbox(root, "metronome", "Metronome", (on) => (transport.metronome = on));
  const number = (text: string, id: string, min: number, max: number, step: number | "any"): HTMLInputElement =>
    field(more, text, numberField(id, text, { min, max, step }));
  const tempo = boundNumber(number("Tempo", "tempo", ...settings.beats_per_minute, "any"), (beats_per_minute) => {
    const piece = { ...store.piece, beats_per_minute };
    page.error("");
    if (isTooLong(piece, settings)) page.error(`${longest(piece)} Shorten it first.`);
    else store.change("Change the tempo", piece);
    show();
  });
  const metre = boundNumber(number("Beats in a bar", "beats-per-bar", 1, 16, 0.5), (beats_per_bar) =>
    store.change("Change the metre", { ...store.piece, beats_per_bar }),
  );
  const bars = boundNumber(number("Bars", "bars", 1, settings.max_beats, 1), (count) => {
    const { piece } = store;
    const most = mostBars(piece, settings);
    if (count > most) page.status(longest(piece));
    store.change("Change the length", withBeats(piece, Math.min(count, most) * piece.beats_per_bar));
    show();
  });

  function longest(piece: Piece): string {
    return `At this tempo and metre, a piece has at most ${mostBars(piece, settings)} bars.`;
  }

  function show(): void {
    const { piece, selection } = store;
    const label = transport.playing ? "Pause" : "Play";
    if (play.textContent !== label) play.textContent = label;
    tempo.show(piece.beats_per_minute);
    metre.show(piece.beats_per_bar);
    bars.show(countBars(piece));
    loop.checked = transport.looping;
    loop.parentElement!.title = selection.bars ? "Repeats the selected bars" : "Repeats the piece";
    showPosition();
  }

  function showPosition(): void {
    const { piece } = store;
    const beat = transport.position;
    const bar = barAt(piece, beat);
    const inBar = Math.floor(beat - (bar - 1) * piece.beats_per_bar + 1e-6) + 1;
    const text = `${bar}.${inBar}`;
    position.max = String(piece.beats);
    position.value = String(beat);
    if (time.textContent === text) return;
    time.textContent = text;
    position.setAttribute("aria-valuetext", `Bar ${bar}, beat ${inBar}`);
  }

  let isAnimated = false;
  function animate(): void {
    showPosition();
    isAnimated = transport.playing;
    if (isAnimated) requestAnimationFrame(animate);
  }
  transport.subscribe(() => {
    show();
    if (!isAnimated) animate();
  });
  store.subscribe(show);
  show();
}
