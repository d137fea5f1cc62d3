// What goes into a request: the bars and parts that a model writes, from the selection, and the rest as given.

import type { ChoiceValues } from "./choices.js";
import type { ModelSettings, Task } from "./page.js";
import { barAt, barBeats, countBars, noteEnd, withNotes, type Part, type Piece } from "./piece.js";
import type { FillRequest } from "./protocol.js";
import type { Selection } from "./store.js";

/** What a model writes: some parts, from one beat up to another. All else is given. */
export interface Region {
  readonly from: number;
  readonly to: number;
  readonly parts: readonly number[]; // indices in the parts of the piece
}

export interface Question {
  readonly task: Task | "silence"; // "silence": a new piece, from nothing
  readonly piece: Piece; // with all parts of the model
  readonly region: Region;
  readonly request: FillRequest;
}

const EPSILON = 1e-6;
const sameName = (a: Part, b: Part): boolean => a.name.trim().toLowerCase() === b.name.trim().toLowerCase();

/**
 * The part of the model that each part of a piece is, by index: of the same name, and the others in their order.
 * A model of one part takes all parts that are drums or no drums like itself. `null`: the model does not read the part.
 */
export function placements(piece: Piece, model: ModelSettings): (number | null)[] {
  const own = model.parts;
  if (!own) return piece.parts.map((part) => (part.is_drums === model.is_drums ? 0 : null));
  const placed: (number | null)[] = piece.parts.map(() => null);
  own.forEach((part, index) => {
    const at = piece.parts.findIndex((one, place) => placed[place] === null && sameName(one, part));
    if (at >= 0) placed[at] = index;
  });
  const left = own.map((_, index) => index).filter((index) => !placed.includes(index));
  return placed.map((part) => part ?? left.shift() ?? null);
}

/** The part that a model of one part writes, if the piece has none for it. */
const onlyPart = ({ is_drums }: ModelSettings): Part => ({ name: is_drums ? "drums" : "music", program: 0, is_drums });

/** The parts of a model, as parts of a piece. */
export const partsOf = (model: ModelSettings): readonly Part[] => model.parts ?? [onlyPart(model)];

/** The piece with the parts of the model that it lacks, without notes, at the end of its parts. */
export function withModelParts(piece: Piece, model: ModelSettings): Piece {
  const placed = placements(piece, model);
  const missing = partsOf(model).filter((_, index) => !placed.includes(index));
  if (!missing.length) return piece;
  const parts = missing.map(({ name, program, is_drums }) => ({ name, program, is_drums }));
  return { ...piece, parts: [...piece.parts, ...parts] };
}

/** Parts that have notes between two beats. */
export function soundingParts(piece: Piece, from: number, to: number): number[] {
  const parts = new Set<number>();
  for (const note of piece.notes) if (note.start < to - EPSILON && noteEnd(note) > from + EPSILON) parts.add(note.part);
  return [...parts].sort((a, b) => a - b);
}

/** The end of the last note of some parts. */
function musicEnd(piece: Piece, parts: readonly number[]): number {
  return piece.notes.reduce((latest, note) => (parts.includes(note.part) ? Math.max(latest, noteEnd(note)) : latest), 0);
}

/** The bars that a task is about: the selected ones, or those from the first up to the last with music. */
export function barsOf(piece: Piece, selection: Selection): [number, number] {
  const count = countBars(piece);
  if (selection.bars) return [selection.bars[0], Math.min(selection.bars[1], count)];
  const end = musicEnd(piece, piece.parts.map((_, index) => index));
  return [1, Math.min(Math.max(barAt(piece, end - 2 * EPSILON), 1), count)];
}

/** Parts of the piece that the model reads and writes, by index. */
function modelParts(piece: Piece, model: ModelSettings): number[] {
  return placements(piece, model).flatMap((part, index) => (part === null ? [] : [index]));
}

