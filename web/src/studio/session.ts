// The session is saved by itself and restored on reload; pieces are kept by name.

import { html } from "../shared/elements.js";
import { button, field, setOptions } from "./form.js";
import type { Page } from "./page.js";
import { BLOCKED, Sessions, usable, type Session } from "./saved.js";
import { Latest, messageOf } from "./stream.js";

const DELAY = 400; // milliseconds after the last change

/** Pieces that are opened, from files or kept ones: the last one that is asked for counts. */
export const opening = new Latest();

/** Puts a session into the page, as one step that undo takes back. */
export function openSession({ store, choices }: Page, { piece, choices: values, name }: Session): void {
  store.change(`Open ${name}`, piece);
  choices.set(values);
}

export function mountSession(root: HTMLElement, page: Page): void {
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Your pieces");
  const sessions = new Sessions(usable(() => localStorage), usable(() => sessionStorage), page.settings);
  restore(page, sessions);
  if (sessions.isBlocked) page.status(BLOCKED);
  const name = mountName(root, page);
  const flush = saveByItself(page, sessions);
  mountKept(page, sessions, name, flush);
  mountSetAside(root, page, sessions);
}

function current({ store, choices }: Page): Session {
  return { name: choices.name, piece: store.piece, choices: choices.values };
}

function restore(page: Page, sessions: Sessions): void {
  try {
    const { session, changes } = sessions.restore();
    if (session) {
      page.store.open(session.piece);
      page.choices.set(session.choices);
      page.choices.name = session.name;
    }
    if (changes.length) page.status(changes.join(" "));
  } catch (error) {
    page.error(messageOf(error)); // the page goes on with its first piece
  }
}

function mountName(root: HTMLElement, { choices }: Page): HTMLInputElement {
  const input = Object.assign(document.createElement("input"), { id: "piece-name", type: "text", maxLength: 80 });
  field(html("div", "bar", root), "Name", input);
  input.addEventListener("input", () => (choices.name = input.value));
  const show = (): void => {
    if (input.value !== choices.name) input.value = choices.name;
  };
  choices.subscribe(show);
  show();
  return input;
}

/** Saves after changes, and at once when the page is left. Returns the function that saves now. */
function saveByItself(page: Page, sessions: Sessions): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let complained = false;
  const save = (): void => {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    if (sessions.isBlocked) return; // said at the start
    try {
      sessions.save(current(page));
      complained = false;
    } catch (error) {
      if (!complained) page.error(messageOf(error));
      complained = true;
    }
  };
  const later = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(save, DELAY);
  };
  let piece = page.store.piece;
  page.store.subscribe(() => {
    if (page.store.piece === piece) return;
    piece = page.store.piece;
    later();
  });
  page.choices.subscribe(later);
  addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") save();
  });
  return save;
}

function mountKept(page: Page, sessions: Sessions, name: HTMLInputElement, flush: () => void): void {
  const bar = name.closest("div")!;
  const kept = Object.assign(document.createElement("select"), { id: "kept" });
  button(bar, "keep-piece", "Keep", () =>
    attempt(() => {
      const own = name.value.trim();
      if (!own) {
        name.focus();
        throw new Error("Name: a name is missing.");
      }
      page.choices.name = own;
      sessions.keep(current(page));
      show(own);
      page.status(`${own} is kept in this browser.`);
    }),
  );
  field(bar, "Kept pieces", kept);
  const open = button(bar, "open-kept", "Open", () =>
    attempt(() => {
      flush();
      opening.next();
      const { session, changes } = sessions.kept(kept.value);
      openSession(page, session);
      page.choices.name = session.name;
      page.status([`${session.name} is open.`, ...changes].join(" "));
    }),
  );
  const remove = button(bar, "remove-kept", "Remove", () => {
    const removed = kept.value;
    sessions.remove(removed);
    show();
    page.status(`${removed} is removed.`);
    if (remove.disabled) name.focus();
  });
  open.setAttribute("aria-label", "Open the kept piece");
  remove.setAttribute("aria-label", "Remove the kept piece");

  function show(selected?: string): void {
    setOptions(kept, sessions.names.map((one) => [one, one]));
    if (selected !== undefined) kept.value = selected;
    kept.disabled = open.disabled = remove.disabled = kept.options.length === 0;
  }

  function attempt(act: () => void): void {
    page.error("");
    try {
      act();
    } catch (error) {
      page.error(messageOf(error));
    }
  }

  show();
}

/** What could not be read can be saved as a file, so that it is not lost. */
function mountSetAside(root: HTMLElement, page: Page, sessions: Sessions): void {
  const text = sessions.setAside;
  if (text === null) return;
  const bar = html("div", "bar", root);
  html("span", "", bar).textContent = "A piece that cannot be read was set aside.";
  const link = Object.assign(html("a", "", bar), { download: "set-aside.json", textContent: "Save it as a file" });
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  button(bar, "discard", "Discard", () => {
    sessions.discardSetAside();
    bar.remove();
    page.status("The piece that was set aside is discarded.");
    root.querySelector<HTMLElement>("#piece-name")?.focus();
  });
}
