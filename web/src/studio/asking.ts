// Asks a model, and puts its answer into the piece while it arrives. One answer is one step of the history.

import type { Choices, ChoiceValues } from "./choices.js";
import { follow, type Following } from "./following.js";
import { merged, NO_ANSWER, restored, type Answer } from "./merging.js";
import type { Task, Transport } from "./page.js";
import { keepsParts, type Piece } from "./piece.js";
import { fillLine, type FillLine } from "./protocol.js";
import { question, type Question, type Region } from "./requests.js";
import type { Store } from "./store.js";
import { isAbort, jsonLines, post } from "./stream.js";

export interface Take extends Answer {
  readonly id: number;
  readonly name: string; // for people: "Take 2 · seed 5"
  readonly question: Question;
  readonly before: Piece; // the piece before the answer
  readonly gesture: string; // takes of one answer are one step of the history
}

export type Outcome = "done" | "stopped" | "cancelled";

/** Sends a request to the server and yields the lines of its answer. Tests give one of their own. */
export type Ask = (request: Question["request"], signal: AbortSignal) => AsyncIterable<unknown>;

export const LABELS: Readonly<Record<Question["task"], string>> = {
  continue: "Continue",
  fill: "Fill",
  harmonize: "Harmonize",
  vary: "Vary",
  silence: "Start from silence",
};

async function* askServer(request: Question["request"], signal: AbortSignal): AsyncGenerator<unknown> {
  const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== null));
  const response = await post("/fill", JSON.stringify(given), signal);
  yield* jsonLines(response.body!);
}

export class Asking {
  static readonly PAUSE = 80; // milliseconds between two changes of the piece

  #running: AbortController | null = null;
  #seen: Piece; // the piece when the store changed last
  #takes: readonly Take[] = [];
  #current: number | null = null; // id of the take in the piece
  #lastId = 0;
  #following: Following = "off";
  #playsFrom = 0; // in beats
  #known = 0; // beats up to which the answer is in the piece
  #isFirst = true; // nothing of the running answer is in the piece yet
  #listeners = new Set<() => void>();

