// How the piece is edited by hand, by pointer and by keyboard: the tools, and the steps that they share.

import { pitchName } from "../shared/music.js";
import { copied, type Edit, louden, move, paste, reaching, replace, stretch, without, draw } from "./edit.js";
import type { Page } from "./page.js";
import { keepsParts, mostBars, type Note } from "./piece.js";
import type { Roll } from "./roll.js";

export type Tool = "draw" | "select" | "velocity";

export class Editing {
  tool: Tool = "draw";
  length = 1; // beats of a new note
  velocity = 80; // of a new note
  drawn: Note | null = null; // by the last press of the pointer
  #clipboard: readonly Note[] = [];

  constructor(
    readonly page: Page,
    readonly roll: Roll,
  ) {}

  /** The selected notes, or the note under the cursor. */
  get chosen(): readonly Note[] {
    const { notes } = this.page.store.selection;
    return notes.length ? notes : this.underCursor;
  }

  get underCursor(): readonly Note[] {
    const { beat, pitch } = this.roll.cursor;
    const { step } = this.roll.bounds;
    const sounding = this.roll.index.between(beat + 1e-6, beat + step - 1e-6).filter((note) => note.pitch === pitch);
    const note = sounding.find(({ part }) => part === this.page.part) ?? sounding[0];
    return note ? [note] : [];
  }

  apply(label: string, edit: Edit, gesture: string | null = null): void {
    this.page.store.change(label, edit.piece, gesture, edit.notes);
  }

  /** Draws a note; returns it. Behind the end, the piece becomes longer. */
  draw(beat: number, pitch: number, gesture: string | null = null): Note | undefined {
    const { page, roll, velocity } = this;
    const note: Note = { part: page.part, pitch, start: beat, length: this.length, velocity };
    const { piece } = page.store;
    const longer = reaching(piece, beat, mostBars(piece, page.settings) * piece.beats_per_bar);
    const edit = draw(longer, note, roll.bounds);
    const [drawn] = edit.notes;
    if (!drawn) {
      const [lowest, highest] = roll.bounds.pitches(page.part);
      page.status(`${page.store.piece.parts[page.part]?.name ?? "The part"} has the pitches ${pitchName(lowest)} to ${pitchName(highest)}.`);
      return undefined;
    }
    this.apply("Draw a note", edit, gesture);
    this.sound(drawn);
    return drawn;
  }

  remove(notes: readonly Note[]): void {
    if (!notes.length) return;
    const label = notes.length === 1 ? "Remove a note" : `Remove ${notes.length} notes`;
    this.page.store.change(label, without(this.page.store.piece, notes));
  }

  /** Moves the chosen notes; returns by how many beats and semitones they have moved. */
  move(beats: number, semitones: number): readonly [number, number] {
    const notes = this.chosen;
    const edit = move(this.page.store.piece, notes, beats, semitones, this.roll.bounds);
    this.apply("Move notes", edit);
    const [before, after] = [notes[0], edit.notes[0]];
    if (!before || !after) return [0, 0];
    if (semitones) this.sound(after);
    return [after.start - before.start, after.pitch - before.pitch];
  }

  stretch(beats: number): void {
    this.apply("Change lengths", stretch(this.page.store.piece, this.chosen, beats, this.roll.bounds));
  }

  louden(by: number): void {
    const edit = louden(this.page.store.piece, this.chosen, by);
    this.apply("Change velocities", edit);
    const [first] = edit.notes;
    if (!first) return;
    this.velocity = first.velocity;
    this.sound(first);
  }

  copy(): readonly Note[] {
    const notes = this.chosen;
    if (notes.length) this.#clipboard = copied(notes, this.roll.bounds.step);
    return notes;
  }

  cut(): void {
    this.remove(this.copy());
  }

  paste(beat = this.roll.cursor.beat): void {
    if (!this.#clipboard.length) return this.page.status("Nothing is copied.");
    const edit = paste(this.page.store.piece, this.#clipboard, beat, this.roll.bounds);
    if (!edit.notes.length) return this.page.status("The copied notes do not fit here.");
    this.apply(edit.notes.length === 1 ? "Paste a note" : `Paste ${edit.notes.length} notes`, edit);
  }

  /** Copies the selected notes behind themselves. */
  duplicate(): void {
    const { store } = this.page;
    const notes = this.chosen;
    if (!notes.length) return;
    const { step } = this.roll.bounds;
    const from = Math.min(...notes.map(({ start }) => start));
    const until = Math.max(...notes.map(({ start, length }) => start + length));
    const span = Math.max(Math.ceil((until - from) / step - 1e-6) * step, step);
    const edit = paste(store.piece, copied(notes, step), from + span, this.roll.bounds);
    if (edit.notes.length) this.apply("Duplicate notes", edit);
    else this.page.status("The piece ends here. Make it longer to repeat these notes.");
  }

  selectAll(): void {
    const { piece, selection } = this.page.store;
    const [from, until] = selection.bars
      ? [(selection.bars[0] - 1) * piece.beats_per_bar, selection.bars[1] * piece.beats_per_bar]
      : [0, piece.beats];
    this.page.store.select({ notes: piece.notes.filter(({ start }) => start >= from - 1e-6 && start < until - 1e-6) });
  }

  undo(): void {
    const label = this.page.store.undoable;
    if (this.page.store.undo()) this.page.status(`Undone: ${label}.`);
  }

  redo(): void {
    const label = this.page.store.redoable;
    if (this.page.store.redo()) this.page.status(`Done again: ${label}.`);
  }

  sound({ part, pitch, velocity }: Note): void {
    this.page.transport.sound(part, pitch, velocity);
  }
}

/** A drag of notes: one step of the history, computed from where it began, also while a model adds notes. Another piece ends it. */
export class Drag {
  static #count = 0;

  #base;
  #last;
  #current: readonly Note[];
  #isOver = false;

  constructor(
    readonly editing: Editing,
    readonly notes: readonly Note[],
    readonly gesture = Drag.nextGesture(),
  ) {
    this.#base = this.#last = editing.page.store.piece;
    this.#current = notes;
  }

  static nextGesture(): string {
    return `drag ${Drag.#count++}`;
  }

  to(label: string, change: (base: Edit) => Edit): readonly Note[] {
    const { store } = this.editing.page;
    if ((this.#isOver ||= !keepsParts(this.#last, store.piece))) return this.#current;
    if (store.piece !== this.#last) this.#base = replace(store.piece, this.#current, this.notes).piece;
    const edit = change({ piece: this.#base, notes: this.notes });
    store.change(label, edit.piece, this.gesture, edit.notes);
    this.#last = store.piece;
    return (this.#current = edit.notes);
  }

  end(): void {
    this.editing.page.store.endGesture(this.gesture);
  }
}

