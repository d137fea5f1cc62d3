// The studio's page: puts its modules together.

import { mountAsk } from "./ask.js";
import { Asking } from "./asking.js";
import { Choices } from "./choices.js";
import { Editing } from "./editing.js";
import { mountFiles } from "./files.js";
import { button, refuse } from "./form.js";
import { listenToKeys } from "./keyboard.js";
import { openingPiece } from "./opening.js";
import type { Page, Settings } from "./page.js";
import { mountParts } from "./parts_panel.js";
import { mountLive } from "./live.js";
import { listenToPointers } from "./pointer.js";
import { Roll } from "./roll.js";
import { mountRecorded } from "./recorded.js";
import { mountScore } from "./score.js";
import { mountSession } from "./session.js";
import { Store } from "./store.js";
import { mountTakes } from "./takes.js";
import { mountToolbar } from "./toolbar.js";
import { StudioTransport } from "./transport.js";
import { mountTransport } from "./transport_bar.js";

const byId = (id: string): HTMLElement => document.getElementById(id)!;

const MOUNTS: readonly (readonly [id: string, mount: (root: HTMLElement, page: Page) => void])[] = [
  ["ask", mountAsk],
  ["takes", mountTakes],
  ["files", mountFiles],
  ["session", mountSession],
  ["live", mountLive],
  ["score", mountScore],
];

function start(settings: Settings): void {
  const choices = new Choices(settings);
  const store = new Store(openingPiece(choices.model));
  const transport = new StudioTransport(store);
  const asking = new Asking(store, choices, transport);
  let part = 0;
  const partListeners: (() => void)[] = [];
  const page: Page = {
    store,
    settings,
    choices,
    asking,
    transport,
    get part() {
      return Math.min(part, store.piece.parts.length - 1);
    },
    choosePart(index) {
      part = index;
      for (const listener of partListeners) listener();
    },
    status: (text) => (byId("status").textContent = text),
    error: (text) => (byId("error").textContent = text),
  };
  const roll = new Roll(byId("roll"), page, "roll-help");
  const editing = new Editing(page, roll);
  partListeners.push(() => roll.refresh());
  transport.subscribe(() => (roll.silent = transport.silent));
  mountToolbar(byId("toolbar"), byId("edits"), editing);
  mountTransport(byId("transport"), byId("edits"), page, transport);
  mountParts(byId("parts"), page, transport, (listener) => partListeners.push(listener));
  mountHistory(byId("history"), editing);
  listenToPointers(editing);
  listenToKeys(editing);
  mountRecorded(page, transport.player);
  for (const [id, mount] of MOUNTS) mount(byId(id), page);
  foldFiles(byId("file-menu") as HTMLDetailsElement);
  roll.showNotes();
}

// On a narrow page the files are behind a summary.
function foldFiles(menu: HTMLDetailsElement): void {
  const wide = matchMedia("(min-width: 1000px)");
  const fold = (): void => void (menu.open = wide.matches);
  wide.addEventListener("change", fold);
  fold();
}

function mountHistory(root: HTMLElement, editing: Editing): void {
  const { store } = editing.page;
  const undo = button(root, "undo", "Undo", () => editing.undo());
  const redo = button(root, "redo", "Redo", () => editing.redo());
  const show = (): void => {
    for (const [element, label, verb] of [[undo, store.undoable, "Undo"], [redo, store.redoable, "Redo"]] as const) {
      refuse(element, label === null ? `There is nothing to ${verb.toLowerCase()}.` : null);
      if (label !== null) element.title = `${verb}: ${label}`;
    }
  };
  store.subscribe(show);
  show();
}

start(JSON.parse(byId("settings").textContent!) as Settings);
