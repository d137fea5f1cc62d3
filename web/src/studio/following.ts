// Whether a piece plays while it arrives: it starts when there is something to hear, and waits where the answer ends.

export type Following =
  | "starting" // plays as soon as there is something to hear
  | "playing"
  | "waiting" // has reached the end of what is known, and goes on when there is more
  | "off"; // left to the user

export interface Progress {
  readonly playing: boolean;
  readonly position: number; // in beats; of a start, where it begins
  readonly known: number; // beats up to which the piece is known; Infinity when all of it is
}

const LEAD = 0.5; // beats that are known before it starts
const REST = 1; // beats that are known before it goes on
const EDGE = 0.125; // beats before the end of what is known at which it waits

/** The next state, and what to do with the playback now. */
export function follow(state: Following, { playing, position, known }: Progress): [Following, "play" | "pause" | null] {
  const done = known === Infinity;
  switch (state) {
    case "off":
      return ["off", null];
    case "starting":
    case "waiting":
      if (!done && known < position + (state === "starting" ? LEAD : REST)) return [state, null];
      return [done ? "off" : "playing", "play"];
    case "playing":
      if (!playing) return position >= known - LEAD ? ["waiting", null] : ["off", null]; // ran out, or the user paused
      if (done) return ["off", null];
      return position > known - EDGE ? ["waiting", "pause"] : ["playing", null];
  }
}
