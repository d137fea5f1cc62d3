// Fields and buttons of the page's forms, with their labels.

import { html } from "../shared/elements.js";

/** A field after its label's text, in the parent. */
export function field<Element extends HTMLElement>(parent: HTMLElement, text: string, control: Element): Element {
  const label = html("label", "", parent);
  label.append(`${text} `, control);
  return control;
}

/** Several controls side by side after a text; the first one is labelled by it. */
export function pair(parent: HTMLElement, text: string, ...controls: HTMLElement[]): void {
  const label = html("label", "", parent);
  label.append(`${text} `);
  html("span", "pair", label).append(...controls);
}

export function select(id: string, name: string | null, options: readonly (readonly [value: string, text: string])[]): HTMLSelectElement {
  const element = Object.assign(document.createElement("select"), { id });
  if (name) element.setAttribute("aria-label", name);
  setOptions(element, options);
  return element;
}

export function setOptions(element: HTMLSelectElement, options: readonly (readonly [value: string, text: string])[]): void {
  const chosen = element.value;
  element.replaceChildren(...options.map(([value, textContent]) => Object.assign(document.createElement("option"), { value, textContent })));
  if (options.some(([value]) => value === chosen)) element.value = chosen;
}

export interface NumberBounds {
  readonly min?: number;
  readonly max?: number;
  readonly step?: number | "any";
}

export function numberField(id: string, name: string, { min, max, step = "any" }: NumberBounds, type: "number" | "range" = "number"): HTMLInputElement {
  const input = Object.assign(document.createElement("input"), { id, type, step: String(step), required: true });
  if (min !== undefined) input.min = String(min);
  if (max !== undefined) input.max = String(max);
  input.dataset.name = name;
  return input;
}

export function button(parent: Element, id: string, text: string, onclick: () => void, name = ""): HTMLButtonElement {
  const element = Object.assign(html("button", name, parent), { id, type: "button", textContent: text });
  element.addEventListener("click", onclick);
  return element;
}

export function heading(root: HTMLElement, id: string, text: string): void {
  Object.assign(html("h2", "", root), { id: `${id}-heading`, textContent: text });
  root.setAttribute("role", "region");
  root.setAttribute("aria-labelledby", `${id}-heading`);
}

/**
 * The first field with a wrong value gets the focus.
 *
 * @throws Error with the name of the field and what is wrong with it.
 */
export function checkFields(root: HTMLElement): void {
  for (const input of root.querySelectorAll("input")) {
    if (input.checkValidity()) continue;
    input.focus();
    throw new Error(`${input.dataset.name ?? input.id}: ${input.validationMessage}`);
  }
}

/**
 * Disables a button with a reason that mouse, keyboard and screen readers find: the button keeps its place in the tab order,
 * and a press on it shows the reason. `null` enables it.
 */
export function refuse(element: HTMLButtonElement, reason: string | null): void {
  const id = `${element.id}-reason`;
  let hint = element.ownerDocument.getElementById(id);
  if (!hint) {
    hint = html("span", "visually-hidden", element.parentElement!);
    hint.id = id;
  }
  if (hint.textContent === (reason ?? "") && isRefused(element) === (reason !== null)) return;
  hint.textContent = reason ?? "";
  if (reason === null) {
    element.removeAttribute("aria-disabled");
    element.removeAttribute("aria-describedby");
    element.removeAttribute("title");
  } else {
    element.setAttribute("aria-disabled", "true");
    element.setAttribute("aria-describedby", id);
    element.title = reason;
  }
}

export const isRefused = (element: HTMLButtonElement): boolean => element.getAttribute("aria-disabled") === "true";

export function checkbox(parent: Element, id: string, text: string, change: (on: boolean) => void): HTMLInputElement {
  const label = html("label", "check", parent);
  const input = Object.assign(html("input", "", label), { id, type: "checkbox" });
  label.append(` ${text}`);
  input.addEventListener("change", () => change(input.checked));
  return input;
}

/** A field of a number of the piece: `change` is called with what the user writes, `show` shows another value. */
export function boundNumber(input: HTMLInputElement, change: (value: number) => void): { show(value: number): void } {
  input.addEventListener("change", () => {
    if (input.reportValidity()) change(input.valueAsNumber);
  });
  return {
    show: (value) => {
      const shown = String(Number(value.toFixed(3)));
      if (input.value !== shown && (document.activeElement !== input || input.checkValidity())) input.value = shown;
    },
  };
}
