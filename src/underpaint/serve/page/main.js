/** Starts the page. */

import { Api, ApiError, keepToken, takeToken, tokenOf } from "./api.js";
import { App } from "./app.js";
import { byId, el, fill } from "./dom.js";
import { Project } from "./project.js";
import { check } from "./screen-check.js";
import { paint } from "./screen-paint.js";
import { photographs } from "./screen-photographs.js";
import { results } from "./screen-results.js";
import { setup } from "./screen-setup.js";
import { train } from "./screen-train.js";
import { text } from "./text.js";

/** Asks for the link, where the tab has no token or a wrong one. @param {string} why */
function askForLink(why) {
  const input = el("input", { type: "password", id: "token", autocomplete: "off", required: true });
  const form = el("form", {
    class: "card", onsubmit: (/** @type {Event} */ event) => {
      event.preventDefault();
      keepToken(tokenOf(input.value));
      void start();
    },
  }, el("h1", {}, text.noToken.title), el("p", { class: "lead" }, why), el("label", { htmlFor: "token" }, text.noToken.label), input,
  el("button", { class: "main" }, text.noToken.open));
  fill(byId("main", HTMLElement), el("div", { class: "screen" }, form));
  input.focus();
}

async function start() {
  const token = takeToken();
  if (!token) {
    askForLink(text.noToken.why);
    return;
  }
  try {
    const project = await Project.open(new Api(token));
    const app = new App(project, { photographs, paint, train, results, check, setup });
    await app.show();
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) askForLink(text.noToken.wrong);
    else {
      fill(byId("main", HTMLElement), el("p", { class: "empty" }, text.offline));
      setTimeout(() => void start(), 2000);
    }
  }
}

void start();
