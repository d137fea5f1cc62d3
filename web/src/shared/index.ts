// What pages use of the player's bundle.

export { mountPlayer } from "./figure.js";
export { Player } from "./player.js";
export { RollView } from "./roll.js";
