// A piano roll to draw in, by mouse, touch and keyboard.
//
//   note = {pitch, start, length}: MIDI pitch, and beats.
//
// Cells are sixteenths. Notes drawn stand on their lines; notes that were brought may stand anywhere.

class PrimerEditor {
  static BEAT = 56; // pixels
  static ROW = 11;
  static CELL = 0.25; // beats

  newLength = 1; // beats of a note that is drawn by a click
  onchange = null; // called when the notes have changed
  onnote = null; // called with the pitch of a note that was drawn
  #notes = [];
  #past = [];
  #beats;
  #lowest = 0;
  #highest = 0;
  #cursor = { pitch: 60, beat: 0 };
  #drawn = null; // the note that is being made longer
  #scroll;
  #keys;
  #svg;
  #said;

  constructor(element, { beats, help }) {
    this.#beats = beats;
    this.#scroll = PrimerEditor.#html("div", "editor", element);
    this.#keys = PrimerEditor.#html("div", "editor-keys", this.#scroll);
    this.#keys.setAttribute("aria-hidden", "true");
    this.#svg = PrimerEditor.#make("svg", {
      class: "editor-grid",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "piano roll to draw in",
      "aria-label": "Primer",
      "aria-describedby": help,
    });
    this.#scroll.append(this.#svg);
    this.#said = PrimerEditor.#html("p", "unseen", element);
    this.#said.setAttribute("aria-live", "polite");
    this.#svg.addEventListener("pointerdown", (event) => this.#pressed(event));
    this.#svg.addEventListener("pointermove", (event) => this.#dragged(event));
    this.#svg.addEventListener("pointerup", (event) => this.#released(event));
    this.#svg.addEventListener("pointercancel", () => (this.#drawn = null));
    this.#svg.addEventListener("keydown", (event) => this.#typed(event));
    this.#svg.addEventListener("focus", () => this.#say());
  }

  get notes() {
    return this.#notes.map((note) => ({ ...note }));
  }

  get beats() {
    return this.#beats;
  }

  // All notes anew, which can be undone.
  replace(notes) {
    this.#past.push(this.#notes);
    this.#notes = notes.map((note) => ({ ...note }));
    this.#changed();
  }

  undo() {
    if (!this.#past.length) return;
    this.#notes = this.#past.pop();
    this.#changed();
  }

  // How many beats there is room for; notes beyond are kept out of sight, and out of the primer.
  setRoom(beats) {
    this.#beats = beats;
    this.#cursor.beat = Math.min(this.#cursor.beat, beats - PrimerEditor.CELL);
    this.#changed();
  }

  setPitches(lowest, highest) {
    [this.#lowest, this.#highest] = [lowest, highest];
    this.#cursor.pitch = Math.min(Math.max(this.#cursor.pitch, lowest), highest);
    this.#changed();
  }

  // The notes that a model of these pitches can hear in this room.
  primer() {
    return this.#notes
      .filter(({ pitch, start }) => pitch >= this.#lowest && pitch <= this.#highest && start < this.#beats)
      .map(({ pitch, start, length }) => ({ pitch, start, length: Math.min(length, this.#beats - start) }));
  }

  // Scrolls to where the notes are.
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

  // Draws a note, or removes the one that is there.
  #toggle(cell) {
    const there = this.#noteAt(cell);
    this.#past.push(this.#notes);
    if (there) {
      this.#notes = this.#notes.filter((note) => note !== there);
      this.#changed();
      return null;
    }
    const note = { pitch: cell.pitch, start: cell.beat, length: Math.min(this.newLength, this.#roomAfter(cell)) };
    this.#notes = [...this.#notes, note];
    this.#changed();
    this.onnote?.(note.pitch);
    return note;
  }

  // Beats from a cell to the next note of its pitch, or to the end.
  #roomAfter({ pitch, beat }) {
    const starts = this.#notes.filter((note) => note.pitch === pitch && note.start > beat).map((note) => note.start);
    return Math.min(this.#beats, ...starts) - beat;
  }

  #lengthen(note, length) {
    const most = this.#roomAfter({ pitch: note.pitch, beat: note.start });
    note.length = Math.min(Math.max(length, PrimerEditor.CELL), most);
    this.#changed();
  }

  // A finger may be about to scroll: it draws when it is lifted, a mouse or pen at once.
  #pressed(event) {
    if (event.button !== 0) return;
    this.#cursor = this.#cellAt(event);
    if (event.pointerType === "touch") return;
    this.#svg.setPointerCapture(event.pointerId);
    this.#drawn = this.#toggle(this.#cursor);
  }

  #dragged(event) {
    if (!this.#drawn || !(event.buttons & 1)) return;
    const { beat } = this.#cellAt(event);
    if (beat !== this.#cursor.beat) this.#lengthen(this.#drawn, beat + PrimerEditor.CELL - this.#drawn.start);
  }

  #released(event) {
    if (event.pointerType === "touch") this.#toggle(this.#cellAt(event));
    this.#drawn = null;
  }

  #typed(event) {
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
    const bare = !event.ctrlKey && !event.altKey && !event.metaKey;
    if (event.key in steps && bare) {
      const [up, along] = steps[event.key];
      this.#cursor = {
        pitch: Math.min(Math.max(pitch + up, this.#lowest), this.#highest),
        beat: Math.min(Math.max(beat + along, 0), this.#beats - PrimerEditor.CELL),
      };
      this.#draw();
      this.#reveal();
    } else if ((event.key === "Enter" || event.key === " ") && bare) this.#toggle(this.#cursor);
    else if (["+", "=", "-", "−"].includes(event.key) && bare) {
      const note = this.#noteAt(this.#cursor);
      const longer = event.key === "+" || event.key === "=";
      if (note) this.#lengthen(note, note.length + (longer ? PrimerEditor.CELL : -PrimerEditor.CELL));
    } else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else return;
    event.preventDefault();
    this.#say();
  }

  // Tells a screen reader where the cursor stands and what is there.
  #say() {
    const { pitch, beat } = this.#cursor;
    const note = this.#noteAt(this.#cursor);
    const what = note ? `note of ${note.length} beats from beat ${note.start + 1}` : "empty";
    this.#said.textContent = `${RollView.pitchName(pitch)}, beat ${beat + 1}: ${what}`;
  }

  #reveal() {
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
      PrimerEditor.#make("rect", { class: kind, x, y, width: Math.max(w, 1), height: h }, this.#svg);
    this.#svg.setAttribute("width", width);
    this.#svg.setAttribute("height", rows * ROW);
    this.#svg.replaceChildren();
    this.#keys.replaceChildren();
    for (let pitch = this.#highest; pitch >= this.#lowest; pitch--) {
      const black = [1, 3, 6, 8, 10].includes(pitch % 12);
      if (black) rect("black", 0, (this.#highest - pitch) * ROW, width, ROW);
      const key = PrimerEditor.#html("span", black ? "black" : "", this.#keys);
      key.textContent = pitch % 12 ? "" : RollView.pitchName(pitch);
    }
    const path = (kind, d) => PrimerEditor.#make("path", { class: kind, d: d || "M0 0" }, this.#svg);
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

  static #html(tag, name, parent) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    return parent.appendChild(made);
  }

  static #make(tag, attributes, parent) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return parent ? parent.appendChild(made) : made;
  }
}
