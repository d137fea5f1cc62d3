// Mouse, pen and fingers on the roll.
//
// A mouse draws when it is pressed. A finger that is put down may be about to scroll, so a tap draws when it ends, and
// only notes that are selected can be dragged by a finger.

import { louden, move, notesIn, roundTo, stretch } from "./edit.js";
import { Drag, type Editing } from "./editing.js";
import { beatAt, pitchAt } from "./geometry.js";
import { barAt, countBars, type Note } from "./piece.js";

interface Point {
  readonly x: number;
  readonly y: number;
}

const SLOP = 10; // pixels that a tap may move
const DOUBLE = 400; // milliseconds between two taps

/** What a pointer does until it is released. */
interface Action {
  move(point: Point): void;
  end?(): void;
}

export function listenToPointers(editing: Editing): void {
  const { roll } = editing;
  const { canvas } = roll;
  let action: Action | null = null;
  let tap: { id: number; x: number; y: number } | null = null; // a finger that has not moved
  let lastTap: { at: number; note: Note } | null = null;
  let drawnBefore: Note | null = null; // by the press before the last one
  let isTouch = false;

  const finish = (): void => {
    action?.end?.();
    action = null;
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const point = roll.point(event);
    roll.moveCursor(roll.cell(point));
    isTouch = event.pointerType === "touch";
    tap = isTouch && event.isPrimary ? { id: event.pointerId, x: event.clientX, y: event.clientY } : null;
    if (isTouch && !(event.isPrimary && grabs(editing, point))) return;
    if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
    [drawnBefore, editing.drawn] = [editing.drawn, null];
    action = begin(editing, point, event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (tap && Math.hypot(event.clientX - tap.x, event.clientY - tap.y) > SLOP) tap = null;
    if (action && event.buttons & 1) {
      if (!tap) action.move(roll.point(event));
    } else if (event.pointerType !== "touch") showCursor(editing, roll.point(event), event.altKey);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (tap?.id === event.pointerId && roll.point(event).x >= 0) {
      const note = roll.hit(roll.point(event))?.note;
      const twice = note && note === lastTap?.note && event.timeStamp - lastTap.at < DOUBLE;
      lastTap = note && !twice ? { at: event.timeStamp, note } : null;
      if (twice) editing.remove([note]);
      else if (!action) tapped(editing, roll.point(event), note);
    }
    tap = null;
    finish();
  });
  canvas.addEventListener("pointercancel", () => {
    tap = null;
    finish();
  });
  // Keeps the browser from scrolling when the finger is on something that it drags.
  canvas.addEventListener(
    "touchstart",
    (event) => {
      const [touch] = event.touches;
      if (touch && event.touches.length === 1 && grabs(editing, roll.point(touch))) event.preventDefault();
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => {
    const found = roll.hit(roll.point(event));
    if (isTouch || !found || found.note === drawnBefore || editing.tool === "velocity") return;
    editing.remove([found.note]);
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      roll.zoom(1.0015 ** -event.deltaY, 1, event.clientX - canvas.getBoundingClientRect().left);
    },
    { passive: false },
  );
  listenToRuler(editing);
}

// Whether a finger at this point drags instead of scrolling.
function grabs({ page, roll, tool }: Editing, point: Point): boolean {
  if (tool === "select") return true;
  const note = roll.hit(point)?.note;
  return note !== undefined && (tool === "velocity" || page.store.selection.notes.includes(note));
}

function tapped(editing: Editing, point: Point, note: Note | undefined): void {
  const { beat, pitch } = editing.roll.cell(point);
  if (note) select(editing, note);
  else if (editing.tool === "draw") editing.draw(beat, pitch);
}

function select(editing: Editing, note: Note): void {
  editing.page.store.select({ notes: [note] });
  editing.sound(note);
}

function begin(editing: Editing, point: Point, event: PointerEvent): Action | null {
  const { page, roll, tool } = editing;
  if (point.x < 0) {
    page.transport.sound(page.part, pitchAt(roll.geometry, point.y), editing.velocity);
    return null;
  }
  const found = roll.hit(point);
  if (!found) {
    if (event.shiftKey || tool === "select") return rectangle(editing, point);
    if (tool === "velocity") return null;
    return drawAndStretch(editing, point);
  }
  const { notes } = page.store.selection;
  if (event.shiftKey) {
    const others = notes.filter((note) => note !== found.note);
    page.store.select({ notes: others.length < notes.length ? others : [...notes, found.note] });
    return null;
  }
  if (notes.includes(found.note)) editing.sound(found.note);
  else select(editing, found.note);
  if (event.altKey || tool === "velocity") return dragVelocity(editing, point);
  return found.end ? dragEnd(editing, point) : dragNotes(editing, point, found.note);
}

function drawAndStretch(editing: Editing, point: Point): Action | null {
  const { roll } = editing;
  const { beat, pitch } = roll.cell(point);
  const gesture = Drag.nextGesture();
  const note = editing.draw(beat, pitch, gesture);
  if (!note) return null;
  editing.drawn = note;
  const drag = new Drag(editing, [note], gesture);
  let moved = false;
  return {
    move: ({ x }) => {
      const { step } = roll.bounds;
      const cell = roll.cell({ x, y: 0 });
      if (!moved && cell.beat === beat) return;
      moved = true;
      drag.to("Draw a note", ({ piece, notes }) => stretch(piece, notes, cell.beat + step - beat - note.length, roll.bounds));
    },
    end: () => drag.end(),
  };
}

function dragNotes(editing: Editing, from: Point, note: Note): Action {
  const { geometry, bounds } = editing.roll;
  const drag = new Drag(editing, editing.page.store.selection.notes);
  let pitch = note.pitch;
  return {
    move: ({ x, y }) => {
      const beats = roundTo(bounds.step, beatAt(geometry, x - from.x));
      const semitones = pitchAt(geometry, y) - pitchAt(geometry, from.y);
      const moved = drag.to("Move notes", ({ piece, notes }) => move(piece, notes, beats, semitones, bounds));
      const sounding = moved[drag.notes.indexOf(note)] ?? moved[0];
      if (sounding && sounding.pitch !== pitch) editing.sound(sounding);
      pitch = sounding?.pitch ?? pitch;
    },
    end: () => drag.end(),
  };
}

function dragEnd(editing: Editing, from: Point): Action {
  const { geometry, bounds } = editing.roll;
  const drag = new Drag(editing, editing.page.store.selection.notes);
  return {
    move: ({ x }) => {
      const beats = roundTo(bounds.step, beatAt(geometry, x - from.x));
      drag.to("Change lengths", ({ piece, notes }) => stretch(piece, notes, beats, bounds));
    },
    end: () => drag.end(),
  };
}

function dragVelocity(editing: Editing, from: Point): Action {
  const drag = new Drag(editing, editing.page.store.selection.notes);
  return {
    move: ({ y }) => {
      const [first] = drag.to("Change velocities", ({ piece, notes }) => louden(piece, notes, from.y - y));
      if (!first) return;
      editing.velocity = first.velocity;
      editing.page.status(`Velocity ${first.velocity}`);
    },
    end: () => {
      drag.end();
      const [first] = editing.page.store.selection.notes;
      if (first) editing.sound(first);
    },
  };
}

function rectangle({ page, roll }: Editing, from: Point): Action {
  const { geometry } = roll;
  const start = [beatAt(geometry, from.x), pitchAt(geometry, from.y)] as const;
  page.store.select({ notes: [] });
  return {
    move: ({ x, y }) => {
      const end = [beatAt(geometry, x), pitchAt(geometry, y)] as const;
      roll.rectangle = [...start, ...end];
      const beats = [Math.min(start[0], end[0]), Math.max(start[0], end[0])] as const;
      const pitches = [Math.min(start[1], end[1]), Math.max(start[1], end[1])] as const;
      page.store.select({ notes: notesIn(page.store.piece, beats, pitches) });
    },
    end: () => {
      roll.rectangle = null;
      roll.refresh();
    },
  };
}

function showCursor({ roll, tool }: Editing, point: Point, alt: boolean): void {
  const found = point.x < 0 ? null : roll.hit(point);
  const free = tool === "draw" ? "crosshair" : "default";
  const onNote = alt || tool === "velocity" ? "ns-resize" : found?.end ? "ew-resize" : "grab";
  roll.canvas.style.cursor = point.x < 0 ? "pointer" : found ? onNote : free;
}

// A press selects a bar, and a drag selects more; a press on the selected bar ends the selection.
function listenToRuler({ page, roll }: Editing): void {
  const { ruler } = roll;
  let first: number | null = null;
  const bar = (event: PointerEvent): number => {
    const { piece } = page.store;
    const number = barAt(piece, beatAt(roll.geometry, roll.point(event).x));
    return Math.min(Math.max(number, 1), countBars(piece));
  };
  ruler.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    ruler.setPointerCapture(event.pointerId);
    const { bars } = page.store.selection;
    const pressedBar = bar(event);
    if (bars && event.shiftKey) {
      page.store.select({ bars: [Math.min(bars[0], pressedBar), Math.max(bars[1], pressedBar)] });
    } else if (bars && bars[0] === pressedBar && bars[1] === pressedBar) page.store.select({ bars: null });
    else {
      first = pressedBar;
      page.store.select({ bars: [pressedBar, pressedBar] });
    }
    if (!page.transport.playing) page.transport.seek((pressedBar - 1) * page.store.piece.beats_per_bar);
  });
  ruler.addEventListener("pointermove", (event) => {
    if (first === null || !(event.buttons & 1)) return;
    const last = bar(event);
    const bars = [Math.min(first, last), Math.max(first, last)] as const;
    const { bars: old } = page.store.selection;
    if (old?.[0] !== bars[0] || old[1] !== bars[1]) page.store.select({ bars });
  });
  for (const name of ["pointerup", "pointercancel"]) ruler.addEventListener(name, () => (first = null));
}
