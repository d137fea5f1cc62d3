// What the page shows, in one place: the piece, the selection, and the history of the piece.
// The modules of the page read it and subscribe to it; none of them keeps a copy.

import { countBars, type Note, type Piece } from "./piece.js";

export interface Selection {
  readonly bars: readonly [number, number] | null; // first and last bar, from 1; null: the whole piece
  readonly parts: readonly number[] | null; // indices of parts; null: all
  readonly notes: readonly Note[]; // single notes, values that are in the piece
}

export const NOTHING: Selection = { bars: null, parts: null, notes: [] };

type Listener = () => void;

interface Step {
  readonly label: string;
  readonly piece: Piece; // before the step, or after it if it can be done again
  readonly gesture: string | null;
}

export class Store {
  static readonly KEPT = 200; // steps that can be undone

  #piece: Piece;
  #selection: Selection = NOTHING;
  #past: Step[] = [];
  #future: Step[] = [];
  #gesture: string | null = null;
  #listeners = new Set<Listener>();

  constructor(piece: Piece) {
    this.#piece = piece;
  }

  get piece(): Piece {
    return this.#piece;
  }

  get selection(): Selection {
    return this.#selection;
  }

  /** What `undo` would take back, in words, or null. */
  get undoable(): string | null {
    return this.#past.at(-1)?.label ?? null;
  }

  get redoable(): string | null {
    return this.#future.at(-1)?.label ?? null;
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Puts a new piece in the place of the present one, as one step that can be undone.
   * Changes with the same gesture (a drag, a stream of notes) are one step together, until `endGesture`.
   * `selected` are the notes that are selected afterwards; without it, those that are still in the piece.
   */
  change(label: string, piece: Piece, gesture: string | null = null, selected?: readonly Note[]): void {
    if (piece === this.#piece) return;
    if (gesture === null || gesture !== this.#gesture) {
      this.#past.push({ label, piece: this.#piece, gesture });
      if (this.#past.length > Store.KEPT) this.#past.shift();
    }
    this.#gesture = gesture;
    this.#future = [];
    if (selected) this.#selection = { ...this.#selection, notes: selected };
    this.#show(piece);
  }

  /**
   * Goes on with a gesture, also after other changes: they stay steps of their own behind it, and undoing them keeps it.
   * `piece` takes the place of the present one; `change` does the same to the pieces between those steps.
   */
  amend(label: string, piece: Piece, gesture: string, change: (piece: Piece) => Piece): void {
    const at = this.#past.map((step) => step.gesture).lastIndexOf(gesture);
    if (at < 0) return this.change(label, piece, gesture);
    this.#past = this.#past.map((step, index) => (index > at ? { ...step, piece: change(step.piece) } : step));
    this.#future = [];
    this.#show(piece);
  }

  endGesture(gesture: string): void {
    if (this.#gesture === gesture) this.#gesture = null;
  }

  select(selection: Partial<Selection>): void {
    this.#selection = { ...this.#selection, ...selection };
    this.#notify();
  }

  undo(): boolean {
    return this.#step(this.#past, this.#future);
  }

  redo(): boolean {
    return this.#step(this.#future, this.#past);
  }

  /** Another piece, without the history of the one before. */
  open(piece: Piece): void {
    [this.#past, this.#future, this.#gesture] = [[], [], null];
    this.#selection = NOTHING;
    this.#show(piece);
  }

  #step(from: Step[], to: Step[]): boolean {
    const step = from.pop();
    if (!step) return false;
    to.push({ ...step, piece: this.#piece });
    this.#gesture = null;
    this.#show(step.piece);
    return true;
  }

  #show(piece: Piece): void {
    this.#piece = piece;
    const present = new Set(piece.notes);
    const { bars, parts, notes } = this.#selection;
    const left = parts?.filter((part) => part < piece.parts.length) ?? null;
    this.#selection = {
      bars: bars && bars[0] <= countBars(piece) ? [bars[0], Math.min(bars[1], countBars(piece))] : null,
      parts: left?.length ? left : null,
      notes: notes.filter((note) => present.has(note)),
    };
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
