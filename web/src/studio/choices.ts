// How the models are asked: the fields beside the buttons, in one place.

import type { ModelSettings, Settings } from "./page.js";

export interface ChoiceValues {
  readonly model: string;
  readonly temperature: number;
  readonly length: number; // of a continuation, in its unit
  readonly unit: "beats" | "seconds";
  readonly takes: number; // 1 to MAX_TAKES
  readonly root: number | null; // pitch class of the scale's root; null: any notes
  readonly scale: string; // kind of scale
  readonly seed: number;
  readonly strength: number; // of "Vary": the share that changes, in (0, 1]
  readonly from_start: boolean; // an answer plays from the piece's beginning
}

export const MAX_TAKES = 4;
export const TEMPERATURES = [0.2, 2] as const;
export const MAX_SEED = Number.MAX_SAFE_INTEGER;

export const randomSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0]! % 100_000;

export class Choices {
  #values: ChoiceValues;
  #name = "piece";
  #listeners = new Set<() => void>();

  constructor(readonly settings: Settings) {
    this.#values = {
      model: settings.models[0]!.name,
      temperature: 1,
      length: 32,
      unit: "beats",
      takes: 1,
      root: null,
      scale: Object.keys(settings.scales)[0] ?? "",
      seed: randomSeed(),
      strength: 0.5,
      from_start: true,
    };
  }

  get values(): ChoiceValues {
    return this.#values;
  }

  /** The name of the piece, for files and for keeping it. */
  get name(): string {
    return this.#name;
  }

  set name(name: string) {
    this.#name = name;
    this.#notify();
  }

  /** The model that is asked. */
  get model(): ModelSettings {
    const { models } = this.settings;
    return models.find(({ name }) => name === this.#values.model) ?? models[0]!;
  }

  /** The pitch classes of the scale, or null for any notes. */
  get pitchClasses(): readonly number[] | null {
    const { root, scale } = this.#values;
    return root === null ? null : (this.settings.scales[scale] ?? []).map((step) => (step + root) % 12);
  }

  set(values: Partial<ChoiceValues>): void {
    this.#values = { ...this.#values, ...values };
    this.#notify();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
