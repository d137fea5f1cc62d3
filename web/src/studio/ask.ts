// The fields and buttons by which a model is asked.

import { html } from "../shared/elements.js";
import { LABELS } from "./asking.js";
import { MAX_SEED, MAX_TAKES, randomSeed, TEMPERATURES, type ChoiceValues } from "./choices.js";
import { button, checkFields, field, heading, isRefused, numberField, pair, refuse, select } from "./form.js";
import type { Page, Task } from "./page.js";
import { refusal, type Question } from "./requests.js";
import { messageOf } from "./stream.js";

const TASKS: readonly Question["task"][] = ["continue", "fill", "harmonize", "vary", "silence"];

export function mountAsk(root: HTMLElement, page: Page): void {
  heading(root, "ask", "Ask a model");
  mountButtons(root, page);
  const fields = html("div", "fields", root);
  mountModel(root, fields, page);
  mountNumbers(fields, page);
  mountScale(fields, page);
}

function mountModel(root: HTMLElement, fields: HTMLElement, { settings, choices }: Page): void {
  const names = settings.models.map(({ name }) => [name, name] as const);
  const model = field(fields, "Model", select("model", null, names));
  const about = html("p", "hint", root);
  about.id = "about";
  model.setAttribute("aria-describedby", "about");
  model.addEventListener("change", () => choices.set({ model: model.value }));
  const show = (): void => {
    model.value = choices.model.name;
    about.textContent = aboutModel(choices.model.card, choices.model.conditional);
  };
  choices.subscribe(show);
  show();
}

/** What the card of a model says to people who choose one. */
export function aboutModel(card: Readonly<Record<string, unknown>>, conditional: boolean): string {
  const text = (name: string): string => (typeof card[name] === "string" ? card[name] : "");
  const scale = conditional ? "The scale is a condition of this model." : "With a scale, frames with notes outside it are drawn again.";
  const notFor = text("not_for") && `Not for: ${text("not_for")}`;
  return [text("what"), text("data"), notFor, scale].filter(Boolean).join(" ");
}

/** A field of the choices that holds a number. */
function bind(input: HTMLInputElement, name: "temperature" | "length" | "seed" | "strength", { choices }: Page, shown?: HTMLOutputElement): void {
  input.addEventListener("input", () => {
    if (input.checkValidity()) choices.set({ [name]: input.valueAsNumber } as Partial<ChoiceValues>);
  });
  const show = (): void => {
    if (input.valueAsNumber !== choices.values[name]) input.value = String(choices.values[name]);
    if (shown) shown.value = choices.values[name].toFixed(2);
  };
  choices.subscribe(show);
  show();
}

function slider(fields: HTMLElement, id: "temperature" | "strength", text: string, min: number, max: number, page: Page): void {
  const input = numberField(id, text, { min, max, step: 0.05 }, "range");
  const output = Object.assign(document.createElement("output"), { id: `${id}-value` });
  output.htmlFor.add(id);
  pair(fields, text, input, output);
  bind(input, id, page, output);
}

function mountNumbers(fields: HTMLElement, page: Page): void {
  const { choices } = page;
  slider(fields, "temperature", "Temperature", ...TEMPERATURES, page);
  const length = numberField("length", "Length", { min: 1 });
  const unit = select("unit", "Unit of the length", [["beats", "beats"], ["seconds", "seconds"]]);
  pair(fields, "Length of Continue", length, unit);
  bind(length, "length", page);
  unit.addEventListener("change", () => choices.set({ unit: unit.value as ChoiceValues["unit"] }));
  slider(fields, "strength", "Strength of Vary", 0.05, 1, page);
  const counts = Array.from({ length: Math.min(MAX_TAKES, page.settings.max_takes) }, (_, index) => [String(index + 1), String(index + 1)] as const);
  const takes = field(fields, "Takes", select("take-count", null, counts));
  takes.addEventListener("change", () => choices.set({ takes: Number(takes.value) }));
  const seed = numberField("seed", "Seed", { min: 0, max: MAX_SEED, step: 1 });
  const fresh = Object.assign(document.createElement("button"), { id: "new-seed", type: "button", textContent: "New" });
  fresh.setAttribute("aria-label", "New seed");
  fresh.addEventListener("click", () => choices.set({ seed: randomSeed() }));
  pair(fields, "Seed", seed, fresh);
  bind(seed, "seed", page);
  const show = (): void => {
    unit.value = choices.values.unit;
    takes.value = String(choices.values.takes);
  };
  choices.subscribe(show);
  show();
}

function mountScale(fields: HTMLElement, { settings, choices }: Page): void {
  const roots = [["", "any notes"] as const, ...settings.roots.map((root, index) => [String(index), root] as const)];
  const root = select("root", null, roots);
  const scale = select("scale", "Kind of scale", Object.keys(settings.scales).map((kind) => [kind, kind]));
  pair(fields, "Scale", root, scale);
  root.addEventListener("change", () => choices.set({ root: root.value === "" ? null : Number(root.value) }));
  scale.addEventListener("change", () => choices.set({ scale: scale.value }));
  const show = (): void => {
    root.value = choices.values.root === null ? "" : String(choices.values.root);
    scale.value = choices.values.scale;
    scale.disabled = choices.values.root === null;
  };
  choices.subscribe(show);
  show();
}

function mountButtons(root: HTMLElement, page: Page): void {
  const { asking, store, choices, transport } = page;
  const bar = html("div", "bar actions", root);
  const buttons = new Map(TASKS.map((task) => [task, button(bar, task, LABELS[task], () => void press(task), task === "silence" ? "" : "main")]));
  const stop = button(bar, "stop", "Stop", () => {
    asking.stop();
    transport.pause();
  });
  const fromStart = Object.assign(document.createElement("input"), { id: "from-start", type: "checkbox" });
  html("label", "", bar).append(fromStart, " Play from the beginning");
  fromStart.addEventListener("change", () => choices.set({ from_start: fromStart.checked }));

  const show = (): void => {
    for (const [task, element] of buttons) {
      const asked: Task = task === "silence" ? "continue" : task;
      const reason = task === "silence" ? choices.model.tasks.continue : refusal(asked, store.piece, store.selection, choices.model);
      refuse(element, asking.running ? "A model is writing. Press Stop first." : reason);
    }
    stop.disabled = !asking.running;
    fromStart.checked = choices.values.from_start;
  };

  async function press(task: Question["task"]): Promise<void> {
    const pressed = buttons.get(task)!;
    if (isRefused(pressed)) return page.status(pressed.title);
    page.error("");
    try {
      checkFields(root);
    } catch (error) {
      page.status("");
      return page.error(messageOf(error));
    }
    transport.unlock(); // browsers allow sound only from within a click
    page.status("Generating …");
    try {
      const answer = asking.run(task);
      if (document.activeElement === pressed) stop.focus();
      const outcome = await answer;
      const text = { done: `Done: ${LABELS[task]}.`, stopped: "Stopped.", cancelled: "Stopped: another piece was started." };
      page.status(text[outcome]);
    } catch (error) {
      page.status("");
      page.error(messageOf(error));
    } finally {
      if (document.activeElement === stop || document.activeElement === document.body) pressed.focus();
    }
  }

  for (const source of [asking, store, choices]) source.subscribe(show);
  addEventListener("pagehide", () => asking.stop());
  show();
}
