// The piano roll that is the piece: a canvas that stays in view while the space behind it scrolls.

import { cssColours, html } from "../shared/elements.js";
import { clamp, pitchName } from "../shared/music.js";
import { type Bounds, noteAt } from "./edit.js";
import {
  BEAT_PIXELS,
  beatAt,
  type Geometry,
  hit,
  type Hit,
  KEYS,
  NoteIndex,
  pitchAt,
  ROW_PIXELS,
  RULER,
  shownPitches,
  xOf,
  yOf,
} from "./geometry.js";
import type { Page } from "./page.js";
import { type Colours, paint } from "./painting.js";
import type { Piece } from "./piece.js";

export interface Cell {
  readonly beat: number; // a line of the grid
  readonly pitch: number;
}

const COLOURS = ["ground", "sunk", "text", "soft", "edge"] as const;

export class Roll {
  readonly canvas: HTMLCanvasElement;
  readonly ruler: HTMLElement;
  rectangle: readonly [beat: number, pitch: number, beat: number, pitch: number] | null = null;
  silent: ReadonlySet<number> = new Set(); // parts that do not sound

  #page: Page;
  #view: HTMLElement;
  #scroll: HTMLElement;
  #space: HTMLElement;
  #playhead: HTMLElement;
  #live: HTMLElement;
  #scale = { beat: 40, row: 13 };
  #cursor: Cell = { beat: 0, pitch: 60 };
  #indexed: { piece: Piece; index: NoteIndex } | null = null;
  #colours: Colours | null = null;
  #frame = 0;
  #isStale = true; // the canvas shows something else than the piece
  #wasVisible = false; // the playhead, one frame ago

