// The tools of the roll, for mouse and fingers: what a press does, the length of new notes, the clipboard, the zoom.

import { html } from "../shared/elements.js";
import type { Editing, Tool } from "./editing.js";
import { button, field, select } from "./form.js";

const TOOLS: readonly (readonly [Tool, string, string])[] = [
  ["draw", "Draw", "A press draws a note; drag a note to move it, and its end to make it longer"],
  ["select", "Select", "A drag selects notes"],
  ["velocity", "Loudness", "Drag a note up or down to make it louder or softer"],
];

const LENGTHS: readonly (readonly [number, string])[] = [
  [0.25, "sixteenths"],
  [0.5, "eighths"],
  [1, "quarters"],
  [2, "halves"],
  [4, "wholes"],
];

/** The tools and the zoom go into `root`, what is done with selected notes into `more`. */
export function mountToolbar(root: HTMLElement, more: HTMLElement, editing: Editing): void {
  const { page, roll } = editing;
  const tools = html("div", "choice", root);
  tools.setAttribute("role", "radiogroup");
  tools.setAttribute("aria-label", "What a press in the roll does");
  for (const [tool, text, title] of TOOLS) {
    const made = html("label", "", tools);
    made.title = title;
    const input = html("input", "", made);
    Object.assign(input, { type: "radio", name: "tool", id: `tool-${tool}`, checked: tool === editing.tool });
    made.append(text);
    input.addEventListener("change", () => (editing.tool = tool));
  }
  const lengths = LENGTHS.map(([beats, text]) => [String(beats), text] as const);
  const length = field(root, "New notes are", select("note-length", null, lengths));
  length.value = String(editing.length);
  length.addEventListener("change", () => (editing.length = Number(length.value)));

  const edits = html("div", "group", more);
  const needing = [
    button(edits, "copy", "Copy", () => page.status(`Copied ${editing.copy().length} notes.`)),
    button(edits, "repeat", "Repeat", () => editing.duplicate()),
    button(edits, "delete", "Delete", () => editing.remove(editing.chosen)),
  ];
  button(edits, "paste", "Paste", () => editing.paste());
  button(edits, "clear", "Clear", () => editing.remove(page.store.piece.notes));

  const zooms = html("div", "group", root);
  for (const [id, text, title, horizontal, vertical] of [
    ["narrower", "−", "Narrower beats", 0.8, 1],
    ["wider", "+", "Wider beats", 1.25, 1],
    ["lower", "▁", "Lower rows", 1, 0.8],
    ["higher", "▇", "Higher rows", 1, 1.25],
  ] as const) {
    const made = button(zooms, id, text, () => roll.zoom(horizontal, vertical));
    made.title = title;
    made.setAttribute("aria-label", title);
  }
  button(zooms, "fit", "All", () => roll.zoomToFit()).title = "The whole piece";

  function show(): void {
    for (const made of needing) made.disabled = page.store.selection.notes.length === 0;
  }
  page.store.subscribe(show);
  show();
}
