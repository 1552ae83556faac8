/** The screen Results: masks, their accuracy, and files for download. */

import { ApiError } from "./api.js";
import { el, fill } from "./dom.js";
import { notice } from "./live.js";
import { setLook } from "./overlay.js";
import { Pictures } from "./pictures.js";
import { swatch } from "./palette.js";
import { percent, text } from "./text.js";

/** @typedef {import("./app.js").App} App */
/** @typedef {import("./types.js").JobInfo} JobInfo */
/** @typedef {import("./types.js").ResultsInfo} ResultsInfo */

const SHOWN = 24;

/** @param {App} app @returns {Promise<import("./app.js").Screen>} */
export async function results(app) {
  const screen = new Results(app);
  await screen.start();
  return screen;
}

class Results {
  /** @type {Map<string, HTMLElement>} */
  #jobs = new Map();

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.project = app.project;
    this.api = app.project.api;
    this.pictures = new Pictures(this.api);
    this.source = el("select", { id: "source", onchange: () => void this.#show() });
    this.shares = el("ul", { class: "bars" });
    this.accuracy = el("p", {});
    this.samples = el("div", { class: "samples" });
    this.format = el("select", { "aria-label": text.format }, ...this.project.info.limits.formats.map((name) => el("option", {}, name)));
    this.exports = el("ul", { class: "jobs" });
    this.exportCard = el("section", { class: "card" }, el("h2", {}, text.exports),
      el("div", { class: "row" }, el("button", { type: "button", onclick: () => void this.#job("export", "masks") }, text.exportMasks),
        (this.networkButton = el("button", { type: "button", onclick: () => void this.#job("export", "onnx") }, text.exportNetwork)),
        el("button", { type: "button", onclick: () => void this.#job("report", "") }, text.makeReport)),
      el("div", { class: "row" }, el("button", { type: "button", onclick: () => void this.#job("export", this.format.value) }, text.exportHints), this.format),
      el("div", { "aria-live": "polite" }, this.exports));
    this.element = el("div", { class: "screen" },
      el("header", {}, el("h1", {}, text.screens.results), el("div", { class: "row" }, el("label", { htmlFor: "source" }, text.source), this.source)),
      el("p", { class: "lead" }, text.resultsLead),
      el("div", { class: "columns" },
        el("section", { class: "card" }, el("h2", {}, text.accuracy), this.accuracy, el("h2", {}, text.shares), this.shares), this.exportCard),
      this.samples);
    this.news = (/** @type {Event} */ event) => {
      const { kind, data } = /** @type {CustomEvent} */ (event).detail;
      if (kind === "job") void this.#showJob(data.job ?? data.id);
    };
  }

  async start() {
    setLook(this.project.classes, new Set());
    this.project.news.addEventListener("news", this.news);
    const { items } = /** @type {{items: import("./types.js").RunInfo[]}} */ (await this.api.get("runs"));
    const networks = items.filter((run) => run.state === "finished");
    fill(this.source, el("option", { value: "quick" }, text.quickSource), ...networks.map((run) => el("option", { value: run.id }, text.networkSource(run.id))));
    this.networkButton.disabled = networks.length === 0;
    if (!networks.length) this.networkButton.title = text.noNetwork;
    await this.#show();
  }

  close() {
    this.project.news.removeEventListener("news", this.news);
    this.pictures.close();
  }

  async #show() {
    const source = this.source.value;
    const results = /** @type {ResultsInfo} */ (await this.api.get("results", { source }));
    if (source !== this.source.value) return;
    const { random } = results;
    this.accuracy.className = random.asked ? "big" : "quiet-text";
    this.accuracy.textContent = random.asked ? text.right(random.right, random.asked, random.low * 100, random.high * 100) : text.noAccuracy;
    const bars = this.project.classes.map((one, i) => this.#bar(one.name, results.shares[i] ?? 0));
    fill(this.shares, ...(results.shares.length ? bars : [el("li", { class: "quiet-text" }, text.noShares)]));
    fill(this.samples, ...results.images.slice(0, SHOWN).map((row) => el("figure", {}, el("div", { class: "pair" },
      this.pictures.photograph(`images/${row.id}/thumb`, { rev: row.rev }, ""),
      this.pictures.mask(`images/${row.id}/mask`, { source, rev: row.mask }, "alone")),
    el("figcaption", {}, el("a", { href: `#/paint/${row.id}` }, row.name)))));
  }

  /** @param {string} name @param {number} share */
  #bar(name, share) {
    const style = this.project.style(name);
    const bar = el("span");
    bar.style.width = `${share * 100}%`;
    bar.style.background = style.colour;
    return el("li", {}, swatch(style.colour, style.pattern), el("span", { class: "name", title: name }, name), el("span", { class: "track" }, bar), el("span", { class: "number" }, percent(share)));
  }

  /** @param {"export" | "report"} kind @param {string} format */
  async #job(kind, format) {
    try {
      const { job } = /** @type {{job: string}} */ (await this.api.post("jobs", { kind, source: this.source.value, format }));
      await this.#showJob(job);
    } catch (error) {
      if (error instanceof ApiError) notice(text.fault(error.what, error.fix), "fault");
    }
  }

  /** @param {string} id */
  async #showJob(id) {
    const job = /** @type {JobInfo | null} */ (await this.api.get(`jobs/${id}`).catch(() => null));
    if (!job) return;
    const before = this.#jobs.get(id);
    const row = el("li", { class: "job" }, ...jobWords(job).map((words) => el("span", {}, words)),
      job.state === "running" && job.all > 0 && el("progress", { max: job.all, value: job.done, "aria-label": jobName(job) }),
      job.state === "done" && job.download && el("button", { type: "button", onclick: () => void this.#download(job) }, text.download));
    this.#jobs.set(id, row);
    if (before) before.replaceWith(row);
    else this.exports.prepend(row);
  }

  /** The file comes with the token in a header, which a plain link would not send. @param {JobInfo} job */
  async #download(job) {
    try {
      const address = URL.createObjectURL(await this.api.blob(`jobs/${job.id}/file`));
      el("a", { href: address, download: job.download }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (error) {
      if (error instanceof ApiError) notice(text.fault(error.what, error.fix), "fault");
    }
  }
}

/** @param {JobInfo} job */
function jobName(job) {
  if (job.kind === "report") return text.makeReport;
  if (job.format === "masks") return text.exportMasks;
  return job.format === "onnx" ? text.exportNetwork : `${text.exportHints} ${job.format}`;
}

/** @param {JobInfo} job */
function jobWords(job) {
  const state = text.jobStates[/** @type {keyof typeof text.jobStates} */ (job.state)] ?? job.state;
  const progress = job.state === "running" && job.all ? `: ${text.jobProgress(job.done, job.all)}` : "";
  const words = [`${jobName(job)}, ${state}${progress}`];
  if (job.state === "done") words.push(text.jobAt(job.where));
  if (job.fault) words.push(job.fault);
  return words;
}
