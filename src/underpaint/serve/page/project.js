/** The state of the project on the page, and its listeners. */

import { Database } from "./database.js";
import { NewsStream } from "./events.js";
import { History } from "./history.js";
import { Marks } from "./marks.js";
import { Outbox } from "./outbox.js";
import { patterns } from "./palette.js";

/** @typedef {import("./types.js").ProjectInfo} ProjectInfo */
/** @typedef {import("./types.js").ClassInfo} ClassInfo */

export class Project extends EventTarget {
  /** Names of classes whose mask is not shown: at first the one of all the rest, which would veil the photograph. @type {Set<string>} */
  hidden = new Set(["background"]);
  /** @type {number} of the class that marks get */
  chosen = 0;
  /** @type {number[]} */
  #patterns = [];
  #asking = false;

  /** @param {import("./api.js").Api} api @param {ProjectInfo} info @param {Database} database */
  constructor(api, info, database) {
    super();
    this.api = api;
    this.info = info;
    this.database = database;
    this.outbox = new Outbox(api, database);
    this.history = new History(database);
    this.marks = new Marks(this.outbox, this.history);
    this.news = new NewsStream(api);
    this.#patterns = patterns(info.classes);
  }

  /** @param {import("./api.js").Api} api @returns {Promise<Project>} */
  static async open(api) {
    const info = /** @type {ProjectInfo} */ (await api.get("project"));
    const project = new Project(api, info, await Database.open(`${info.id}:${info.me.name}`));
    await project.history.open();
    await project.outbox.open();
    project.news.start();
    return project;
  }

  /** @returns {ClassInfo[]} */
  get classes() {
    return this.info.classes;
  }

  /** The class for new marks, or null if there is none. */
  get className() {
    return this.classes[this.chosen]?.name ?? null;
  }

  /** @param {string} name @returns {import("./draw-hints.js").ClassStyle} */
  style(name) {
    const index = this.classes.findIndex((one) => one.name === name);
    return index < 0 ? { colour: "#888888", pattern: 0 } : { colour: this.classes[index].color, pattern: this.#patterns[index] };
  }

  /** @param {number} index @returns {boolean} whether there is such a class */
  choose(index) {
    if (!this.classes[index]) return false;
    this.chosen = index;
    this.dispatchEvent(new Event("chosen"));
    return true;
  }

  /** @param {ProjectInfo} info */
  take(info) {
    const classes = JSON.stringify(info.classes) !== JSON.stringify(this.info.classes);
    this.info = info;
    if (classes) {
      this.#patterns = patterns(info.classes);
      this.chosen = Math.min(this.chosen, Math.max(info.classes.length - 1, 0));
      this.dispatchEvent(new Event("classes"));
    }
    this.dispatchEvent(new Event("info"));
  }

  /** Requests the project again; many calls at once make one request. */
  async refresh() {
    if (this.#asking) return;
    this.#asking = true;
    await new Promise((resolve) => setTimeout(resolve, 60));
    this.#asking = false;
    try {
      this.take(await this.api.get("project"));
    } catch {
      // The line at the bottom states that the server does not answer.
    }
  }
}
