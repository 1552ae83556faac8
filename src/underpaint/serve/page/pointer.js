/** Gestures on the photograph: a pen or a mouse draws, two fingers move and zoom, the wheel zooms. */

import { settings } from "./settings.js";

/** @typedef {import("./tools.js").Sample} Sample */

/**
 * The actions of gestures.
 * @typedef {object} Hands
 * @property {(x: number, y: number, event: PointerEvent) => Sample} sample from the window's CSS pixels
 * @property {(sample: Sample, eraser: boolean) => void} down
 * @property {(samples: Sample[], pressed: boolean) => void} move
 * @property {() => void} up
 * @property {() => void} cancel
 * @property {() => boolean} moves whether the photograph is being moved instead of drawn on
 * @property {(dx: number, dy: number) => void} pan CSS pixels
 * @property {(factor: number, x: number, y: number) => void} zoom about CSS pixels of the window
 * @property {() => void} leave
 */

const ERASER_BUTTON = 32;

export class Gestures {
  /** @type {Map<number, {x: number, y: number}>} fingers that are down */
  #fingers = new Map();
  /** @type {number | null} the pointer that draws */
  #drawing = null;
  /** @type {number | null} the pointer that moves the photograph */
  #panning = null;
  #penSeen = false;

  /** @param {HTMLElement} element @param {Hands} hands */
  constructor(element, hands) {
    this.element = element;
    this.hands = hands;
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event, true));
    element.addEventListener("pointercancel", (event) => this.#up(event, false));
    element.addEventListener("pointerleave", () => hands.leave());
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** @param {MouseEvent} event */
  #place(event) {
    const box = this.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** @param {PointerEvent} event */
  #sample(event) {
    const { x, y } = this.#place(event);
    return this.hands.sample(x, y, event);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.element.focus({ preventScroll: true });
    if (event.button > 1 && event.pointerType !== "pen") return;
    event.preventDefault();
    try {
      this.element.setPointerCapture(event.pointerId);
    } catch {
      // The pointer no longer exists.
    }
    if (event.pointerType === "pen") this.#penSeen = true;
    if (event.pointerType === "touch") {
      this.#fingers.set(event.pointerId, this.#place(event));
      if (this.#fingers.size > 1) {
        if (this.#drawing !== null) this.hands.cancel();
        this.#drawing = this.#panning = null;
        return;
      }
    }
    if (this.#drawing !== null) return;
    const finger = event.pointerType === "touch" && (this.#penSeen || settings.penOnly);
    if (event.button === 1 || finger || this.hands.moves()) {
      this.#panning = event.pointerId;
      this.#fingers.set(event.pointerId, this.#place(event));
      return;
    }
    this.#drawing = event.pointerId;
    this.hands.down(this.#sample(event), (event.buttons & ERASER_BUTTON) !== 0);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (before && this.#drawing !== event.pointerId) {
      const now = this.#place(event);
      if (this.#panning === event.pointerId) this.hands.pan(now.x - before.x, now.y - before.y);
      else this.#pinch(event.pointerId, before, now);
      this.#fingers.set(event.pointerId, now);
      return;
    }
    if (before) this.#fingers.set(event.pointerId, this.#place(event));
    const events = event.getCoalescedEvents?.() ?? [];
    const samples = (events.length ? events : [event]).map((one) => this.#sample(one));
    if (this.#drawing === null || this.#drawing === event.pointerId) this.hands.move(samples, this.#drawing !== null);
  }

  /** @param {number} moved @param {{x: number, y: number}} before @param {{x: number, y: number}} now */
  #pinch(moved, before, now) {
    const other = [...this.#fingers].find(([id]) => id !== moved)?.[1];
    if (!other) return;
    const [old, wide] = [before, now].map((p) => Math.hypot(p.x - other.x, p.y - other.y));
    this.hands.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    if (old > 0 && wide > 0) this.hands.zoom(wide / old, (now.x + other.x) / 2, (now.y + other.y) / 2);
  }

  /** @param {PointerEvent} event @param {boolean} ended */
  #up(event, ended) {
    this.#fingers.delete(event.pointerId);
    if (this.#panning === event.pointerId) this.#panning = null;
    if (this.#drawing !== event.pointerId) return;
    this.#drawing = null;
    if (ended) this.hands.up();
    else this.hands.cancel();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    if (event.shiftKey) {
      this.hands.pan(-(event.deltaX || event.deltaY) * unit, 0);
      return;
    }
    const { x, y } = this.#place(event);
    this.hands.zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0015)), x, y);
  }
}
