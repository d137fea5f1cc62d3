// The takes of the last answer, side by side: hear each one in the piece, keep one, drop others.

import { html } from "../shared/elements.js";
import type { Take } from "./asking.js";
import { button, heading } from "./form.js";
import type { Page } from "./page.js";

export const countNotes = (count: number): string => (count === 1 ? "1 note" : `${count} notes`);

/** A take in words. */
export function describeTake({ notes, done }: Pick<Take, "notes" | "done">, running: boolean): string {
  if (done) return countNotes(notes.length);
  return running ? `${countNotes(notes.length)}, arriving` : `${countNotes(notes.length)}, stopped`;
}

export function mountTakes(root: HTMLElement, page: Page): void {
  const { asking, transport } = page;
  heading(root, "takes", "Takes");
  const list = html("ul", "takes", root);

  const show = (): void => {
    const focused = document.activeElement?.id ?? "";
    root.hidden = asking.takes.length < 2 && !(asking.takes.length && !asking.running);
    list.replaceChildren(...asking.takes.map(row));
    if (focused) document.getElementById(focused)?.focus();
  };

  function row(take: Take): HTMLLIElement {
    const item = document.createElement("li");
    item.className = "bar";
    const name = html("span", "", item);
    name.textContent = `${take.name}: ${describeTake(take, asking.running)}${asking.current === take.id ? " · in the piece" : ""}`;
    const group = html("span", "pair", item); // the buttons stay together
    const add = (verb: string, act: (id: number) => void, said: string): void => {
      const element = button(group, `${verb.toLowerCase()}-${take.id}`, verb, () => {
        transport.unlock();
        act(take.id);
        page.status(said);
        if (!element.isConnected) (list.querySelector("button") ?? document.getElementById("continue"))?.focus();
      });
      element.setAttribute("aria-label", `${verb} ${take.name}`);
      element.disabled = asking.running;
    };
    add("Hear", (id) => asking.hear(id), `${take.name} is in the piece.`);
    add("Keep", (id) => asking.keep(id), `${take.name} is kept.`);
    add("Drop", (id) => asking.drop(id), `${take.name} is dropped.`);
    return item;
  }

  asking.subscribe(show);
  show();
}
