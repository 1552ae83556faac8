/** The keys, their actions, and where they work. Every action is also a button or a field of the page. */

import { settings } from "./settings.js";

/** The key of each action that a person may change. Upper case letters are typed without Shift. */
export const KEYS = /** @type {const} */ ({
  brush: "B", click: "C", box: "R", polygon: "P", lasso: "L", fill: "S", eraser: "E", tags: "T",
  thinner: "[", thicker: "]", undo: "Z", redo: "Shift+Z",
  next: "N", yes: "Y", pass: "X",
  nextPhotograph: "D", previousPhotograph: "A", done: "Enter", photographs: "G",
  zoomIn: "+", zoomOut: "-", fit: "F", oneToOne: "Home",
  masks: "M", outlines: "O", ink: "I", alone: "V", fainter: "Q", stronger: "W", uncertainty: "U",
  find: "/", pen: "K", help: "?",
});

/** Actions that work with Ctrl or Command everywhere, also when single keys are off. */
const WITH_CTRL = /** @type {Record<string, Action>} */ ({ "Z": "undo", "Shift+Z": "redo", "Y": "redo", "Enter": "train" });

/** @typedef {keyof typeof KEYS | "train" | "cancel" | "class" | "move" | "pan" | "backspace"} Action */
/** @typedef {import("./types.js").ClassInfo} ClassInfo */
/** @typedef {{down: (event: KeyboardEvent) => void, up?: () => void}} Handler */

/** @param {keyof typeof KEYS} action */
export const keyOf = (action) => settings.keys[action] ?? KEYS[action];

/** The key that was typed, as `KEYS` spells it. @param {KeyboardEvent} event */
export function typed(event) {
  const letter = event.key.length === 1 && event.key.toUpperCase() !== event.key.toLowerCase();
  return (letter && event.shiftKey ? "Shift+" : "") + (letter ? event.key.toUpperCase() : event.key);
}

/**
 * The digit of a key, also with Shift, or null.
 * @param {KeyboardEvent} event @returns {string | null}
 */
function digit(event) {
  const match = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  return !match || (event.code.startsWith("Numpad") && !/^\d$/.test(event.key)) ? null : match[1];
}

/** Classes without a key of their own, of which Shift and a digit choose the first ten. @param {ClassInfo[]} classes */
const keyless = (classes) => classes.flatMap(({ key }, index) => (key === null ? [index] : [])).slice(0, 10);

/** The number of the class that a key stands for, or -1. @param {KeyboardEvent} event @param {ClassInfo[]} classes */
export function classOf(event, classes) {
  const number = digit(event);
  if (number === null) return -1;
  return event.shiftKey ? keyless(classes)[(Number(number) + 9) % 10] ?? -1 : classes.findIndex(({ key }) => key === number);
}

/** The key of a class, as text. @param {number} index @param {ClassInfo[]} classes */
export function classKey(index, classes) {
  const place = keyless(classes).indexOf(index);
  return classes[index].key ?? (place < 0 ? keyOf("find") : `⇧${(place + 1) % 10}`);
}

/** @param {KeyboardEvent} event @returns {Action | null} */
export function action(event) {
  const key = typed(event);
  if (event.ctrlKey || event.metaKey) return event.altKey ? null : WITH_CTRL[key] ?? null;
  if (event.key === "Escape") return "cancel";
  if (event.key === "Backspace" || event.key === "Delete") return "backspace";
  if (event.key === " ") return "pan";
  if (event.key.startsWith("Arrow")) return "move";
  for (const name of /** @type {(keyof typeof KEYS)[]} */ (Object.keys(KEYS))) {
    if (keyOf(name) === key || (key === "=" && keyOf(name) === "+")) return name;
  }
  return digit(event) === null ? null : "class";
}

/** Keys that the control with the focus uses itself. */
const OF_CONTROLS = new Set(["Enter", " ", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home"]);

export class Keys {
  /** @type {Partial<Record<Action, Handler>>} */
  #handlers = {};
  /** @type {Map<string, Handler>} */
  #held = new Map();

  constructor() {
    document.addEventListener("keydown", (event) => this.#down(event));
    document.addEventListener("keyup", (event) => this.#up(event.code));
    window.addEventListener("blur", () => [...this.#held.keys()].forEach((code) => this.#up(code)));
  }

  /** What keys do from now on. @param {Partial<Record<Action, Handler>>} handlers */
  bind(handlers) {
    [...this.#held.keys()].forEach((code) => this.#up(code));
    this.#handlers = handlers;
  }

  /** @param {KeyboardEvent} event */
  #down(event) {
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const writes = target.matches("input:not([type=checkbox], [type=range], [type=radio]), textarea, select");
    if (writes && !event.ctrlKey && !event.metaKey) return;
    const found = action(event);
    const handler = found && this.#handlers[found];
    if (!handler || (writes && found !== "train")) return;
    const onStage = target.matches("[data-stage]");
    const single = !event.ctrlKey && !event.metaKey && event.key !== "Escape";
    if (single && !onStage && (!settings.singleKeys || (OF_CONTROLS.has(event.key) && target !== document.body))) return;
    event.preventDefault();
    if (handler.up) {
      if (event.repeat) return;
      this.#held.set(event.code, handler);
    }
    handler.down(event);
  }

  /** @param {string} code */
  #up(code) {
    this.#held.get(code)?.up?.();
    this.#held.delete(code);
  }
}
