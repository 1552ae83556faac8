/** The screen Train: starts, shows, stops and continues trainings, also those that the command started. */

import { ApiError } from "./api.js";
import { curve } from "./curve.js";
import { el, fill } from "./dom.js";
import { notice, say } from "./live.js";
import { setLook } from "./overlay.js";
import { Pictures } from "./pictures.js";
import { duration, text } from "./text.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").RunInfo} RunInfo */
/** @typedef {import("./types.js").RunDetail} RunDetail */

const MINUTES = [0, 5, 15, 60];
const ALIVE = new Set(["waiting", "starting", "running"]);

/** @param {App} app @returns {Promise<import("./app.js").Screen>} */
export async function train(app) {
  const screen = new Train(app);
  await screen.start();
  return screen;
}

class Train {
  /** @type {string | null} */
  #open = null;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.project = app.project;
    this.api = app.project.api;
    this.pictures = new Pictures(this.api);
    const { methods } = this.project.info.limits;
    this.method = el("select", { id: "method", onchange: () => void this.#plan() }, ...methods.map((name) => el("option", {}, name)));
    this.minutes = el("select", { id: "minutes", onchange: () => void this.#plan() },
      ...MINUTES.map((n) => el("option", { value: String(n) }, n ? duration(n * 60) : text.noLimit)));
    this.startButton = el("button", { type: "button", class: "main", onclick: () => void this.#start() }, text.start);
    this.planText = el("div", { class: "plan", tabIndex: 0, role: "region", "aria-label": text.plan }, text.planWaits);
    this.runs = el("div", { class: "scroll" });
    this.detail = el("section", { class: "card", hidden: true });
    this.element = el("div", { class: "screen" },
      el("header", {}, el("h1", {}, text.screens.train)), el("p", { class: "lead" }, text.trainLead),
      el("div", { class: "columns" },
        el("section", { class: "card" },
          el("div", { class: "field-row" }, el("label", { htmlFor: "method" }, text.method), this.method),
          el("div", { class: "field-row" }, el("label", { htmlFor: "minutes" }, text.minutes), this.minutes),
          el("div", { class: "row" }, this.startButton), el("h2", {}, text.plan), this.planText),
        el("section", { class: "card" }, el("h2", {}, text.runs), this.runs)),
      this.detail);
    this.news = (/** @type {Event} */ event) => this.#news(/** @type {CustomEvent} */ (event).detail);
    this.keys = { train: { down: () => void this.#start() } };
  }

  async start() {
    setLook(this.project.classes, new Set());
    this.project.news.addEventListener("news", this.news);
    await this.#showRuns();
    void this.#plan();
  }

  close() {
    this.project.news.removeEventListener("news", this.news);
    this.pictures.close();
  }

  again() {
    void this.#showDetailKeepingFocus();
  }

  #wanted() {
    const minutes = Number(this.minutes.value);
    return { method: this.method.value, minutes: minutes || null };
  }

  /** Number of plans that were asked for: answers may come in another order, and only the last question counts. */
  #asked = 0;

  /** Shows the plan, as `underpaint train --dry-run` does. */
  async #plan() {
    const question = ++this.#asked;
    fill(this.planText, text.planWaits);
    try {
      const { lines } = /** @type {{lines: string[]}} */ (await this.api.post("train/plan", this.#wanted()));
      if (question !== this.#asked) return;
      fill(this.planText, lines.join("\n"));
      this.startButton.disabled = false;
    } catch (error) {
      if (error instanceof ApiError && question === this.#asked) fill(this.planText, text.fault(error.what, error.fix));
    }
  }

  async #start() {
    this.startButton.disabled = true;
    try {
      const { run } = /** @type {{run: string}} */ (await this.api.post("train", this.#wanted()));
      this.#open = run;
      say(text.trainingStarts);
    } catch (error) {
      if (error instanceof ApiError) notice(text.fault(error.what, error.fix), "fault");
    }
    this.startButton.disabled = false;
    await this.#showRuns();
  }

  async #showRuns() {
    const { items } = /** @type {{items: RunInfo[]}} */ (await this.api.get("runs"));
    this.#open ??= items[0]?.id ?? null;
    if (!items.length) fill(this.runs, el("p", { class: "quiet-text" }, text.noRuns));
    else {
      fill(this.runs, el("table", {},
        el("thead", {}, el("tr", {}, ...[text.run, text.method, text.runs, text.stepOf, text.unknownStrokes].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, ...items.map((run) => this.#row(run)))));
    }
    await this.#showDetail();
  }

  /** @param {RunInfo} run */
  #row(run) {
    const state = text.runStates[/** @type {keyof typeof text.runStates} */ (run.state)] ?? run.state;
    return el("tr", {},
      el("td", {}, el("button", { type: "button", "aria-pressed": String(run.id === this.#open), onclick: () => this.#choose(run.id) }, run.id)),
      el("td", {}, run.method), el("td", {}, run.external ? `${state}, ${text.elsewhere}` : state),
      el("td", { class: "number" }, run.steps ? `${run.step} / ${run.steps}` : run.step ? String(run.step) : ""), el("td", { class: "number" }, run.behind ? String(run.behind) : ""));
  }

  /** @param {string} id */
  #choose(id) {
    this.#open = id;
    void this.#showRuns();
  }

  async #showDetail() {
    const id = this.#open;
    this.detail.hidden = id === null;
    if (id === null) return;
    const run = /** @type {RunDetail | null} */ (await this.api.get(`runs/${id}`).catch(() => null));
    if (!run || id !== this.#open) return;
    const state = text.runStates[/** @type {keyof typeof text.runStates} */ (run.state)] ?? run.state;
    const alive = ALIVE.has(run.state);
    const { svg, words } = run.losses.length > 1 ? curve(run.losses) : { svg: null, words: text.noCurve };
    fill(this.detail,
      el("div", { class: "row" }, el("h2", {}, `${text.run} ${run.id}: ${state}`),
        alive && !run.external && el("button", { type: "button", onclick: () => void this.#order(run.id, "stop") }, text.stop),
        !alive && run.resumable && el("button", { type: "button", onclick: () => void this.#order(run.id, "resume") }, text.goOn)),
      alive && el("progress", { max: run.steps || 1, value: run.step, "aria-label": text.stepOf }),
      alive && el("p", {}, run.step ? text.training(run.step, run.steps, run.left ? duration(run.left) : "") : text.trainingStarts),
      run.fault && el("p", {}, run.fault),
      el("div", { class: "columns" },
        el("figure", {}, el("h2", {}, text.curve), svg, el("figcaption", {}, words)),
        run.notes.length > 0 && el("div", {}, el("h2", {}, text.notes), el("ul", {}, ...run.notes.map((note) => el("li", {}, note))))),
      el("h2", {}, text.samples),
      run.samples.length === 0 && el("p", { class: "quiet-text" }, run.state === "finished" ? text.samplesSoon : text.samplesLater),
      run.samples.length > 0 && el("div", { class: "samples" }, ...run.samples.map((sample) => this.#sample(run, sample))));
  }

  /** @param {RunDetail} run @param {{image: number, name: string, rev: number}} sample */
  #sample(run, sample) {
    return el("figure", {}, el("div", { class: "pair" },
      this.pictures.photograph(`images/${sample.image}/thumb`, {}, sample.name),
      this.pictures.mask(`images/${sample.image}/mask`, { source: run.id, rev: sample.rev }, "alone")),
    el("figcaption", {}, `${sample.name} (${text.onRight})`));
  }

  /** @param {string} id @param {"stop" | "resume"} what */
  async #order(id, what) {
    try {
      await this.api.post(`runs/${id}/${what}`, {});
    } catch (error) {
      if (error instanceof ApiError) notice(text.fault(error.what, error.fix), "fault");
    }
    await this.#showRuns();
  }

  #waiting = 0;

  /** @param {import("./events.js").News} news */
  #news({ kind }) {
    if (kind !== "run" || this.#waiting) return;
    this.#waiting = window.setTimeout(() => {
      this.#waiting = 0;
      if (!this.detail.contains(document.activeElement) && !this.runs.contains(document.activeElement)) void this.#showRuns();
      else void this.#showDetailKeepingFocus();
    }, 500);
  }

  /** The button that has the focus keeps it. */
  async #showDetailKeepingFocus() {
    const focused = document.activeElement?.textContent ?? "";
    await this.#showRuns();
    for (const button of this.element.querySelectorAll("button")) if (button.textContent === focused) button.focus();
  }
}
