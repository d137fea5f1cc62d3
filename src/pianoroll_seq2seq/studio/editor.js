// A piano roll to draw in, by mouse, touch and keyboard.
//
//   note = {pitch, start, length}: MIDI pitch, and beats.
//
// Cells are sixteenths. Drawn notes start on the lines of the cells; notes of a MIDI file may start anywhere.

class PrimerEditor {
  static BEAT = 56; // pixels
  static ROW = 11;
  static CELL = 0.25; // beats

  newLength = 1; // the length of a new note, in beats
  onchange = null; // called when the notes have changed
  onnote = null; // called with the pitch of a new note
  #notes = [];
  #history = [];
  #beats;
  #lowest = 0;
  #highest = 0;
  #cursor = { pitch: 60, beat: 0 };
  #dragged = null; // the note whose length follows the pointer
  #scroll;
  #keys;
  #svg;
  #announcement;

  constructor(element, { beats, help }) {
    this.#beats = beats;
    this.#scroll = RollView.html("div", "editor", element);
    this.#keys = RollView.html("div", "editor-keys", this.#scroll);
    this.#keys.setAttribute("aria-hidden", "true");
    const attributes = {
      class: "editor-grid",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "piano roll to draw in",
      "aria-label": "Primer",
      "aria-describedby": help,
    };
    this.#svg = RollView.svg("svg", attributes, this.#scroll);
    this.#announcement = RollView.html("p", "visually-hidden", element);
    this.#announcement.setAttribute("aria-live", "polite");
    this.#svg.addEventListener("pointerdown", (event) => this.#onPointerDown(event));
    this.#svg.addEventListener("pointermove", (event) => this.#onPointerMove(event));
    this.#svg.addEventListener("pointerup", (event) => this.#onPointerUp(event));
    this.#svg.addEventListener("pointercancel", () => (this.#dragged = null));
    this.#svg.addEventListener("keydown", (event) => this.#onKeyDown(event));
    this.#svg.addEventListener("focus", () => this.#announce());
  }

  get notes() {
    return this.#notes.map((note) => ({ ...note }));
  }

  get beats() {
    return this.#beats;
  }

  // Replaces all notes; undo brings them back.
  replace(notes) {
    this.#history.push(this.#notes);
    this.#notes = notes.map((note) => ({ ...note }));
    this.#changed();
  }