  constructor(
    readonly store: Store,
    readonly choices: Choices,
    readonly transport: Transport,
    readonly ask: Ask = askServer,
  ) {
    this.#seen = store.piece;
    store.subscribe(() => this.#onChange());
  }

  get running(): boolean {
    return this.#running !== null;
  }

  /** The takes of the last answer that are still offered. */
  get takes(): readonly Take[] {
    return this.#takes;
  }

  /** The id of the take that is in the piece, or null. */
  get current(): number | null {
    return this.#current;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): void {
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
  async run(task: Task | "silence", selection = this.store.selection, values: Partial<ChoiceValues> = {}): Promise<Outcome> {
    this.stop();
    const { store, choices } = this;
    this.#seen = store.piece;
    const chosen = { ...choices.values, ...values };
    const asked = question(task, store.piece, selection, choices.model, chosen, choices.pitchClasses);
    const controller = (this.#running = new AbortController());
    const first = this.#lastId + 1;
    this.#takes = Array.from({ length: asked.request.takes }, (_, index) => ({
      ...NO_ANSWER,
      id: ++this.#lastId,
      name: `Take ${index + 1} · seed ${asked.request.seed}`,
      question: asked,
      before: store.piece,
      gesture: `answer ${first}`,
    }));
    [this.#current, this.#isFirst, this.#known] = [first, true, 0];
    this.#following = "starting";
    this.#playsFrom = chosen.from_start ? 0 : asked.region.from;
    this.#notify();
    const watch = setInterval(() => this.#follow(), 50);
    let outcome: Outcome = "stopped";
    try {
      let shown = -Infinity;
      for await (const value of this.ask(asked.request, controller.signal)) {
        if (controller.signal.aborted) break;
        const line = fillLine(value, asked.piece.parts.length);
        if (line.kind === "error") throw new Error(line.message);
        if (line.kind === "cancelled") return (outcome = "cancelled");
        if (line.kind === "region") this.#setRegion(line);
        else if (this.#take(line, first) && (line.kind === "done" || performance.now() > shown + Asking.PAUSE)) {
          this.#show();
          shown = performance.now();
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
  hear(id: number): void {
    const take = this.#takes.find((one) => one.id === id);
    if (!take) return;
    const base = take.question.task === "silence" ? take.question.piece : this.store.piece;
    this.#current = id;
    this.#change(LABELS[take.question.task], merged(base, take.question.region, take, take.question.piece), take.gesture);
    this.#notify();
    this.transport.play(take.question.region.from);
  }

  /** Keeps a take in the piece and drops the others. */
  keep(id: number): void {
    const take = this.#takes.find((one) => one.id === id);
    if (!take) return;
    if (this.#current !== id) this.hear(id);
    this.#takes = [];
    this.store.endGesture(take.gesture);
    this.#notify();
  }

  /** No longer offers a take. If it is in the piece, it is taken out by another one, or by what was there before. */
  drop(id: number): void {
    const take = this.#takes.find((one) => one.id === id);
    if (!take) return;
    this.#takes = this.#takes.filter((one) => one.id !== id);
    if (this.#current === id) {
      const [next] = this.#takes;
      if (next) this.hear(next.id);
      else {
        this.#current = null;
        this.#change(`Drop ${take.name}`, restored(this.store.piece, take.question, take.before));
        this.transport.pause();
      }
    }
    this.#notify();
  }

  // Who takes back an answer that still arrives does not want the rest. Answers are for the parts of their piece.
  #onChange(): void {
    const { piece, redoable } = this.store;
    const before = this.#seen;
    if (piece === before) return;
    this.#seen = piece;
    const isUndo = redoable !== null;
    if (isUndo) this.stop();
    if (keepsParts(before, piece) || (isUndo && keepsParts(piece, before))) return;
    this.stop();
    [this.#takes, this.#current] = [[], null];
    this.#notify();
  }

  #change(label: string, piece: Piece, gesture: string | null = null): void {
    this.#seen = piece;
    this.store.change(label, piece, gesture);
  }

  /** What is written is for the server to say: it knows the model's grid. */
  #setRegion({ from, to, parts }: Region): void {
    if (this.#playsFrom !== 0) this.#playsFrom = from;
    this.#takes = this.#takes.map((take) => ({ ...take, question: { ...take.question, region: { from, to, parts } } }));
  }

  /** Files a line of the answer; returns whether it belongs to the take in the piece. */
  #take(line: Extract<FillLine, { take: number }>, first: number): boolean {
    const id = first + line.take;
    this.#takes = this.#takes.map((take) => {
      if (take.id !== id) return take;
      if (line.kind === "done") return { ...take, done: true, until: take.question.region.to };
      return { ...take, notes: [...take.notes, ...line.notes], until: Math.max(take.until, line.until) };
    });
    if (line.kind === "done") this.#notify();
    return id === this.#current;
  }

  /** Shows what has arrived of the take in the piece. */
  #show(): void {
    const take = this.#takes.find((one) => one.id === this.#current);
    if (!take) return;
    const { question: asked } = take;
    const base = this.#isFirst && asked.task === "silence" ? asked.piece : this.store.piece;
    this.#isFirst = false;
    this.#known = take.done ? Infinity : take.until;
    const change = (piece: Piece): Piece => merged(piece, asked.region, take, asked.piece);
    this.#seen = change(base);
    this.store.amend(LABELS[asked.task], this.#seen, take.gesture, change);
    this.#follow();
  }

  #end(outcome: Outcome): void {
    this.#running = null;
    const [first] = this.#takes;
    const offered = this.#takes.filter((take) => take.done || take.notes.length > 0);
    if (outcome === "done") this.#follow();
    this.#following = "off";
    this.#takes = offered.length > 1 ? offered : [];
    if (first && this.#takes.length === 0) this.store.endGesture(first.gesture);
    this.#notify();
  }

  #follow(): void {
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

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
