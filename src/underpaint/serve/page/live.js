/** Says things to those who hear the page: one polite region, the newest message only. */

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

/**
 * A message that stays until it is closed or replaced; for faults and questions that do not stop the work.
 * @param {string} message @param {"note" | "fault"} [kind]
 */
export function notice(message, kind = "note") {
  const box = byId("notice", HTMLElement);
  byId("notice-text", HTMLElement).textContent = message;
  box.dataset.kind = kind;
  box.hidden = message === "";
}