  constructor(root: HTMLElement, page: Page, help: string) {
    this.#page = page;
    const view = (this.#view = html("div", "roll", root));
    this.#scroll = html("div", "roll-scroll", view);
    this.#space = html("div", "roll-space", this.#scroll);
    this.canvas = html("canvas", "roll-canvas", this.#space);
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-roledescription", "piano roll");
    this.canvas.setAttribute("aria-describedby", help);
    this.ruler = html("div", "roll-ruler", view);
    this.#playhead = html("div", "roll-playhead", view);
    this.#live = html("p", "visually-hidden", view);
    this.#live.setAttribute("aria-live", "polite");
    this.#scroll.addEventListener("scroll", () => this.refresh());
    new ResizeObserver(() => this.refresh()).observe(this.#scroll);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => {
      this.#colours = null;
      this.refresh();
    });
    for (const name of ["focus", "blur"]) this.canvas.addEventListener(name, () => this.refresh());
    page.store.subscribe(() => this.refresh());
    page.choices.subscribe(() => this.refresh());
    page.transport.subscribe(() => this.refresh());
    this.refresh();
  }

  /** What the chosen model can write. */
  get bounds(): Bounds {
    const { model } = this.#page.choices;
    const frames = model.frames_per_beat ?? 0;
    return {
      step: Number.isInteger(frames) && frames >= 1 && frames <= 24 ? 1 / frames : 0.25,
      pitches: (part) => {
        const own = model.parts?.[part];
        return own ? [own.lowest, own.highest] : [model.lowest, model.highest];
      },
    };
  }

  get geometry(): Geometry {
    const { piece } = this.#page.store;
    const { model } = this.#page.choices;
    const [lowest, highest] = shownPitches(piece, model.lowest, model.highest);
    return { ...this.#scale, lowest, highest };
  }

  get index(): NoteIndex {
    const { piece } = this.#page.store;
    if (this.#indexed?.piece !== piece) this.#indexed = { piece, index: new NoteIndex(piece) };
    return this.#indexed.index;
  }

  get cursor(): Cell {
    return this.#cursor;
  }

  /** Pixels of the grid that are scrolled away, and where a client's point lies in the grid. */
  point(event: { clientX: number; clientY: number }): { x: number; y: number } {
    const box = this.#scroll.getBoundingClientRect();
    return {
      x: event.clientX - box.left + this.#scroll.scrollLeft - KEYS,
      y: event.clientY - box.top + this.#scroll.scrollTop - RULER,
    };
  }

  hit({ x, y }: { x: number; y: number }): Hit | null {
    return hit(this.index, this.geometry, x, y, this.#page.part);
  }

  /** The cell of the grid at a point, also behind the end of the piece. */
  cell({ x, y }: { x: number; y: number }): Cell {
    const { step } = this.bounds;
    const beat = Math.floor(beatAt(this.geometry, x) / step + 1e-6) * step;
    return { beat: Math.max(beat, 0), pitch: pitchAt(this.geometry, y) };
  }

  moveCursor(cell: Cell): void {
    const { lowest, highest } = this.geometry;
    this.#cursor = { beat: this.#within(cell.beat), pitch: clamp(cell.pitch, lowest, highest) };
    this.refresh();
  }

  #within(beat: number): number {
    return clamp(beat, 0, Math.max(this.#page.store.piece.beats - this.bounds.step, 0));
  }

  /** Tells screen readers what is in the cell of the cursor. */
  announce(before = ""): void {
    const { beat, pitch } = this.#cursor;
    const { store, part } = this.#page;
    const { step } = this.bounds;
    const found =
      noteAt(store.piece, part, pitch, beat) ??
      this.index.between(beat, beat + step).find((note) => note.pitch === pitch && note.start < beat + step - 1e-6);
    const name = found && store.piece.parts.length > 1 ? ` in ${store.piece.parts[found.part]?.name}` : "";
    const round = (value: number): number => Math.round(value * 1000) / 1000;
    const what = found ? `note of ${round(found.length)} beats from beat ${round(found.start + 1)}${name}` : "empty";
    this.#live.textContent = `${before}${pitchName(pitch)}, beat ${round(beat + 1)}: ${what}`;
  }

  /** Makes beats wider or narrower; the beat in the middle of the view stays there. */
  zoom(factor: number, rows = 1, at = this.#scroll.clientWidth / 2): void {
    const { clientHeight, scrollLeft, scrollTop } = this.#scroll;
    const beat = (scrollLeft + at - KEYS) / this.#scale.beat;
    const row = (scrollTop + clientHeight / 2 - RULER) / this.#scale.row;
    this.#scale = {
      beat: clamp(this.#scale.beat * factor, ...BEAT_PIXELS),
      row: clamp(Math.round(this.#scale.row * rows), ...ROW_PIXELS),
    };
    this.#resize();
    this.#scroll.scrollLeft = beat * this.#scale.beat - at + KEYS;
    this.#scroll.scrollTop = row * this.#scale.row - clientHeight / 2 + RULER;
    this.refresh();
  }

  /** The whole piece in the width of the view. */
  zoomToFit(): void {
    const room = this.#scroll.clientWidth - KEYS;
    this.zoom(room / Math.max(this.#page.store.piece.beats, 1) / this.#scale.beat, 1, KEYS);
    this.#scroll.scrollLeft = 0;
  }

  /** Scrolls to the notes of a stretch of beats, or to the middle of the pitches. */
  showNotes(from = 0, until = Infinity): void {
    this.#resize();
    const { geometry } = this;
    const pitches = this.index.between(from, until).map(({ pitch }) => pitch);
    const middle = pitches.length
      ? pitches.reduce((sum, pitch) => sum + pitch, 0) / pitches.length
      : (geometry.lowest + geometry.highest) / 2;
    this.#scroll.scrollTop = yOf(geometry, middle) + RULER - this.#scroll.clientHeight / 2;
    this.#scroll.scrollLeft = Math.max(xOf(geometry, from) - geometry.beat, 0);
    this.refresh();
  }

  scrollToCursor(): void {
    const { beat, pitch } = this.#cursor;
    this.#scrollTo(beat, 1);
    const y = yOf(this.geometry, pitch);
    const room = this.#scroll.clientHeight - RULER - 2 * this.#scale.row;
    this.#scroll.scrollTop = clamp(this.#scroll.scrollTop, y - room, Math.max(y - this.#scale.row, 0));
  }

  // Scrolls as little as possible so that a beat is in view.
  #scrollTo(beat: number, margin: number): void {
    const x = beat * this.#scale.beat;
    const room = this.#scroll.clientWidth - KEYS - 2 * this.#scale.beat;
    const left = this.#scroll.scrollLeft;
    this.#scroll.scrollLeft = clamp(left, x - room, Math.max(x - margin * this.#scale.beat, 0));
  }

  /** Draws at the next animation frame. */
  refresh(): void {
    this.#isStale = true;
    this.#frame ||= requestAnimationFrame(() => this.#animate());
  }

  // While it plays, only the playhead moves, until it leaves the view.
  #animate(): void {
    this.#frame = 0;
    if (this.#isStale) this.#draw();
    else this.#followPlayhead();
    if (this.#page.transport.playing) this.#frame ||= requestAnimationFrame(() => this.#animate());
  }

  #resize(): void {
    const { beat, row, lowest, highest } = this.geometry;
    const { beats, beats_per_bar: room } = this.#page.store.piece; // with room behind the end to draw more
    const width = `${Math.ceil(KEYS + (beats + room) * beat)}px`;
    const height = `${Math.ceil(RULER + (highest - lowest + 1) * row)}px`;
    if (this.#space.style.width !== width) this.#space.style.width = width;
    if (this.#space.style.height !== height) {
      this.#space.style.height = height;
      this.#view.style.maxHeight = `calc(${height} + 18px)`; // a few pitches leave no empty room below
    }
    const ratio = devicePixelRatio;
    const { clientWidth, clientHeight } = this.#scroll;
    const [pixelsWide, pixelsHigh] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width === pixelsWide && this.canvas.height === pixelsHigh) return;
    [this.canvas.width, this.canvas.height] = [pixelsWide, pixelsHigh];
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
  }

  #draw(): void {
    this.#isStale = false;
    this.#resize();
    this.#followPlayhead();
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const { store, part } = this.#page;
    const { bounds, geometry } = this;
    const focused = document.activeElement === this.canvas && this.canvas.matches(":focus-visible");
    const scene = {
      piece: store.piece,
      index: this.index,
      selection: store.selection,
      geometry,
      step: bounds.step,
      part,
      writable: bounds.pitches(part),
      silent: this.silent,
      cursor: focused ? this.#cursor : null,
      rectangle: this.rectangle,
    };
    const { scrollLeft: left, scrollTop: top, clientWidth: width, clientHeight: height } = this.#scroll;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    paint(context, scene, { left, top, width, height }, (this.#colours ??= cssColours(COLOURS, this.#scroll)));
    this.#label();
  }

  #followPlayhead(): void {
    const { playing, position } = this.#page.transport;
    const room = this.#scroll.clientWidth - KEYS;
    let x = position * this.#scale.beat - this.#scroll.scrollLeft;
    if (playing && this.#wasVisible && x > room * 0.9) {
      this.#scroll.scrollLeft += x - room * 0.1;
      x = position * this.#scale.beat - this.#scroll.scrollLeft;
    }
    this.#wasVisible = x >= 0 && x <= room;
    this.#playhead.style.visibility = this.#wasVisible ? "visible" : "hidden";
    this.#playhead.style.transform = `translateX(${KEYS + x}px)`;
  }

  #label(): void {
    const { notes, parts } = this.#page.store.piece;
    const count = (number: number, name: string): string => `${number} ${name}${number === 1 ? "" : "s"}`;
    const selected = this.#page.store.selection.notes.length;
    const label =
      `Piece, ${count(notes.length, "note")}, ${count(parts.length, "part")}` +
      (selected ? `, ${selected} selected` : "");
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
  }
}