  undo() {
    if (!this.#history.length) return;
    this.#notes = this.#history.pop();
    this.#changed();
  }

  // Sets how many beats can be drawn. Notes after them are hidden and are not part of the primer.
  setBeats(beats) {
    this.#beats = beats;
    this.#cursor.beat = Math.min(this.#cursor.beat, beats - PrimerEditor.CELL);
    this.#changed();
  }

  setPitches(lowest, highest) {
    [this.#lowest, this.#highest] = [lowest, highest];
    this.#cursor.pitch = Math.min(Math.max(this.#cursor.pitch, lowest), highest);
    this.#changed();
  }

  // The notes in the pitch range and before the end.
  primer() {
    return this.#notes
      .filter(({ pitch, start }) => pitch >= this.#lowest && pitch <= this.#highest && start < this.#beats)
      .map(({ pitch, start, length }) => ({ pitch, start, length: Math.min(length, this.#beats - start) }));
  }

  // Scrolls to the notes.
  showNotes() {
    const pitches = this.primer().map((note) => note.pitch);
    const middle = pitches.length ? (Math.min(...pitches) + Math.max(...pitches)) / 2 : 62;
    this.#scroll.scrollTop = (this.#highest - middle) * PrimerEditor.ROW - this.#scroll.clientHeight / 2;
    this.#scroll.scrollLeft = 0;
  }

  #changed() {
    this.#draw();
    this.onchange?.();
  }

  // The cell under a pointer.
  #cellAt(event) {
    const box = this.#svg.getBoundingClientRect();
    const beat = Math.floor((event.clientX - box.left) / PrimerEditor.BEAT / PrimerEditor.CELL) * PrimerEditor.CELL;
    const pitch = this.#highest - Math.floor((event.clientY - box.top) / PrimerEditor.ROW);
    return {
      beat: Math.min(Math.max(beat, 0), this.#beats - PrimerEditor.CELL),
      pitch: Math.min(Math.max(pitch, this.#lowest), this.#highest),
    };
  }

  // The note that sounds in a cell.
  #noteAt({ pitch, beat }) {
    const later = beat + PrimerEditor.CELL - 1e-6;
    return this.#notes.find((note) => note.pitch === pitch && note.start < later && note.start + note.length > beat + 1e-6);
  }

  // Draws a note, or removes the note at the cell.
  #toggle(cell) {
    const existing = this.#noteAt(cell);
    this.#history.push(this.#notes);
    if (existing) {
      this.#notes = this.#notes.filter((note) => note !== existing);
      this.#changed();
      return null;
    }
    const note = { pitch: cell.pitch, start: cell.beat, length: Math.min(this.newLength, this.#beatsAfter(cell)) };
    this.#notes = [...this.#notes, note];
    this.#changed();
    this.onnote?.(note.pitch);
    return note;
  }

  // Beats from a cell to the next note of its pitch, or to the end.
  #beatsAfter({ pitch, beat }) {
    const starts = this.#notes.filter((note) => note.pitch === pitch && note.start > beat).map((note) => note.start);
    return Math.min(this.#beats, ...starts) - beat;
  }

  #setLength(note, length) {
    const longest = this.#beatsAfter({ pitch: note.pitch, beat: note.start });
    note.length = Math.min(Math.max(length, PrimerEditor.CELL), longest);
    this.#changed();
  }

  // A touch may be the start of scrolling, so it draws when it ends. A mouse or pen draws at once.
  #onPointerDown(event) {
    if (event.button !== 0) return;
    this.#cursor = this.#cellAt(event);
    if (event.pointerType === "touch") return;
    this.#svg.setPointerCapture(event.pointerId);
    this.#dragged = this.#toggle(this.#cursor);
  }

  #onPointerMove(event) {
    if (!this.#dragged || !(event.buttons & 1)) return;
    const { beat } = this.#cellAt(event);
    if (beat !== this.#cursor.beat) this.#setLength(this.#dragged, beat + PrimerEditor.CELL - this.#dragged.start);
  }

  #onPointerUp(event) {
    if (event.pointerType === "touch") this.#toggle(this.#cellAt(event));
    this.#dragged = null;
  }

  #onKeyDown(event) {
    const { pitch, beat } = this.#cursor;
    const steps = {
      ArrowUp: [1, 0],
      ArrowDown: [-1, 0],
      ArrowLeft: [0, -PrimerEditor.CELL],
      ArrowRight: [0, PrimerEditor.CELL],
      PageUp: [12, 0],
      PageDown: [-12, 0],
      Home: [0, -beat],
      End: [0, this.#beats],
    };
    const unmodified = !event.ctrlKey && !event.altKey && !event.metaKey;
    if (event.key in steps && unmodified) {
      const [up, along] = steps[event.key];
      this.#cursor = {
        pitch: Math.min(Math.max(pitch + up, this.#lowest), this.#highest),
        beat: Math.min(Math.max(beat + along, 0), this.#beats - PrimerEditor.CELL),
      };
      this.#draw();
      this.#scrollToCursor();
    } else if ((event.key === "Enter" || event.key === " ") && unmodified) this.#toggle(this.#cursor);
    else if (["+", "=", "-", "−"].includes(event.key) && unmodified) {
      const note = this.#noteAt(this.#cursor);
      const longer = event.key === "+" || event.key === "=";
      if (note) this.#setLength(note, note.length + (longer ? PrimerEditor.CELL : -PrimerEditor.CELL));
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else return;
    event.preventDefault();
    this.#announce();
  }

  // Announces the cursor's cell to screen readers.
  #announce() {
    const { pitch, beat } = this.#cursor;
    const note = this.#noteAt(this.#cursor);
    const what = note ? `note of ${note.length} beats from beat ${note.start + 1}` : "empty";
    this.#announcement.textContent = `${RollView.pitchName(pitch)}, beat ${beat + 1}: ${what}`;
  }

  #scrollToCursor() {
    const x = this.#cursor.beat * PrimerEditor.BEAT;
    const y = (this.#highest - this.#cursor.pitch) * PrimerEditor.ROW;
    const { clientWidth, clientHeight } = this.#scroll;
    const wide = clientWidth - this.#keys.offsetWidth - 2 * PrimerEditor.BEAT;
    const high = clientHeight - 2 * PrimerEditor.ROW;
    this.#scroll.scrollLeft = Math.min(Math.max(this.#scroll.scrollLeft, x - wide), Math.max(x - PrimerEditor.BEAT, 0));
    this.#scroll.scrollTop = Math.min(Math.max(this.#scroll.scrollTop, y - high), Math.max(y - PrimerEditor.ROW, 0));
  }

  #draw() {
    const { BEAT, ROW, CELL } = PrimerEditor;
    const [width, rows] = [this.#beats * BEAT, this.#highest - this.#lowest + 1];
    const rect = (kind, x, y, w, h) =>
      RollView.svg("rect", { class: kind, x, y, width: Math.max(w, 1), height: h }, this.#svg);
    this.#svg.setAttribute("width", width);
    this.#svg.setAttribute("height", rows * ROW);
    this.#svg.replaceChildren();
    this.#keys.replaceChildren();
    for (let pitch = this.#highest; pitch >= this.#lowest; pitch--) {
      const black = [1, 3, 6, 8, 10].includes(pitch % 12);
      if (black) rect("black", 0, (this.#highest - pitch) * ROW, width, ROW);
      const key = RollView.html("span", black ? "black" : "", this.#keys);
      key.textContent = pitch % 12 ? "" : RollView.pitchName(pitch);
    }
    const path = (kind, d) => RollView.svg("path", { class: kind, d: d || "M0 0" }, this.#svg);
    const lines = (from, step, count) =>
      Array.from({ length: Math.max(count, 0) }, (_, index) => `M${(from + index * step) * BEAT + 0.5} 0V${rows * ROW}`).join("");
    path("cell", lines(0, CELL, this.#beats / CELL));
    path("beat", lines(0, 1, this.#beats));
    path("bar-line", lines(0, 4, this.#beats / 4));
    const octaves = [];
    for (let row = 1; row <= rows; row++) if ((this.#highest - row + 1) % 12 === 0) octaves.push(`M0 ${row * ROW - 0.5}H${width}`);
    path("beat", octaves.join(""));
    for (const { pitch, start, length } of this.primer()) {
      rect("note", start * BEAT + 0.5, (this.#highest - pitch) * ROW + 1, length * BEAT - 1, ROW - 2);
    }
    rect("cursor", this.#cursor.beat * BEAT, (this.#highest - this.#cursor.pitch) * ROW, CELL * BEAT, ROW);
    const count = this.primer().length;
    this.#svg.setAttribute("aria-label", `Primer, ${count} ${count === 1 ? "note" : "notes"}`);
  }
}
