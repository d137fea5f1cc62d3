// Paints the roll onto a canvas: only what is visible, once per animation frame.

import { isBlackKey, pitchName } from "../shared/music.js";
import { barStep, type Geometry, KEYS, type NoteIndex, RULER, xOf, yOf } from "./geometry.js";
import { barBeats, type Note, type Piece } from "./piece.js";
import type { Selection } from "./store.js";

/** The colours of parts, in order, then again from the first: as the library draws the voices of music. */
export const PART_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98"] as const;

export const partColour = (part: number): string => PART_COLOURS[part % PART_COLOURS.length]!;

export interface Colours {
  readonly ground: string;
  readonly sunk: string;
  readonly text: string;
  readonly soft: string;
  readonly edge: string;
}

export interface Scene {
  readonly piece: Piece;
  readonly index: NoteIndex;
  readonly selection: Selection;
  readonly geometry: Geometry;
  readonly step: number; // beats of the grid
  readonly part: number; // the part that new notes go to
  readonly writable: readonly [number, number]; // its pitches
  readonly silent: ReadonlySet<number>; // parts that do not sound
  readonly cursor: { readonly beat: number; readonly pitch: number } | null;
  readonly rectangle: readonly [beat: number, pitch: number, beat: number, pitch: number] | null;
}

export interface Window {
  readonly left: number; // pixels that are scrolled away
  readonly top: number;
  readonly width: number; // pixels of the canvas, in CSS
  readonly height: number;
}

export function paint(context: CanvasRenderingContext2D, scene: Scene, window: Window, colours: Colours): void {
  const { width, height } = window;
  context.globalAlpha = 1;
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, width, height);
  context.save();
  context.beginPath();
  context.rect(KEYS, RULER, width - KEYS, height - RULER);
  context.clip();
  context.translate(KEYS - window.left, RULER - window.top);
  const [from, until] = visibleBeats(scene, window);
  paintRows(context, scene, window, colours);
  paintLines(context, scene, window, colours, from, until);
  paintNotes(context, scene, colours, from, until);
  paintMarks(context, scene, colours);
  context.restore();
  paintKeys(context, scene, window, colours);
  paintRuler(context, scene, window, colours, from, until);
}

function visibleBeats({ geometry, piece }: Scene, { left, width }: Window): [number, number] {
  return [left / geometry.beat, Math.min((left + width - KEYS) / geometry.beat, piece.beats)];
}

function visiblePitches({ geometry }: Scene, { top, height }: Window): [number, number] {
  const highest = geometry.highest - Math.floor(top / geometry.row);
  const lowest = geometry.highest - Math.ceil((top + height - RULER) / geometry.row);
  return [Math.max(lowest, geometry.lowest), Math.min(highest, geometry.highest)];
}

function paintRows(context: CanvasRenderingContext2D, scene: Scene, window: Window, colours: Colours): void {
  const { geometry, piece, writable } = scene;
  const [low, high] = visiblePitches(scene, window);
  const end = xOf(geometry, piece.beats);
  for (let pitch = low; pitch <= high; pitch++) {
    const y = yOf(geometry, pitch);
    context.fillStyle = colours.sunk;
    if (isBlackKey(pitch)) context.fillRect(0, y, end, geometry.row);
    if (pitch % 12 === 0) {
      context.fillStyle = colours.edge;
      context.fillRect(0, y + geometry.row - 0.5, end, 1);
    }
    if (pitch < writable[0] || pitch > writable[1]) {
      context.globalAlpha = 0.35;
      context.fillStyle = colours.edge;
      context.fillRect(0, y, end, geometry.row);
      context.globalAlpha = 1;
    }
  }
}

function paintLines(
  context: CanvasRenderingContext2D,
  scene: Scene,
  window: Window,
  colours: Colours,
  from: number,
  until: number,
): void {
  const { geometry, piece, step } = scene;
  const [top, bottom] = [window.top, window.top + window.height];
  const lines = (every: number, colour: string, alpha: number): void => {
    if (every * geometry.beat < 7) return;
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    for (let index = Math.floor(from / every); index * every <= until + 1e-6; index++) {
      context.fillRect(Math.round(xOf(geometry, index * every)), top, 1, bottom - top);
    }
    context.globalAlpha = 1;
  };
  lines(step, colours.edge, 0.4);
  lines(1, colours.edge, 1);
  lines(piece.beats_per_bar, colours.soft, 0.8);
  const { bars } = scene.selection;
  if (!bars) return;
  const [first, last] = barBeats(piece, bars);
  context.globalAlpha = 0.14;
  context.fillStyle = colours.text;
  context.fillRect(xOf(geometry, first), top, xOf(geometry, last - first), bottom - top);
  context.globalAlpha = 1;
}

