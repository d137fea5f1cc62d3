// Finding what sounds in a stretch of time.

/** The index of the first item at a position or after it; the items are sorted by position. */
export function firstFrom<Item>(items: readonly Item[], position: number, positionOf: (item: Item) => number): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (positionOf(items[middle] as Item) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Items that begin and end, sorted by their beginning, such as notes. */
export class TimeIndex<Item> {
  readonly #items: readonly Item[];
  readonly #startOf: (item: Item) => number;
  readonly #endOf: (item: Item) => number;
  readonly #longest: number;

  constructor(items: readonly Item[], startOf: (item: Item) => number, endOf: (item: Item) => number) {
    this.#items = items;
    this.#startOf = startOf;
    this.#endOf = endOf;
    this.#longest = items.reduce((longest, item) => Math.max(longest, endOf(item) - startOf(item)), 0);
  }

  /** The items that last into the time from `from` to `until`, in their order. */
  between(from: number, until: number): Item[] {
    const first = firstFrom(this.#items, from - this.#longest, this.#startOf);
    const last = firstFrom(this.#items, until, this.#startOf);
    return this.#items.slice(first, last).filter((item) => this.#endOf(item) > from);
  }
}
