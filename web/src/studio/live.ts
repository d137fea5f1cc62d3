// A MIDI keyboard and a synthesizer at the page: record, play in turn with a model, send the music out.
// Ports come from the browser's Web MIDI.

import { html } from "../shared/elements.js";
import { Conversation, type Phrase } from "./conversation.js";
import { lay } from "./edit.js";
import { button, checkbox, field, heading, isRefused, refuse, select, setOptions } from "./form.js";
import { keyEvent, type KeyEvent } from "./midi_in.js";
import { MidiReceiver } from "./midi_out.js";
import type { Page } from "./page.js";
import { barAt, barBeats, noteEnd } from "./piece.js";
import { Recording } from "./recording.js";
import { NOTHING } from "./store.js";
import { messageOf } from "./stream.js";

const NO_MIDI = "This browser has no Web MIDI. Chrome, Edge and Firefox have it.";
const hasMidi = (): boolean => "requestMIDIAccess" in navigator;
const STEPS = 4; // of a beat, for models that count in seconds
const EVERY_INPUT = "";
const NO_OUTPUT = "";

export function mountLive(root: HTMLElement, page: Page): void {
  heading(root, "live", "Live");
  const live = new Live(root, page);
  live.show();
}

class Live {
  #page: Page;
  #access: MIDIAccess | null = null;
  #recording: Recording | null = null;
  #talk: Conversation | null = null;
  #talkTimer: ReturnType<typeof setInterval> | null = null;
  #input: HTMLSelectElement;
  #output: HTMLSelectElement;
  #only: HTMLInputElement;
  #echo: HTMLInputElement;
  #connect: HTMLButtonElement;
  #record: HTMLButtonElement;
  #turns: HTMLButtonElement;

  constructor(root: HTMLElement, page: Page) {
    this.#page = page;
    const hint = html("p", "hint", root);
    hint.textContent = hasMidi()
      ? "Record a MIDI keyboard into the chosen part, play in turn with the model, or send the piece to a synthesizer."
      : NO_MIDI;
    const ports = html("div", "bar", root);
    this.#connect = button(ports, "connect-midi", "Connect MIDI", () => void this.#open());
    this.#input = field(ports, "Input", select("midi-input", null, []));
    this.#output = field(ports, "Output", select("midi-output", null, []));
    this.#only = checkbox(ports, "only-output", "Only to the output", () => this.#send());
    this.#echo = checkbox(ports, "echo", "Sound what I play", () => undefined);
    this.#echo.checked = true;
    const bar = html("div", "bar", root);
    this.#record = button(bar, "record", "Record", () => this.#toggleRecording());
    this.#turns = button(bar, "turns", "Call and response", () => this.#toggleTurns());
    this.#input.addEventListener("change", () => this.#listen());
    this.#output.addEventListener("change", () => this.#send());
    page.choices.subscribe(() => this.show());
    addEventListener("pagehide", () => page.transport.sendTo(null));
  }

