// The score of the piece: notation that the server draws, again after each pause in editing, while it is open.

import { html } from "../shared/elements.js";
import type { Page } from "./page.js";
import { countBars, type Piece } from "./piece.js";
import { exported } from "./share.js";
import { messageOf } from "./stream.js";

const PAUSE = 700; // milliseconds without a change

export function mountScore(root: HTMLElement, page: Page): void {
  const { store, settings } = page;
  const details = html("details", "score", root);
  details.id = "score-details";
  html("summary", "", details).textContent = "Score";
  if (settings.scores !== null) {
    html("p", "hint", details).textContent = settings.scores;
    return;
  }
  const note = html("p", "hint", details);
  note.setAttribute("role", "status");
  const picture = html("img", "score-page", details);
  picture.hidden = true;
  let drawn: Piece | null = null;
  let failed = false;
  let timer: ReturnType<typeof setTimeout> | null = null;

  const draw = async (): Promise<void> => {
    timer = null;
    const { piece } = store;
    if (!details.open || piece === drawn) return;
    drawn = piece;
    if (!picture.src) note.textContent = "Drawing the score …";
    try {
      const blob = await exported("svg", piece);
      if (store.piece !== piece) return; // it will be drawn again
      picture.src = await dataAddress(blob);
      const bars = countBars(piece);
      picture.alt = `Score of the piece, ${bars} ${bars === 1 ? "bar" : "bars"}, ${piece.parts.map(({ name }) => name).join(", ")}`;
      picture.hidden = false;
      note.textContent = "";
      failed = false;
    } catch (error) {
      failed = true;
      picture.hidden = true;
      note.textContent = `The score cannot be drawn. ${messageOf(error)}`;
    }
  };
  const later = (): void => {
    if (timer !== null) clearTimeout(timer);
    if (details.open && store.piece !== drawn) timer = setTimeout(() => void draw(), PAUSE);
  };
  details.addEventListener("toggle", () => {
    if (failed) drawn = null; // tried again
    void draw();
  });
  store.subscribe(later);
}

/** An image as an address: the page's policy allows no other images but its own. */
function dataAddress(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("The image cannot be read."));
    reader.readAsDataURL(blob);
  });
}