function paintNotes(context: CanvasRenderingContext2D, scene: Scene, colours: Colours, from: number, until: number): void {
  const { geometry, index, part, selection, silent } = scene;
  const selected = new Set<Note>(selection.notes);
  const visible = index.between(from, until);
  for (const own of [false, true]) {
    for (const note of visible) {
      if ((note.part === part) !== own) continue;
      const [x, y] = [xOf(geometry, note.start), yOf(geometry, note.pitch)];
      const width = Math.max(note.length * geometry.beat - 1, 2);
      context.globalAlpha = 1;
      context.fillStyle = colours.ground; // lines do not shine through soft notes
      context.fillRect(x + 0.5, y + 1, width, geometry.row - 2);
      context.globalAlpha = (0.3 + (0.7 * note.velocity) / 127) * (silent.has(note.part) ? 0.35 : 1);
      context.fillStyle = partColour(note.part);
      context.fillRect(x + 0.5, y + 1, width, geometry.row - 2);
      context.globalAlpha = 1;
      context.strokeStyle = selected.has(note) ? colours.text : partColour(note.part);
      context.lineWidth = selected.has(note) ? 2.5 : 1;
      context.strokeRect(x + 1, y + 1.5, Math.max(width - 1, 1), geometry.row - 3);
    }
  }
}

function paintMarks(context: CanvasRenderingContext2D, scene: Scene, colours: Colours): void {
  const { cursor, geometry, rectangle, step } = scene;
  context.strokeStyle = colours.text;
  if (cursor) {
    context.lineWidth = 2;
    context.strokeRect(xOf(geometry, cursor.beat), yOf(geometry, cursor.pitch), step * geometry.beat, geometry.row);
  }
  if (rectangle) {
    const [beat, pitch, otherBeat, otherPitch] = rectangle;
    const [high, low] = [Math.max(pitch, otherPitch), Math.min(pitch, otherPitch)];
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.strokeRect(
      xOf(geometry, Math.min(beat, otherBeat)),
      yOf(geometry, high),
      Math.abs(beat - otherBeat) * geometry.beat,
      (high - low + 1) * geometry.row,
    );
    context.setLineDash([]);
  }
}

function paintKeys(context: CanvasRenderingContext2D, scene: Scene, window: Window, colours: Colours): void {
  const { geometry, writable } = scene;
  const [low, high] = visiblePitches(scene, window);
  context.save();
  context.beginPath();
  context.rect(0, RULER, KEYS, window.height - RULER);
  context.clip();
  context.fillStyle = "#fbfbfb";
  context.fillRect(0, RULER, KEYS, window.height);
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.font = `${Math.min(geometry.row, 11)}px system-ui, sans-serif`;
  for (let pitch = low; pitch <= high; pitch++) {
    const y = RULER - window.top + yOf(geometry, pitch);
    context.fillStyle = "#2b2e33";
    if (isBlackKey(pitch)) context.fillRect(0, y + 0.5, KEYS * 0.6, geometry.row - 1);
    else if (pitch % 12 === 0 || pitch % 12 === 5) {
      context.fillStyle = "#9aa0a8";
      context.fillRect(0, y + geometry.row - 0.5, KEYS, 1);
    }
    if (pitch < writable[0] || pitch > writable[1]) {
      context.globalAlpha = 0.5;
      context.fillStyle = "#9aa0a8";
      context.fillRect(0, y, KEYS, geometry.row);
      context.globalAlpha = 1;
    }
    if (pitch % 12 === 0) {
      context.fillStyle = "#2b2e33";
      context.fillText(pitchName(pitch), KEYS - 4, y + geometry.row / 2);
    }
  }
  context.restore();
  context.fillStyle = colours.edge;
  context.fillRect(KEYS - 1, 0, 1, window.height);
}

function paintRuler(
  context: CanvasRenderingContext2D,
  scene: Scene,
  window: Window,
  colours: Colours,
  from: number,
  until: number,
): void {
  const { geometry, piece, selection } = scene;
  context.fillStyle = colours.sunk;
  context.fillRect(0, 0, window.width, RULER);
  context.fillStyle = colours.edge;
  context.fillRect(0, RULER - 1, window.width, 1);
  context.save();
  context.beginPath();
  context.rect(KEYS, 0, window.width - KEYS, RULER);
  context.clip();
  context.translate(KEYS - window.left, 0);
  if (selection.bars) {
    const [first, last] = barBeats(piece, selection.bars);
    context.fillStyle = colours.text;
    context.fillRect(xOf(geometry, first), 0, xOf(geometry, last - first), RULER);
  }
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "left";
  context.textBaseline = "middle";
  const step = barStep(geometry, piece.beats_per_bar);
  const first = Math.floor(from / piece.beats_per_bar / step) * step;
  for (let bar = first; bar * piece.beats_per_bar < until; bar += step) {
    const x = Math.round(xOf(geometry, bar * piece.beats_per_bar));
    const inside = selection.bars && bar + 1 >= selection.bars[0] && bar + 1 <= selection.bars[1];
    context.fillStyle = inside ? colours.ground : colours.text;
    context.fillText(String(bar + 1), x + 5, RULER / 2);
    context.fillStyle = colours.soft;
    context.fillRect(x, 0, 1, RULER);
  }
  context.restore();
}
