/** Announces messages to screen readers in one polite region, which contains only the newest message. */

import { byId } from "./dom.js";

let waiting = 0;

/** @param {string} message */
export function say(message) {
  const region = byId("live", HTMLElement);
  window.clearTimeout(waiting);
  region.textContent = "";
  waiting = window.setTimeout(() => {
    region.textContent = message;
  }, 40);
}

/** A note disappears after this number of milliseconds; an error stays until it is closed. */
const NOTE = 12_000;
let going = 0;

/**
 * A message above the page. It does not move other elements and does not block the page.
 * @param {string} message nothing closes it @param {"note" | "fault"} [kind]
 */
export function notice(message, kind = "note") {
  window.clearTimeout(going);
  if (message && kind === "note") going = window.setTimeout(() => notice(""), NOTE);
  const box = byId("notice", HTMLElement);
  byId("notice-text", HTMLElement).textContent = message;
  box.dataset.kind = kind;
  box.hidden = message === "";
}
