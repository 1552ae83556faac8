/** The list of keys. */

import { cap, el } from "./dom.js";
import { KEYS, keyOf } from "./keys.js";
import { text } from "./text.js";

/** Keys that cannot be changed. @type {[string[], string][]} */
const FIXED = [
  [["1", "…", "9", "0"], text.actions.class],
  [["Arrows"], text.actions.move],
  [["Space"], text.actions.pan],
  [["Esc"], text.actions.cancel],
  [["Backspace"], text.actions.backspace],
  [["Ctrl", "Enter"], text.actions.train],
  [["Ctrl", "Z"], text.actions.undo],
  [["Ctrl", "Shift", "Z"], text.actions.redo],
  [[text.actions.wheel], text.actions.zoomMove],
];

export function help() {
  const names = /** @type {(keyof typeof KEYS)[]} */ (Object.keys(KEYS));
  /** @param {string[]} keys @param {string} does */
  const row = (keys, does) => el("div", {}, el("dt", {}, does), el("dd", {}, ...keys.flatMap((key) => [cap(key), " "])));
  return el("dl", { class: "keys" },
    ...FIXED.map(([keys, does]) => row(keys, does)),
    ...names.map((name) => row(keyOf(name) === "" ? [text.off] : keyOf(name).split("+").filter(Boolean).length ? split(keyOf(name)) : [keyOf(name)], text.actions[name])));
}

/** `Shift+Z` as two keys, and `+` as one. @param {string} key */
const split = (key) => (key.length > 1 ? key.split("+") : [key]);
