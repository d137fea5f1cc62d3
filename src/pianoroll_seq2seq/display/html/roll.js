// Draws a piano roll that scrolls under a cursor: time to the right, pitch upwards.
//
//   data = {name, seconds, primer_seconds, lowest, highest, beats, bars, parts: [{name, program, drums, colour}, ...],
//   notes: [[start, end, pitch, velocity, part], ...]}
//
// The strip is one SVG in units of seconds and semitones, scaled to pixels by its size. Scrolling moves the strip.
// Colours and sizes are in page.css.

class RollView {
  static MIN_PIXELS_PER_SECOND = 60;
  static CURSOR_SHARE = 0.3; // the cursor's place while the strip scrolls, as a share of the width

  seekHandler = null; // called with the seconds that are clicked or dragged to
  #data;
  #noteCount = 0;
  #view;
  #strip;
  #keys;
  #cursor;
  #hatch;
  #lines;
  #bars;
  #position = 0;

  constructor(element, data) {
    this.#data = { ...data, beats: data.beats.slice() };
    this.#view = RollView.html("div", "pr-roll", element);
    this.#view.setAttribute("role", "img");
    this.#strip = RollView.svg("svg", { class: "pr-strip", preserveAspectRatio: "none" }, this.#view);
    this.#cursor = RollView.html("div", "pr-cursor", this.#view);
    this.#keys = RollView.html("div", "pr-keys", this.#view);
    this.#paint(data.notes);
    this.#view.addEventListener("pointerdown", (event) => {
      this.#view.setPointerCapture(event.pointerId);
      this.#seek(event);
    });
    this.#view.addEventListener("pointermove", (event) => event.buttons & 1 && this.#seek(event));
    new ResizeObserver(() => this.#resize()).observe(this.#view);
  }

  // Moves the strip and the cursor to a position.
  draw(positionSeconds) {
    this.#position = positionSeconds;
    const { room, width, perSecond } = this.#sizes();
    const at = positionSeconds * perSecond;
    const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches; // pages instead of scrolling
    const wanted = reducedMotion ? Math.floor(at / room) * room : at - RollView.CURSOR_SHARE * room;
    const scroll = Math.min(Math.max(wanted, 0), width - room);
    this.#strip.style.transform = `translateX(${-scroll}px)`;
    this.#cursor.style.transform = `translateX(${at - scroll}px)`;
  }

  // Adds notes and sets the new length; the beats continue at the last tempo.
  extend(notes, seconds) {
    const { beats } = this.#data;
    const step = beats.length > 1 ? beats.at(-1) - beats.at(-2) : 0;
    while (step > 0 && beats.at(-1) + step <= seconds + 1e-6) beats.push(beats.at(-1) + step);
    this.#data.seconds = seconds;
    const pitches = notes.map((note) => note[2]);
    const lowest = Math.min(this.#data.lowest, ...pitches);
    const highest = Math.max(this.#data.highest, ...pitches);
    const all = this.#data.notes.concat(notes);
    const wider = lowest < this.#data.lowest || highest > this.#data.highest;
    Object.assign(this.#data, { lowest, highest, notes: all });
    if (wider) this.#paint(all);
    else {
      this.#addNotes(notes);
      this.#resize();
    }
  }

  // Draws everything again.
  #paint(notes) {
    this.#strip.replaceChildren();
    const pattern = `pr-hatch-${RollView.#count++}`;
    const defs = RollView.svg("defs", {}, this.#strip);
    this.#hatch = RollView.svg("pattern", { id: pattern, patternUnits: "userSpaceOnUse", width: 6, height: 6 }, defs);
    RollView.svg("rect", { class: "pr-hatch-ground", width: 6, height: 6 }, this.#hatch);
    RollView.svg("rect", { class: "pr-hatch-line", width: 2, height: 6 }, this.#hatch);
    this.#strip.style.setProperty("--pr-hatch", `url(#${pattern})`);
    this.#lines = RollView.svg("g", {}, this.#strip);
    this.#bars = RollView.svg("g", {}, this.#strip);
    this.#noteCount = 0;
    this.#addNotes(notes);
    this.#resize();
  }

  #addNotes(notes) {
    const { highest, primer_seconds: primer } = this.#data;
    for (const [start, end, pitch, velocity, part] of notes) {
      const colour = this.#data.parts?.[part]?.colour;
      const kind = start < primer && !colour ? "pr-note pr-primer" : "pr-note";
      const size = { x: start, y: highest - pitch + 0.07, width: end - start, height: 0.86 };
      const bar = RollView.svg("rect", { class: kind, opacity: 0.35 + 0.65 * velocity, ...size }, this.#bars);
      if (colour) bar.style.fill = colour;
    }
    this.#noteCount += notes.length;
    const [low, high] = [this.#data.lowest, highest].map(RollView.pitchName);
    const name = this.#data.name ? `Piano roll of ${this.#data.name}` : "Piano roll";
    const primerLabel = primer ? `, the first ${primer.toFixed(1)} seconds are the primer` : "";
    const label = `${name}: ${this.#noteCount} notes between ${low} and ${high} in ${this.#data.seconds.toFixed(1)} seconds`;
    const parts = (this.#data.parts ?? []).filter((part) => part.colour).map((part) => part.name);
    const partsLabel = parts.length ? `, in ${parts.length} parts: ${parts.join(", ")}` : "";
    this.#view.setAttribute("aria-label", label + primerLabel + partsLabel);
  }

  #resize() {
    const { seconds, lowest, highest, beats, primer_seconds: primer } = this.#data;
    const rows = highest - lowest + 1;
    const { width, height, perSecond } = this.#sizes();
    this.#strip.setAttribute("viewBox", `0 0 ${Math.max(seconds, 1e-3)} ${rows}`);
    this.#strip.style.width = `${width}px`;
    this.#hatch.setAttribute("patternTransform", `scale(${1 / perSecond} ${rows / height}) rotate(45)`);
    this.#lines.replaceChildren();
    this.#keys.replaceChildren();
    for (let pitch = lowest; pitch <= highest; pitch++) {
      const y = highest - pitch;
      const black = [1, 3, 6, 8, 10].includes(pitch % 12);
      if (black) RollView.svg("rect", { class: "pr-black", y, width: seconds, height: 1 }, this.#lines);
      if (pitch % 12) continue;
      RollView.svg("path", { class: "pr-octave", d: `M0 ${y + 1}H${seconds}` }, this.#lines);
      const key = RollView.html("span", "", this.#keys);
      key.textContent = RollView.pitchName(pitch);
      key.style.top = `${(100 * (y + 0.5)) / rows}%`;
    }
    const ticks = beats.map((beat) => `M${beat} 0V${rows}`).join("");
    RollView.svg("path", { class: "pr-beat", d: ticks || "M0 0" }, this.#lines);
    const bars = (this.#data.bars ?? []).map((bar) => `M${bar} 0V${rows}`).join("");
    if (bars) RollView.svg("path", { class: "pr-bar", d: bars }, this.#lines);
    if (primer) RollView.svg("path", { class: "pr-primer-end", d: `M${primer} 0V${rows}` }, this.#lines);
    this.draw(this.#position);
  }

  #sizes() {
    const room = Math.max(this.#view.clientWidth - this.#keys.offsetWidth, 1);
    const perSecond = Math.max(RollView.MIN_PIXELS_PER_SECOND, room / Math.max(this.#data.seconds, 1e-3));
    const width = Math.max(this.#data.seconds * perSecond, room);
    return { room, width, perSecond, height: Math.max(this.#view.clientHeight, 1) };
  }

  #seek(event) {
    const { perSecond } = this.#sizes();
    const seconds = (event.clientX - this.#strip.getBoundingClientRect().left) / perSecond;
    this.seekHandler?.(Math.min(Math.max(seconds, 0), this.#data.seconds));
  }

  static #count = 0;

  static pitchName(pitch) {
    const names = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
    return `${names[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
  }

  static html(tag, name, parent) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    return parent.appendChild(node);
  }

  static svg(tag, attributes, parent) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return parent.appendChild(node);
  }
}