/** Parts that a task writes, as indices in the piece with all parts of the model. */
function writtenParts(task: Task, piece: Piece, selection: Selection, model: ModelSettings): number[] {
  const known = modelParts(piece, model);
  if (task === "continue" || !model.parts) return known;
  if (selection.parts) return selection.parts.filter((part) => known.includes(part));
  const sounding = soundingParts(piece, ...barBeats(piece, barsOf(piece, selection)));
  if (task === "harmonize") return known.filter((part) => !sounding.includes(part));
  return task === "vary" ? known.filter((part) => sounding.includes(part)) : known;
}

/** Why a model cannot do a task with this piece and selection, as a sentence, or null if it can. */
export function refusal(task: Task, piece: Piece, selection: Selection, model: ModelSettings): string | null {
  const cannot = model.tasks[task];
  if (cannot !== null) return cannot;
  const whole = withModelParts(piece, model);
  if (!piece.notes.length) {
    if (task === "continue") return "The piece has no notes. Draw some, or start from silence.";
    if (task === "harmonize") return "There is nothing to harmonize. Draw a melody first.";
    if (task === "vary") return "There is nothing to vary. Draw some notes first.";
  }
  const own = model.parts;
  if (own && whole.parts.length > own.length) {
    const names = own.map(({ name }) => name).join(", ");
    return `${model.name} writes ${own.length} parts, ${names}, and the piece has ${whole.parts.length}. Remove parts, or choose another model.`;
  }
  if (task === "fill" && !selection.bars && !selection.parts) return "Select the bars or the parts to fill.";
  const parts = writtenParts(task, whole, selection, model);
  if (task === "harmonize") {
    const sounding = soundingParts(whole, ...barBeats(whole, barsOf(whole, selection)));
    if (!sounding.some((part) => !parts.includes(part))) {
      return selection.parts ? "All parts with notes are selected. Select the parts to write." : "There are no notes in these bars.";
    }
    if (!parts.length) return "All parts have notes here. Select the parts to write anew.";
  }
  if (task === "vary" && !parts.length) return "There are no notes in these bars.";
  return parts.length ? null : "The model writes none of the selected parts.";
}

/** The question that a press on a button asks. `refusal` must be null, or the task "silence". */
export function question(
  task: Task | "silence", current: Piece, selection: Selection, model: ModelSettings, choices: ChoiceValues, scale: readonly number[] | null,
): Question {
  const whole = withModelParts(current, model);
  const piece = task === "silence" ? { ...whole, notes: [], beats: 0 } : whole;
  const asked: Task = task === "silence" ? "continue" : task;
  const parts = writtenParts(asked, piece, selection, model);
  const common = {
    model: model.name,
    task: asked,
    takes: choices.takes,
    temperature: choices.temperature,
    scale,
    seed: choices.seed,
    strength: task === "vary" ? choices.strength : null,
  };
  // A model of one part writes into the first of the selected parts.
  const into = model.parts ? null : selection.parts;
  if (asked === "continue") {
    const beats = choices.unit === "beats" ? choices.length : (choices.length * piece.beats_per_minute) / 60;
    const cut = selection.bars && task !== "silence" ? before(piece, barBeats(piece, selection.bars)[1]) : piece;
    const from = Math.max(Math.ceil(musicEnd(cut, parts) - EPSILON), 0); // the next whole beat
    const region = { from, to: from + beats, parts };
    return { task, piece, region, request: { ...common, piece: before(cut, from), bars: null, parts: into, beats } };
  }
  const bars = task === "fill" && !selection.bars ? ([1, countBars(piece)] as const) : barsOf(piece, selection);
  const region = { from: (bars[0] - 1) * piece.beats_per_bar, to: bars[1] * piece.beats_per_bar, parts };
  return { task, piece, region, request: { ...common, piece, bars, parts: into ?? parts, beats: null } };
}

/** The piece up to a beat. */
export function before(piece: Piece, beat: number): Piece {
  const notes = piece.notes
    .filter((note) => note.start < beat - EPSILON)
    .map((note) => (noteEnd(note) > beat ? { ...note, length: beat - note.start } : note));
  return withNotes({ ...piece, beats: beat }, notes);
}