  show(): void {
    const { choices } = this.#page;
    const hasInput = (this.#access?.inputs.size ?? 0) > 0;
    const noInput = !hasMidi()
      ? NO_MIDI
      : !this.#access
        ? "Connect MIDI first."
        : hasInput
          ? null
          : "There is no MIDI input. Connect a keyboard to this computer.";
    refuse(this.#connect, hasMidi() ? null : NO_MIDI);
    const beginning = { record: noInput, turns: noInput ?? choices.model.tasks.continue }; // ending is always possible
    refuse(this.#record, this.#talk ? "End the call and response first." : this.#recording ? null : beginning.record);
    refuse(this.#turns, this.#recording ? "End the recording first." : this.#talk ? null : beginning.turns);
    this.#record.textContent = this.#recording ? "Stop recording" : "Record";
    this.#record.setAttribute("aria-pressed", String(this.#recording !== null));
    this.#turns.setAttribute("aria-pressed", String(this.#talk !== null));
    this.#input.disabled = !hasInput;
    this.#output.disabled = !this.#access?.outputs.size;
    this.#only.disabled = this.#output.value === NO_OUTPUT;
  }

  async #open(): Promise<void> {
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
    const count = (many: number, word: string): string => `${many} ${word}${many === 1 ? "" : "s"}`;
    status(`MIDI is connected: ${count(inputs, "input")}, ${count(outputs, "output")}.`);
  }

  #ports(): void {
    const named = (ports: MIDIInputMap | MIDIOutputMap): [string, string][] =>
      [...ports.values()].map(({ id, name }) => [id, name ?? id]);
    setOptions(this.#input, [[EVERY_INPUT, "every input"], ...named(this.#access!.inputs)]);
    setOptions(this.#output, [[NO_OUTPUT, "none"], ...named(this.#access!.outputs)]);
    this.#listen();
    this.#send();
  }

  #listen(): void {
    for (const input of this.#access!.inputs.values()) {
      const chosen = this.#input.value === EVERY_INPUT || this.#input.value === input.id;
      input.onmidimessage = chosen
        ? ({ data, timeStamp }) => {
            const event = keyEvent(data);
            if (event) this.#key(event, timeStamp || performance.now());
          }
        : null;
    }
    this.show();
  }

  #send(): void {
    const { store, transport } = this.#page;
    const output = this.#access?.outputs.get(this.#output.value);
    transport.sendTo(output ? new MidiReceiver(output, () => store.piece.parts) : null, output !== undefined && this.#only.checked);
    this.show();
  }

  #key(event: KeyEvent, at: number): void {
    const { transport, asking, part } = this.#page;
    if (event.kind === "press" && this.#echo.checked) transport.sound(part, event.pitch, event.velocity);
    this.#recording?.key(event, at);
    if (!this.#talk) return;
    if (event.kind === "press" && !this.#talk.isPlaying) {
      asking.stop(); // who plays has the word
      transport.pause();
      this.#talk.beat = this.#beat();
    }
    this.#talk.key(event, at);
  }

  #toggleRecording(): void {
    const { status, settings, store, transport, part } = this.#page;
    if (isRefused(this.#record)) return status(this.#record.title);
    if (this.#recording) return this.#recording.stop();
    transport.unlock();
    const { piece, selection } = store;
    const bar = selection.bars?.[0] ?? (transport.position < piece.beats ? barAt(piece, transport.position) : 1);
    const [from] = barBeats(piece, [bar, bar]);
    const ended = (): void => {
      this.#recording = null;
      this.show();
      status("The recording has ended.");
    };
    this.#recording = new Recording(store, transport, part, from, this.#beat().steps, settings, ended);
    status(`Recording into ${piece.parts[part]!.name || "the part"} from bar ${bar}, after a bar of clicks.`);
    this.show();
  }

  #beat(): Conversation["beat"] {
    const { store, choices } = this.#page;
    const { beats_per_minute: tempo, beats_per_bar: perBar } = store.piece;
    return { milliseconds: 60_000 / tempo, perBar, steps: choices.model.frames_per_beat ?? STEPS };
  }

  #toggleTurns(): void {
    const { status, transport } = this.#page;
    if (isRefused(this.#turns)) return status(this.#turns.title);
    if (this.#talk) return this.#endTurns("The call and response has ended.");
    transport.unlock();
    const talk = (this.#talk = new Conversation(this.#beat()));
    this.#talkTimer = setInterval(() => {
      const phrase = talk.phrase(performance.now());
      if (phrase) void this.#answer(phrase);
    }, 20);
    status("Play. After a bar of silence, the model continues.");
    this.show();
  }

  #endTurns(text: string): void {
    if (this.#talkTimer !== null) clearInterval(this.#talkTimer);
    this.#talk = this.#talkTimer = null;
    this.#page.asking.stop();
    this.#page.status(text);
    this.show();
  }

  /** Puts a phrase at the end of the music, and lets the model continue it for as many bars. */
  async #answer({ notes, bars }: Phrase): Promise<void> {
    const { store, asking, status, error, part } = this.#page;
    const bar = store.piece.beats_per_bar;
    const atBar = (beat: number): number => Math.ceil(beat / bar - 1e-6) * bar;
    const at = atBar(Math.max(0, ...store.piece.notes.map(noteEnd)));
    const placed = notes.map((note) => ({ ...note, part, start: at + note.start }));
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
}
