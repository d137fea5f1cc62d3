// The session: a piece and how the models are asked, as text. Files and the browser's storage hold the same text.

import { checkedPiece, flag, integer, object, real, text } from "./checks.js";
import { MAX_SEED, MAX_TAKES, TEMPERATURES, type ChoiceValues } from "./choices.js";
import type { Settings } from "./page.js";
import type { Piece } from "./piece.js";
import { messageOf } from "./stream.js";

export interface Session {
  readonly name: string; // of the piece, for file names
  readonly piece: Piece;
  readonly choices: ChoiceValues;
}

export const FORMAT = "pianoroll-seq2seq session";
export const VERSION = 1;

export function sessionText({ name, piece, choices }: Session): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, name, piece, choices });
}

/**
 * Reads a session.
 *
 * @returns the session, and what was changed because this studio does not have it, as sentences.
 * @throws Error naming the field that is wrong.
 */
export function readSession(source: string, settings: Settings): { session: Session; changes: string[] } {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw new Error("This is not a session of the studio: it is not JSON.");
  }
  const fields = object(value, "session");
  if (fields.format !== FORMAT) throw new Error(`format: expected "${FORMAT}". The file is not a session of the studio.`);
  if (fields.version !== VERSION) throw new Error(`version: expected ${VERSION}, got ${JSON.stringify(fields.version) ?? "nothing"}.`);
  const changes: string[] = [];
  const choices = readChoices(fields.choices, settings, changes);
  return { session: { name: text(fields.name, "name"), piece: checkedPiece(fields.piece, "piece"), choices }, changes };
}

function readChoices(value: unknown, settings: Settings, changes: string[]): ChoiceValues {
  const fields = object(value, "choices");
  let model = text(fields.model, "choices.model");
  if (!settings.models.some(({ name }) => name === model)) {
    const [first] = settings.models;
    changes.push(`The model ${model} is not open here; ${first!.name} takes its place.`);
    model = first!.name;
  }
  let scale = text(fields.scale, "choices.scale");
  let root = fields.root === null ? null : integer(fields.root, "choices.root", 0, 11);
  if (!Object.hasOwn(settings.scales, scale)) {
    if (root !== null) changes.push(`The scale ${scale} is not known here; any notes are allowed.`);
    [scale, root] = [Object.keys(settings.scales)[0] ?? "", null];
  }
  const unit = text(fields.unit, "choices.unit");
  if (unit !== "beats" && unit !== "seconds") throw new Error(`choices.unit: expected beats or seconds, got ${JSON.stringify(unit)}.`);
  return {
    model,
    temperature: real(fields.temperature, "choices.temperature", ...TEMPERATURES),
    length: real(fields.length, "choices.length", 1, 100_000),
    unit,
    takes: integer(fields.takes, "choices.takes", 1, MAX_TAKES),
    root,
    scale,
    seed: integer(fields.seed, "choices.seed", 0, MAX_SEED),
    strength: real(fields.strength, "choices.strength", 0.01, 1),
    from_start: flag(fields.from_start, "choices.from_start"),
  };
}

/** Where sessions are kept: the browser's storage, or a map in tests. */
export type Shelf = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

export const BLOCKED = "The browser keeps nothing for this page, so your work is not saved. Save it as a file.";
const FULL = "The browser has no room for more pieces. Remove some, or save this one as a file.";

/** A storage of the browser, or null if the browser blocks it. */
export function usable(storage: () => Shelf | null): Shelf | null {
  try {
    const shelf = storage();
    shelf?.getItem(CURRENT); // some browsers complain only now
    return shelf;
  } catch {
    return null;
  }
}

/** Stands for a storage that the browser blocks: it is empty and takes nothing. */
const NO_SHELF: Shelf = {
  length: 0,
  key: () => null,
  getItem: () => null,
  setItem: () => {
    throw new DOMException(BLOCKED, "SecurityError");
  },
  removeItem: () => undefined,
};

const CURRENT = "pianoroll-studio.current";
const SET_ASIDE = "pianoroll-studio.set-aside";
const KEPT = "pianoroll-studio.kept.";

/**
 * Sessions in the browser.
 *
 * They are in localStorage: it writes before the page is closed, which IndexedDB does not promise, and a piece of ten minutes
 * has about 0.3 of its 5 MB. The present session is also in the tab's own storage, so that two tabs keep two pieces.
 */
export class Sessions {
  #setAside: string | null = null; // as the browser has it, if it had room

  readonly shelf: Shelf;
  readonly tab: Shelf;

  /**
   * @param shelf the browser's storage, or null if it is blocked. One that is blocked is replaced by the other.
   * @param tab the tab's own.
   */
  constructor(shelf: Shelf | null, tab: Shelf | null, readonly settings: Settings) {
    this.shelf = shelf ?? tab ?? NO_SHELF;
    this.tab = tab ?? this.shelf;
  }

  /** Whether the browser keeps nothing at all. */
  get isBlocked(): boolean {
    return this.shelf === NO_SHELF;
  }

  /** @throws Error if the browser keeps nothing, or nothing more. */
  save(session: Session): void {
    const source = sessionText(session);
    this.#write(this.tab, CURRENT, source);
    this.#write(this.shelf, CURRENT, source);
  }

  /** The session of before, or null, and sentences about what was changed or could not be read. */
  restore(): { session: Session | null; changes: string[] } {
    for (const shelf of [this.tab, this.shelf]) {
      const source = shelf.getItem(CURRENT);
      if (source === null) continue;
      try {
        return readSession(source, this.settings);
      } catch (error) {
        shelf.removeItem(CURRENT);
        return { session: null, changes: [`The saved piece cannot be read and was set aside. ${messageOf(error)}`, ...this.#putAside(source)] };
      }
    }
    return { session: null, changes: [] };
  }

  /** The text of a session that could not be read, or null. */
  get setAside(): string | null {
    return this.#setAside ?? this.shelf.getItem(SET_ASIDE);
  }

  /** Returns what went wrong, as sentences. */
  #putAside(source: string): string[] {
    this.#setAside = source;
    try {
      this.#write(this.shelf, SET_ASIDE, source);
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  }

  discardSetAside(): void {
    this.#setAside = null;
    this.shelf.removeItem(SET_ASIDE);
  }

  /** Names of kept pieces, in order. */
  get names(): string[] {
    const keys = Array.from({ length: this.shelf.length }, (_, index) => this.shelf.key(index) ?? "");
    return keys.filter((key) => key.startsWith(KEPT)).map((key) => key.slice(KEPT.length)).sort();
  }

  keep(session: Session): void {
    this.#write(this.shelf, KEPT + session.name, sessionText(session));
  }

  /** @throws Error naming the field that is wrong. */
  kept(name: string): { session: Session; changes: string[] } {
    const source = this.shelf.getItem(KEPT + name);
    if (source === null) throw new Error(`No piece is kept as ${name}.`);
    return readSession(source, this.settings);
  }

  remove(name: string): void {
    this.shelf.removeItem(KEPT + name);
  }

  #write(shelf: Shelf, key: string, source: string): void {
    try {
      shelf.setItem(key, source);
    } catch (error) {
      throw new Error(error instanceof DOMException && error.name === "SecurityError" ? BLOCKED : FULL);
    }
  }
}
