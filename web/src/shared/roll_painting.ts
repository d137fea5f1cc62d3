// Paints the visible part of a piano roll onto a canvas.

import { isBlackKey, type Music, type TimedNote } from "./music.js";
import { firstFrom, type TimeIndex } from "./time_index.js";

export interface Palette {
  readonly ground: string;
  readonly sunk: string;
  readonly text: string;
  readonly soft: string;
  readonly edge: string;
  readonly primer: string;
  readonly "primer-line": string;
  readonly continuation: string;
}

export const PALETTE_NAMES: readonly (keyof Palette)[] = [
  "ground",
  "sunk",
  "text",
  "soft",
  "edge",
  "primer",
  "primer-line",
  "continuation",
];

/** The stretch that is visible, and its scale. Pixels are those of CSS. */
export interface Stretch {
  readonly scrolled: number; // pixels to the left of the canvas
  readonly width: number;
  readonly height: number;
  readonly perSecond: number;
}

/** A note as it was painted: pixels from the corner of the canvas. */
export interface PaintedNote {
  readonly note: TimedNote;
  readonly primer: boolean; // hatched
  readonly colour: string;
  readonly opacity: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Paints the lines and the notes, and returns the notes. */
export function paintRoll(
  context: CanvasRenderingContext2D,
  music: Music,
  notes: TimeIndex<TimedNote>,
  stretch: Stretch,
  palette: Palette,
): PaintedNote[] {
  const { scrolled, width, height, perSecond } = stretch;
  const from = scrolled / perSecond;
  const until = (scrolled + width) / perSecond;
  context.globalAlpha = 1;
  context.fillStyle = palette.ground;
  context.fillRect(0, 0, width, height);
  paintRows(context, music, stretch, palette);
  const vertical = (times: readonly number[], colour: string, alpha: number): void => {
    context.fillStyle = colour;
    context.globalAlpha = alpha;
    const visible = times.slice(firstFrom(times, from, Number), firstFrom(times, until + 1e-9, Number));
    for (const time of visible) context.fillRect(time * perSecond - scrolled - 0.5, 0, 1, height);
  };
  vertical(music.beats, palette.edge, 0.6);
  vertical(music.bars ?? [], palette.soft, 1);
  const painted = notes.between(from, until).map((note) => placed(note, music, stretch, palette));
  const hatch = music.primer_seconds ? hatched(context, palette, scrolled) : null;
  for (const { primer, colour, opacity, x, y, width: wide, height: high } of painted) {
    context.globalAlpha = 1;
    context.fillStyle = palette.ground; // lines do not shine through soft notes
    context.fillRect(x, y, wide, high);
    context.globalAlpha = opacity;
    context.fillStyle = primer && hatch ? hatch : colour;
    context.fillRect(x, y, wide, high);
  }
  context.globalAlpha = 1;
  paintPrimerEnd(context, music, stretch, palette);
  return painted;
}

function paintRows(context: CanvasRenderingContext2D, music: Music, stretch: Stretch, palette: Palette): void {
  const row = stretch.height / (music.highest - music.lowest + 1);
  for (let pitch = music.lowest; pitch <= music.highest; pitch++) {
    const y = (music.highest - pitch) * row;
    context.fillStyle = palette.sunk;
    if (isBlackKey(pitch)) context.fillRect(0, y, stretch.width, row);
    context.fillStyle = palette.edge;
    if (pitch % 12 === 0) context.fillRect(0, y + row - 0.5, stretch.width, 1);
  }
}

function placed(note: TimedNote, music: Music, stretch: Stretch, palette: Palette): PaintedNote {
  const { scrolled, perSecond, height } = stretch;
  const [start, end, pitch, velocity, part = 0] = note;
  const row = height / (music.highest - music.lowest + 1);
  const partColour = music.parts?.[part]?.colour;
  const primer = start < music.primer_seconds && !partColour;
  return {
    note,
    primer,
    colour: partColour || (primer ? palette.primer : palette.continuation),
    opacity: 0.35 + 0.65 * velocity,
    x: start * perSecond - scrolled + 0.5,
    y: (music.highest - pitch + 0.07) * row,
    width: Math.max((end - start) * perSecond - 1, 1.5), // a gap between repeated notes
    height: 0.86 * row,
  };
}

/** Diagonal lines for the notes of the primer, which differ from the others in more than their colour. */
function hatched(context: CanvasRenderingContext2D, palette: Palette, scrolled: number): CanvasPattern | null {
  const tile = document.createElement("canvas");
  [tile.width, tile.height] = [6, 6];
  const paint = tile.getContext("2d");
  if (!paint) return null;
  paint.fillStyle = palette.primer;
  paint.fillRect(0, 0, 6, 6);
  paint.fillStyle = palette["primer-line"];
  paint.fillRect(0, 0, 2, 6);
  const pattern = context.createPattern(tile, "repeat");
  pattern?.setTransform(new DOMMatrix().translate(-scrolled, 0).rotate(45));
  return pattern;
}

function paintPrimerEnd(context: CanvasRenderingContext2D, music: Music, stretch: Stretch, palette: Palette): void {
  const { primer_seconds: primer } = music;
  if (!primer) return;
  const x = primer * stretch.perSecond - stretch.scrolled;
  context.strokeStyle = palette.text;
  context.lineWidth = 1;
  context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x, stretch.height);
  context.stroke();
  context.setLineDash([]);
}
