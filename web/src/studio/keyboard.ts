// The roll by keyboard, and the few keys that work anywhere on the page.

import type { Editing } from "./editing.js";
import { barAt } from "./piece.js";

/** What a key does in the roll; `before` is read to screen readers before the cell of the cursor. */
type Command = (event: KeyboardEvent) => string | void;

export function listenToKeys(editing: Editing): void {
  const { page, roll } = editing;
  const plain = rollKeys(editing);
  const modified = editKeys(editing);
  roll.canvas.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const control = event.ctrlKey || event.metaKey;
    const command = control ? modified[key] : (event.altKey ? altKeys(editing) : plain)[key];
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    const before = command(event);
    roll.scrollToCursor();
    roll.announce(before ?? "");
  });
  document.addEventListener("keydown", (event) => {
    if (inField(event.target)) return;
    const key = event.key.toLowerCase();
    const control = event.ctrlKey || event.metaKey;
    if (control && (key === "z" || key === "y")) modified[key]!(event);
    else if (key === " " && !control && !inControl(event.target)) togglePlay(editing);
    else return;
    event.preventDefault();
  });
  roll.canvas.addEventListener("focus", () => {
    if (roll.canvas.matches(":focus-visible")) roll.announce();
  });
  page.store.subscribe(() => roll.moveCursor(roll.cursor)); // stays in a piece that has become shorter
}

const inField = (target: EventTarget | null): boolean =>
  target instanceof Element && target.matches("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");

const inControl = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("button, a, input, select, textarea, summary, [role=slider]") !== null;

function togglePlay({ page }: Editing): void {
  if (page.transport.playing) page.transport.pause();
  else page.transport.play();
}

function rollKeys(editing: Editing): Readonly<Record<string, Command>> {
  const { page, roll } = editing;
  const to = (beat: number, pitch: number): void => {
    if (page.store.selection.notes.length === 1) page.store.select({ notes: [] }); // the keys are for the note at the cursor
    roll.moveCursor({ beat, pitch });
  };
  const step = (steps: number, semitones: number): Command => (event) => {
    const { beat, pitch } = roll.cursor;
    const beats = steps * roll.bounds.step;
    if (!event.shiftKey || !editing.chosen.length) return to(beat + beats, pitch + semitones);
    const [along, up] = editing.move(beats, semitones);
    return roll.moveCursor({ beat: beat + along, pitch: pitch + up });
  };
  const along = (beats: number): Command => () => to(beats, roll.cursor.pitch);
  const keys: Record<string, Command> = {
    ArrowUp: step(0, 1),
    ArrowDown: step(0, -1),
    ArrowLeft: step(-1, 0),
    ArrowRight: step(1, 0),
    PageUp: step(0, 12),
    PageDown: step(0, -12),
    Home: along(0),
    End: (event) => along(page.store.piece.beats)(event),
    Enter: () => {
      const notes = editing.underCursor;
      if (notes.length) editing.remove(notes);
      else editing.draw(roll.cursor.beat, roll.cursor.pitch);
    },
    Delete: () => editing.remove(editing.chosen),
    Escape: () => page.store.select({ notes: [], bars: null }),
    b: (event) => {
      const bar = barAt(page.store.piece, roll.cursor.beat);
      const { bars } = page.store.selection;
      const selected = event.shiftKey && bars ? ([Math.min(bars[0], bar), Math.max(bars[1], bar)] as const) : ([bar, bar] as const);
      page.store.select({ bars: selected });
      return selected[0] === selected[1] ? `Bar ${bar} selected. ` : `Bars ${selected[0]} to ${selected[1]} selected. `;
    },
    " ": () => togglePlay(editing),
  };
  keys.Backspace = keys.Delete!;
  for (const key of ["+", "="]) keys[key] = () => editing.stretch(roll.bounds.step);
  for (const key of ["-", "−"]) keys[key] = () => editing.stretch(-roll.bounds.step);
  for (let number = 1; number <= 9; number++) {
    keys[String(number)] = () => {
      if (number > page.store.piece.parts.length) return;
      page.choosePart(number - 1);
      return `New notes go to ${page.store.piece.parts[number - 1]!.name}. `;
    };
  }
  return keys;
}

function altKeys(editing: Editing): Readonly<Record<string, Command>> {
  const louden = (by: number): Command => () => {
    editing.louden(by);
    return editing.chosen[0] ? `Velocity ${editing.chosen[0].velocity}. ` : "";
  };
  return { ArrowUp: louden(5), ArrowDown: louden(-5) };
}

function editKeys(editing: Editing): Readonly<Record<string, Command>> {
  const { page } = editing;
  const counted = (verb: string): string => `${verb} ${page.store.selection.notes.length} notes. `;
  return {
    z: (event) => (event.shiftKey ? editing.redo() : editing.undo()),
    y: () => editing.redo(),
    c: () => {
      editing.copy();
    },
    x: () => editing.cut(),
    v: () => {
      editing.paste();
      return counted("Pasted");
    },
    d: () => editing.duplicate(),
    a: () => {
      editing.selectAll();
      return counted("Selected");
    },
  };
}
