// A piece to look at and to listen to: the roll above the controls of the player.

import { html } from "./elements.js";
import type { Music } from "./music.js";
import { Player } from "./player.js";
import { RollView } from "./roll.js";

export interface Download {
  readonly label: string;
  readonly href: string;
  readonly filename: string;
}

export interface Figure {
  readonly player: Player;
  readonly view: RollView;
}

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
};

declare global {
  interface HTMLElement {
    pianoroll?: Figure; // of an element with the class pr-figure
  }
}

export function mountPlayer(
  element: Element,
  data: Music,
  { downloads = [] }: { readonly downloads?: readonly Download[] } = {},
): Figure {
  const group = html("div", "pr-figure", element);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", data.name || "Music");
  group.dataset["lmSuppressShortcuts"] = ""; // keeps JupyterLab from handling the arrow keys
  const view = new RollView(group, data);
  addLegend(group, data);
  const player = new Player(data, { onended: () => show() });
  const { button, seek, time, tempo, factor, loop } = addControls(group, downloads);

  // Updates the controls; called with each animation frame while it plays.
  function show(): void {
    const { position, seconds, playing } = player;
    const label = playing ? "Pause" : "Play";
    if (button.textContent !== label) button.textContent = label;
    seek.max = String(seconds);
    seek.value = String(position);
    const clockText = `${clock(position)} / ${clock(seconds)}`;
    if (time.textContent !== clockText) {
      time.textContent = clockText;
      seek.setAttribute("aria-valuetext", `${clock(position)} of ${clock(seconds)}`);
    }
    view.draw(position);
    if (!group.isConnected) player.pause(); // the notebook cell was run again
  }

  function animate(): void {
    show();
    if (player.playing) requestAnimationFrame(animate);
  }

  function seekTo(seconds: number): void {
    player.seek(seconds);
    show();
  }

  function showTempo(): void {
    factor.textContent = `× ${player.tempo.toFixed(2)}`;
    tempo.setAttribute("aria-valuetext", `${player.tempo.toFixed(2)} times`);
  }

  button.addEventListener("click", () => {
    if (player.playing) player.pause();
    else player.play();
    animate();
  });
  view.seekHandler = seekTo;
  seek.addEventListener("input", () => seekTo(Number(seek.value)));
  seek.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    seekTo(player.position + step);
  });
  tempo.addEventListener("input", () => {
    player.tempo = Number(tempo.value);
    showTempo();
  });
  loop.addEventListener("change", () => (player.loop = loop.checked));
  showTempo();
  show();
  return (group.pianoroll = { player, view });
}

/** The names and colours of the parts, in music of several parts. */
function addLegend(group: Element, data: Music): void {
  const named = (data.parts ?? []).filter((part) => part.colour);
  if (!named.length) return;
  const list = html("ul", "pr-parts", group);
  for (const part of named) {
    const item = html("li", "", list);
    html("span", "", item).style.background = part.colour;
    item.append(part.name);
  }
}

function addControls(group: Element, downloads: readonly Download[]) {
  const controls = html("div", "pr-controls", group);
  const button = Object.assign(html("button", "pr-play", controls), { type: "button" });
  const seek = html("input", "pr-seek", controls);
  Object.assign(seek, { type: "range", min: "0", step: "0.1", value: "0" });
  seek.setAttribute("aria-label", "Position");
  const time = html("span", "pr-time", controls);
  const tempoLabel = Object.assign(html("label", "", controls), { textContent: "Tempo " });
  const tempo = html("input", "pr-tempo", tempoLabel);
  Object.assign(tempo, { type: "range", min: "0.5", max: "2", step: "0.05", value: "1" });
  const factor = html("span", "pr-factor", tempoLabel);
  factor.setAttribute("aria-hidden", "true"); // the slider has the same value
  const loopLabel = html("label", "", controls);
  const loop = Object.assign(html("input", "pr-loop", loopLabel), { type: "checkbox" });
  loopLabel.append(" Loop");
  for (const { label, href, filename } of downloads) {
    Object.assign(html("a", "pr-download", controls), { href, download: filename, textContent: label });
  }
  return { button, seek, time, tempo, factor, loop };
}
