/** The line at the bottom: the state of saving, of the model and of the training. It is only text and never blocks the page. */

import { byId } from "./dom.js";
import { notice, say } from "./live.js";
import { duration, text } from "./text.js";

/** @typedef {import("./project.js").Project} Project */

/** Shorter delays are not reported. */
const SLOW = 1500;

export class StatusLine {
  #since = 0;

  /** @param {Project} project */
  constructor(project) {
    this.project = project;
    this.saved = byId("state-saved", HTMLElement);
    this.model = byId("state-model", HTMLElement);
    this.run = byId("state-run", HTMLElement);
    project.outbox.addEventListener("change", () => this.#showSaved());
    project.news.addEventListener("connection", () => this.#connection());
    project.news.addEventListener("news", (event) => this.#news(/** @type {CustomEvent} */ (event).detail));
    project.addEventListener("info", () => this.show());
    project.addEventListener("classes", () => this.show());
    setInterval(() => this.show(), 10_000);
    this.show();
  }

  show() {
    this.#showSaved();
    this.#put(this.model, ...this.#modelWords());
    this.#put(this.run, this.#runWords());
    void this.#tellEnd();
  }

  #showSaved() {
    const { outbox, database, news } = this.project;
    if (!outbox.size && news.fault) {
      const wrong = [401, 403].includes(news.fault.status);
      this.#put(this.saved, wrong ? text.newLink(0) : text.offline, wrong ? "fault" : "waiting");
      return;
    }
    if (!outbox.size) {
      if (this.saved.dataset.state === "waiting") say(`${text.back} ${text.saved}`);
      this.#since = 0;
      this.#put(this.saved, text.saved, "saved");
      return;
    }
    this.#since ||= Date.now();
    const fault = outbox.fault;
    if (fault?.status === 507) this.#put(this.saved, text.diskFull, "fault");
    else if (fault?.status === 429) this.#put(this.saved, text.tooFast, "waiting");
    else if (fault?.status === 401 || fault?.status === 403) this.#put(this.saved, text.newLink(outbox.size), "fault");
    else if (fault && fault.status !== 0) this.#put(this.saved, text.fault(fault.what, fault.fix), "fault");
    else if (fault || Date.now() - this.#since > SLOW) {
      const first = this.saved.dataset.state !== "waiting";
      this.#put(this.saved, (database.lasting ? text.waiting : text.waitingMemory)(outbox.size), "waiting");
      if (first) say(this.saved.textContent ?? "");
    } else this.#put(this.saved, text.saving, "saving");
  }

  /** @returns {[string, string?]} */
  #modelWords() {
    const { info } = this.project;
    const { model } = info;
    if (!info.classes.length) return [text.noClasses];
    if (model.fault) return [text.workerDied(model.fault), "waiting"];
    if (model.kind === "network" && model.run) {
      return [text.network(model.run, duration(Date.now() / 1000 - model.at), model.behind)];
    }
    if (model.kind === "quick") return [text.quick(duration(Date.now() / 1000 - model.at), model.knows, info.classes.length)];
    if (model.marked === 1) return [text.oneClass];
    return [model.marked > 1 ? text.modelWorks : text.noMarks];
  }

  #runWords() {
    const { run } = this.project.info;
    if (!run || !["waiting", "starting", "running"].includes(run.state)) return "";
    if (!run.step) return text.trainingStarts;
    return text.training(run.step, run.steps, run.left ? duration(run.left) : "");
  }

  /** Reports the end of a training once. */
  async #tellEnd() {
    const now = this.project.info.run?.id ?? null;
    const before = this.#running;
    this.#running = now;
    if (before === null || before === now) return;
    const { items } = /** @type {{items: import("./types.js").RunInfo[]}} */ (await this.project.api.get("runs").catch(() => ({ items: [] })));
    const run = items.find(({ id }) => id === before);
    if (run?.state === "finished") notice(text.trainingEnded(run.id));
    else if (run?.state === "failed") notice(text.trainingFailed(run.id, run.fault ?? ""), "fault");
    else if (run) notice(text.trainingStopped(run.id));
  }

  /** @type {string | null} the training that ran when the page last looked */
  #running = null;

  /** @param {HTMLElement} element @param {string} words @param {string} [state] */
  #put(element, words, state = "") {
    if (element.textContent !== words) element.textContent = words;
    element.dataset.state = state;
  }

  #connection() {
    const { news, outbox } = this.project;
    if (news.connected) {
      if (byId("notice-text", HTMLElement).textContent === text.ended) notice("");
      outbox.hurry();
      void this.project.refresh();
    }
    this.#showSaved();
  }

  /** @param {import("./events.js").News} news */
  #news({ kind, data }) {
    if (["model", "run", "data", "saved"].includes(kind)) void this.project.refresh();
    if (kind === "data" && (data.came || data.went)) notice(text.changed(data.came ?? 0, data.went ?? 0));
    if (kind === "bye") notice(text.ended);
    if (kind === "peer" && data.name) byId("people", HTMLElement).textContent = data.here === false ? "" : text.peer(data.name);
  }
}
