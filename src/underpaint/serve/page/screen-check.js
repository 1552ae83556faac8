/** The screen Check: the findings of the doctor, and marks of people that contradict each other. */

import { ApiError } from "./api.js";
import { el, fill } from "./dom.js";
import { text } from "./text.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").Finding} Finding */
/** @typedef {import("./types.js").Contradiction} Contradiction */

/** @param {App} app @returns {Promise<import("./app.js").Screen>} */
export async function check(app) {
  const found = el("div", { class: "screen-part columns", "aria-live": "polite" });
  const places = el("section", { class: "card" });
  const button = el("button", { type: "button", onclick: () => void check() }, text.checkAgain);
  const element = el("div", { class: "screen" }, el("header", {}, el("h1", {}, text.screens.check), button),
    el("p", { class: "lead" }, text.checkLead), found, places);

  const check = async () => {
    button.disabled = true;
    fill(found, el("p", { class: "quiet-text" }, text.checking));
    try {
      const { findings, contradictions } = /** @type {{findings: Finding[], contradictions: Contradiction[]}} */ (await app.project.api.get("check"));
      fill(found, ...(findings.length ? findings.map(finding) : [el("p", { class: "quiet-text" }, text.nothingFound)]));
      fill(places, el("h2", {}, text.contradictions), ...differences(contradictions, app.project.info.me.name),
        contradictions.length ? el("ul", { class: "bars" }, ...contradictions.map(contradiction)) : el("p", { class: "quiet-text" }, text.noContradictions));
    } catch (error) {
      if (error instanceof ApiError) fill(found, el("p", {}, text.fault(error.what, error.fix)));
    }
    button.disabled = false;
  };
  void check();
  return { element };
}

/** With whom this person differs, and in how many places. @param {Contradiction[]} all @param {string} me */
function differences(all, me) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { by } of all) {
    const other = by[0] === me ? by[1] : by[1] === me ? by[0] : null;
    if (other !== null) counts.set(other, (counts.get(other) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => el("p", {}, text.differ(name, count)));
}

/** @param {Finding} one */
function finding(one) {
  const level = text.levels[/** @type {keyof typeof text.levels} */ (one.level)] ?? one.level;
  return el("article", { class: "finding", "data-level": one.level },
    el("p", { class: "level" }, level), el("p", {}, sentence(one.what)), one.fix ? el("p", { class: "quiet-text" }, sentence(one.fix)) : null,
    one.images.length ? el("ul", { class: "row" }, ...one.images.map(({ id, name }) => el("li", {}, el("a", { href: `#/paint/${id}` }, name)))) : null);
}

/** The words of the terminal as a sentence. @param {string} words */
const sentence = (words) => `${words.slice(0, 1).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;

/** @param {Contradiction} one */
function contradiction(one) {
  return el("li", {}, el("a", { href: `#/paint/${one.image}` }, one.name), ` ${text.between(`${one.by[0]}: ${one.classes[0]}`, `${one.by[1]}: ${one.classes[1]}`)}`);
}
