// The parts of the piece: name, instrument, mute, solo, and the part that new notes go to.

import { html } from "../shared/elements.js";
import { addPart, removePart, withPart } from "./edit.js";
import { button, select } from "./form.js";
import { INSTRUMENTS } from "./instruments.js";
import type { Page } from "./page.js";
import { partColour } from "./painting.js";
import type { Part } from "./piece.js";
import type { StudioTransport } from "./transport.js";

export function mountParts(root: HTMLElement, page: Page, transport: StudioTransport, onPart: (listener: () => void) => void): void {
  const { store } = page;
  const list = html("ul", "parts", root);
  button(root, "add-part", "Add a part", () => {
    const { piece } = store;
    const model = page.choices.model.parts?.[piece.parts.length];
    const part: Part = model
      ? { name: model.name, program: model.program, is_drums: model.is_drums }
      : { name: `part ${piece.parts.length + 1}`, program: 0, is_drums: page.choices.model.is_drums };
    store.change("Add a part", addPart(piece, part));
    page.choosePart(piece.parts.length);
  });
  let shown: readonly Part[] | null = null;
  let rows: Row[] = [];

  function show(): void {
    const { parts } = store.piece;
    if (shown !== parts) {
      if (rows.length !== parts.length) {
        list.replaceChildren();
        rows = parts.map((_, index) => new Row(list, page, transport, index));
      }
      shown = parts;
    }
    rows.forEach((row, index) => row.show(parts[index]!, parts.length > 1));
  }

  store.subscribe(show);
  transport.subscribe(show);
  onPart(show);
  show();
}

class Row {
  #choice: HTMLInputElement;
  #name: HTMLInputElement;
  #program: HTMLSelectElement;
  #select: HTMLButtonElement;
  #mute: HTMLButtonElement;
  #solo: HTMLButtonElement;
  #remove: HTMLButtonElement;

  constructor(
    list: HTMLElement,
    readonly page: Page,
    readonly transport: StudioTransport,
    readonly index: number,
  ) {
    const { store } = page;
    const item = html("li", "", list);
    const choice = html("label", "part-choice", item);
    choice.title = "New notes go to this part";
    this.#choice = html("input", "", choice);
    Object.assign(this.#choice, { id: `part-${index}`, type: "radio", name: "part" });
    this.#choice.addEventListener("change", () => page.choosePart(index));
    html("span", "swatch", choice).style.background = partColour(index);
    this.#name = Object.assign(html("input", "part-name", item), { id: `part-name-${index}`, maxLength: 40 });
    this.#name.addEventListener("change", () =>
      store.change("Rename a part", withPart(store.piece, index, { name: this.#name.value.trim() || `part ${index + 1}` })),
    );
    const instruments = INSTRUMENTS.map((instrument, program) => [String(program), instrument] as const);
    this.#program = select(`program-${index}`, null, [...instruments, ["drums", "Drums"]]);
    item.append(this.#program);
    this.#program.addEventListener("change", () => {
      const { value } = this.#program;
      const change = value === "drums" ? { is_drums: true, program: 0 } : { is_drums: false, program: Number(value) };
      store.change("Change an instrument", withPart(store.piece, index, change));
    });
    this.#select = button(item, `select-${index}`, "Select", () => this.#toggleSelected(), "toggle");
    this.#mute = button(item, `mute-${index}`, "M", () => transport.mix(index, { mute: !transport.mixOf(index).mute }), "toggle");
    this.#solo = button(item, `solo-${index}`, "S", () => transport.mix(index, { solo: !transport.mixOf(index).solo }), "toggle");
    this.#remove = button(item, `remove-${index}`, "✕", () => {
      transport.removeMix(index);
      store.change("Remove a part", removePart(store.piece, index));
      page.choosePart(Math.min(page.part, store.piece.parts.length - 1));
    });
  }

  #toggleSelected(): void {
    const { store } = this.page;
    const selected = store.selection.parts ?? [];
    const others = selected.filter((part) => part !== this.index);
    const parts = others.length < selected.length ? others : [...selected, this.index].sort((a, b) => a - b);
    store.select({ parts: parts.length ? parts : null });
  }

  show(part: Part, removable: boolean): void {
    const { mute, solo } = this.transport.mixOf(this.index);
    this.#choice.checked = this.page.part === this.index;
    this.#choice.setAttribute("aria-label", `New notes go to ${part.name}`);
    if (document.activeElement !== this.#name) this.#name.value = part.name;
    this.#name.setAttribute("aria-label", `Name of part ${this.index + 1}`);
    this.#program.value = part.is_drums ? "drums" : String(part.program);
    this.#program.setAttribute("aria-label", `Instrument of ${part.name}`);
    const isSelected = this.page.store.selection.parts?.includes(this.index) ?? false;
    for (const [key, on, verb] of [
      [this.#select, isSelected, "Select"],
      [this.#mute, mute, "Mute"],
      [this.#solo, solo, "Solo"],
    ] as const) {
      key.setAttribute("aria-pressed", String(on));
      key.setAttribute("aria-label", `${verb} ${part.name}`);
      key.title = `${verb} ${part.name}`;
    }
    this.#select.title = "Select this part for the model to write";
    this.#remove.hidden = !removable;
    this.#remove.setAttribute("aria-label", `Remove ${part.name}`);
    this.#remove.title = `Remove ${part.name}`;
  }
}
