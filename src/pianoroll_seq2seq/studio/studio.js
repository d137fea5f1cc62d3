// Made by `npm run build` in web/, from the TypeScript there. Change it there.
"use strict";
(() => {
  // src/shared/elements.ts
  function html(tag, name, parent) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    return parent.appendChild(node);
  }
  function cssColours(names, parent) {
    const probe = html("span", "", parent);
    const colours = names.map((name) => {
      probe.style.color = `var(--pr-${name})`;
      return [name, getComputedStyle(probe).color];
    });
    probe.remove();
    return Object.fromEntries(colours);
  }

  // src/studio/following.ts
  var LEAD = 0.5;
  var REST = 1;
  var EDGE = 0.125;
  function follow(state, { playing, position, known }) {
    const done = known === Infinity;
    switch (state) {
      case "off":
        return ["off", null];
      case "starting":
      case "waiting":
        if (!done && known < position + (state === "starting" ? LEAD : REST)) return [state, null];
        return [done ? "off" : "playing", "play"];
      case "playing":
        if (!playing) return position >= known - LEAD ? ["waiting", null] : ["off", null];
        if (done) return ["off", null];
        return position > known - EDGE ? ["waiting", "pause"] : ["playing", null];
    }
  }

  // src/studio/piece.ts
  var noteEnd = (note2) => note2.start + note2.length;
  function sorted(notes) {
    return [...notes].sort((a, b) => a.start - b.start || a.part - b.part || a.pitch - b.pitch);
  }
  function withNotes(piece, notes) {
    return { ...piece, notes: sorted(notes) };
  }
  function keepsParts(before2, after) {
    if (after.parts.length < before2.parts.length) return false;
    return after.notes === before2.notes || before2.parts.every((part, index) => part === after.parts[index]);
  }
  function barBeats(piece, [first, last]) {
    return [(first - 1) * piece.beats_per_bar, Math.min(last * piece.beats_per_bar, piece.beats)];
  }
  var barAt = (piece, beat) => Math.floor(beat / piece.beats_per_bar + 1e-9) + 1;
  var countBars = (piece) => Math.max(Math.ceil(piece.beats / piece.beats_per_bar - 1e-9), 1);

  // src/studio/merging.ts
  var EPSILON = 1e-6;
  var NO_ANSWER = { notes: [], until: 0, done: false };
  function isWritten(note2, { from, to, parts }) {
    return note2.start >= from - EPSILON && noteEnd(note2) <= to + EPSILON && parts.includes(note2.part);
  }
  var beginning = ({ part, pitch, start: start2 }) => [part, pitch, Math.round(start2 * 1e3)].join(" ");
  var identity = (note2) => `${beginning(note2)} ${Math.round(note2.length * 1e3)}`;
  function merged(current2, region, { notes, until, done }, asked = current2) {
    const reached = done ? Infinity : until - EPSILON;
    const known = /* @__PURE__ */ new Map();
    for (const piece of [asked, current2]) for (const note2 of piece.notes) if (isWritten(note2, region)) known.set(identity(note2), note2);
    const added = notes.map((note2) => known.get(identity(note2)) ?? note2);
    const end = added.reduce((latest, note2) => Math.max(latest, noteEnd(note2)), Math.min(until, region.to));
    const begun = new Set(added.map(beginning));
    const given = current2.notes.filter((note2) => {
      if (noteEnd(note2) < region.from - EPSILON || note2.start > region.to + EPSILON) return true;
      return (!isWritten(note2, region) || note2.start >= reached) && !begun.has(beginning(note2));
    });
    const parts = [...current2.parts, ...asked.parts.slice(current2.parts.length)];
    return withNotes({ ...current2, parts, beats: Math.max(current2.beats, end) }, [...given, ...added]);
  }
  function restored(current2, { task, region }, before2) {
    if (task === "silence") return before2;
    const given = current2.notes.filter((note2) => !isWritten(note2, region));
    const notes = [...given, ...before2.notes.filter((note2) => isWritten(note2, region))];
    const beats = notes.reduce((latest, note2) => Math.max(latest, noteEnd(note2)), before2.beats);
    return withNotes({ ...current2, beats }, notes);
  }

  // src/studio/checks.ts
  function shown(value) {
    const text2 = value === void 0 ? "nothing" : JSON.stringify(value) ?? String(value);
    return text2.length > 60 ? `${text2.slice(0, 57)}...` : text2;
  }
  function wrong(name, expected, value) {
    return new Error(`${name}: expected ${expected}, got ${shown(value)}.`);
  }
  function object(value, name) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(name, "an object", value);
    return value;
  }
  function list(value, name) {
    if (!Array.isArray(value)) throw wrong(name, "a list", value);
    return value;
  }
  function text(value, name) {
    if (typeof value !== "string") throw wrong(name, "a text", value);
    return value;
  }
  function flag(value, name) {
    if (typeof value !== "boolean") throw wrong(name, "true or false", value);
    return value;
  }
  function real(value, name, lowest, highest) {
    if (typeof value !== "number" || !Number.isFinite(value)) throw wrong(name, "a number", value);
    if (value < lowest || value > highest) throw wrong(name, range(lowest, highest), value);
    return value;
  }
  function integer(value, name, lowest, highest) {
    if (!Number.isInteger(value)) throw wrong(name, "a whole number", value);
    return real(value, name, lowest, highest);
  }
  var range = (lowest, highest) => highest === Infinity ? `at least ${lowest}` : `${lowest} to ${highest}`;
  var MAX_BEATS = 1e5;
  var MAX_NOTES = 2e5;
  function checkedPiece(value, name) {
    const piece = object(value, name);
    const parts = list(piece.parts, `${name}.parts`).map((part, index) => checkedPart(part, `${name}.parts[${index}]`));
    if (!parts.length) throw wrong(`${name}.parts`, "at least one part", piece.parts);
    const notes = list(piece.notes, `${name}.notes`);
    if (notes.length > MAX_NOTES) throw new Error(`${name}.notes: at most ${MAX_NOTES} notes, got ${notes.length}.`);
    const beats = real(piece.beats, `${name}.beats`, 0, MAX_BEATS);
    return {
      beats_per_minute: real(piece.beats_per_minute, `${name}.beats_per_minute`, 1, 1e3),
      beats_per_bar: real(piece.beats_per_bar, `${name}.beats_per_bar`, 0.25, 64),
      beats,
      parts,
      notes: sorted(notes.map((note2, index) => checkedNote(note2, `${name}.notes[${index}]`, parts.length)))
    };
  }
  function checkedPart(value, name) {
    const part = object(value, name);
    return {
      name: text(part.name, `${name}.name`),
      program: integer(part.program, `${name}.program`, 0, 127),
      is_drums: flag(part.is_drums, `${name}.is_drums`)
    };
  }
  function checkedNote(value, name, numParts) {
    const note2 = object(value, name);
    const length = real(note2.length, `${name}.length`, 0, MAX_BEATS);
    if (length === 0) throw wrong(`${name}.length`, "more than 0", length);
    return {
      part: integer(note2.part, `${name}.part`, 0, numParts - 1),
      pitch: integer(note2.pitch, `${name}.pitch`, 0, 127),
      start: real(note2.start, `${name}.start`, 0, MAX_BEATS),
      length,
      velocity: integer(note2.velocity, `${name}.velocity`, 1, 127)
    };
  }

  // src/studio/protocol.ts
  function fillLine(value, numParts) {
    const line = object(value, "line");
    if (line.error !== void 0) {
      const error = line.error;
      return { kind: "error", message: typeof error === "string" ? error : text(object(error, "error").message, "error.message") };
    }
    if (line.cancelled === true) return { kind: "cancelled" };
    if (line.begin !== void 0) {
      const parts = list(line.parts, "parts").map((part, index) => integer(part, `parts[${index}]`, 0, numParts - 1));
      return { kind: "region", from: real(line.begin, "begin", 0, Infinity), to: real(line.end, "end", 0, Infinity), parts };
    }
    const take = integer(line.take, "take", 0, 63);
    if (line.done === true) return { kind: "done", take };
    const notes = list(line.notes, "notes").map((note2, index) => checkedNote(note2, `notes[${index}]`, numParts));
    return { kind: "notes", take, until: real(line.until, "until", 0, Infinity), notes };
  }
  function openedFile(value) {
    const opened = object(value, "answer");
    return {
      piece: checkedPiece(opened.piece, "piece"),
      changes: list(opened.changes, "changes").map((sentence, index) => text(sentence, `changes[${index}]`))
    };
  }

  // src/studio/requests.ts
  var EPSILON2 = 1e-6;
  var sameName = (a, b) => a.name.trim().toLowerCase() === b.name.trim().toLowerCase();
  function placements(piece, model) {
    const own = model.parts;
    if (!own) return piece.parts.map((part) => part.is_drums ? null : 0);
    const placed = piece.parts.map(() => null);
    own.forEach((part, index) => {
      const at = piece.parts.findIndex((one, place) => placed[place] === null && sameName(one, part));
      if (at >= 0) placed[at] = index;
    });
    const left = own.map((_, index) => index).filter((index) => !placed.includes(index));
    return placed.map((part) => part ?? left.shift() ?? null);
  }
  function withModelParts(piece, model) {
    const placed = placements(piece, model);
    const missing = (model.parts ?? []).filter((_, index) => !placed.includes(index));
    if (!missing.length) return piece;
    const parts = missing.map(({ name, program, is_drums }) => ({ name, program, is_drums }));
    return { ...piece, parts: [...piece.parts, ...parts] };
  }
  function soundingParts(piece, from, to) {
    const parts = /* @__PURE__ */ new Set();
    for (const note2 of piece.notes) if (note2.start < to - EPSILON2 && noteEnd(note2) > from + EPSILON2) parts.add(note2.part);
    return [...parts].sort((a, b) => a - b);
  }
  function musicEnd(piece, parts) {
    return piece.notes.reduce((latest, note2) => parts.includes(note2.part) ? Math.max(latest, noteEnd(note2)) : latest, 0);
  }
  function barsOf(piece, selection) {
    const count = countBars(piece);
    if (selection.bars) return [selection.bars[0], Math.min(selection.bars[1], count)];
    const end = musicEnd(piece, piece.parts.map((_, index) => index));
    return [1, Math.min(Math.max(barAt(piece, end - 2 * EPSILON2), 1), count)];
  }
  function modelParts(piece, model) {
    return placements(piece, model).flatMap((part, index) => part === null ? [] : [index]);
  }
  function writtenParts(task, piece, selection, model) {
    const known = modelParts(piece, model);
    if (task === "continue" || !model.parts) return known;
    if (selection.parts) return selection.parts.filter((part) => known.includes(part));
    const sounding = soundingParts(piece, ...barBeats(piece, barsOf(piece, selection)));
    if (task === "harmonise") return known.filter((part) => !sounding.includes(part));
    return task === "vary" ? known.filter((part) => sounding.includes(part)) : known;
  }
  function refusal(task, piece, selection, model) {
    const cannot = model.tasks[task];
    if (cannot !== null) return cannot;
    const whole = withModelParts(piece, model);
    if (!piece.notes.length) {
      if (task === "continue") return "The piece has no notes. Draw some, or start from silence.";
      if (task === "harmonise") return "There is nothing to harmonise. Draw a melody first.";
      if (task === "vary") return "There is nothing to vary. Draw some notes first.";
    }
    const own = model.parts;
    if (own && whole.parts.length > own.length) {
      const names = own.map(({ name }) => name).join(", ");
      return `${model.name} writes ${own.length} parts, ${names}, and the piece has ${whole.parts.length}. Remove parts, or choose another model.`;
    }
    if (task === "fill" && !selection.bars && !selection.parts) return "Select the bars or the parts to fill.";
    const parts = writtenParts(task, whole, selection, model);
    if (task === "harmonise") {
      const sounding = soundingParts(whole, ...barBeats(whole, barsOf(whole, selection)));
      if (!sounding.some((part) => !parts.includes(part))) {
        return selection.parts ? "All parts with notes are selected. Select the parts to write." : "There are no notes in these bars.";
      }
      if (!parts.length) return "All parts have notes here. Select the parts to write anew.";
    }
    if (task === "vary" && !parts.length) return "There are no notes in these bars.";
    return parts.length ? null : "The model writes none of the selected parts.";
  }
  function question(task, current2, selection, model, choices, scale) {
    const whole = withModelParts(current2, model);
    const piece = task === "silence" ? { ...whole, notes: [], beats: 0 } : whole;
    const asked = task === "silence" ? "continue" : task;
    const parts = writtenParts(asked, piece, selection, model);
    const common = {
      model: model.name,
      task: asked,
      takes: choices.takes,
      temperature: choices.temperature,
      scale,
      seed: choices.seed,
      strength: task === "vary" ? choices.strength : null
    };
    const into = model.parts ? null : selection.parts;
    if (asked === "continue") {
      const beats = choices.unit === "beats" ? choices.length : choices.length * piece.beats_per_minute / 60;
      const cut = selection.bars && task !== "silence" ? before(piece, barBeats(piece, selection.bars)[1]) : piece;
      const from = Math.max(Math.ceil(musicEnd(cut, parts) - EPSILON2), 0);
      const region2 = { from, to: from + beats, parts };
      return { task, piece, region: region2, request: { ...common, piece: before(cut, from), bars: null, parts: into, beats } };
    }
    const bars = task === "fill" && !selection.bars ? [1, countBars(piece)] : barsOf(piece, selection);
    const region = { from: (bars[0] - 1) * piece.beats_per_bar, to: bars[1] * piece.beats_per_bar, parts };
    return { task, piece, region, request: { ...common, piece, bars, parts: into ?? parts, beats: null } };
  }
  function before(piece, beat) {
    const notes = piece.notes.filter((note2) => note2.start < beat - EPSILON2).map((note2) => noteEnd(note2) > beat ? { ...note2, length: beat - note2.start } : note2);
    return withNotes({ ...piece, beats: beat }, notes);
  }

  // src/studio/stream.ts
  var PAGE_ID = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  var isAbort = (error) => error instanceof DOMException && error.name === "AbortError";
  var messageOf = (error) => error instanceof Error ? error.message : String(error);
  async function post(address, body, signal = null) {
    let response;
    try {
      response = await fetch(address, { method: "POST", headers: { "X-Studio-Page": PAGE_ID }, body, signal });
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new Error("The studio does not answer. Is it still running?");
    }
    if (response.ok) return response;
    const answer = await response.json().catch(() => null);
    throw new Error(errorMessage(answer) ?? `The studio answered with status ${response.status}.`);
  }
  function errorMessage(answer) {
    const error = answer?.error;
    return typeof error?.message === "string" ? error.message : null;
  }
  async function* jsonLines(body) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for (; ; ) {
        const { done, value } = await next(reader);
        rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) yield parsed(line);
        if (done) break;
      }
      if (rest.trim()) yield parsed(rest);
    } finally {
      reader.cancel().catch(() => void 0);
    }
  }
  async function next(reader) {
    try {
      return await reader.read();
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new Error("The studio stopped answering in the middle of the piece.");
    }
  }
  function parsed(line) {
    try {
      return JSON.parse(line);
    } catch {
      throw new Error("The studio stopped answering in the middle of the piece.");
    }
  }

  // src/studio/asking.ts
  var LABELS = {
    continue: "Continue",
    fill: "Fill",
    harmonise: "Harmonise",
    vary: "Vary",
    silence: "Start from silence"
  };
  async function* askServer(request, signal) {
    const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== null));
    const response = await post("/fill", JSON.stringify(given), signal);
    yield* jsonLines(response.body);
  }
  var Asking = class _Asking {
    constructor(store, choices, transport, ask = askServer) {
      this.store = store;
      this.choices = choices;
      this.transport = transport;
      this.ask = ask;
      this.#seen = store.piece;
      store.subscribe(() => this.#onChange());
    }
    store;
    choices;
    transport;
    ask;
    static PAUSE = 80;
    // milliseconds between two changes of the piece
    #running = null;
    #seen;
    // the piece when the store changed last
    #takes = [];
    #heard = null;
    // id of the take in the piece
    #lastId = 0;
    #following = "off";
    #playsFrom = 0;
    // in beats
    #known = 0;
    // beats up to which the answer is in the piece
    #isFirst = true;
    // nothing of the running answer is in the piece yet
    #listeners = /* @__PURE__ */ new Set();
    get running() {
      return this.#running !== null;
    }
    /** The takes of the last answer that are still offered. */
    get takes() {
      return this.#takes;
    }
    /** The id of the take that is in the piece, or null. */
    get heard() {
      return this.#heard;
    }
    subscribe(listener) {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    }
    stop() {
      this.#running?.abort();
    }
    /**
     * Asks the chosen model. The first take goes into the piece and plays while it arrives.
     *
     * The caller has unlocked the audio inside a click.
     *
     * @param values in the place of the user's choices.
     * @throws Error with the server's message. What arrived before stays in the piece, as one step.
     */
    async run(task, selection = this.store.selection, values = {}) {
      this.stop();
      const { store, choices } = this;
      this.#seen = store.piece;
      const chosen = { ...choices.values, ...values };
      const asked = question(task, store.piece, selection, choices.model, chosen, choices.pitchClasses);
      const controller = this.#running = new AbortController();
      const first = this.#lastId + 1;
      this.#takes = Array.from({ length: asked.request.takes }, (_, index) => ({
        ...NO_ANSWER,
        id: ++this.#lastId,
        name: `Take ${index + 1} · seed ${asked.request.seed}`,
        question: asked,
        before: store.piece,
        gesture: `answer ${first}`
      }));
      [this.#heard, this.#isFirst, this.#known] = [first, true, 0];
      this.#following = "starting";
      this.#playsFrom = chosen.from_start ? 0 : asked.region.from;
      this.#notify();
      const watch = setInterval(() => this.#follow(), 50);
      let outcome = "stopped";
      try {
        let shown2 = -Infinity;
        for await (const value of this.ask(asked.request, controller.signal)) {
          if (controller.signal.aborted) break;
          const line = fillLine(value, asked.piece.parts.length);
          if (line.kind === "error") throw new Error(line.message);
          if (line.kind === "cancelled") return outcome = "cancelled";
          if (line.kind === "region") this.#setRegion(line);
          else if (this.#take(line, first) && (line.kind === "done" || performance.now() > shown2 + _Asking.PAUSE)) {
            this.#show();
            shown2 = performance.now();
          }
        }
        if (!controller.signal.aborted) outcome = "done";
      } catch (error) {
        if (!isAbort(error)) throw error;
      } finally {
        clearInterval(watch);
        if (this.#running === controller) this.#end(outcome);
      }
      return outcome;
    }
    /** Puts a take into the piece and plays it from where it begins. */
    hear(id) {
      const take = this.#takes.find((one) => one.id === id);
      if (!take) return;
      const base = take.question.task === "silence" ? take.question.piece : this.store.piece;
      this.#heard = id;
      this.#change(LABELS[take.question.task], merged(base, take.question.region, take, take.question.piece), take.gesture);
      this.#notify();
      this.transport.play(take.question.region.from);
    }
    /** Keeps a take in the piece and drops the others. */
    keep(id) {
      const take = this.#takes.find((one) => one.id === id);
      if (!take) return;
      if (this.#heard !== id) this.hear(id);
      this.#takes = [];
      this.store.endGesture();
      this.#notify();
    }
    /** No longer offers a take. If it is in the piece, it is taken out by another one, or by what was there before. */
    drop(id) {
      const take = this.#takes.find((one) => one.id === id);
      if (!take) return;
      this.#takes = this.#takes.filter((one) => one.id !== id);
      if (this.#heard === id) {
        const [next2] = this.#takes;
        if (next2) this.hear(next2.id);
        else {
          this.#heard = null;
          this.#change(`Drop ${take.name}`, restored(this.store.piece, take.question, take.before));
          this.transport.pause();
        }
      }
      this.#notify();
    }
    // Who takes back an answer that still arrives does not want the rest. Answers are for the parts of their piece.
    #onChange() {
      const { piece, redoable } = this.store;
      const before2 = this.#seen;
      if (piece === before2) return;
      this.#seen = piece;
      const isUndo = redoable !== null;
      if (isUndo) this.stop();
      if (keepsParts(before2, piece) || isUndo && keepsParts(piece, before2)) return;
      this.stop();
      [this.#takes, this.#heard] = [[], null];
      this.#notify();
    }
    #change(label, piece, gesture = null) {
      this.#seen = piece;
      this.store.change(label, piece, gesture);
    }
    /** What is written is for the server to say: it knows the model's grid. */
    #setRegion({ from, to, parts }) {
      if (this.#playsFrom !== 0) this.#playsFrom = from;
      this.#takes = this.#takes.map((take) => ({ ...take, question: { ...take.question, region: { from, to, parts } } }));
    }
    /** Files a line of the answer; returns whether it belongs to the take in the piece. */
    #take(line, first) {
      const id = first + line.take;
      this.#takes = this.#takes.map((take) => {
        if (take.id !== id) return take;
        if (line.kind === "done") return { ...take, done: true, until: take.question.region.to };
        return { ...take, notes: [...take.notes, ...line.notes], until: Math.max(take.until, line.until) };
      });
      if (line.kind === "done") this.#notify();
      return id === this.#heard;
    }
    /** Shows what has arrived of the take in the piece. */
    #show() {
      const take = this.#takes.find((one) => one.id === this.#heard);
      if (!take) return;
      const { question: asked } = take;
      const base = this.#isFirst && asked.task === "silence" ? asked.piece : this.store.piece;
      this.#isFirst = false;
      this.#known = take.done ? Infinity : take.until;
      this.#change(LABELS[asked.task], merged(base, asked.region, take, asked.piece), take.gesture);
      this.#follow();
    }
    #end(outcome) {
      this.#running = null;
      const offered = this.#takes.filter((take) => take.done || take.notes.length > 0);
      if (outcome === "done") this.#follow();
      this.#following = "off";
      this.#takes = offered.length > 1 ? offered : [];
      if (this.#takes.length === 0) this.store.endGesture();
      this.#notify();
    }
    #follow() {
      const [take] = this.#takes;
      if (!take) return;
      const starting = this.#following === "starting";
      const position = starting ? this.#playsFrom : this.transport.position;
      const known = Math.max(this.#known, take.question.region.from);
      const [state, action] = follow(this.#following, { playing: this.transport.playing, position, known });
      this.#following = state;
      if (action === "play") this.transport.play(position);
      if (action === "pause") this.transport.pause();
    }
    #notify() {
      for (const listener of [...this.#listeners]) listener();
    }
  };

  // src/studio/choices.ts
  var MAX_TAKES = 4;
  var TEMPERATURES = [0.2, 2];
  var MAX_SEED = Number.MAX_SAFE_INTEGER;
  var randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1e5;
  var Choices = class {
    constructor(settings) {
      this.settings = settings;
      this.#values = {
        model: settings.models[0].name,
        temperature: 1,
        length: 32,
        unit: "beats",
        takes: 1,
        root: null,
        scale: Object.keys(settings.scales)[0] ?? "",
        seed: randomSeed(),
        strength: 0.5,
        from_start: true
      };
    }
    settings;
    #values;
    #name = "piece";
    #listeners = /* @__PURE__ */ new Set();
    get values() {
      return this.#values;
    }
    /** The name of the piece, for files and for keeping it. */
    get name() {
      return this.#name;
    }
    set name(name) {
      this.#name = name;
      this.#notify();
    }
    /** The model that is asked. */
    get model() {
      const { models } = this.settings;
      return models.find(({ name }) => name === this.#values.model) ?? models[0];
    }
    /** The pitch classes of the scale, or null for any notes. */
    get pitchClasses() {
      const { root, scale } = this.#values;
      return root === null ? null : (this.settings.scales[scale] ?? []).map((step) => (step + root) % 12);
    }
    set(values) {
      this.#values = { ...this.#values, ...values };
      this.#notify();
    }
    subscribe(listener) {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    }
    #notify() {
      for (const listener of [...this.#listeners]) listener();
    }
  };

  // src/studio/form.ts
  function field(parent, text2, control) {
    const label = html("label", "", parent);
    label.append(`${text2} `, control);
    return control;
  }
  function pair(parent, text2, ...controls) {
    const label = html("label", "", parent);
    label.append(`${text2} `);
    html("span", "pair", label).append(...controls);
  }
  function select(id, name, options) {
    const element = Object.assign(document.createElement("select"), { id });
    if (name) element.setAttribute("aria-label", name);
    setOptions(element, options);
    return element;
  }
  function setOptions(element, options) {
    const chosen = element.value;
    element.replaceChildren(...options.map(([value, textContent]) => Object.assign(document.createElement("option"), { value, textContent })));
    if (options.some(([value]) => value === chosen)) element.value = chosen;
  }
  function numberField(id, name, { min, max, step = "any" }, type = "number") {
    const input = Object.assign(document.createElement("input"), { id, type, step: String(step), required: true });
    if (min !== void 0) input.min = String(min);
    if (max !== void 0) input.max = String(max);
    input.dataset.name = name;
    return input;
  }
  function button(parent, id, text2, onclick, name = "") {
    const element = Object.assign(html("button", name, parent), { id, type: "button", textContent: text2 });
    element.addEventListener("click", onclick);
    return element;
  }
  function heading(root, id, text2) {
    Object.assign(html("h2", "", root), { id: `${id}-heading`, textContent: text2 });
    root.setAttribute("role", "region");
    root.setAttribute("aria-labelledby", `${id}-heading`);
  }
  function checkFields(root) {
    for (const input of root.querySelectorAll("input")) {
      if (input.checkValidity()) continue;
      input.focus();
      throw new Error(`${input.dataset.name ?? input.id}: ${input.validationMessage}`);
    }
  }
  function refuse(element, reason) {
    const id = `${element.id}-reason`;
    let hint = element.ownerDocument.getElementById(id);
    if (!hint) {
      hint = html("span", "visually-hidden", element.parentElement);
      hint.id = id;
    }
    if (hint.textContent === (reason ?? "") && isRefused(element) === (reason !== null)) return;
    hint.textContent = reason ?? "";
    if (reason === null) {
      element.removeAttribute("aria-disabled");
      element.removeAttribute("aria-describedby");
      element.removeAttribute("title");
    } else {
      element.setAttribute("aria-disabled", "true");
      element.setAttribute("aria-describedby", id);
      element.title = reason;
    }
  }
  var isRefused = (element) => element.getAttribute("aria-disabled") === "true";
  function checkbox(parent, id, text2, change) {
    const label = html("label", "check", parent);
    const input = Object.assign(html("input", "", label), { id, type: "checkbox" });
    label.append(` ${text2}`);
    input.addEventListener("change", () => change(input.checked));
    return input;
  }
  function boundNumber(input, change) {
    input.addEventListener("change", () => {
      if (input.reportValidity()) change(input.valueAsNumber);
    });
    return {
      show: (value) => {
        const shown2 = String(Number(value.toFixed(3)));
        if (input.value !== shown2 && (document.activeElement !== input || input.checkValidity())) input.value = shown2;
      }
    };
  }

  // src/studio/ask.ts
  var TASKS = ["continue", "fill", "harmonise", "vary", "silence"];
  function mountAsk(root, page) {
    heading(root, "ask", "Ask a model");
    mountButtons(root, page);
    const fields = html("div", "fields", root);
    mountModel(root, fields, page);
    mountNumbers(fields, page);
    mountScale(fields, page);
  }
  function mountModel(root, fields, { settings, choices }) {
    const names = settings.models.map(({ name }) => [name, name]);
    const model = field(fields, "Model", select("model", null, names));
    const about = html("p", "hint", root);
    about.id = "about";
    model.setAttribute("aria-describedby", "about");
    model.addEventListener("change", () => choices.set({ model: model.value }));
    const show = () => {
      model.value = choices.model.name;
      about.textContent = aboutModel(choices.model.card, choices.model.conditional);
    };
    choices.subscribe(show);
    show();
  }
  function aboutModel(card, conditional) {
    const text2 = (name) => typeof card[name] === "string" ? card[name] : "";
    const scale = conditional ? "The scale is a condition of this model." : "With a scale, frames with notes outside it are drawn again.";
    const notFor = text2("not_for") && `Not for: ${text2("not_for")}`;
    return [text2("what"), text2("data"), notFor, scale].filter(Boolean).join(" ");
  }
  function bind(input, name, { choices }, shown2) {
    input.addEventListener("input", () => {
      if (input.checkValidity()) choices.set({ [name]: input.valueAsNumber });
    });
    const show = () => {
      if (input.valueAsNumber !== choices.values[name]) input.value = String(choices.values[name]);
      if (shown2) shown2.value = choices.values[name].toFixed(2);
    };
    choices.subscribe(show);
    show();
  }
  function slider(fields, id, text2, min, max, page) {
    const input = numberField(id, text2, { min, max, step: 0.05 }, "range");
    const output = Object.assign(document.createElement("output"), { id: `${id}-value` });
    output.htmlFor.add(id);
    pair(fields, text2, input, output);
    bind(input, id, page, output);
  }
  function mountNumbers(fields, page) {
    const { choices } = page;
    slider(fields, "temperature", "Temperature", ...TEMPERATURES, page);
    const length = numberField("length", "Length", { min: 1 });
    const unit = select("unit", "Unit of the length", [["beats", "beats"], ["seconds", "seconds"]]);
    pair(fields, "Length of Continue", length, unit);
    bind(length, "length", page);
    unit.addEventListener("change", () => choices.set({ unit: unit.value }));
    slider(fields, "strength", "Strength of Vary", 0.05, 1, page);
    const counts = Array.from({ length: Math.min(MAX_TAKES, page.settings.max_takes) }, (_, index) => [String(index + 1), String(index + 1)]);
    const takes = field(fields, "Takes", select("take-count", null, counts));
    takes.addEventListener("change", () => choices.set({ takes: Number(takes.value) }));
    const seed = numberField("seed", "Seed", { min: 0, max: MAX_SEED, step: 1 });
    const fresh = Object.assign(document.createElement("button"), { id: "new-seed", type: "button", textContent: "New" });
    fresh.setAttribute("aria-label", "New seed");
    fresh.addEventListener("click", () => choices.set({ seed: randomSeed() }));
    pair(fields, "Seed", seed, fresh);
    bind(seed, "seed", page);
    const show = () => {
      unit.value = choices.values.unit;
      takes.value = String(choices.values.takes);
    };
    choices.subscribe(show);
    show();
  }
  function mountScale(fields, { settings, choices }) {
    const roots = [["", "any notes"], ...settings.roots.map((root2, index) => [String(index), root2])];
    const root = select("root", null, roots);
    const scale = select("scale", "Kind of scale", Object.keys(settings.scales).map((kind2) => [kind2, kind2]));
    pair(fields, "Scale", root, scale);
    root.addEventListener("change", () => choices.set({ root: root.value === "" ? null : Number(root.value) }));
    scale.addEventListener("change", () => choices.set({ scale: scale.value }));
    const show = () => {
      root.value = choices.values.root === null ? "" : String(choices.values.root);
      scale.value = choices.values.scale;
      scale.disabled = choices.values.root === null;
    };
    choices.subscribe(show);
    show();
  }
  function mountButtons(root, page) {
    const { asking, store, choices, transport } = page;
    const bar = html("div", "bar actions", root);
    const buttons = new Map(TASKS.map((task) => [task, button(bar, task, LABELS[task], () => void press(task), task === "silence" ? "" : "main")]));
    const stop = button(bar, "stop", "Stop", () => {
      asking.stop();
      transport.pause();
    });
    const fromStart = Object.assign(document.createElement("input"), { id: "from-start", type: "checkbox" });
    html("label", "", bar).append(fromStart, " Play from the beginning");
    fromStart.addEventListener("change", () => choices.set({ from_start: fromStart.checked }));
    const show = () => {
      for (const [task, element] of buttons) {
        const asked = task === "silence" ? "continue" : task;
        const reason = task === "silence" ? choices.model.tasks.continue : refusal(asked, store.piece, store.selection, choices.model);
        refuse(element, asking.running ? "A model is writing. Press Stop first." : reason);
      }
      stop.disabled = !asking.running;
      fromStart.checked = choices.values.from_start;
    };
    async function press(task) {
      const pressed = buttons.get(task);
      if (isRefused(pressed)) return page.status(pressed.title);
      page.error("");
      try {
        checkFields(root);
      } catch (error) {
        page.status("");
        return page.error(messageOf(error));
      }
      transport.unlock();
      page.status("Generating …");
      try {
        const answer = asking.run(task);
        if (document.activeElement === pressed) stop.focus();
        const outcome = await answer;
        const text2 = { done: `Done: ${LABELS[task]}.`, stopped: "Stopped.", cancelled: "Stopped: another piece was started." };
        page.status(text2[outcome]);
      } catch (error) {
        page.status("");
        page.error(messageOf(error));
      } finally {
        if (document.activeElement === stop || document.activeElement === document.body) pressed.focus();
      }
    }
    for (const source of [asking, store, choices]) source.subscribe(show);
    addEventListener("pagehide", () => asking.stop());
    show();
  }

  // src/shared/music.ts
  function pitchName(pitch) {
    const names = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];
    return `${names[pitch % 12]}${Math.floor(pitch / 12) - 1}`;
  }
  var isBlackKey = (pitch) => [1, 3, 6, 8, 10].includes(pitch % 12);
  var clamp = (value, lowest, highest) => Math.min(Math.max(value, lowest), highest);

  // src/studio/edit.ts
  var EPSILON3 = 1e-6;
  var floorTo = (step, beat) => Math.floor(beat / step + EPSILON3) * step;
  var roundTo = (step, beat) => Math.round(beat / step) * step;
  var sameKey = (a, b) => a.part === b.part && a.pitch === b.pitch;
  function noteAt(piece, part, pitch, beat) {
    return piece.notes.find(
      (note2) => note2.part === part && note2.pitch === pitch && note2.start <= beat + EPSILON3 && noteEnd(note2) > beat + EPSILON3
    );
  }
  function byKey(notes) {
    const map = /* @__PURE__ */ new Map();
    for (const note2 of notes) {
      const key = note2.part * 128 + note2.pitch;
      const list2 = map.get(key);
      if (list2) list2.push(note2);
      else map.set(key, [note2]);
    }
    return map;
  }
  var ofKey = (map, note2) => map.get(note2.part * 128 + note2.pitch) ?? [];
  function nextStart(notes, note2, end) {
    let next2 = end;
    for (const { start: start2 } of notes) if (start2 > note2.start + EPSILON3 && start2 < next2) next2 = start2;
    return next2;
  }
  function lay(piece, notes) {
    const wanted = byKey(notes);
    const laid = [];
    for (const note2 of notes) {
      const list2 = ofKey(wanted, note2);
      if (list2.find((other) => Math.abs(other.start - note2.start) < EPSILON3) !== note2) continue;
      const length = Math.min(note2.length, nextStart(list2, note2, piece.beats) - note2.start);
      if (length > EPSILON3) laid.push(length === note2.length ? note2 : { ...note2, length });
    }
    const over = byKey(laid);
    const kept = [];
    for (const note2 of piece.notes) {
      let end = noteEnd(note2);
      for (const other of ofKey(over, note2)) {
        if (other.start < noteEnd(note2) - EPSILON3 && noteEnd(other) > note2.start + EPSILON3) end = Math.min(end, other.start);
      }
      if (end > note2.start + EPSILON3) kept.push(end === noteEnd(note2) ? note2 : { ...note2, length: end - note2.start });
    }
    return { piece: withNotes(piece, [...kept, ...laid]), notes: laid };
  }
  function without(piece, notes) {
    const gone = new Set(notes);
    return withNotes(piece, piece.notes.filter((note2) => !gone.has(note2)));
  }
  function replace(piece, old, notes) {
    return lay(without(piece, old), notes);
  }
  function draw(piece, note2, bounds) {
    const [lowest, highest] = bounds.pitches(note2.part);
    const start2 = clamp(floorTo(bounds.step, note2.start), 0, Math.max(piece.beats - bounds.step, 0));
    if (note2.pitch < lowest || note2.pitch > highest) return { piece, notes: [] };
    const drawn = { ...note2, start: start2 };
    return lay(piece, [{ ...drawn, length: Math.min(note2.length, roomAfter(piece, drawn)) }]);
  }
  function roomAfter(piece, note2) {
    return nextStart(piece.notes.filter((other) => sameKey(other, note2)), note2, piece.beats) - note2.start;
  }
  function move(piece, notes, beats, semitones, bounds) {
    if (!notes.length) return { piece, notes };
    let [up, down] = [Infinity, Infinity];
    for (const { part, pitch } of notes) {
      const [lowest, highest] = bounds.pitches(part);
      up = Math.min(up, Math.max(highest - pitch, 0));
      down = Math.min(down, Math.max(pitch - lowest, 0));
    }
    const first = Math.min(...notes.map(({ start: start2 }) => start2));
    const last = Math.max(...notes.map(({ start: start2 }) => start2));
    const along = clamp(beats, -first, Math.max(piece.beats - bounds.step - last, 0));
    const rise = clamp(semitones, -down, up);
    if (Math.abs(along) < EPSILON3 && rise === 0) return { piece, notes };
    const moved = notes.map((note2) => ({ ...note2, start: note2.start + along, pitch: note2.pitch + rise }));
    return replace(piece, notes, moved);
  }
  function stretch(piece, notes, beats, bounds) {
    const rest = without(piece, notes);
    const others = byKey(rest.notes);
    const stretched = notes.map((note2) => {
      const shortest = Math.min(bounds.step, note2.length);
      const room = nextStart(ofKey(others, note2), note2, piece.beats) - note2.start;
      const length = clamp(note2.length + beats, shortest, Math.max(room, shortest));
      return length === note2.length ? note2 : { ...note2, length };
    });
    if (stretched.every((note2, index) => note2 === notes[index])) return { piece, notes };
    return lay(rest, stretched);
  }
  function louden(piece, notes, by) {
    const changed = notes.map((note2) => ({ ...note2, velocity: clamp(Math.round(note2.velocity + by), 1, 127) }));
    return replace(piece, notes, changed);
  }
  function copied(notes, step) {
    const origin = floorTo(step, Math.min(...notes.map(({ start: start2 }) => start2)));
    return notes.map((note2) => ({ ...note2, start: note2.start - origin }));
  }
  function paste(piece, notes, beat, bounds) {
    const placed = notes.map((note2) => ({ ...note2, start: note2.start + floorTo(bounds.step, beat) })).filter(({ part, pitch, start: start2 }) => {
      const [lowest, highest] = bounds.pitches(part);
      return part < piece.parts.length && pitch >= lowest && pitch <= highest && start2 < piece.beats - EPSILON3;
    });
    return lay(piece, placed);
  }
  function notesIn(piece, [from, until], [low, high]) {
    return piece.notes.filter(
      (note2) => note2.start < until - EPSILON3 && noteEnd(note2) > from + EPSILON3 && note2.pitch >= low && note2.pitch <= high
    );
  }
  function withBeats(piece, beats) {
    const notes = piece.notes.filter(({ start: start2 }) => start2 < beats - EPSILON3).map((note2) => noteEnd(note2) > beats ? { ...note2, length: beats - note2.start } : note2);
    return { ...piece, beats, notes };
  }
  function reaching(piece, beat, most) {
    const bars = Math.floor(beat / piece.beats_per_bar + EPSILON3) + 1;
    const beats = Math.min(Math.max(bars * piece.beats_per_bar, piece.beats), most);
    return beat < piece.beats - EPSILON3 || beats <= piece.beats ? piece : { ...piece, beats };
  }
  function withPart(piece, index, change) {
    return { ...piece, parts: piece.parts.map((part, at) => at === index ? { ...part, ...change } : part) };
  }
  function addPart(piece, part) {
    return { ...piece, parts: [...piece.parts, part] };
  }
  function removePart(piece, index) {
    const notes = piece.notes.filter(({ part }) => part !== index).map((note2) => note2.part > index ? { ...note2, part: note2.part - 1 } : note2);
    return withNotes({ ...piece, parts: piece.parts.filter((_, at) => at !== index) }, notes);
  }

  // src/studio/editing.ts
  var Editing = class {
    constructor(page, roll) {
      this.page = page;
      this.roll = roll;
    }
    page;
    roll;
    tool = "draw";
    length = 1;
    // beats of a new note
    velocity = 80;
    // of a new note
    drawn = null;
    // by the last press of the pointer
    #clipboard = [];
    /** The selected notes, or the note under the cursor. */
    get chosen() {
      const { notes } = this.page.store.selection;
      return notes.length ? notes : this.underCursor;
    }
    get underCursor() {
      const { beat, pitch } = this.roll.cursor;
      const { step } = this.roll.bounds;
      const sounding = this.roll.index.between(beat + 1e-6, beat + step - 1e-6).filter((note3) => note3.pitch === pitch);
      const note2 = sounding.find(({ part }) => part === this.page.part) ?? sounding[0];
      return note2 ? [note2] : [];
    }
    apply(label, edit, gesture = null) {
      this.page.store.change(label, edit.piece, gesture, edit.notes);
    }
    /** Draws a note; returns it. Behind the end, the piece becomes longer. */
    draw(beat, pitch, gesture = null) {
      const { page, roll, velocity } = this;
      const note2 = { part: page.part, pitch, start: beat, length: this.length, velocity };
      const edit = draw(reaching(page.store.piece, beat, page.settings.max_beats), note2, roll.bounds);
      const [drawn] = edit.notes;
      if (!drawn) {
        const [lowest, highest] = roll.bounds.pitches(page.part);
        page.status(`${page.store.piece.parts[page.part]?.name ?? "The part"} is written between MIDI pitches ${lowest} and ${highest}.`);
        return void 0;
      }
      this.apply("Draw a note", edit, gesture);
      this.sound(drawn);
      return drawn;
    }
    remove(notes) {
      if (!notes.length) return;
      const label = notes.length === 1 ? "Remove a note" : `Remove ${notes.length} notes`;
      this.page.store.change(label, without(this.page.store.piece, notes));
    }
    /** Moves the chosen notes; returns by how many beats and semitones they have moved. */
    move(beats, semitones) {
      const notes = this.chosen;
      const edit = move(this.page.store.piece, notes, beats, semitones, this.roll.bounds);
      this.apply("Move notes", edit);
      const [before2, after] = [notes[0], edit.notes[0]];
      if (!before2 || !after) return [0, 0];
      if (semitones) this.sound(after);
      return [after.start - before2.start, after.pitch - before2.pitch];
    }
    stretch(beats) {
      this.apply("Change lengths", stretch(this.page.store.piece, this.chosen, beats, this.roll.bounds));
    }
    louden(by) {
      const edit = louden(this.page.store.piece, this.chosen, by);
      this.apply("Change velocities", edit);
      const [first] = edit.notes;
      if (!first) return;
      this.velocity = first.velocity;
      this.sound(first);
    }
    copy() {
      const notes = this.chosen;
      if (notes.length) this.#clipboard = copied(notes, this.roll.bounds.step);
      return notes;
    }
    cut() {
      this.remove(this.copy());
    }
    paste(beat = this.roll.cursor.beat) {
      if (!this.#clipboard.length) return this.page.status("Nothing is copied.");
      const edit = paste(this.page.store.piece, this.#clipboard, beat, this.roll.bounds);
      if (!edit.notes.length) return this.page.status("The copied notes do not fit here.");
      this.apply(edit.notes.length === 1 ? "Paste a note" : `Paste ${edit.notes.length} notes`, edit);
    }
    /** Copies the selected notes behind themselves. */
    duplicate() {
      const { store } = this.page;
      const notes = this.chosen;
      if (!notes.length) return;
      const { step } = this.roll.bounds;
      const from = Math.min(...notes.map(({ start: start2 }) => start2));
      const until = Math.max(...notes.map(({ start: start2, length }) => start2 + length));
      const span = Math.max(Math.ceil((until - from) / step - 1e-6) * step, step);
      const edit = paste(store.piece, copied(notes, step), from + span, this.roll.bounds);
      if (edit.notes.length) this.apply("Duplicate notes", edit);
      else this.page.status("The piece ends here. Make it longer to repeat these notes.");
    }
    selectAll() {
      const { piece, selection } = this.page.store;
      const [from, until] = selection.bars ? [(selection.bars[0] - 1) * piece.beats_per_bar, selection.bars[1] * piece.beats_per_bar] : [0, piece.beats];
      this.page.store.select({ notes: piece.notes.filter(({ start: start2 }) => start2 >= from - 1e-6 && start2 < until - 1e-6) });
    }
    undo() {
      const label = this.page.store.undoable;
      if (this.page.store.undo()) this.page.status(`Undone: ${label}.`);
    }
    redo() {
      const label = this.page.store.redoable;
      if (this.page.store.redo()) this.page.status(`Done again: ${label}.`);
    }
    sound({ part, pitch, velocity }) {
      this.page.transport.sound(part, pitch, velocity);
    }
  };
  var Drag = class _Drag {
    constructor(editing, notes, gesture = _Drag.nextGesture()) {
      this.editing = editing;
      this.notes = notes;
      this.gesture = gesture;
      this.#base = this.#last = editing.page.store.piece;
      this.#current = notes;
    }
    editing;
    notes;
    gesture;
    static #count = 0;
    #base;
    #last;
    #current;
    #isOver = false;
    static nextGesture() {
      return `drag ${_Drag.#count++}`;
    }
    to(label, change) {
      const { store } = this.editing.page;
      if (this.#isOver ||= !keepsParts(this.#last, store.piece)) return this.#current;
      if (store.piece !== this.#last) this.#base = replace(store.piece, this.#current, this.notes).piece;
      const edit = change({ piece: this.#base, notes: this.notes });
      store.change(label, edit.piece, this.gesture, edit.notes);
      this.#last = store.piece;
      return this.#current = edit.notes;
    }
    end() {
      this.editing.page.store.endGesture();
    }
  };

  // src/shared/time_index.ts
  function firstFrom(items, position, positionOf) {
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = low + high >> 1;
      if (positionOf(items[middle]) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  var TimeIndex = class {
    #items;
    #startOf;
    #endOf;
    #longest;
    constructor(items, startOf2, endOf) {
      this.#items = items;
      this.#startOf = startOf2;
      this.#endOf = endOf;
      this.#longest = items.reduce((longest, item) => Math.max(longest, endOf(item) - startOf2(item)), 0);
    }
    /** The items that last into the time from `from` to `until`, in their order. */
    between(from, until) {
      const first = firstFrom(this.#items, from - this.#longest, this.#startOf);
      const last = firstFrom(this.#items, until, this.#startOf);
      return this.#items.slice(first, last).filter((item) => this.#endOf(item) > from);
    }
  };

  // src/studio/geometry.ts
  var KEYS = 44;
  var RULER = 24;
  var END = 8;
  var BEAT_PIXELS = [6, 240];
  var ROW_PIXELS = [6, 28];
  var xOf = (geometry, beat) => beat * geometry.beat;
  var yOf = (geometry, pitch) => (geometry.highest - pitch) * geometry.row;
  var beatAt = (geometry, x) => x / geometry.beat;
  var pitchAt = (geometry, y) => clamp(geometry.highest - Math.floor(y / geometry.row), geometry.lowest, geometry.highest);
  function shownPitches(piece, lowest, highest) {
    let [low, high] = [lowest, highest];
    for (const { pitch } of piece.notes) {
      if (pitch < low) low = pitch;
      if (pitch > high) high = pitch;
    }
    return [low, high];
  }
  var NoteIndex = class extends TimeIndex {
    constructor(piece) {
      super(piece.notes, ({ start: start2 }) => start2, noteEnd);
    }
  };
  function hit(index, geometry, x, y, part) {
    const beat = beatAt(geometry, x);
    const pitch = pitchAt(geometry, y);
    const under = index.between(beat, beat + 1e-9).filter((note3) => note3.pitch === pitch);
    const note2 = under.find((one) => one.part === part) ?? under.at(-1);
    if (!note2) return null;
    const right = xOf(geometry, noteEnd(note2));
    const zone = Math.min(END, note2.length * geometry.beat / 3);
    return { note: note2, end: right - x <= zone };
  }
  function barStep(geometry, beatsPerBar) {
    let bars = 1;
    while (bars * beatsPerBar * geometry.beat < 36) bars *= bars === 1 ? 4 : 2;
    return bars;
  }

  // src/studio/painting.ts
  var PART_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98"];
  var partColour = (part) => PART_COLOURS[part % PART_COLOURS.length];
  function paint(context, scene, window2, colours) {
    const { width, height } = window2;
    context.globalAlpha = 1;
    context.fillStyle = colours.ground;
    context.fillRect(0, 0, width, height);
    context.save();
    context.beginPath();
    context.rect(KEYS, RULER, width - KEYS, height - RULER);
    context.clip();
    context.translate(KEYS - window2.left, RULER - window2.top);
    const [from, until] = visibleBeats(scene, window2);
    paintRows(context, scene, window2, colours);
    paintLines(context, scene, window2, colours, from, until);
    paintNotes(context, scene, colours, from, until);
    paintMarks(context, scene, colours);
    context.restore();
    paintKeys(context, scene, window2, colours);
    paintRuler(context, scene, window2, colours, from, until);
  }
  function visibleBeats({ geometry, piece }, { left, width }) {
    return [left / geometry.beat, Math.min((left + width - KEYS) / geometry.beat, piece.beats)];
  }
  function visiblePitches({ geometry }, { top, height }) {
    const highest = geometry.highest - Math.floor(top / geometry.row);
    const lowest = geometry.highest - Math.ceil((top + height - RULER) / geometry.row);
    return [Math.max(lowest, geometry.lowest), Math.min(highest, geometry.highest)];
  }
  function paintRows(context, scene, window2, colours) {
    const { geometry, piece, writable } = scene;
    const [low, high] = visiblePitches(scene, window2);
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
  function paintLines(context, scene, window2, colours, from, until) {
    const { geometry, piece, step } = scene;
    const [top, bottom] = [window2.top, window2.top + window2.height];
    const lines = (every, colour, alpha) => {
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
  function paintNotes(context, scene, colours, from, until) {
    const { geometry, index, part, selection, silent } = scene;
    const selected = new Set(selection.notes);
    const visible = index.between(from, until);
    for (const own of [false, true]) {
      for (const note2 of visible) {
        if (note2.part === part !== own) continue;
        const [x, y] = [xOf(geometry, note2.start), yOf(geometry, note2.pitch)];
        const width = Math.max(note2.length * geometry.beat - 1, 2);
        context.globalAlpha = 1;
        context.fillStyle = colours.ground;
        context.fillRect(x + 0.5, y + 1, width, geometry.row - 2);
        context.globalAlpha = (0.3 + 0.7 * note2.velocity / 127) * (silent.has(note2.part) ? 0.35 : 1);
        context.fillStyle = partColour(note2.part);
        context.fillRect(x + 0.5, y + 1, width, geometry.row - 2);
        context.globalAlpha = 1;
        context.strokeStyle = selected.has(note2) ? colours.text : partColour(note2.part);
        context.lineWidth = selected.has(note2) ? 2.5 : 1;
        context.strokeRect(x + 1, y + 1.5, Math.max(width - 1, 1), geometry.row - 3);
      }
    }
  }
  function paintMarks(context, scene, colours) {
    const { cursor, geometry, rectangle: rectangle2, step } = scene;
    context.strokeStyle = colours.text;
    if (cursor) {
      context.lineWidth = 2;
      context.strokeRect(xOf(geometry, cursor.beat), yOf(geometry, cursor.pitch), step * geometry.beat, geometry.row);
    }
    if (rectangle2) {
      const [beat, pitch, otherBeat, otherPitch] = rectangle2;
      const [high, low] = [Math.max(pitch, otherPitch), Math.min(pitch, otherPitch)];
      context.lineWidth = 1;
      context.setLineDash([4, 3]);
      context.strokeRect(
        xOf(geometry, Math.min(beat, otherBeat)),
        yOf(geometry, high),
        Math.abs(beat - otherBeat) * geometry.beat,
        (high - low + 1) * geometry.row
      );
      context.setLineDash([]);
    }
  }
  function paintKeys(context, scene, window2, colours) {
    const { geometry, writable } = scene;
    const [low, high] = visiblePitches(scene, window2);
    context.save();
    context.beginPath();
    context.rect(0, RULER, KEYS, window2.height - RULER);
    context.clip();
    context.fillStyle = "#fbfbfb";
    context.fillRect(0, RULER, KEYS, window2.height);
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.font = `${Math.min(geometry.row, 11)}px system-ui, sans-serif`;
    for (let pitch = low; pitch <= high; pitch++) {
      const y = RULER - window2.top + yOf(geometry, pitch);
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
    context.fillRect(KEYS - 1, 0, 1, window2.height);
  }
  function paintRuler(context, scene, window2, colours, from, until) {
    const { geometry, piece, selection } = scene;
    context.fillStyle = colours.sunk;
    context.fillRect(0, 0, window2.width, RULER);
    context.fillStyle = colours.edge;
    context.fillRect(0, RULER - 1, window2.width, 1);
    context.save();
    context.beginPath();
    context.rect(KEYS, 0, window2.width - KEYS, RULER);
    context.clip();
    context.translate(KEYS - window2.left, 0);
    if (selection.bars) {
      const [first2, last] = barBeats(piece, selection.bars);
      context.fillStyle = colours.text;
      context.fillRect(xOf(geometry, first2), 0, xOf(geometry, last - first2), RULER);
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

  // src/studio/picture.ts
  var MAX_WIDTH = 8e3;
  var BEAT = 24;
  var ROW = 8;
  var MARGIN = 8;
  function frameOf({ beats, notes }) {
    const pitches = notes.map(({ pitch }) => pitch);
    const middle = pitches.length ? pitches : [60];
    let [lowest, highest] = [Math.min(...middle), Math.max(...middle)];
    const missing = Math.max(11 - (highest - lowest), 0);
    [lowest, highest] = [lowest - Math.floor(missing / 2) - 1, highest + Math.ceil(missing / 2) + 1];
    const end = Math.max(beats, ...notes.map(noteEnd), 1);
    const beat = Math.min(BEAT, (MAX_WIDTH - 2 * MARGIN) / end);
    return { beat, width: Math.ceil(end * beat + 2 * MARGIN), height: (highest - lowest + 1) * ROW + 2 * MARGIN, highest };
  }
  async function pictureOf(piece) {
    const { beat, width, height, highest } = frameOf(piece);
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#ddd";
    for (let at = 0; at <= piece.beats + 1e-6; at += piece.beats_per_bar) context.fillRect(Math.round(MARGIN + at * beat), 0, 1, height);
    for (const { part, pitch, start: start2, length, velocity } of piece.notes) {
      context.fillStyle = partColour(part);
      context.globalAlpha = 0.35 + 0.65 * velocity / 127;
      context.fillRect(MARGIN + start2 * beat, MARGIN + (highest - pitch) * ROW, Math.max(length * beat - 1, 1), ROW - 1);
    }
    return new Promise(
      (resolve, reject) => canvas.toBlob((blob) => blob ? resolve(blob) : reject(new Error("The browser cannot make a picture of this size.")), "image/png")
    );
  }

  // src/studio/saved.ts
  var FORMAT = "pianoroll-seq2seq session";
  var VERSION = 1;
  function sessionText({ name, piece, choices }) {
    return JSON.stringify({ format: FORMAT, version: VERSION, name, piece, choices });
  }
  function readSession(source, settings) {
    let value;
    try {
      value = JSON.parse(source);
    } catch {
      throw new Error("This is not a session of the studio: it is not JSON.");
    }
    const fields = object(value, "session");
    if (fields.format !== FORMAT) throw new Error(`format: expected "${FORMAT}". The file is not a session of the studio.`);
    if (fields.version !== VERSION) throw new Error(`version: expected ${VERSION}, got ${JSON.stringify(fields.version) ?? "nothing"}.`);
    const changes = [];
    const choices = readChoices(fields.choices, settings, changes);
    return { session: { name: text(fields.name, "name"), piece: checkedPiece(fields.piece, "piece"), choices }, changes };
  }
  function readChoices(value, settings, changes) {
    const fields = object(value, "choices");
    let model = text(fields.model, "choices.model");
    if (!settings.models.some(({ name }) => name === model)) {
      const [first] = settings.models;
      changes.push(`The model ${model} is not open here; ${first.name} takes its place.`);
      model = first.name;
    }
    let scale = text(fields.scale, "choices.scale");
    let root = fields.root === null ? null : integer(fields.root, "choices.root", 0, 11);
    if (!Object.hasOwn(settings.scales, scale)) {
      if (root !== null) changes.push(`The scale ${scale} is not known here; any notes are allowed.`);
      [scale, root] = [Object.keys(settings.scales)[0] ?? "", null];
    }
    const unit = text(fields.unit, "choices.unit");
    if (unit !== "beats" && unit !== "seconds") throw new Error(`choices.unit: expected beats or seconds, got ${JSON.stringify(unit)}.`);
    return {
      model,
      temperature: real(fields.temperature, "choices.temperature", ...TEMPERATURES),
      length: real(fields.length, "choices.length", 1, 1e5),
      unit,
      takes: integer(fields.takes, "choices.takes", 1, MAX_TAKES),
      root,
      scale,
      seed: integer(fields.seed, "choices.seed", 0, MAX_SEED),
      strength: real(fields.strength, "choices.strength", 0.01, 1),
      from_start: flag(fields.from_start, "choices.from_start")
    };
  }
  var CURRENT = "pianoroll-studio.current";
  var SET_ASIDE = "pianoroll-studio.set-aside";
  var KEPT = "pianoroll-studio.kept.";
  var Sessions = class {
    // as the browser has it, if it had room
    constructor(shelf, tab, settings) {
      this.shelf = shelf;
      this.tab = tab;
      this.settings = settings;
    }
    shelf;
    tab;
    settings;
    #setAside = null;
    /** @throws Error if the browser keeps nothing more. */
    save(session) {
      const source = sessionText(session);
      this.#write(this.tab, CURRENT, source);
      this.#write(this.shelf, CURRENT, source);
    }
    /** The session of before, or null, and sentences about what was changed or could not be read. */
    restore() {
      for (const shelf of [this.tab, this.shelf]) {
        const source = shelf.getItem(CURRENT);
        if (source === null) continue;
        try {
          return readSession(source, this.settings);
        } catch (error) {
          shelf.removeItem(CURRENT);
          return { session: null, changes: [`The saved piece cannot be read and was set aside. ${messageOf(error)}`, ...this.#putAside(source)] };
        }
      }
      return { session: null, changes: [] };
    }
    /** The text of a session that could not be read, or null. */
    get setAside() {
      return this.#setAside ?? this.shelf.getItem(SET_ASIDE);
    }
    /** Returns what went wrong, as sentences. */
    #putAside(source) {
      this.#setAside = source;
      try {
        this.#write(this.shelf, SET_ASIDE, source);
        return [];
      } catch (error) {
        return [messageOf(error)];
      }
    }
    discardSetAside() {
      this.#setAside = null;
      this.shelf.removeItem(SET_ASIDE);
    }
    /** Names of kept pieces, in order. */
    get names() {
      const keys = Array.from({ length: this.shelf.length }, (_, index) => this.shelf.key(index) ?? "");
      return keys.filter((key) => key.startsWith(KEPT)).map((key) => key.slice(KEPT.length)).sort();
    }
    keep(session) {
      this.#write(this.shelf, KEPT + session.name, sessionText(session));
    }
    /** @throws Error naming the field that is wrong. */
    kept(name) {
      const source = this.shelf.getItem(KEPT + name);
      if (source === null) throw new Error(`No piece is kept as ${name}.`);
      return readSession(source, this.settings);
    }
    remove(name) {
      this.shelf.removeItem(KEPT + name);
    }
    #write(shelf, key, source) {
      try {
        shelf.setItem(key, source);
      } catch {
        throw new Error("The browser has no room for more pieces. Remove some, or save this one as a file.");
      }
    }
  };

  // src/studio/session.ts
  var DELAY = 400;
  function openSession({ store, choices }, { piece, choices: values, name }) {
    store.change(`Open ${name}`, piece);
    choices.set(values);
  }
  function mountSession(root, page) {
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Your pieces");
    const sessions = new Sessions(localStorage, sessionStorage, page.settings);
    restore(page, sessions);
    const name = mountName(root, page);
    const flush = saveByItself(page, sessions);
    mountKept(page, sessions, name, flush);
    mountSetAside(root, page, sessions);
  }
  function current({ store, choices }) {
    return { name: choices.name, piece: store.piece, choices: choices.values };
  }
  function restore(page, sessions) {
    try {
      const { session, changes } = sessions.restore();
      if (session) {
        page.store.open(session.piece);
        page.choices.set(session.choices);
        page.choices.name = session.name;
      }
      if (changes.length) page.status(changes.join(" "));
    } catch (error) {
      page.error(messageOf(error));
    }
  }
  function mountName(root, { choices }) {
    const input = Object.assign(document.createElement("input"), { id: "piece-name", type: "text", maxLength: 80 });
    field(html("div", "bar", root), "Name", input);
    input.addEventListener("input", () => choices.name = input.value);
    const show = () => {
      if (input.value !== choices.name) input.value = choices.name;
    };
    choices.subscribe(show);
    show();
    return input;
  }
  function saveByItself(page, sessions) {
    let timer = null;
    let complained = false;
    const save = () => {
      if (timer === null) return;
      clearTimeout(timer);
      timer = null;
      try {
        sessions.save(current(page));
        complained = false;
      } catch (error) {
        if (!complained) page.error(messageOf(error));
        complained = true;
      }
    };
    const later = () => {
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(save, DELAY);
    };
    let piece = page.store.piece;
    page.store.subscribe(() => {
      if (page.store.piece === piece) return;
      piece = page.store.piece;
      later();
    });
    page.choices.subscribe(later);
    addEventListener("pagehide", save);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") save();
    });
    return save;
  }
  function mountKept(page, sessions, name, flush) {
    const bar = name.closest("div");
    const kept = Object.assign(document.createElement("select"), { id: "kept" });
    button(
      bar,
      "keep-piece",
      "Keep",
      () => attempt2(() => {
        const own = name.value.trim();
        if (!own) {
          name.focus();
          throw new Error("Name: a name is missing.");
        }
        page.choices.name = own;
        sessions.keep(current(page));
        show(own);
        page.status(`${own} is kept in this browser.`);
      })
    );
    field(bar, "Kept pieces", kept);
    const open2 = button(
      bar,
      "open-kept",
      "Open",
      () => attempt2(() => {
        flush();
        const { session, changes } = sessions.kept(kept.value);
        openSession(page, session);
        page.choices.name = session.name;
        page.status([`${session.name} is open.`, ...changes].join(" "));
      })
    );
    const remove = button(bar, "remove-kept", "Remove", () => {
      const removed = kept.value;
      sessions.remove(removed);
      show();
      page.status(`${removed} is removed.`);
      if (remove.disabled) name.focus();
    });
    open2.setAttribute("aria-label", "Open the kept piece");
    remove.setAttribute("aria-label", "Remove the kept piece");
    function show(selected) {
      setOptions(kept, sessions.names.map((one) => [one, one]));
      if (selected !== void 0) kept.value = selected;
      kept.disabled = open2.disabled = remove.disabled = kept.options.length === 0;
    }
    function attempt2(act) {
      page.error("");
      try {
        act();
      } catch (error) {
        page.error(messageOf(error));
      }
    }
    show();
  }
  function mountSetAside(root, page, sessions) {
    const text2 = sessions.setAside;
    if (text2 === null) return;
    const bar = html("div", "bar", root);
    html("span", "", bar).textContent = "A piece that cannot be read was set aside.";
    const link = Object.assign(html("a", "", bar), { download: "set-aside.json", textContent: "Save it as a file" });
    link.href = URL.createObjectURL(new Blob([text2], { type: "application/json" }));
    button(bar, "discard", "Discard", () => {
      sessions.discardSetAside();
      bar.remove();
      page.status("The piece that was set aside is discarded.");
      root.querySelector("#piece-name")?.focus();
    });
  }

  // src/studio/share.ts
  var kind = (format, text2, suffix, type, isScore = false) => ({ format, text: text2, suffix, type, isScore });
  var KINDS = [
    kind("mid", "MIDI file", ".mid", "audio/midi"),
    kind("musicxml", "MusicXML", ".musicxml", "application/vnd.recordare.musicxml+xml"),
    kind("wav", "Sound, WAV", ".wav", "audio/wav"),
    kind("png", "Picture of the roll, PNG", ".png", "image/png"),
    kind("svg", "Score, SVG", ".svg", "image/svg+xml", true),
    kind("pdf", "Score, PDF", ".pdf", "application/pdf", true),
    kind("json", "Session: piece and settings", ".json", "application/json")
  ];
  var kindOf = (format) => KINDS.find((one) => one.format === format);
  function fileName(name, { suffix }) {
    const plain = name.normalize("NFC").replace(/[\u0000-\u001f\u007f/\\:*?"<>|]+/g, " ").replace(/\s+/g, " ").replace(/^[ .]+|[ .]+$/g, "");
    return `${plain.slice(0, 80).trim() || "piece"}${suffix}`;
  }
  var pieceName = (file) => file.replace(/\.[A-Za-z0-9]{1,8}$/, "").slice(0, 80) || "piece";
  var isSessionFile = ({ name, type }) => name.toLowerCase().endsWith(".json") || type === "application/json";
  async function exported(format, piece) {
    const response = await post(`/export?format=${format}`, JSON.stringify(piece));
    return new Blob([await response.arrayBuffer()], { type: kindOf(format).type });
  }
  var downloadUrl = (type, name, url) => `${type}:${name.replaceAll(":", " ")}:${url}`;
  var bringsFiles = (types) => types.includes("Files");

  // src/studio/takes.ts
  var countNotes = (count) => count === 1 ? "1 note" : `${count} notes`;
  function describeTake({ notes, done }, running) {
    if (done) return countNotes(notes.length);
    return running ? `${countNotes(notes.length)}, arriving` : `${countNotes(notes.length)}, stopped`;
  }
  function mountTakes(root, page) {
    const { asking, transport } = page;
    heading(root, "takes", "Takes");
    const list2 = html("ul", "takes", root);
    const show = () => {
      const focused = document.activeElement?.id ?? "";
      root.hidden = asking.takes.length < 2 && !(asking.takes.length && !asking.running);
      list2.replaceChildren(...asking.takes.map(row));
      if (focused) document.getElementById(focused)?.focus();
    };
    function row(take) {
      const item = document.createElement("li");
      item.className = "bar";
      const name = html("span", "", item);
      name.textContent = `${take.name}: ${describeTake(take, asking.running)}${asking.heard === take.id ? " · in the piece" : ""}`;
      const group = html("span", "pair", item);
      const add = (verb, act, said) => {
        const element = button(group, `${verb.toLowerCase()}-${take.id}`, verb, () => {
          transport.unlock();
          act(take.id);
          page.status(said);
          if (!element.isConnected) (list2.querySelector("button") ?? document.getElementById("continue"))?.focus();
        });
        element.setAttribute("aria-label", `${verb} ${take.name}`);
        element.disabled = asking.running;
      };
      add("Hear", (id) => asking.hear(id), `${take.name} is in the piece.`);
      add("Keep", (id) => asking.keep(id), `${take.name} is kept.`);
      add("Drop", (id) => asking.drop(id), `${take.name} is dropped.`);
      return item;
    }
    asking.subscribe(show);
    show();
  }

  // src/studio/files.ts
  var ACCEPTED = ".mid,.midi,.musicxml,.xml,.mxl,.json,audio/midi";
  function mountFiles(root, page) {
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Files");
    const bar = html("div", "bar", root);
    mountOpen(bar, page);
    mountSave(bar, page);
    mountDrag(bar, page);
  }
  async function attempt(page, act) {
    page.error("");
    try {
      page.status(await act());
    } catch (error) {
      page.error(messageOf(error));
    }
  }
  async function open(file, page) {
    const { settings, store, choices } = page;
    if (file.size > settings.max_file_bytes) throw new Error(`${file.name}: ${file.size} bytes; the limit is ${settings.max_file_bytes}.`);
    const name = pieceName(file.name);
    if (isSessionFile(file)) {
      const { session, changes: changes2 } = readNamed(file.name, await file.text(), page);
      openSession(page, session);
      choices.name = session.name;
      return [`${file.name} is open, with its settings.`, ...changes2].join(" ");
    }
    const query = new URLSearchParams({ model: choices.model.name });
    const response = await post(`/open?${query}`, file);
    const { piece, changes } = openedFile(await response.json());
    store.change(`Open ${name}`, piece);
    choices.name = name;
    return [`${file.name} is open: ${countNotes(piece.notes.length)}.`, ...changes].join(" ");
  }
  function readNamed(name, text2, { settings }) {
    try {
      return readSession(text2, settings);
    } catch (error) {
      throw new Error(`${name}: ${messageOf(error)}`);
    }
  }
  function mountOpen(bar, page) {
    const input = Object.assign(document.createElement("input"), { id: "open-file", type: "file", accept: ACCEPTED });
    const label = html("label", "file", bar);
    label.append("Open a file", input);
    label.title = "MIDI, MusicXML, or a session of the studio. A file can also be dropped on the page.";
    input.addEventListener("change", () => {
      const [file] = input.files ?? [];
      if (file) void attempt(page, () => open(file, page)).then(() => input.value = "");
    });
    const mark = (on) => document.body.classList.toggle("dropping", on);
    document.addEventListener("dragover", (event) => {
      if (!bringsFiles(event.dataTransfer?.types ?? [])) return;
      event.preventDefault();
      mark(true);
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) mark(false);
    });
    document.addEventListener("drop", (event) => {
      mark(false);
      if (!bringsFiles(event.dataTransfer?.types ?? [])) return;
      event.preventDefault();
      const files = event.dataTransfer?.files;
      const file = files?.[0];
      if (files?.length !== 1 || !file) return page.error("Drop one file at a time.");
      void attempt(page, () => open(file, page));
    });
  }
  async function fileOf(format, { store, choices }) {
    const { piece } = store;
    if (format === "png") return pictureOf(piece);
    if (format !== "json") return exported(format, piece);
    return new Blob([sessionText({ name: choices.name, piece, choices: choices.values })], { type: kindOf(format).type });
  }
  function download(blob, name) {
    const href = URL.createObjectURL(blob);
    Object.assign(document.createElement("a"), { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 6e4);
  }
  function mountSave(bar, page) {
    const kinds = KINDS.filter(({ isScore }) => !isScore || page.settings.scores === null);
    const format = field(bar, "Save as", select("save-format", null, kinds.map((kind2) => [kind2.format, kind2.text])));
    if (page.settings.scores !== null) format.title = page.settings.scores;
    const save = button(bar, "save-file", "Save", () => {
      const kind2 = kindOf(format.value);
      const name = fileName(page.choices.name, kind2);
      save.setAttribute("aria-busy", "true");
      void attempt(page, async () => {
        download(await fileOf(kind2.format, page), name);
        return `${name} is saved.`;
      }).then(() => save.removeAttribute("aria-busy"));
    });
  }
  function mountDrag(bar, page) {
    let made = null;
    let making = null;
    const kind2 = kindOf("mid");
    const prepare = async () => {
      const { piece } = page.store;
      if (!piece.notes.length || made?.piece === piece || making === piece) return;
      making = piece;
      try {
        const blob = await exported("mid", piece);
        if (made) URL.revokeObjectURL(made.url);
        made = { piece, url: URL.createObjectURL(blob) };
      } catch (error) {
        page.error(messageOf(error));
      } finally {
        if (making === piece) making = null;
      }
    };
    const handle = button(bar, "drag-midi", "Drag out as MIDI", () => {
      void attempt(page, async () => {
        download(await exported("mid", page.store.piece), fileName(page.choices.name, kind2));
        return `${fileName(page.choices.name, kind2)} is saved.`;
      });
    });
    handle.draggable = true;
    handle.title = "Drag it to a sequencer or a folder (Chrome and Edge); a press saves the file.";
    for (const event of ["pointerenter", "pointerdown", "focus"]) handle.addEventListener(event, () => void prepare());
    handle.addEventListener("dragstart", (event) => {
      if (!event.dataTransfer || made?.piece !== page.store.piece) {
        event.preventDefault();
        return page.status(page.store.piece.notes.length ? "The file is being made. Drag again." : "There are no notes to save.");
      }
      event.dataTransfer.effectAllowed = "copy";
      event.dataTransfer.setData("DownloadURL", downloadUrl(kind2.type, fileName(page.choices.name, kind2), made.url));
    });
  }

  // src/studio/keyboard.ts
  function listenToKeys(editing) {
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
      const before2 = command(event);
      roll.scrollToCursor();
      roll.announce(before2 ?? "");
    });
    document.addEventListener("keydown", (event) => {
      if (inField(event.target)) return;
      const key = event.key.toLowerCase();
      const control = event.ctrlKey || event.metaKey;
      if (control && (key === "z" || key === "y")) modified[key](event);
      else if (key === " " && !control && !inControl(event.target)) togglePlay(editing);
      else return;
      event.preventDefault();
    });
    roll.canvas.addEventListener("focus", () => {
      if (roll.canvas.matches(":focus-visible")) roll.announce();
    });
    page.store.subscribe(() => roll.moveCursor(roll.cursor));
  }
  var inField = (target) => target instanceof Element && target.matches("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");
  var inControl = (target) => target instanceof Element && target.closest("button, a, input, select, textarea, summary, [role=slider]") !== null;
  function togglePlay({ page }) {
    if (page.transport.playing) page.transport.pause();
    else page.transport.play();
  }
  function rollKeys(editing) {
    const { page, roll } = editing;
    const to = (beat, pitch) => {
      if (page.store.selection.notes.length === 1) page.store.select({ notes: [] });
      roll.moveCursor({ beat, pitch });
    };
    const step = (steps, semitones) => (event) => {
      const { beat, pitch } = roll.cursor;
      const beats = steps * roll.bounds.step;
      if (!event.shiftKey || !editing.chosen.length) return to(beat + beats, pitch + semitones);
      const [along2, up] = editing.move(beats, semitones);
      return roll.moveCursor({ beat: beat + along2, pitch: pitch + up });
    };
    const along = (beats) => () => to(beats, roll.cursor.pitch);
    const keys = {
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
        const selected = event.shiftKey && bars ? [Math.min(bars[0], bar), Math.max(bars[1], bar)] : [bar, bar];
        page.store.select({ bars: selected });
        return selected[0] === selected[1] ? `Bar ${bar} selected. ` : `Bars ${selected[0]} to ${selected[1]} selected. `;
      },
      " ": () => togglePlay(editing)
    };
    keys.Backspace = keys.Delete;
    for (const key of ["+", "="]) keys[key] = () => editing.stretch(roll.bounds.step);
    for (const key of ["-", "−"]) keys[key] = () => editing.stretch(-roll.bounds.step);
    for (let number = 1; number <= 9; number++) {
      keys[String(number)] = () => {
        if (number > page.store.piece.parts.length) return;
        page.choosePart(number - 1);
        return `New notes go to ${page.store.piece.parts[number - 1].name}. `;
      };
    }
    return keys;
  }
  function altKeys(editing) {
    const louden2 = (by) => () => {
      editing.louden(by);
      return editing.chosen[0] ? `Velocity ${editing.chosen[0].velocity}. ` : "";
    };
    return { ArrowUp: louden2(5), ArrowDown: louden2(-5) };
  }
  function editKeys(editing) {
    const { page } = editing;
    const counted = (verb) => `${verb} ${page.store.selection.notes.length} notes. `;
    return {
      z: (event) => event.shiftKey ? editing.redo() : editing.undo(),
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
      }
    };
  }

  // src/studio/opening.ts
  var MELODY = [67, 67, 66, 64, 62, 67, 69, 71, 71, 71, 71, 69, 67, 72, 71, 69, 67, 69, 71, 69, 67, 64, 66, 67, 74, 71, 67, 69, 72, 71, 69, 67];
  var CADENCE = [[48, 64, 67, 72], [53, 65, 69, 72], [55, 62, 67, 71], [48, 64, 67, 72]];
  function openingPiece(model) {
    const parts = model.parts?.length ? model.parts.map(({ name, program, is_drums }) => ({ name, program, is_drums })) : [{ name: "music", program: 0, is_drums: false }];
    const melody = model.tasks.harmonise === null && parts.length > 1;
    const empty = { beats_per_minute: 90, beats_per_bar: 4, beats: melody ? MELODY.length : 16, parts, notes: [] };
    return withNotes(empty, melody ? melodyOf(model) : cadenceOf(model));
  }
  var note = (pitch, start2) => ({ part: 0, pitch, start: start2, length: 1, velocity: 80 });
  function melodyOf({ parts }) {
    const { lowest, highest } = parts[0];
    const octaves = [0, -12, 12].find((shift) => MELODY.every((pitch) => pitch + shift >= lowest && pitch + shift <= highest));
    return octaves === void 0 ? [] : MELODY.map((pitch, beat) => note(pitch + octaves, beat));
  }
  function cadenceOf(model) {
    const { lowest, highest } = model.parts?.[0] ?? model;
    const notes = CADENCE.flatMap((chord, beat) => chord.map((pitch) => note(pitch, beat)));
    return notes.filter(({ pitch }) => pitch >= lowest && pitch <= highest);
  }

  // src/studio/instruments.ts
  var NAMES = `Acoustic piano|Bright piano|Electric grand|Honky-tonk piano|Electric piano 1|Electric piano 2|Harpsichord|Clavinet
Celesta|Glockenspiel|Music box|Vibraphone|Marimba|Xylophone|Tubular bells|Dulcimer
Drawbar organ|Percussive organ|Rock organ|Church organ|Reed organ|Accordion|Harmonica|Bandoneon
Nylon guitar|Steel guitar|Jazz guitar|Clean guitar|Muted guitar|Overdriven guitar|Distortion guitar|Guitar harmonics
Acoustic bass|Finger bass|Picked bass|Fretless bass|Slap bass 1|Slap bass 2|Synth bass 1|Synth bass 2
Violin|Viola|Cello|Contrabass|Tremolo strings|Pizzicato strings|Harp|Timpani
String ensemble 1|String ensemble 2|Synth strings 1|Synth strings 2|Choir|Voice|Synth voice|Orchestra hit
Trumpet|Trombone|Tuba|Muted trumpet|French horn|Brass section|Synth brass 1|Synth brass 2
Soprano saxophone|Alto saxophone|Tenor saxophone|Baritone saxophone|Oboe|English horn|Bassoon|Clarinet
Piccolo|Flute|Recorder|Pan flute|Bottle|Shakuhachi|Whistle|Ocarina
Square lead|Sawtooth lead|Calliope lead|Chiff lead|Charang lead|Voice lead|Fifths lead|Bass and lead
New age pad|Warm pad|Polysynth pad|Choir pad|Bowed pad|Metallic pad|Halo pad|Sweep pad
Rain|Soundtrack|Crystal|Atmosphere|Brightness|Goblins|Echoes|Sci-fi
Sitar|Banjo|Shamisen|Koto|Kalimba|Bagpipe|Fiddle|Shanai
Tinkle bell|Agogo|Steel drums|Woodblock|Taiko|Melodic tom|Synth drum|Reverse cymbal
Guitar fret noise|Breath noise|Seashore|Bird|Telephone|Helicopter|Applause|Gunshot`;
  var INSTRUMENTS = NAMES.split(/[|\n]/);

  // src/studio/parts_panel.ts
  function mountParts(root, page, transport, onPart) {
    const { store } = page;
    const list2 = html("ul", "parts", root);
    button(root, "add-part", "Add a part", () => {
      const { piece } = store;
      const model = page.choices.model.parts?.[piece.parts.length];
      const part = model ? { name: model.name, program: model.program, is_drums: model.is_drums } : { name: `part ${piece.parts.length + 1}`, program: 0, is_drums: false };
      store.change("Add a part", addPart(piece, part));
      page.choosePart(piece.parts.length);
    });
    let shown2 = null;
    let rows = [];
    function show() {
      const { parts } = store.piece;
      if (shown2 !== parts) {
        if (rows.length !== parts.length) {
          list2.replaceChildren();
          rows = parts.map((_, index) => new Row(list2, page, transport, index));
        }
        shown2 = parts;
      }
      rows.forEach((row, index) => row.show(parts[index], parts.length > 1));
    }
    store.subscribe(show);
    transport.subscribe(show);
    onPart(show);
    show();
  }
  var Row = class {
    constructor(list2, page, transport, index) {
      this.page = page;
      this.transport = transport;
      this.index = index;
      const { store } = page;
      const item = html("li", "", list2);
      const choice = html("label", "part-choice", item);
      choice.title = "New notes go to this part";
      this.#choice = html("input", "", choice);
      Object.assign(this.#choice, { id: `part-${index}`, type: "radio", name: "part" });
      this.#choice.addEventListener("change", () => page.choosePart(index));
      html("span", "swatch", choice).style.background = partColour(index);
      this.#name = Object.assign(html("input", "part-name", item), { id: `part-name-${index}`, maxLength: 40 });
      this.#name.addEventListener(
        "change",
        () => store.change("Rename a part", withPart(store.piece, index, { name: this.#name.value.trim() || `part ${index + 1}` }))
      );
      const instruments = INSTRUMENTS.map((instrument, program) => [String(program), instrument]);
      this.#program = select(`program-${index}`, null, [...instruments, ["drums", "Drums"]]);
      item.append(this.#program);
      this.#program.addEventListener("change", () => {
        const { value } = this.#program;
        const change = value === "drums" ? { is_drums: true, program: 0 } : { is_drums: false, program: Number(value) };
        store.change("Change an instrument", withPart(store.piece, index, change));
      });
      this.#select = button(item, `select-${index}`, "Select", () => this.#toggleSelected(), "toggle");
      this.#mute = button(item, `mute-${index}`, "M", () => transport.mix(index, { mute: !transport.mixOf(index).mute }), "toggle");
      this.#solo = button(item, `solo-${index}`, "S", () => transport.mix(index, { solo: !transport.mixOf(index).solo }), "toggle");
      this.#remove = button(item, `remove-${index}`, "✕", () => {
        transport.removeMix(index);
        store.change("Remove a part", removePart(store.piece, index));
        page.choosePart(Math.min(page.part, store.piece.parts.length - 1));
      });
    }
    page;
    transport;
    index;
    #choice;
    #name;
    #program;
    #select;
    #mute;
    #solo;
    #remove;
    #toggleSelected() {
      const { store } = this.page;
      const selected = store.selection.parts ?? [];
      const others = selected.filter((part) => part !== this.index);
      const parts = others.length < selected.length ? others : [...selected, this.index].sort((a, b) => a - b);
      store.select({ parts: parts.length ? parts : null });
    }
    show(part, removable) {
      const { mute, solo } = this.transport.mixOf(this.index);
      this.#choice.checked = this.page.part === this.index;
      this.#choice.setAttribute("aria-label", `New notes go to ${part.name}`);
      if (document.activeElement !== this.#name) this.#name.value = part.name;
      this.#name.setAttribute("aria-label", `Name of part ${this.index + 1}`);
      this.#program.value = part.is_drums ? "drums" : String(part.program);
      this.#program.setAttribute("aria-label", `Instrument of ${part.name}`);
      const isSelected = this.page.store.selection.parts?.includes(this.index) ?? false;
      for (const [key, on, verb] of [
        [this.#select, isSelected, "Select"],
        [this.#mute, mute, "Mute"],
        [this.#solo, solo, "Solo"]
      ]) {
        key.setAttribute("aria-pressed", String(on));
        key.setAttribute("aria-label", `${verb} ${part.name}`);
        key.title = `${verb} ${part.name}`;
      }
      this.#select.title = "Select this part for the model to write";
      this.#remove.hidden = !removable;
      this.#remove.setAttribute("aria-label", `Remove ${part.name}`);
      this.#remove.title = `Remove ${part.name}`;
    }
  };

  // src/studio/midi_in.ts
  function keyEvent(message) {
    if (!message || message.length < 3) return null;
    const [status, pitch, velocity] = [message[0] & 240, message[1], message[2]];
    if (pitch > 127 || velocity > 127) return null;
    if (status === 144 && velocity > 0) return { kind: "press", pitch, velocity };
    return status === 144 || status === 128 ? { kind: "release", pitch } : null;
  }
  function quantised(note2, stepsPerBeat) {
    const start2 = Math.max(Math.round(note2.start * stepsPerBeat), 0);
    const end = Math.max(Math.round((note2.start + note2.length) * stepsPerBeat), start2 + 1);
    return { ...note2, start: start2 / stepsPerBeat, length: (end - start2) / stepsPerBeat };
  }
  var KeyRecorder = class {
    #pressed = /* @__PURE__ */ new Map();
    get isHeld() {
      return this.#pressed.size > 0;
    }
    /** A key at a beat. Returns the notes that end there. */
    key(event, beat) {
      const ended = this.#end(event.pitch, beat);
      if (event.kind === "press") this.#pressed.set(event.pitch, { pitch: event.pitch, velocity: event.velocity, start: beat, length: 0 });
      return ended;
    }
    /** Releases all keys. */
    finish(beat) {
      return [...this.#pressed.keys()].flatMap((pitch) => this.#end(pitch, beat));
    }
    #end(pitch, beat) {
      const note2 = this.#pressed.get(pitch);
      this.#pressed.delete(pitch);
      return note2 ? [{ ...note2, length: Math.max(beat - note2.start, 0) }] : [];
    }
  };

  // src/studio/conversation.ts
  var Conversation = class {
    // time of the last key
    constructor(beat) {
      this.beat = beat;
    }
    beat;
    #keys = new KeyRecorder();
    #notes = [];
    #began = null;
    // time of the first key
    #last = 0;
    /** Whether a phrase is being played. */
    get isPlaying() {
      return this.#began !== null;
    }
    /** A key, at a time in milliseconds. */
    key(event, at) {
      if (this.#began === null) {
        if (event.kind === "release") return;
        this.#began = at;
      }
      this.#last = at;
      this.#notes.push(...this.#keys.key(event, (at - this.#began) / this.beat.milliseconds));
    }
    /** The phrase, when no key has sounded for a bar; null before. A new phrase begins then. */
    phrase(now) {
      const { milliseconds, perBar, steps } = this.beat;
      if (this.#began === null || this.#keys.isHeld || now - this.#last < milliseconds * perBar) return null;
      const notes = this.#notes.map((note2) => quantised(note2, steps));
      const end = notes.reduce((latest, note2) => Math.max(latest, note2.start + note2.length), 0);
      [this.#notes, this.#began] = [[], null];
      return { notes, bars: Math.max(Math.ceil(end / perBar - 1e-6), 1) };
    }
  };

  // src/studio/midi_out.ts
  var DRUMS = 9;
  function channelOf(parts, part) {
    if (parts[part]?.is_drums) return DRUMS;
    const before2 = parts.slice(0, part).filter((one) => !one.is_drums).length % 15;
    return before2 < DRUMS ? before2 : before2 + 1;
  }
  var MidiReceiver = class {
    // notes that may still sound
    /**
     * Messages to an output that has been unplugged are dropped.
     *
     * @param parts the parts of the piece now.
     * @param now the present time of `performance.now()`; tests give their own.
     */
    constructor(output, parts, now = () => performance.now()) {
      this.output = output;
      this.parts = parts;
      this.now = now;
    }
    output;
    parts;
    now;
    #programs = /* @__PURE__ */ new Map();
    // by channel, as they were sent
    #until = /* @__PURE__ */ new Map();
    note({ part, pitch, velocity, seconds, at }) {
      const parts = this.parts();
      const channel = channelOf(parts, part);
      const program = parts[part]?.program ?? 0;
      if (channel !== DRUMS && this.#programs.get(channel) !== program) {
        this.#programs.set(channel, program);
        this.#send([192 | channel, program], at);
      }
      this.#send([144 | channel, pitch, Math.min(Math.max(Math.round(velocity), 1), 127)], at);
      const end = at + 1e3 * seconds;
      this.#send([128 | channel, pitch, 0], end);
      for (const [key, note2] of this.#until) if (note2.end < this.now()) this.#until.delete(key);
      this.#until.set(`${channel} ${pitch}`, { channel, pitch, end });
    }
    silence() {
      this.#whilePlugged(() => this.output.clear?.());
      for (const { channel, pitch, end } of this.#until.values()) {
        if (end >= this.now()) this.#send([128 | channel, pitch, 0]);
      }
      this.#until.clear();
    }
    #send(data, at) {
      this.#whilePlugged(() => this.output.send(data, at));
    }
    #whilePlugged(act) {
      try {
        act();
      } catch (error) {
        if (!(error instanceof DOMException && error.name === "InvalidStateError")) throw error;
      }
    }
  };

  // src/shared/synth.ts
  var timbre = (overtones, attack, decay, sustain, release, cutoff = 0) => ({ overtones, attack, decay, sustain, release, cutoff });
  var BOWED = [1, 0.6, 0.45, 0.35, 0.25, 0.2, 0.15, 0.1, 0.08, 0.06];
  var FAMILIES = [
    timbre([1, 0.45, 0.3, 0.16, 0.1, 0.08, 0.05, 0.03], 6e-3, 0.6, 0.25, 0.05, 7),
    // piano
    timbre([1, 0, 0.1, 0.35, 0, 0, 0, 0, 0, 0.1], 4e-3, 0.4, 0.02, 0.15),
    // chromatic percussion
    timbre([1, 0.8, 0.5, 0.5, 0, 0.3, 0, 0.25], 0.02, 1, 1, 0.03),
    // organ
    timbre([1, 0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05], 5e-3, 0.45, 0.08, 0.06, 6),
    // guitar
    timbre([1, 0.6, 0.3, 0.2, 0.1, 0.05], 8e-3, 0.6, 0.3, 0.05, 5),
    // bass
    timbre(BOWED, 0.07, 0.5, 0.85, 0.07),
    // strings
    timbre([1, 0.5, 0.35, 0.12, 0.1, 0.05], 0.09, 0.5, 0.9, 0.12),
    // ensemble, with the choirs
    timbre([1, 0.9, 0.75, 0.6, 0.45, 0.3, 0.2, 0.12, 0.08], 0.04, 0.3, 0.8, 0.05),
    // brass
    timbre([1, 0.15, 0.7, 0.12, 0.45, 0.1, 0.25, 0.05], 0.03, 0.4, 0.85, 0.05),
    // reed
    timbre([1, 0.25, 0.08, 0.03], 0.04, 0.4, 0.9, 0.05),
    // pipe
    timbre([1, 0.5, 0.33, 0.25, 0.2, 0.16, 0.14, 0.12], 0.01, 0.3, 0.7, 0.05),
    // synth lead
    timbre([1, 0.5, 0.25, 0.12, 0.06], 0.2, 0.8, 0.9, 0.25),
    // synth pad
    timbre([1, 0.3, 0.3, 0.1, 0.2], 0.1, 0.8, 0.6, 0.25),
    // synth effects
    timbre([1, 0.8, 0.6, 0.5, 0.3, 0.2, 0.1], 4e-3, 0.3, 0.05, 0.06, 8),
    // plucked, from around the world
    timbre([1, 0.1, 0.3, 0, 0.15], 3e-3, 0.15, 0.02, 0.08),
    // tuned percussion
    timbre([1, 0.4, 0.2], 0.1, 0.8, 0.6, 0.2)
    // sound effects
  ];
  function timbreOf(program) {
    return FAMILIES[program >> 3] ?? FAMILIES[0];
  }
  var levelOf = (velocity) => 0.25 * velocity ** 1.5;
  function shape(gain, level, { from, until }, { attack, decay, sustain, release }) {
    const rise = Math.min(attack, Math.max((until - from) / 2, 3e-3));
    const end = Math.max(until, from + 2 * rise);
    gain.setValueAtTime(0, from);
    gain.linearRampToValueAtTime(level, from + rise);
    gain.setTargetAtTime(sustain * level, from + rise, decay);
    gain.setTargetAtTime(0, end, release);
    return end + 8 * release;
  }
  function synthesised(program) {
    const sound = timbreOf(program);
    return (context, envelope, note2) => {
      const frequency = 440 * 2 ** ((note2.pitch - 69) / 12);
      const silent = shape(envelope.gain, levelOf(note2.velocity), note2, sound);
      const oscillator = context.createOscillator();
      oscillator.setPeriodicWave(wave(context, sound));
      oscillator.frequency.value = frequency;
      if (sound.cutoff) {
        const filter = context.createBiquadFilter();
        const highest = context.sampleRate / 2;
        const open2 = Math.min(sound.cutoff * frequency * (0.4 + 0.6 * note2.velocity), highest);
        filter.frequency.setValueAtTime(open2, note2.from);
        filter.frequency.setTargetAtTime(Math.min(2 * frequency, highest), note2.from, sound.decay);
        oscillator.connect(filter).connect(envelope);
      } else oscillator.connect(envelope);
      oscillator.start(note2.from);
      oscillator.stop(silent);
      return [oscillator];
    };
  }
  function wave(context, sound) {
    const waves = context.pianorollWaves ??= /* @__PURE__ */ new Map();
    const known = waves.get(sound);
    if (known) return known;
    const sines = Float32Array.from([0, ...sound.overtones]);
    const made = context.createPeriodicWave(new Float32Array(sines.length), sines);
    waves.set(sound, made);
    return made;
  }
  var drums = (context, envelope, { pitch, velocity, from }) => {
    const sound = drumOf(pitch);
    const decaying = { attack: 1e-3, decay: sound.decay, sustain: 0, release: sound.decay };
    const silent = shape(envelope.gain, levelOf(velocity) * sound.level, { from, until: from + 0.1 }, decaying);
    const sources = [];
    if (sound.tone) {
      const oscillator = context.createOscillator();
      oscillator.frequency.setValueAtTime(2.2 * sound.tone, from);
      oscillator.frequency.setTargetAtTime(sound.tone, from, 0.03);
      oscillator.connect(envelope);
      sources.push(oscillator);
    }
    if (sound.noise) {
      const source = context.createBufferSource();
      source.buffer = context.pianorollNoise ??= noise(context);
      source.loop = true;
      const filter = context.createBiquadFilter();
      filter.type = "bandpass";
      filter.frequency.value = sound.noise;
      filter.Q.value = 0.7;
      source.connect(filter).connect(envelope);
      sources.push(source);
    }
    for (const source of sources) {
      source.start(from);
      source.stop(silent);
    }
    return sources;
  };
  function drumOf(pitch) {
    if (pitch <= 36) return { tone: 50, noise: 0, decay: 0.12, level: 2.5 };
    if ([37, 39, 54, 56].includes(pitch)) return { tone: 0, noise: 2500, decay: 0.03, level: 1.2 };
    if (pitch === 38 || pitch === 40) return { tone: 180, noise: 3e3, decay: 0.07, level: 1.2 };
    if ([42, 44].includes(pitch)) return { tone: 0, noise: 8e3, decay: 0.02, level: 0.8 };
    if (pitch === 46) return { tone: 0, noise: 8e3, decay: 0.15, level: 0.8 };
    if ([49, 51, 52, 53, 55, 57, 59].includes(pitch)) return { tone: 0, noise: 6500, decay: 0.35, level: 0.8 };
    if (pitch <= 50) return { tone: 70 + 12 * (pitch - 41), noise: 0, decay: 0.12, level: 1.8 };
    const band = Math.min(80 * 2 ** ((pitch - 35) / 2.5), 8e3);
    return { tone: 0, noise: band, decay: 0.05, level: 1 };
  }
  function noise(context) {
    const buffer = context.createBuffer(1, context.sampleRate, context.sampleRate);
    const samples = buffer.getChannelData(0);
    for (let index = 0; index < samples.length; index++) samples[index] = 2 * Math.random() - 1;
    return buffer;
  }
  var click = (context, envelope, { velocity, from }) => {
    const oscillator = context.createOscillator();
    oscillator.frequency.value = velocity === 1 ? 1760 : 1320;
    const short = { attack: 1e-3, decay: 0.02, sustain: 0, release: 0.01 };
    const silent = shape(envelope.gain, 0.2 * velocity, { from, until: from + 0.02 }, short);
    oscillator.connect(envelope);
    oscillator.start(from);
    oscillator.stop(silent);
    return [oscillator];
  };

  // src/studio/recording.ts
  var ROOM = 4;
  var Recording = class _Recording {
    /**
     * @param from the beat at which it begins, after the count-in.
     * @param steps lines of the grid in a beat.
     * @param onend called when it ends, by `stop`, because playback was paused, or because its piece has lost parts.
     */
    constructor(store, transport, part, from, steps, onend) {
      this.store = store;
      this.transport = transport;
      this.part = part;
      this.from = from;
      this.steps = steps;
      this.onend = onend;
      const { beats, beats_per_bar: count } = store.piece;
      this.#beats = beats;
      this.#seen = store.piece;
      this.#unsubscribe = store.subscribe(() => this.#onChange());
      this.#metronome = transport.metronome;
      transport.pause();
      clicks(Math.round(count), this.#milliseconds / 1e3);
      const wait = Math.round(count) * this.#milliseconds;
      this.#began = performance.now() + wait;
      this.#countIn = setTimeout(() => this.#begin(), wait);
    }
    store;
    transport;
    part;
    from;
    steps;
    onend;
    static #count = 0;
    #keys = new KeyRecorder();
    #gesture = `recording ${++_Recording.#count}`;
    #beats;
    // length of the piece before
    #countIn;
    #began;
    // time at which the piece begins to play
    #timer = null;
    #metronome;
    #seen;
    #unsubscribe;
    /** A key, at a time of `performance.now()`. */
    key(event, at) {
      if (!this.#isOver) this.#write(this.#keys.key(event, this.#beatAt(at)));
    }
    stop() {
      if (this.#isOver) return;
      this.#write(this.#keys.finish(this.#beatAt(performance.now())));
      this.#trim();
      this.#end();
    }
    #end() {
      this.#unsubscribe();
      if (this.#countIn !== null) clearTimeout(this.#countIn);
      if (this.#timer !== null) clearInterval(this.#timer);
      this.#countIn = this.#timer = null;
      this.transport.pause();
      this.transport.metronome = this.#metronome;
      this.store.endGesture();
      this.onend();
    }
    get #isOver() {
      return this.#countIn === null && this.#timer === null;
    }
    get #milliseconds() {
      return 6e4 / this.store.piece.beats_per_minute;
    }
    // Another piece, or one without some part, is not what is recorded.
    #onChange() {
      const before2 = this.#seen;
      this.#seen = this.store.piece;
      if (!keepsParts(before2, this.#seen)) this.#end();
    }
    #begin() {
      this.#countIn = null;
      this.#makeRoom();
      this.transport.metronome = true;
      this.transport.play(this.from);
      this.#timer = setInterval(() => this.transport.playing ? this.#makeRoom() : this.stop(), 100);
    }
    #beatAt(at) {
      if (this.#countIn !== null) return this.from - (this.#began - at) / this.#milliseconds;
      return this.transport.position - (performance.now() - at) / this.#milliseconds;
    }
    #write(played) {
      const notes = played.filter(({ start: start2, length }) => start2 + length > this.from).map((note2) => ({ part: this.part, ...quantised(note2, this.steps) })).map((note2) => ({ ...note2, start: Math.max(note2.start, this.from) }));
      if (notes.length) this.store.change("Record", lay(this.store.piece, notes).piece, this.#gesture);
    }
    #makeRoom() {
      const { piece } = this.store;
      const bar = piece.beats_per_bar;
      const position = this.transport.playing ? this.transport.position : this.from;
      if (position + bar <= piece.beats) return;
      const beats = Math.ceil(position / bar - 1e-6) * bar + ROOM * bar;
      this.store.change("Record", { ...piece, beats }, this.#gesture);
    }
    /** Takes the room that was not needed. */
    #trim() {
      const { piece } = this.store;
      const bar = piece.beats_per_bar;
      const end = piece.notes.reduce((latest, note2) => Math.max(latest, noteEnd(note2)), 0);
      const beats = Math.max(this.#beats, Math.ceil(end / bar - 1e-6) * bar);
      if (beats !== piece.beats) this.store.change("Record", { ...piece, beats }, this.#gesture);
    }
  };
  function clicks(count, seconds) {
    const context = window.pianorollAudio ??= new AudioContext();
    for (let beat = 0; beat < count; beat++) {
      const envelope = context.createGain();
      envelope.connect(context.destination);
      const from = context.currentTime + beat * seconds;
      click(context, envelope, { pitch: 0, velocity: beat === 0 ? 1 : 0.7, from, until: from + 0.02 });
    }
  }

  // src/studio/store.ts
  var NOTHING = { bars: null, parts: null, notes: [] };
  var Store = class _Store {
    static KEPT = 200;
    // steps that can be undone
    #piece;
    #selection = NOTHING;
    #past = [];
    #future = [];
    #gesture = null;
    #listeners = /* @__PURE__ */ new Set();
    constructor(piece) {
      this.#piece = piece;
    }
    get piece() {
      return this.#piece;
    }
    get selection() {
      return this.#selection;
    }
    /** What `undo` would take back, in words, or null. */
    get undoable() {
      return this.#past.at(-1)?.label ?? null;
    }
    get redoable() {
      return this.#future.at(-1)?.label ?? null;
    }
    subscribe(listener) {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    }
    /**
     * Puts a new piece in the place of the present one, as one step that can be undone.
     * Changes with the same gesture (a drag, a stream of notes) are one step together, until `endGesture`.
     * `selected` are the notes that are selected afterwards; without it, those that are still in the piece.
     */
    change(label, piece, gesture = null, selected) {
      if (piece === this.#piece) return;
      if (gesture === null || gesture !== this.#gesture) {
        this.#past.push({ label, piece: this.#piece });
        if (this.#past.length > _Store.KEPT) this.#past.shift();
      }
      this.#gesture = gesture;
      this.#future = [];
      if (selected) this.#selection = { ...this.#selection, notes: selected };
      this.#show(piece);
    }
    endGesture() {
      this.#gesture = null;
    }
    select(selection) {
      this.#selection = { ...this.#selection, ...selection };
      this.#notify();
    }
    undo() {
      return this.#step(this.#past, this.#future);
    }
    redo() {
      return this.#step(this.#future, this.#past);
    }
    /** Another piece, without the history of the one before. */
    open(piece) {
      [this.#past, this.#future, this.#gesture] = [[], [], null];
      this.#selection = NOTHING;
      this.#show(piece);
    }
    #step(from, to) {
      const step = from.pop();
      if (!step) return false;
      to.push({ label: step.label, piece: this.#piece });
      this.#gesture = null;
      this.#show(step.piece);
      return true;
    }
    #show(piece) {
      this.#piece = piece;
      const present = new Set(piece.notes);
      const { bars, parts, notes } = this.#selection;
      const left = parts?.filter((part) => part < piece.parts.length) ?? null;
      this.#selection = {
        bars: bars && bars[0] <= countBars(piece) ? [bars[0], Math.min(bars[1], countBars(piece))] : null,
        parts: left?.length ? left : null,
        notes: notes.filter((note2) => present.has(note2))
      };
      this.#notify();
    }
    #notify() {
      for (const listener of [...this.#listeners]) listener();
    }
  };

  // src/studio/live.ts
  var NO_MIDI = "This browser has no Web MIDI. Chrome, Edge and Firefox have it.";
  var hasMidi = () => "requestMIDIAccess" in navigator;
  var STEPS = 4;
  var EVERY_INPUT = "";
  var NO_OUTPUT = "";
  function mountLive(root, page) {
    heading(root, "live", "Live");
    const live = new Live(root, page);
    live.show();
  }
  var Live = class {
    #page;
    #access = null;
    #recording = null;
    #talk = null;
    #talkTimer = null;
    #input;
    #output;
    #only;
    #echo;
    #connect;
    #record;
    #turns;
    constructor(root, page) {
      this.#page = page;
      const hint = html("p", "hint", root);
      hint.textContent = hasMidi() ? "Record a MIDI keyboard into the chosen part, play in turn with the model, or send the piece to a synthesizer." : NO_MIDI;
      const ports = html("div", "bar", root);
      this.#connect = button(ports, "connect-midi", "Connect MIDI", () => void this.#open());
      this.#input = field(ports, "Input", select("midi-input", null, []));
      this.#output = field(ports, "Output", select("midi-output", null, []));
      this.#only = checkbox(ports, "only-output", "Only to the output", () => this.#send());
      this.#echo = checkbox(ports, "echo", "Sound what I play", () => void 0);
      this.#echo.checked = true;
      const bar = html("div", "bar", root);
      this.#record = button(bar, "record", "Record", () => this.#toggleRecording());
      this.#turns = button(bar, "turns", "Call and response", () => this.#toggleTurns());
      this.#input.addEventListener("change", () => this.#listen());
      this.#output.addEventListener("change", () => this.#send());
      page.choices.subscribe(() => this.show());
      addEventListener("pagehide", () => page.transport.sendTo(null));
    }
    show() {
      const { choices } = this.#page;
      const hasInput = (this.#access?.inputs.size ?? 0) > 0;
      const noInput = !hasMidi() ? NO_MIDI : !this.#access ? "Connect MIDI first." : hasInput ? null : "There is no MIDI input. Connect a keyboard to this computer.";
      refuse(this.#connect, hasMidi() ? null : NO_MIDI);
      const beginning2 = { record: noInput, turns: noInput ?? choices.model.tasks.continue };
      refuse(this.#record, this.#talk ? "End the call and response first." : this.#recording ? null : beginning2.record);
      refuse(this.#turns, this.#recording ? "End the recording first." : this.#talk ? null : beginning2.turns);
      this.#record.textContent = this.#recording ? "Stop recording" : "Record";
      this.#record.setAttribute("aria-pressed", String(this.#recording !== null));
      this.#turns.setAttribute("aria-pressed", String(this.#talk !== null));
      this.#input.disabled = !hasInput;
      this.#output.disabled = !this.#access?.outputs.size;
      this.#only.disabled = this.#output.value === NO_OUTPUT;
    }
    async #open() {
      const { status, error } = this.#page;
      if (isRefused(this.#connect)) return status(this.#connect.title);
      error("");
      try {
        this.#access = await navigator.requestMIDIAccess();
      } catch {
        return error("The browser did not allow MIDI. Allow it in the address bar, then connect again.");
      }
      this.#access.onstatechange = () => this.#ports();
      this.#ports();
      const [inputs, outputs] = [this.#access.inputs.size, this.#access.outputs.size];
      const count = (many, word) => `${many} ${word}${many === 1 ? "" : "s"}`;
      status(`MIDI is connected: ${count(inputs, "input")}, ${count(outputs, "output")}.`);
    }
    #ports() {
      const named = (ports) => [...ports.values()].map(({ id, name }) => [id, name ?? id]);
      setOptions(this.#input, [[EVERY_INPUT, "every input"], ...named(this.#access.inputs)]);
      setOptions(this.#output, [[NO_OUTPUT, "none"], ...named(this.#access.outputs)]);
      this.#listen();
      this.#send();
    }
    #listen() {
      for (const input of this.#access.inputs.values()) {
        const chosen = this.#input.value === EVERY_INPUT || this.#input.value === input.id;
        input.onmidimessage = chosen ? ({ data, timeStamp }) => {
          const event = keyEvent(data);
          if (event) this.#key(event, timeStamp || performance.now());
        } : null;
      }
      this.show();
    }
    #send() {
      const { store, transport } = this.#page;
      const output = this.#access?.outputs.get(this.#output.value);
      transport.sendTo(output ? new MidiReceiver(output, () => store.piece.parts) : null, output !== void 0 && this.#only.checked);
      this.show();
    }
    #key(event, at) {
      const { transport, asking, part } = this.#page;
      if (event.kind === "press" && this.#echo.checked) transport.sound(part, event.pitch, event.velocity);
      this.#recording?.key(event, at);
      if (!this.#talk) return;
      if (event.kind === "press" && !this.#talk.isPlaying) {
        asking.stop();
        transport.pause();
        this.#talk.beat = this.#beat();
      }
      this.#talk.key(event, at);
    }
    #toggleRecording() {
      const { status, store, transport, part } = this.#page;
      if (isRefused(this.#record)) return status(this.#record.title);
      if (this.#recording) return this.#recording.stop();
      transport.unlock();
      const { piece, selection } = store;
      const bar = selection.bars?.[0] ?? (transport.position < piece.beats ? barAt(piece, transport.position) : 1);
      const [from] = barBeats(piece, [bar, bar]);
      const ended = () => {
        this.#recording = null;
        this.show();
        status("The recording has ended.");
      };
      this.#recording = new Recording(store, transport, part, from, this.#beat().steps, ended);
      status(`Recording into ${piece.parts[part].name || "the part"} from bar ${bar}, after a bar of clicks.`);
      this.show();
    }
    #beat() {
      const { store, choices } = this.#page;
      const { beats_per_minute: tempo, beats_per_bar: perBar } = store.piece;
      return { milliseconds: 6e4 / tempo, perBar, steps: choices.model.frames_per_beat ?? STEPS };
    }
    #toggleTurns() {
      const { status, transport } = this.#page;
      if (isRefused(this.#turns)) return status(this.#turns.title);
      if (this.#talk) return this.#endTurns("The call and response has ended.");
      transport.unlock();
      const talk = this.#talk = new Conversation(this.#beat());
      this.#talkTimer = setInterval(() => {
        const phrase = talk.phrase(performance.now());
        if (phrase) void this.#answer(phrase);
      }, 20);
      status("Play. After a bar of silence, the model continues.");
      this.show();
    }
    #endTurns(text2) {
      if (this.#talkTimer !== null) clearInterval(this.#talkTimer);
      this.#talk = this.#talkTimer = null;
      this.#page.asking.stop();
      this.#page.status(text2);
      this.show();
    }
    /** Puts a phrase at the end of the music, and lets the model continue it for as many bars. */
    async #answer({ notes, bars }) {
      const { store, asking, status, error, part } = this.#page;
      const bar = store.piece.beats_per_bar;
      const atBar = (beat) => Math.ceil(beat / bar - 1e-6) * bar;
      const at = atBar(Math.max(0, ...store.piece.notes.map(noteEnd)));
      const placed = notes.map((note2) => ({ ...note2, part, start: at + note2.start }));
      const end = Math.max(...placed.map(noteEnd));
      const piece = { ...store.piece, beats: Math.max(store.piece.beats, atBar(end)) };
      store.change("Play a phrase", lay(piece, placed).piece);
      status("The model answers …");
      const from = Math.ceil(end - 1e-6);
      const length = atBar(end) + bars * bar - from;
      try {
        await asking.run("continue", NOTHING, { takes: 1, unit: "beats", length, from_start: false });
        if (this.#talk && !this.#talk.isPlaying) status("Your turn.");
      } catch (problem) {
        this.#endTurns("");
        error(messageOf(problem));
      }
    }
  };

  // src/studio/pointer.ts
  var SLOP = 10;
  var DOUBLE = 400;
  function listenToPointers(editing) {
    const { roll } = editing;
    const { canvas } = roll;
    let action = null;
    let tap = null;
    let lastTap = null;
    let drawnBefore = null;
    let isTouch = false;
    const finish = () => {
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
        const note2 = roll.hit(roll.point(event))?.note;
        const twice = note2 && note2 === lastTap?.note && event.timeStamp - lastTap.at < DOUBLE;
        lastTap = note2 && !twice ? { at: event.timeStamp, note: note2 } : null;
        if (twice) editing.remove([note2]);
        else if (!action) tapped(editing, roll.point(event), note2);
      }
      tap = null;
      finish();
    });
    canvas.addEventListener("pointercancel", () => {
      tap = null;
      finish();
    });
    canvas.addEventListener(
      "touchstart",
      (event) => {
        const [touch] = event.touches;
        if (touch && event.touches.length === 1 && grabs(editing, roll.point(touch))) event.preventDefault();
      },
      { passive: false }
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
      { passive: false }
    );
    listenToRuler(editing);
  }
  function grabs({ page, roll, tool }, point) {
    if (tool === "select") return true;
    const note2 = roll.hit(point)?.note;
    return note2 !== void 0 && (tool === "velocity" || page.store.selection.notes.includes(note2));
  }
  function tapped(editing, point, note2) {
    const { beat, pitch } = editing.roll.cell(point);
    if (note2) select2(editing, note2);
    else if (editing.tool === "draw") editing.draw(beat, pitch);
  }
  function select2(editing, note2) {
    editing.page.store.select({ notes: [note2] });
    editing.sound(note2);
  }
  function begin(editing, point, event) {
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
      const others = notes.filter((note2) => note2 !== found.note);
      page.store.select({ notes: others.length < notes.length ? others : [...notes, found.note] });
      return null;
    }
    if (notes.includes(found.note)) editing.sound(found.note);
    else select2(editing, found.note);
    if (event.altKey || tool === "velocity") return dragVelocity(editing, point);
    return found.end ? dragEnd(editing, point) : dragNotes(editing, point, found.note);
  }
  function drawAndStretch(editing, point) {
    const { roll } = editing;
    const { beat, pitch } = roll.cell(point);
    const gesture = Drag.nextGesture();
    const note2 = editing.draw(beat, pitch, gesture);
    if (!note2) return null;
    editing.drawn = note2;
    const drag = new Drag(editing, [note2], gesture);
    let moved = false;
    return {
      move: ({ x }) => {
        const { step } = roll.bounds;
        const cell = roll.cell({ x, y: 0 });
        if (!moved && cell.beat === beat) return;
        moved = true;
        drag.to("Draw a note", ({ piece, notes }) => stretch(piece, notes, cell.beat + step - beat - note2.length, roll.bounds));
      },
      end: () => drag.end()
    };
  }
  function dragNotes(editing, from, note2) {
    const { geometry, bounds } = editing.roll;
    const drag = new Drag(editing, editing.page.store.selection.notes);
    let pitch = note2.pitch;
    return {
      move: ({ x, y }) => {
        const beats = roundTo(bounds.step, beatAt(geometry, x - from.x));
        const semitones = pitchAt(geometry, y) - pitchAt(geometry, from.y);
        const moved = drag.to("Move notes", ({ piece, notes }) => move(piece, notes, beats, semitones, bounds));
        const sounding = moved[drag.notes.indexOf(note2)] ?? moved[0];
        if (sounding && sounding.pitch !== pitch) editing.sound(sounding);
        pitch = sounding?.pitch ?? pitch;
      },
      end: () => drag.end()
    };
  }
  function dragEnd(editing, from) {
    const { geometry, bounds } = editing.roll;
    const drag = new Drag(editing, editing.page.store.selection.notes);
    return {
      move: ({ x }) => {
        const beats = roundTo(bounds.step, beatAt(geometry, x - from.x));
        drag.to("Change lengths", ({ piece, notes }) => stretch(piece, notes, beats, bounds));
      },
      end: () => drag.end()
    };
  }
  function dragVelocity(editing, from) {
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
      }
    };
  }
  function rectangle({ page, roll }, from) {
    const { geometry } = roll;
    const start2 = [beatAt(geometry, from.x), pitchAt(geometry, from.y)];
    page.store.select({ notes: [] });
    return {
      move: ({ x, y }) => {
        const end = [beatAt(geometry, x), pitchAt(geometry, y)];
        roll.rectangle = [...start2, ...end];
        const beats = [Math.min(start2[0], end[0]), Math.max(start2[0], end[0])];
        const pitches = [Math.min(start2[1], end[1]), Math.max(start2[1], end[1])];
        page.store.select({ notes: notesIn(page.store.piece, beats, pitches) });
      },
      end: () => {
        roll.rectangle = null;
        roll.refresh();
      }
    };
  }
  function showCursor({ roll, tool }, point, alt) {
    const found = point.x < 0 ? null : roll.hit(point);
    const free = tool === "draw" ? "crosshair" : "default";
    const onNote = alt || tool === "velocity" ? "ns-resize" : found?.end ? "ew-resize" : "grab";
    roll.canvas.style.cursor = point.x < 0 ? "pointer" : found ? onNote : free;
  }
  function listenToRuler({ page, roll }) {
    const { ruler } = roll;
    let first = null;
    const bar = (event) => {
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
      const bars = [Math.min(first, last), Math.max(first, last)];
      const { bars: old } = page.store.selection;
      if (old?.[0] !== bars[0] || old[1] !== bars[1]) page.store.select({ bars });
    });
    for (const name of ["pointerup", "pointercancel"]) ruler.addEventListener(name, () => first = null);
  }

  // src/studio/roll.ts
  var COLOURS = ["ground", "sunk", "text", "soft", "edge"];
  var Roll = class {
    canvas;
    ruler;
    rectangle = null;
    silent = /* @__PURE__ */ new Set();
    // parts that do not sound
    #page;
    #view;
    #scroll;
    #space;
    #playhead;
    #live;
    #scale = { beat: 40, row: 13 };
    #cursor = { beat: 0, pitch: 60 };
    #indexed = null;
    #colours = null;
    #frame = 0;
    #isStale = true;
    // the canvas shows something else than the piece
    #wasVisible = false;
    // the playhead, one frame ago
    constructor(root, page, help) {
      this.#page = page;
      const view = this.#view = html("div", "roll", root);
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
    get bounds() {
      const { model } = this.#page.choices;
      const frames = model.frames_per_beat ?? 0;
      return {
        step: Number.isInteger(frames) && frames >= 1 && frames <= 24 ? 1 / frames : 0.25,
        pitches: (part) => {
          const own = model.parts?.[part];
          return own ? [own.lowest, own.highest] : [model.lowest, model.highest];
        }
      };
    }
    get geometry() {
      const { piece } = this.#page.store;
      const { model } = this.#page.choices;
      const [lowest, highest] = shownPitches(piece, model.lowest, model.highest);
      return { ...this.#scale, lowest, highest };
    }
    get index() {
      const { piece } = this.#page.store;
      if (this.#indexed?.piece !== piece) this.#indexed = { piece, index: new NoteIndex(piece) };
      return this.#indexed.index;
    }
    get cursor() {
      return this.#cursor;
    }
    /** Pixels of the grid that are scrolled away, and where a client's point lies in the grid. */
    point(event) {
      const box = this.#scroll.getBoundingClientRect();
      return {
        x: event.clientX - box.left + this.#scroll.scrollLeft - KEYS,
        y: event.clientY - box.top + this.#scroll.scrollTop - RULER
      };
    }
    hit({ x, y }) {
      return hit(this.index, this.geometry, x, y, this.#page.part);
    }
    /** The cell of the grid at a point, also behind the end of the piece. */
    cell({ x, y }) {
      const { step } = this.bounds;
      const beat = Math.floor(beatAt(this.geometry, x) / step + 1e-6) * step;
      return { beat: Math.max(beat, 0), pitch: pitchAt(this.geometry, y) };
    }
    moveCursor(cell) {
      const { lowest, highest } = this.geometry;
      this.#cursor = { beat: this.#within(cell.beat), pitch: clamp(cell.pitch, lowest, highest) };
      this.refresh();
    }
    #within(beat) {
      return clamp(beat, 0, Math.max(this.#page.store.piece.beats - this.bounds.step, 0));
    }
    /** Tells screen readers what is in the cell of the cursor. */
    announce(before2 = "") {
      const { beat, pitch } = this.#cursor;
      const { store, part } = this.#page;
      const { step } = this.bounds;
      const found = noteAt(store.piece, part, pitch, beat) ?? this.index.between(beat, beat + step).find((note2) => note2.pitch === pitch && note2.start < beat + step - 1e-6);
      const name = found && store.piece.parts.length > 1 ? ` in ${store.piece.parts[found.part]?.name}` : "";
      const round = (value) => Math.round(value * 1e3) / 1e3;
      const what = found ? `note of ${round(found.length)} beats from beat ${round(found.start + 1)}${name}` : "empty";
      this.#live.textContent = `${before2}${pitchName(pitch)}, beat ${round(beat + 1)}: ${what}`;
    }
    /** Makes beats wider or narrower; the beat in the middle of the view stays there. */
    zoom(factor, rows = 1, at = this.#scroll.clientWidth / 2) {
      const { clientHeight, scrollLeft, scrollTop } = this.#scroll;
      const beat = (scrollLeft + at - KEYS) / this.#scale.beat;
      const row = (scrollTop + clientHeight / 2 - RULER) / this.#scale.row;
      this.#scale = {
        beat: clamp(this.#scale.beat * factor, ...BEAT_PIXELS),
        row: clamp(Math.round(this.#scale.row * rows), ...ROW_PIXELS)
      };
      this.#resize();
      this.#scroll.scrollLeft = beat * this.#scale.beat - at + KEYS;
      this.#scroll.scrollTop = row * this.#scale.row - clientHeight / 2 + RULER;
      this.refresh();
    }
    /** The whole piece in the width of the view. */
    zoomToFit() {
      const room = this.#scroll.clientWidth - KEYS;
      this.zoom(room / Math.max(this.#page.store.piece.beats, 1) / this.#scale.beat, 1, KEYS);
      this.#scroll.scrollLeft = 0;
    }
    /** Scrolls to the notes of a stretch of beats, or to the middle of the pitches. */
    showNotes(from = 0, until = Infinity) {
      this.#resize();
      const { geometry } = this;
      const pitches = this.index.between(from, until).map(({ pitch }) => pitch);
      const middle = pitches.length ? pitches.reduce((sum, pitch) => sum + pitch, 0) / pitches.length : (geometry.lowest + geometry.highest) / 2;
      this.#scroll.scrollTop = yOf(geometry, middle) + RULER - this.#scroll.clientHeight / 2;
      this.#scroll.scrollLeft = Math.max(xOf(geometry, from) - geometry.beat, 0);
      this.refresh();
    }
    scrollToCursor() {
      const { beat, pitch } = this.#cursor;
      this.#scrollTo(beat, 1);
      const y = yOf(this.geometry, pitch);
      const room = this.#scroll.clientHeight - RULER - 2 * this.#scale.row;
      this.#scroll.scrollTop = clamp(this.#scroll.scrollTop, y - room, Math.max(y - this.#scale.row, 0));
    }
    // Scrolls as little as possible so that a beat is in view.
    #scrollTo(beat, margin) {
      const x = beat * this.#scale.beat;
      const room = this.#scroll.clientWidth - KEYS - 2 * this.#scale.beat;
      const left = this.#scroll.scrollLeft;
      this.#scroll.scrollLeft = clamp(left, x - room, Math.max(x - margin * this.#scale.beat, 0));
    }
    /** Draws at the next animation frame. */
    refresh() {
      this.#isStale = true;
      this.#frame ||= requestAnimationFrame(() => this.#animate());
    }
    // While it plays, only the playhead moves, until it leaves the view.
    #animate() {
      this.#frame = 0;
      if (this.#isStale) this.#draw();
      else this.#followPlayhead();
      if (this.#page.transport.playing) this.#frame ||= requestAnimationFrame(() => this.#animate());
    }
    #resize() {
      const { beat, row, lowest, highest } = this.geometry;
      const { beats, beats_per_bar: room } = this.#page.store.piece;
      const width = `${Math.ceil(KEYS + (beats + room) * beat)}px`;
      const height = `${Math.ceil(RULER + (highest - lowest + 1) * row)}px`;
      if (this.#space.style.width !== width) this.#space.style.width = width;
      if (this.#space.style.height !== height) {
        this.#space.style.height = height;
        this.#view.style.maxHeight = `calc(${height} + 18px)`;
      }
      const ratio = devicePixelRatio;
      const { clientWidth, clientHeight } = this.#scroll;
      const [pixelsWide, pixelsHigh] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
      if (this.canvas.width === pixelsWide && this.canvas.height === pixelsHigh) return;
      [this.canvas.width, this.canvas.height] = [pixelsWide, pixelsHigh];
      this.canvas.style.width = `${clientWidth}px`;
      this.canvas.style.height = `${clientHeight}px`;
    }
    #draw() {
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
        rectangle: this.rectangle
      };
      const { scrollLeft: left, scrollTop: top, clientWidth: width, clientHeight: height } = this.#scroll;
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      paint(context, scene, { left, top, width, height }, this.#colours ??= cssColours(COLOURS, this.#scroll));
      this.#label();
    }
    #followPlayhead() {
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
    #label() {
      const { notes, parts } = this.#page.store.piece;
      const count = (number, name) => `${number} ${name}${number === 1 ? "" : "s"}`;
      const selected = this.#page.store.selection.notes.length;
      const label = `Piece, ${count(notes.length, "note")}, ${count(parts.length, "part")}` + (selected ? `, ${selected} selected` : "");
      if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
    }
  };

  // src/shared/samples.ts
  var DECODER_RATE = 44100;
  var CROSSFADE = 0.1;
  var ENVELOPE = { attack: 4e-3, decay: 1, sustain: 1, release: 0.08 };
  var GAIN = 2;
  async function decoded(file) {
    const decoder = new OfflineAudioContext(1, 1, DECODER_RATE);
    const samples = [];
    for (const { pitch, wav } of file.notes) {
      const buffer = await decoder.decodeAudioData(bytesOf(wav));
      samples.push({ pitch, buffer, loop: repeated(buffer) });
    }
    return samples;
  }
  function bytesOf(base64) {
    const text2 = atob(base64);
    const bytes = new Uint8Array(text2.length);
    for (let index = 0; index < text2.length; index++) bytes[index] = text2.charCodeAt(index);
    return bytes.buffer;
  }
  function sampled(samples) {
    return (context, envelope, note2) => {
      const { pitch, buffer, loop } = nearest(samples, note2.pitch);
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.playbackRate.value = 2 ** ((note2.pitch - pitch) / 12);
      if (loop) [source.loop, source.loopStart, source.loopEnd] = [true, ...loop];
      const silent = shape(envelope.gain, GAIN * levelOf(note2.velocity), note2, ENVELOPE);
      source.connect(envelope);
      source.start(note2.from);
      source.stop(silent);
      return [source];
    };
  }
  function nearest(samples, pitch) {
    return samples.reduce(
      (best, sample) => Math.abs(sample.pitch - pitch) < Math.abs(best.pitch - pitch) ? sample : best
    );
  }
  function repeated(buffer) {
    const fade = Math.round(CROSSFADE * buffer.sampleRate);
    const from = Math.floor(buffer.length / 2);
    const to = buffer.length - 1;
    if (from < fade || to - from < 2 * fade) return null;
    const loudest = (start2) => {
      const piece = buffer.getChannelData(0).subarray(start2, start2 + fade);
      return piece.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    };
    if (loudest(to - fade) < 0.7 * loudest(from)) return null;
    for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
      const values = buffer.getChannelData(channel);
      for (let index = 0; index < fade; index++) {
        const share = index / fade;
        const before2 = values[from - fade + index];
        const end = values[to - fade + index];
        values[to - fade + index] = Math.cos(share * Math.PI / 2) * end + Math.sin(share * Math.PI / 2) * before2;
      }
    }
    return [from / buffer.sampleRate, to / buffer.sampleRate];
  }

  // src/studio/recorded.ts
  var LOADING_PAUSE = 1500;
  async function loaded(program) {
    const response = await fetch(`/samples/${program}.json`);
    if (!response.ok) throw new Error(`The studio answered with status ${response.status}.`);
    return sampled(await decoded(await response.json()));
  }
  function mountRecorded(page, player, load = loaded) {
    const { asking, settings, store } = page;
    if (settings.samples !== null) return;
    const tried = /* @__PURE__ */ new Set();
    let isPlanned = false;
    const wanted = () => store.piece.parts.find(({ program, is_drums }) => !is_drums && !tried.has(program))?.program;
    function plan() {
      if (isPlanned || wanted() === void 0) return;
      isPlanned = true;
      setTimeout(() => void next2(), LOADING_PAUSE);
    }
    async function next2() {
      const program = wanted();
      if (program !== void 0 && !asking.running) {
        tried.add(program);
        try {
          player.use(program, await load(program));
        } catch (error) {
          page.status(`A recorded instrument is missing, so a synthesised one plays. ${messageOf(error)}`);
        }
      }
      isPlanned = false;
      plan();
    }
    const begin2 = new AbortController();
    for (const name of ["pointerdown", "keydown"]) {
      document.addEventListener(
        name,
        () => {
          begin2.abort();
          store.subscribe(plan);
          plan();
        },
        { signal: begin2.signal }
      );
    }
  }

  // src/studio/score.ts
  var PAUSE = 700;
  function mountScore(root, page) {
    const { store, settings } = page;
    const details = html("details", "score", root);
    details.id = "score-details";
    html("summary", "", details).textContent = "Score";
    if (settings.scores !== null) {
      html("p", "hint", details).textContent = settings.scores;
      return;
    }
    const note2 = html("p", "hint", details);
    note2.setAttribute("role", "status");
    const picture = html("img", "score-page", details);
    picture.hidden = true;
    let drawn = null;
    let timer = null;
    const draw2 = async () => {
      timer = null;
      const { piece } = store;
      if (!details.open || piece === drawn) return;
      drawn = piece;
      if (!picture.src) note2.textContent = "Drawing the score …";
      try {
        const blob = await exported("svg", piece);
        if (store.piece !== piece) return;
        picture.src = await dataAddress(blob);
        const bars = countBars(piece);
        picture.alt = `Score of the piece, ${bars} ${bars === 1 ? "bar" : "bars"}, ${piece.parts.map(({ name }) => name).join(", ")}`;
        picture.hidden = false;
        note2.textContent = "";
      } catch (error) {
        picture.hidden = true;
        note2.textContent = `The score cannot be drawn. ${messageOf(error)}`;
      }
    };
    const later = () => {
      if (timer !== null) clearTimeout(timer);
      if (details.open && store.piece !== drawn) timer = setTimeout(() => void draw2(), PAUSE);
    };
    details.addEventListener("toggle", () => void draw2());
    store.subscribe(later);
  }
  function dataAddress(blob) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error ?? new Error("The image cannot be read."));
      reader.readAsDataURL(blob);
    });
  }

  // src/studio/toolbar.ts
  var TOOLS = [
    ["draw", "Draw", "A press draws a note; drag a note to move it, and its end to make it longer"],
    ["select", "Select", "A drag selects notes"],
    ["velocity", "Loudness", "Drag a note up or down to make it louder or softer"]
  ];
  var LENGTHS = [
    [0.25, "sixteenths"],
    [0.5, "eighths"],
    [1, "quarters"],
    [2, "halves"],
    [4, "wholes"]
  ];
  function mountToolbar(root, more, editing) {
    const { page, roll } = editing;
    const tools = html("div", "choice", root);
    tools.setAttribute("role", "radiogroup");
    tools.setAttribute("aria-label", "What a press in the roll does");
    for (const [tool, text2, title] of TOOLS) {
      const made = html("label", "", tools);
      made.title = title;
      const input = html("input", "", made);
      Object.assign(input, { type: "radio", name: "tool", id: `tool-${tool}`, checked: tool === editing.tool });
      made.append(text2);
      input.addEventListener("change", () => editing.tool = tool);
    }
    const lengths = LENGTHS.map(([beats, text2]) => [String(beats), text2]);
    const length = field(root, "New notes are", select("note-length", null, lengths));
    length.value = String(editing.length);
    length.addEventListener("change", () => editing.length = Number(length.value));
    const edits = html("div", "group", more);
    const needing = [
      button(edits, "copy", "Copy", () => page.status(`Copied ${editing.copy().length} notes.`)),
      button(edits, "repeat", "Repeat", () => editing.duplicate()),
      button(edits, "delete", "Delete", () => editing.remove(editing.chosen))
    ];
    button(edits, "paste", "Paste", () => editing.paste());
    button(edits, "clear", "Clear", () => editing.remove(page.store.piece.notes));
    const zooms = html("div", "group", root);
    for (const [id, text2, title, horizontal, vertical] of [
      ["narrower", "−", "Narrower beats", 0.8, 1],
      ["wider", "+", "Wider beats", 1.25, 1],
      ["lower", "▁", "Lower rows", 1, 0.8],
      ["higher", "▇", "Higher rows", 1, 1.25]
    ]) {
      const made = button(zooms, id, text2, () => roll.zoom(horizontal, vertical));
      made.title = title;
      made.setAttribute("aria-label", title);
    }
    button(zooms, "fit", "All", () => roll.zoomToFit()).title = "The whole piece";
    function show() {
      for (const made of needing) made.disabled = page.store.selection.notes.length === 0;
    }
    page.store.subscribe(show);
    show();
  }

  // src/shared/mixer.ts
  var FULL = { mute: false, solo: false, volume: 1 };
  var Mixer = class {
    #open = null;
    #voices = /* @__PURE__ */ new Set();
    #volume = 0.8;
    #muted = false;
    #metronome = false;
    #mixes = /* @__PURE__ */ new Map();
    #instruments = /* @__PURE__ */ new Map();
    /** The time of the audio clock; 0 before `start`. */
    get time() {
      return this.#open?.context.currentTime ?? 0;
    }
    get volume() {
      return this.#volume;
    }
    set volume(level) {
      this.#volume = level;
      this.#showLevels();
    }
    get muted() {
      return this.#muted;
    }
    set muted(on) {
      this.#muted = on;
      this.#showLevels();
    }
    get metronome() {
      return this.#metronome;
    }
    set metronome(on) {
      this.#metronome = on;
      this.#showLevels();
    }
    mix(part, change) {
      this.#mixes.set(part, { ...FULL, ...this.#mixes.get(part), ...change });
      this.#showLevels();
    }
    /** The level of a part, 0 if it is silent: muted, or not among those that are solo. */
    level(part) {
      const { mute, solo, volume } = this.#mixes.get(part) ?? FULL;
      const others = [...this.#mixes.values()].some((mix) => mix.solo);
      return mute || others && !solo ? 0 : volume;
    }
    use(program, instrument) {
      if (instrument) this.#instruments.set(program, instrument);
      else this.#instruments.delete(program);
    }
    /** Opens the audio and gives what is scheduled from now on a new bus. */
    start() {
      const open2 = this.#opened();
      void open2.context.resume();
      Object.assign(open2, this.#newBus(open2.context, open2.output));
    }
    /** Fades out all that sounds or is scheduled. */
    fade() {
      if (!this.#open) return;
      const { bus, context } = this.#open;
      bus.gain.setTargetAtTime(0, context.currentTime, 0.015);
      setTimeout(() => bus.disconnect(), 200);
      for (const voice of this.#voices) clearTimeout(voice.sending);
      this.#voices.clear();
    }
    /** Takes back what is scheduled and does not sound yet, and ends the sounding notes that are not wanted any more. */
    cancel(wanted = () => true) {
      const { time } = this;
      for (const voice of this.#voices) {
        const waiting = voice.from > time;
        if (waiting) clearTimeout(voice.sending);
        else if (!voice.note || wanted(voice.note)) continue;
        else voice.envelope.gain.setTargetAtTime(0, time, 0.03);
        for (const source of voice.sources) source.stop(waiting ? 0 : time + 0.25);
      }
    }
    close() {
      const open2 = this.#open;
      this.#open = null;
      if (open2) setTimeout(() => open2.output.disconnect(), 300);
    }
    /** Schedules a note of a part. */
    play(part, playing, sounding, note2, sending) {
      const output = this.#partOutput(this.#opened(), part);
      this.#keep({ note: note2, from: sounding.from, ...this.#begin(this.#instrument(playing), output, sounding), sending });
    }
    click(from, accented) {
      const sounding = { pitch: 0, velocity: accented ? 1 : 0.6, from, until: from };
      this.#keep({ note: null, from, ...this.#begin(click, this.#opened().clicks, sounding), sending: void 0 });
    }
    /** Sounds one note now, also while nothing plays. */
    sound(playing, pitch, velocity, seconds) {
      const { context, output } = this.#opened();
      void context.resume();
      const from = context.currentTime;
      const note2 = { pitch, velocity, from, until: from + seconds };
      const { envelope, sources } = this.#begin(this.#instrument(playing), output, note2);
      if (sources[0]) sources[0].onended = () => envelope.disconnect();
    }
    #begin(instrument, output, note2) {
      const { context } = this.#opened();
      const envelope = context.createGain();
      envelope.connect(output);
      return { envelope, sources: instrument(context, envelope, note2) };
    }
    #keep(voice) {
      this.#voices.add(voice);
      const [source] = voice.sources;
      if (!source) return;
      source.onended = () => {
        this.#voices.delete(voice);
        voice.envelope.disconnect();
      };
    }
    /** All players of a document share one audio context, even if each output of a notebook contains this script. */
    #opened() {
      if (this.#open) return this.#open;
      const context = window.pianorollAudio ??= new AudioContext();
      const output = context.createGain();
      output.gain.value = this.#muted ? 0 : this.#volume;
      output.connect(context.createDynamicsCompressor()).connect(context.destination);
      return this.#open = { context, output, ...this.#newBus(context, output) };
    }
    #newBus(context, output) {
      const bus = context.createGain();
      const clicks2 = context.createGain();
      clicks2.gain.value = this.#metronome ? 1 : 0;
      clicks2.connect(bus).connect(output);
      return { bus, clicks: clicks2, parts: /* @__PURE__ */ new Map() };
    }
    #partOutput({ context, bus, parts }, part) {
      const known = parts.get(part);
      if (known) return known;
      const made = context.createGain();
      made.gain.value = this.level(part);
      made.connect(bus);
      parts.set(part, made);
      return made;
    }
    #showLevels() {
      if (!this.#open) return;
      const { context, output, parts, clicks: clicks2 } = this.#open;
      const fade = (node, level) => node.gain.setTargetAtTime(level, context.currentTime, 0.02);
      fade(output, this.#muted ? 0 : this.#volume);
      fade(clicks2, this.#metronome ? 1 : 0);
      for (const [part, node] of parts) fade(node, this.level(part));
    }
    #instrument({ program, drums: isDrums } = { program: 0, drums: false }) {
      return isDrums ? drums : this.#instruments.get(program) ?? synthesised(program);
    }
  };

  // src/shared/player.ts
  var NEARLY_OVER = 0.05;
  var startOf = ([start2]) => start2;
  var Player = class _Player {
    static AHEAD = 1;
    // seconds of music that are scheduled ahead
    static INTERVAL = 100;
    // milliseconds between two calls of the scheduler
    static SHORTEST = 0.012;
    // seconds of a note at least
    static SENT_AHEAD = 30;
    // milliseconds before a note at which it is sent
    #data;
    #onended;
    #mixer = new Mixer();
    #timer = null;
    #anchor = { time: 0, position: 0 };
    // a time of the audio clock and the position at that time
    #pausedAt = 0;
    // the position while it does not play
    #next = 0;
    // the index of the first note that is not scheduled yet, ...
    #nextClick = 0;
    // ... and of the first click ...
    #lap = 0;
    // ... in this repetition of the loop
    #tempo = 1;
    #loop = false;
    #receiver = null;
    constructor(data, { onended } = {}) {
      this.#data = data;
      this.#onended = onended;
      document.addEventListener("pianoroll-play", this.#onOtherPlay);
    }
    get playing() {
      return this.#timer !== null;
    }
    get seconds() {
      return this.#data.seconds;
    }
    get position() {
      if (!this.playing) return this.#pausedAt;
      const elapsed = this.#elapsed();
      const [from, to] = this.#range() ?? [0, Infinity];
      return elapsed < to ? Math.min(elapsed, this.seconds) : from + (elapsed - from) % (to - from);
    }
    get tempo() {
      return this.#tempo;
    }
    set tempo(factor) {
      this.#adjust(() => this.#tempo = factor);
    }
    /** Whether it repeats: the whole, or from one second to another. */
    get loop() {
      return this.#loop;
    }
    set loop(range2) {
      this.#adjust(() => this.#loop = range2);
    }
    get volume() {
      return this.#mixer.volume;
    }
    set volume(level) {
      this.#mixer.volume = level;
    }
    /** Whether the page itself is silent; notes are still sent to the receiver. */
    get muted() {
      return this.#mixer.muted;
    }
    set muted(on) {
      this.#mixer.muted = on;
    }
    get metronome() {
      return this.#mixer.metronome;
    }
    set metronome(on) {
      this.#mixer.metronome = on;
    }
    mix(part, change) {
      this.#mixer.mix(part, change);
    }
    /** Notes of the program sound by this instrument from now on; by the synthesiser again without one. */
    use(program, instrument) {
      this.#mixer.use(program, instrument);
    }
    sendTo(receiver) {
      this.#receiver?.silence();
      this.#receiver = receiver;
    }
    /** Plays from the current position; from the beginning if it is at the end. */
    play() {
      if (this.playing || !this.seconds) return;
      document.dispatchEvent(new CustomEvent("pianoroll-play", { detail: this }));
      this.#start(this.#pausedAt < this.seconds ? this.#pausedAt : 0);
      this.#timer = setInterval(() => this.#tick(), _Player.INTERVAL);
    }
    pause() {
      if (!this.playing) return;
      this.#stopAt(this.position);
      this.#fade();
    }
    seek(seconds) {
      const position = clamp(seconds, 0, this.seconds);
      if (this.playing) {
        this.#fade();
        this.#start(position);
      } else this.#pausedAt = position;
    }
    /** Continues with other music from the same position. What sounds and is gone ends; what is new there begins. */
    replace(data) {
      const before2 = this.#data;
      if (!this.playing) {
        this.#data = data;
        this.#pausedAt = Math.min(this.#pausedAt, data.seconds);
        return;
      }
      const position = this.position;
      const old = new Set(held(before2.notes, position).map(String));
      const kept = new Set(held(data.notes, position).map(String));
      this.#adjust(
        () => this.#data = data,
        (note2) => note2[1] <= position + NEARLY_OVER || kept.has(String(note2))
      );
      for (const note2 of held(data.notes, position)) if (!old.has(String(note2))) this.#playNote(note2, position);
    }
    /** Adds notes and sets the new length. Notes whose start has passed begin at once. */
    extend(notes, seconds) {
      this.replace({ ...this.#data, seconds, notes: this.#data.notes.concat(notes).sort((a, b) => a[0] - b[0]) });
    }
    /** Sounds one note now, whether it plays or not. */
    sound({ part = 0, pitch, velocity = 0.7, seconds = 0.3 }) {
      this.#mixer.sound(this.#data.parts?.[part], pitch, velocity, seconds);
      this.#receiver?.note({ part, pitch, velocity, seconds, at: performance.now() });
    }
    destroy() {
      this.pause();
      document.removeEventListener("pianoroll-play", this.#onOtherPlay);
      this.#mixer.close();
    }
    #onOtherPlay = (event) => {
      if (event.detail !== this) this.pause();
    };
    /** The part that repeats, if the position is in it or before it. */
    #range() {
      if (!this.#loop) return null;
      const [from, to] = this.#loop === true ? [0, this.seconds] : this.#loop;
      const end = Math.min(to, this.seconds);
      return end - from > 0.01 && this.#anchor.position <= end ? [from, end] : null;
    }
    /** The position without the loop's wrapping: the anchor's position and what has played since. */
    #elapsed() {
      const since = Math.max(this.#mixer.time - this.#anchor.time, 0);
      return this.#anchor.position + since * this.#tempo;
    }
    /** The time of the audio clock for a position in the repetition that is being scheduled. */
    #timeOf(position) {
      const [from, to] = this.#range() ?? [0, 0];
      return this.#anchor.time + (this.#lap * (to - from) + position - this.#anchor.position) / this.#tempo;
    }
    /** Starts at a position, with the notes that are held there. */
    #start(position) {
      this.#mixer.start();
      this.#setAnchor(position, 0.02);
      for (const note2 of held(this.#data.notes, position)) this.#playNote(note2, position);
      this.#schedule();
    }
    #setAnchor(position, delay) {
      this.#anchor = { time: this.#mixer.time + delay, position };
      this.#lap = 0;
      this.#continueFrom(position);
    }
    #continueFrom(position) {
      this.#next = firstFrom(this.#data.notes, position, startOf);
      this.#nextClick = firstFrom(this.#data.clicks ?? [], position, startOf);
    }
    #stopAt(position) {
      if (this.#timer !== null) clearInterval(this.#timer);
      this.#timer = null;
      this.#pausedAt = position;
    }
    #fade() {
      this.#mixer.fade();
      this.#receiver?.silence();
    }
    /** Changes what determines the times of notes. Sounding notes continue; scheduled notes are scheduled again. */
    #adjust(change, wanted) {
      if (!this.playing) return change();
      const position = this.position;
      change();
      this.#mixer.cancel(wanted);
      this.#setAnchor(position, 0);
      this.#schedule();
    }
    #tick() {
      if (!this.#range() && this.#elapsed() >= this.seconds) {
        this.#stopAt(this.seconds);
        this.#onended?.();
      } else this.#schedule();
    }
    #schedule() {
      const until = this.#mixer.time + _Player.AHEAD;
      for (; ; ) {
        const range2 = this.#range();
        const end = range2?.[1] ?? Infinity;
        const { notes, clicks: clicks2 = [] } = this.#data;
        const due = (event) => event && event[0] < end && this.#timeOf(event[0]) < until;
        while (due(notes[this.#next])) this.#playNote(notes[this.#next++], 0);
        while (due(clicks2[this.#nextClick])) this.#playClick(clicks2[this.#nextClick++]);
        if (!range2 || this.#timeOf(end) >= until) return;
        this.#lap += 1;
        this.#continueFrom(range2[0]);
        for (const note2 of held(this.#data.notes, range2[0])) this.#playNote(note2, range2[0]);
      }
    }
    /** Schedules one note, from a position within it if it began before. */
    #playNote(note2, position) {
      const [start2, end, pitch, velocity, part = 0] = note2;
      const playing = this.#data.parts?.[part];
      if (playing?.drums && position > start2) return;
      const from = Math.max(this.#timeOf(Math.max(start2, position)), this.#mixer.time);
      const last = Math.min(end, this.#range()?.[1] ?? this.seconds);
      const sounding = { pitch, velocity, from, until: Math.max(this.#timeOf(last), from + _Player.SHORTEST) };
      this.#mixer.play(part, playing, sounding, note2, this.#send(sounding, part));
    }
    #playClick([position, accented]) {
      this.#mixer.click(Math.max(this.#timeOf(position), this.#mixer.time), accented);
    }
    /** Sends a scheduled note a moment before it begins, so that pausing can still keep it back. */
    #send({ pitch, velocity, from, until }, part) {
      if (!this.#receiver) return void 0;
      const delay = 1e3 * (from - this.#mixer.time);
      const sent = { part, pitch, velocity, seconds: until - from, at: performance.now() + delay };
      const send = () => this.#mixer.level(part) > 0 && this.#receiver?.note(sent);
      return setTimeout(send, Math.max(delay - _Player.SENT_AHEAD, 0));
    }
  };
  function held(notes, position) {
    return notes.slice(0, firstFrom(notes, position, startOf)).filter(([, end]) => end > position + NEARLY_OVER);
  }

  // src/studio/transport.ts
  var HEARD = { mute: false, solo: false };
  function playable(piece) {
    const clicks2 = [];
    for (let beat = 0; beat < piece.beats - 1e-6; beat++) clicks2.push([beat, isBarLine(piece, beat)]);
    return {
      seconds: piece.beats,
      notes: piece.notes.map(({ part, pitch, start: start2, length, velocity }) => [start2, start2 + length, pitch, velocity / 127, part]),
      parts: piece.parts.map(({ program, is_drums: drums2 }) => ({ program, drums: drums2 })),
      clicks: clicks2
    };
  }
  function isBarLine({ beats_per_bar: bar }, beat) {
    const rest = beat % bar;
    return Math.min(rest, bar - rest) < 1e-6;
  }
  var StudioTransport = class _StudioTransport {
    static PAUSE = 60;
    // milliseconds between two exchanges of the music while it plays
    #store;
    #player;
    #played;
    #isLooping = false;
    #mixes = [];
    #listeners = /* @__PURE__ */ new Set();
    #exchange = null;
    constructor(store) {
      this.#store = store;
      this.#played = store.piece;
      this.#player = new Player(playable(store.piece), { onended: () => this.#notify() });
      this.#player.tempo = store.piece.beats_per_minute / 60;
      store.subscribe(() => this.#follow());
      document.addEventListener("pianoroll-play", () => setTimeout(() => this.#notify()));
    }
    get playing() {
      return this.#player.playing;
    }
    get position() {
      return this.#player.position;
    }
    get looping() {
      return this.#isLooping;
    }
    /** Repeats the selected bars, or the piece if none are selected. */
    set looping(on) {
      this.#isLooping = on;
      this.#setLoop();
      this.#notify();
    }
    get metronome() {
      return this.#player.metronome;
    }
    set metronome(on) {
      this.#player.metronome = on;
      this.#notify();
    }
    get player() {
      return this.#player;
    }
    mixOf(part) {
      return this.#mixes[part] ?? HEARD;
    }
    /** The parts that do not sound. */
    get silent() {
      const { parts } = this.#store.piece;
      const someSolo = parts.some((_, part) => this.mixOf(part).solo);
      const isSilent = (part) => this.mixOf(part).mute || someSolo && !this.mixOf(part).solo;
      return new Set([...parts.keys()].filter(isSilent));
    }
    mix(part, change) {
      this.#mixes[part] = { ...this.mixOf(part), ...change };
      this.#player.mix(part, change);
      this.#notify();
    }
    /** Forgets what was set for a part that is removed; the parts behind it move up. */
    removeMix(part) {
      const mixes = Array.from(this.#store.piece.parts, (_, index) => this.mixOf(index));
      mixes.splice(part, 1);
      this.#mixes = mixes;
      [...mixes, HEARD].forEach((mix, index) => this.#player.mix(index, mix));
      this.#notify();
    }
    unlock() {
      void (window.pianorollAudio ??= new AudioContext()).resume();
    }
    /** Plays from a beat, or from where it was paused. With selected bars, it plays within them. */
    play(from) {
      this.#exchangeMusic();
      const { piece, selection } = this.#store;
      const [first, last] = selection.bars ? barBeats(piece, selection.bars) : [0, piece.beats];
      const inside = this.position >= first - 1e-6 && this.position < last - 1e-6;
      if (from !== void 0) this.#player.seek(from);
      else if (!inside) this.#player.seek(first);
      this.#player.play();
      this.#notify();
    }
    pause() {
      this.#player.pause();
      this.#notify();
    }
    seek(beat) {
      this.#exchangeMusic();
      this.#player.seek(beat);
      this.#notify();
    }
    sound(part, pitch, velocity) {
      this.#exchangeMusic();
      this.#player.sound({ part, pitch, velocity: velocity / 127 });
    }
    sendTo(receiver, muted = false) {
      const note2 = (sent) => receiver?.note({ ...sent, velocity: Math.round(sent.velocity * 127) });
      this.#player.sendTo(receiver && { note: note2, silence: () => receiver.silence() });
      this.#player.muted = muted;
    }
    subscribe(listener) {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    }
    // Follows the store. While it plays, changes that come quickly are heard together.
    #follow() {
      this.#setLoop();
      const { piece } = this.#store;
      if (piece === this.#played || !this.playing) return;
      if (piece.beats_per_minute !== this.#played.beats_per_minute) this.#exchangeMusic();
      else this.#exchange ??= setTimeout(() => this.#exchangeMusic(), _StudioTransport.PAUSE);
    }
    #exchangeMusic() {
      if (this.#exchange !== null) clearTimeout(this.#exchange);
      this.#exchange = null;
      const { piece } = this.#store;
      if (piece === this.#played) return;
      this.#player.replace(playable(piece));
      if (piece.beats_per_minute !== this.#played.beats_per_minute) this.#player.tempo = piece.beats_per_minute / 60;
      this.#played = piece;
      this.#setLoop();
    }
    #setLoop() {
      const { piece, selection } = this.#store;
      const wanted = this.#isLooping ? selection.bars ? barBeats(piece, selection.bars) : true : false;
      if (String(wanted) !== String(this.#player.loop)) this.#player.loop = wanted;
    }
    #notify() {
      for (const listener of [...this.#listeners]) listener();
    }
  };

  // src/studio/transport_bar.ts
  function mountTransport(root, more, page, transport) {
    const { store, settings } = page;
    const play = button(root, "play", "Play", () => transport.playing ? transport.pause() : transport.play(), "main");
    const start2 = button(root, "to-start", "Start", () => transport.seek(0));
    start2.setAttribute("aria-label", "To the beginning");
    const position = html("input", "position", root);
    Object.assign(position, { id: "position", type: "range", min: "0", step: "any" });
    position.setAttribute("aria-label", "Position");
    const time = html("span", "time", root);
    position.addEventListener("input", () => transport.seek(Number(position.value)));
    position.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
      const beats = steps[event.key];
      if (beats === void 0) return;
      event.preventDefault();
      transport.seek(transport.position + beats);
    });
    const loop = checkbox(root, "loop", "Loop", (on) => transport.looping = on);
    checkbox(root, "metronome", "Metronome", (on) => transport.metronome = on);
    const number = (text2, id, min, max, step) => field(more, text2, numberField(id, text2, { min, max, step }));
    const tempo = boundNumber(
      number("Tempo", "tempo", ...settings.beats_per_minute, "any"),
      (beats_per_minute) => store.change("Change the tempo", { ...store.piece, beats_per_minute })
    );
    const metre = boundNumber(
      number("Beats in a bar", "beats-per-bar", 1, 16, 0.5),
      (beats_per_bar) => store.change("Change the metre", { ...store.piece, beats_per_bar })
    );
    const bars = boundNumber(number("Bars", "bars", 1, settings.max_beats, 1), (count) => {
      const beats = Math.min(count * store.piece.beats_per_bar, settings.max_beats);
      store.change("Change the length", withBeats(store.piece, beats));
    });
    function show() {
      const { piece, selection } = store;
      const label = transport.playing ? "Pause" : "Play";
      if (play.textContent !== label) play.textContent = label;
      tempo.show(piece.beats_per_minute);
      metre.show(piece.beats_per_bar);
      bars.show(countBars(piece));
      loop.checked = transport.looping;
      loop.parentElement.title = selection.bars ? "Repeats the selected bars" : "Repeats the piece";
      showPosition();
    }
    function showPosition() {
      const { piece } = store;
      const beat = transport.position;
      const bar = barAt(piece, beat);
      const inBar = Math.floor(beat - (bar - 1) * piece.beats_per_bar + 1e-6) + 1;
      const text2 = `${bar}.${inBar}`;
      position.max = String(piece.beats);
      position.value = String(beat);
      if (time.textContent === text2) return;
      time.textContent = text2;
      position.setAttribute("aria-valuetext", `Bar ${bar}, beat ${inBar}`);
    }
    let isAnimated = false;
    function animate() {
      showPosition();
      isAnimated = transport.playing;
      if (isAnimated) requestAnimationFrame(animate);
    }
    transport.subscribe(() => {
      show();
      if (!isAnimated) animate();
    });
    store.subscribe(show);
    show();
  }

  // src/studio/main.ts
  var byId = (id) => document.getElementById(id);
  var MOUNTS = [
    ["ask", mountAsk],
    ["takes", mountTakes],
    ["files", mountFiles],
    ["session", mountSession],
    ["live", mountLive],
    ["score", mountScore]
  ];
  function start(settings) {
    const choices = new Choices(settings);
    const store = new Store(openingPiece(choices.model));
    const transport = new StudioTransport(store);
    const asking = new Asking(store, choices, transport);
    let part = 0;
    const partListeners = [];
    const page = {
      store,
      settings,
      choices,
      asking,
      transport,
      get part() {
        return Math.min(part, store.piece.parts.length - 1);
      },
      choosePart(index) {
        part = index;
        for (const listener of partListeners) listener();
      },
      status: (text2) => byId("status").textContent = text2,
      error: (text2) => byId("error").textContent = text2
    };
    const roll = new Roll(byId("roll"), page, "roll-help");
    const editing = new Editing(page, roll);
    partListeners.push(() => roll.refresh());
    transport.subscribe(() => roll.silent = transport.silent);
    mountToolbar(byId("toolbar"), byId("edits"), editing);
    mountTransport(byId("transport"), byId("edits"), page, transport);
    mountParts(byId("parts"), page, transport, (listener) => partListeners.push(listener));
    mountHistory(byId("history"), editing);
    listenToPointers(editing);
    listenToKeys(editing);
    mountRecorded(page, transport.player);
    for (const [id, mount] of MOUNTS) mount(byId(id), page);
    foldFiles(byId("file-menu"));
    roll.showNotes();
  }
  function foldFiles(menu) {
    const wide = matchMedia("(min-width: 1000px)");
    const fold = () => void (menu.open = wide.matches);
    wide.addEventListener("change", fold);
    fold();
  }
  function mountHistory(root, editing) {
    const { store } = editing.page;
    const undo = button(root, "undo", "Undo", () => editing.undo());
    const redo = button(root, "redo", "Redo", () => editing.redo());
    const show = () => {
      for (const [element, label, verb] of [[undo, store.undoable, "Undo"], [redo, store.redoable, "Redo"]]) {
        refuse(element, label === null ? `There is nothing to ${verb.toLowerCase()}.` : null);
        if (label !== null) element.title = `${verb}: ${label}`;
      }
    };
    store.subscribe(show);
    show();
  }
  start(JSON.parse(byId("settings").textContent));
})();
