// Draws a piano roll that scrolls under a cursor: time to the right, pitch upwards.
//
// A canvas shows the visible stretch; it is painted again when that changes, and the cursor moves over it.
// Colours and sizes are in page.css.

import { cssColours, html } from "./elements.js";
import { clamp, type Music, pitchName, type TimedNote } from "./music.js";
import { type PaintedNote, type Palette, PALETTE_NAMES, paintRoll, type Stretch } from "./roll_painting.js";
import { TimeIndex } from "./time_index.js";

const indexed = (notes: readonly TimedNote[]): TimeIndex<TimedNote> =>
  new TimeIndex(
    notes,
    ([start]) => start,
    ([, end]) => end,
  );

export class RollView {
  static readonly MIN_PIXELS_PER_SECOND = 60;
  static readonly CURSOR_SHARE = 0.3; // the cursor's place while the roll scrolls, as a share of the width

  /** Called with the seconds that are clicked or dragged to. */
  seekHandler: ((seconds: number) => void) | null = null;
  #music: Music;
  #notes: TimeIndex<TimedNote>;
  #view: HTMLElement;
  #canvas: HTMLCanvasElement;
  #keys: HTMLElement;
  #cursor: HTMLElement;
  #reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
  #palette: Palette | null = null;
  #stretch: Stretch = { scrolled: 0, width: 1, height: 1, perSecond: RollView.MIN_PIXELS_PER_SECOND };
  #stale = true; // the canvas does not show the stretch
  #position = 0;
  #painted: PaintedNote[] = [];

  constructor(element: Element, music: Music) {
    this.#music = music;
    this.#notes = indexed(music.notes);
    this.#view = html("div", "pr-roll", element);
    this.#view.setAttribute("role", "img");
    this.#canvas = html("canvas", "pr-canvas", this.#view);
    this.#cursor = html("div", "pr-cursor", this.#view);
    this.#keys = html("div", "pr-keys", this.#view);
    this.#changed();
    this.#view.addEventListener("pointerdown", (event) => {
      this.#view.setPointerCapture(event.pointerId);
      this.#seek(event);
    });
    this.#view.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) this.#seek(event);
    });
    new ResizeObserver(() => this.#resize()).observe(this.#view);
    // The text has a transition of no length, so that any change between light and dark is an event.
    this.#view.addEventListener("transitionend", () => this.#recolour());
  }

  /** The notes on the canvas. */
  get painted(): readonly PaintedNote[] {
    return this.#painted;
  }

  /** Pixels that are scrolled away. */
  get scrolled(): number {
    return this.#stretch.scrolled;
  }

  /** Moves the roll and the cursor to a position. */
  draw(positionSeconds: number): void {
    this.#position = positionSeconds;
    const { width, perSecond } = this.#stretch;
    const at = positionSeconds * perSecond;
    const wanted = this.#reducedMotion.matches // pages instead of scrolling
      ? Math.floor(at / width) * width
      : at - RollView.CURSOR_SHARE * width;
    const scrolled = clamp(wanted, 0, Math.max(this.#music.seconds * perSecond - width, 0));
    if (scrolled !== this.#stretch.scrolled) {
      this.#stretch = { ...this.#stretch, scrolled };
      this.#stale = true;
    }
    if (this.#stale) this.#paint();
    this.#cursor.style.transform = `translateX(${at - scrolled}px)`;
  }

  /** Adds notes and sets the new length; the beats continue at the last tempo. */
  extend(notes: readonly TimedNote[], seconds: number): void {
    const before = this.#music;
    const beats = before.beats.slice();
    const last = beats.at(-1) ?? 0;
    const step = last - (beats.at(-2) ?? last);
    for (let next = last + step; step > 0 && next <= seconds + 1e-6; next += step) beats.push(next);
    const pitches = notes.map((note) => note[2]);
    const lowest = Math.min(before.lowest, ...pitches);
    const highest = Math.max(before.highest, ...pitches);
    const all = before.notes.concat(notes).sort((a, b) => a[0] - b[0]);
    this.#music = { ...before, beats, seconds, lowest, highest, notes: all };
    this.#notes = indexed(all);
    this.#changed();
  }

  /** Shows other music, or music of another length or range. */
  #changed(): void {
    const { lowest, highest } = this.#music;
    this.#view.setAttribute("aria-label", this.#label());
    this.#keys.replaceChildren();
    for (let pitch = Math.ceil(lowest / 12) * 12; pitch <= highest; pitch += 12) {
      const key = html("span", "", this.#keys);
      key.textContent = pitchName(pitch);
      key.style.top = `${(100 * (highest - pitch + 0.5)) / (highest - lowest + 1)}%`;
    }
    this.#resize();
  }

  #label(): string {
    const { name, seconds, lowest, highest, notes, primer_seconds: primer } = this.#music;
    const title = name ? `Piano roll of ${name}` : "Piano roll";
    const range = `between ${pitchName(lowest)} and ${pitchName(highest)}`;
    const primerLabel = primer ? `, the first ${primer.toFixed(1)} seconds are the primer` : "";
    const parts = (this.#music.parts ?? []).filter((part) => part.colour).map((part) => part.name);
    const partsLabel = parts.length ? `, in ${parts.length} parts: ${parts.join(", ")}` : "";
    return `${title}: ${notes.length} notes ${range} in ${seconds.toFixed(1)} seconds${primerLabel}${partsLabel}`;
  }

  #resize(): void {
    const width = Math.max(this.#view.clientWidth - this.#keys.offsetWidth, 1);
    const perSecond = Math.max(RollView.MIN_PIXELS_PER_SECOND, width / Math.max(this.#music.seconds, 1e-3));
    this.#stretch = { ...this.#stretch, width, height: Math.max(this.#view.clientHeight, 1), perSecond };
    this.#stale = true;
    this.draw(this.#position);
  }

  #recolour(): void {
    this.#palette = null;
    this.#stale = true;
    this.draw(this.#position);
  }

  #paint(): void {
    const context = this.#canvas.getContext("2d");
    if (!context || !this.#view.isConnected) return;
    const { width, height } = this.#stretch;
    const [columns, rows] = [width, height].map((size) => Math.round(size * devicePixelRatio)) as [number, number];
    if (this.#canvas.width !== columns) this.#canvas.width = columns; // setting it clears the canvas
    if (this.#canvas.height !== rows) this.#canvas.height = rows;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    this.#palette ??= cssColours(PALETTE_NAMES, this.#view);
    this.#painted = paintRoll(context, this.#music, this.#notes, this.#stretch, this.#palette);
    this.#stale = false;
  }

  #seek(event: PointerEvent): void {
    const { perSecond, scrolled } = this.#stretch;
    const seconds = (event.clientX - this.#canvas.getBoundingClientRect().left + scrolled) / perSecond;
    this.seekHandler?.(clamp(seconds, 0, this.#music.seconds));
  }
}
