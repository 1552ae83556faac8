/** All texts of the page. A translation is another object with the same keys. */

/** @param {number} count @param {string} one @param {string} many */
const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

/** A length of time in words. @param {number} seconds */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(Math.round(seconds), 0)} s`;
  if (seconds < 5400) return plural(Math.round(seconds / 60), "minute", "minutes");
  return plural(Math.round(seconds / 3600), "hour", "hours");
}

/** @param {number} share 0 to 1 */
export const percent = (share) => `${share > 0 && share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;

export const text = {
  screens: {
    photographs: "Photographs", paint: "Paint", train: "Train", results: "Results", check: "Check", setup: "Set up",
  },
  close: "Close",
  fault: (/** @type {string} */ what, /** @type {string} */ fix) => (fix ? `${what}\n${fix}` : what),
  loading: "Loading.",
  noToken: {
    title: "The link is needed",
    why: "This page opens with the link that the terminal printed. The link identifies you. Each tab needs it once.",
    label: "Link, or its part after #",
    open: "Open",
    wrong: "The server does not accept this link. It may belong to another project, or to a server that has ended.",
  },

  // The line at the bottom.
  saved: "Saved",
  saving: "Saving",
  waiting: (/** @type {number} */ n) =>
    `${plural(n, "change waits", "changes wait")}: the server does not answer. They are stored in this browser.`,
  waitingMemory: (/** @type {number} */ n) =>
    `${plural(n, "change waits", "changes wait")}: the server does not answer, and this browser cannot store them. Keep the page open.`,
  diskFull: "The disk is full, so nothing can be saved. Free some space, then continue.",
  refused: (/** @type {string} */ what, /** @type {string} */ fix) => `A mark was refused: ${what}. ${fix}`,
  newLink: (/** @type {number} */ n) =>
    `The link of this page is no longer valid. Open the link that the command printed.${n ? ` ${plural(n, "change waits", "changes wait")} in this browser.` : ""}`,
  tooFast: "The server accepts no more changes for a moment; they wait in this browser.",
  offline: "The server does not answer. The page tries again automatically.",
  back: "The server answers again.",
  ended: "The server has ended. Start it again with the same command; nothing is lost.",
  noClasses: "First name two or more classes in Set up.",
  noMarks: "Nothing is marked yet. Draw on something of each class.",
  oneClass: "Mark a second class to get masks.",
  modelWorks: "The quick model is computing.",
  quick: (/** @type {string} */ age, /** @type {number} */ known, /** @type {number} */ all) =>
    `Quick model, ${age} old, knows ${known} of ${plural(all, "class", "classes")}.`,
  network: (/** @type {string} */ id, /** @type {string} */ age, /** @type {number} */ behind) =>
    `Network ${id}, ${age} old${behind ? `, does not know ${plural(behind, "newer stroke", "newer strokes")}` : ""}.`,
  workerDied: (/** @type {string} */ why) => `The quick model stopped (${why}) and is started again; your marks are safe.`,
  training: (/** @type {number} */ step, /** @type {number} */ steps, /** @type {string} */ left) =>
    `Step ${step}${steps ? ` of ${steps}` : ""}${left ? `, about ${left} left` : ""}; you can continue to draw.`,
  trainingStarts: "The training starts; you can continue to draw.",
  trainingEnded: (/** @type {string} */ id) => `Training ${id} is finished. Its masks are under Results.`,
  trainingStopped: (/** @type {string} */ id) => `Training ${id} has stopped; it can be continued.`,
  trainingFailed: (/** @type {string} */ id, /** @type {string} */ why) => `Training ${id} failed: ${why}`,
  peer: (/** @type {string} */ name) => `${name} also marks this photograph.`,
  differ: (/** @type {string} */ name, /** @type {number} */ n) => `Your marks and those of ${name} differ in ${plural(n, "place", "places")}.`,
  changed: (/** @type {number} */ came, /** @type {number} */ went) =>
    `${plural(came, "photograph was", "photographs were")} added, ${went} removed; all marks are kept.`,

  // Paint.
  tools: { brush: "Brush", click: "Click", box: "Box", polygon: "Polygon", lasso: "Lasso", fill: "Fill", eraser: "Eraser" },
  toolHelp: {
    brush: "Draw a line on the class.", click: "Press on one pixel of the class.",
    box: "Drag around the object, or press its four outermost points.",
    polygon: "Press corner after corner; close with Enter or on the first corner.",
    lasso: "Draw around an area of the class.",
    fill: "Press on an area of the mask: all of it gets the class.", eraser: "Draw over marks to remove them.",
  },
  undo: "Undo", redo: "Redo",
  stage: (/** @type {string} */ name) => `Drawing surface, photograph ${name}`,
  stageHelp:
    "Arrow keys move a crosshair by one pixel, with Shift by ten. K puts the pen down and lifts it. Digits choose the class. Question mark lists all keys.",
  noPhotograph: "No photograph is open.",
  noPhotographs: "There are no photographs in this folder yet. Copy some into it; they then appear here.",
  unreadable: (/** @type {string} */ why) => `This photograph cannot be read${why ? `: ${why}` : ""}.`,
  previous: "Previous photograph", next: "Next photograph",
  doneNext: "Done, next", notDone: "Open again",
  at: (/** @type {string} */ name, /** @type {number} */ x, /** @type {number} */ y) => `${name ? `${name}, ` : ""}${x}, ${y}`,
  zoomOut: "Smaller", zoomIn: "Larger", fit: "Fit", oneToOne: "1:1",
  zoom: (/** @type {number} */ scale) => (scale >= 10 ? `${scale.toFixed(0)}:1` : `${(scale * 100).toFixed(0)} %`),
  classes: "Classes",
  addClasses: "Add classes",
  inPhotograph: (/** @type {string} */ name) => `Is ${name} in this photograph?`,
  tagStates: { unknown: "?", yes: "yes", no: "no" },
  tagSaid: (/** @type {string} */ name, /** @type {string} */ state) => `${name}: ${state}`,
  tagWords: { unknown: "not said", yes: "is here", no: "is not here" },
  boxedHelp: (/** @type {string} */ name) => `Every object of the class ${name} has a box here`,
  show: (/** @type {string} */ name) => `Show the mask of ${name}`,
  display: "View",
  pen: "Pen", penWidth: "Width of the pen", pixels: (/** @type {number} */ n) => `${n} px`,
  opacity: "Mask", opacityOf: "Opacity of the mask",
  toggles: { masks: "Mask", outlines: "Outlines", ink: "Marks", uncertainty: "Uncertainty" },
  contrast: "Contrast (only of the display)",
  dark: "Dark end", bright: "Bright end", asFound: "Default",
  marks: (/** @type {number} */ n) => `Marks (${n})`,
  noMarksHere: "Nothing is marked in this photograph.",
  kinds: { scribble: "line", click: "click", box: "box", polygon: "area", bitmap: "area" },
  remove: (/** @type {string} */ what) => `Delete ${what}`,
  byMe: "you",
  queue: "Where a mark helps most",
  askNext: "Suggest a place",
  noPlaces: "There is no place to suggest: mark two classes first.",
  why: { uncertainty: "The model is uncertain here.", random: "A random place, to measure the model without bias." },
  what: "What is here?",
  question: (/** @type {string} */ guess, /** @type {string} */ other) => `${guess} or ${other}?`,
  isIt: (/** @type {string} */ guess) => `${guess}?`,
  yes: (/** @type {string} */ guess) => `Yes, ${guess}`,
  pass: "Pass",
  orKey: "Or press the key of another class, or draw.",
  placeSaid: (/** @type {string} */ ask, /** @type {number} */ x, /** @type {number} */ y) => `${ask} ${x}, ${y}`,
  corrections: "You made five corrections in this photograph. Marks in another one may help the model more.",
  penDown: "Pen down", penUp: "Pen up",
  chosen: (/** @type {string} */ name) => `Class ${name}`,
  toolChosen: (/** @type {string} */ name) => `Tool ${name}`,
  added: (/** @type {string} */ kind, /** @type {string} */ name) => `${kind}, ${name}`,
  erased: (/** @type {number} */ n) => (n ? `${plural(n, "mark", "marks")} changed` : "There was no mark"),
  undid: "Undone", redid: "Redone", nothingToUndo: "Nothing to undo here", nothingToRedo: "Nothing to redo",
  nothingToFill: "There is no mask to fill here yet. Mark two classes first.",
  chooseClass: "Choose a class first.",

  // Photographs.
  states: { new: "new", marked: "marked", done: "done", unreadable: "unreadable" },
  stateMarks: { new: "○", marked: "◐", done: "●", unreadable: "!" },
  filter: "Show", order: "Order",
  filters: { "": "all", new: "new", marked: "marked", done: "done", unreadable: "unreadable" },
  orders: { name: "by name", uncertainty: "most uncertain first" },
  count: (/** @type {number} */ n) => plural(n, "photograph", "photographs"),
  marksOf: (/** @type {number} */ n) => (n ? plural(n, "mark", "marks") : "no marks"),
  more: "Show more",
  select: (/** @type {string} */ name) => `Choose ${name}`,
  selected: (/** @type {number} */ n) => `${plural(n, "photograph", "photographs")} chosen`,
  tagSelected: "For all chosen:", present: "is here", absent: "is not here", markDone: "Done", unselect: "Choose none",
  tagged: (/** @type {number} */ n) => `Tagged ${plural(n, "photograph", "photographs")}`,
  noneFiltered: "No photograph has this state.",

  // Train.
  trainLead: "The quick model gives masks at once. A training takes minutes and gives a network with better borders, which you can use without this page.",
  method: "Method", minutes: "Minutes at most", noLimit: "no limit",
  start: "Train", stop: "Stop", goOn: "Continue", plan: "Plan", planWaits: "The plan is being made.",
  runs: "Trainings", noRuns: "There is no training yet.",
  runStates: {
    waiting: "waits", starting: "starts", running: "runs", finished: "finished", stopped: "stopped", failed: "failed",
    interrupted: "interrupted",
  },
  run: "Training", stepOf: "Step", unknownStrokes: "Newer strokes",
  elsewhere: "started by the command",
  curve: "Loss by step", curveText: (/** @type {number} */ first, /** @type {number} */ last, /** @type {number} */ steps) =>
    `The loss fell from ${first.toPrecision(3)} to ${last.toPrecision(3)} in ${steps} steps.`,
  curveRose: (/** @type {number} */ first, /** @type {number} */ last, /** @type {number} */ steps) =>
    `The loss went from ${first.toPrecision(3)} to ${last.toPrecision(3)} in ${steps} steps.`,
  noCurve: "No step is finished yet.",
  samples: "Samples", samplesLater: "Masks are made when the training is finished.", samplesSoon: "The masks of all photographs are being made.", notes: "Notes",
  onRight: "left: photograph, right: mask",

  // Results.
  resultsLead: "Masks of all photographs, how often the model was right, and files for download.",
  source: "Masks of", quickSource: "Quick model", networkSource: (/** @type {string} */ id) => `Network ${id}`,
  shares: "Share of each class", noShares: "No masks yet.",
  accuracy: "At random places",
  right: (/** @type {number} */ right, /** @type {number} */ all, /** @type {number} */ low, /** @type {number} */ high) =>
    `right at ${right} of ${plural(all, "random place", "random places")} (${Math.round((100 * right) / all)} %, ${Math.round(low)} to ${Math.round(high)})`,
  noAccuracy: "Not measured yet. Answer some of the questions on the screen Paint: every fourth place is random, and there the prediction of the model is compared with your answer before the model learns it.",
  exports: "Download files",
  exportMasks: "Masks, one PNG per photograph", exportNetwork: "Network (ONNX)", exportHints: "Marks as", makeReport: "Report",
  download: "Download",
  jobStates: { waiting: "waits", running: "runs", finished: "ready", done: "ready", failed: "failed" },
  jobAt: (/** @type {string} */ where) => `Written to ${where}`,
  jobProgress: (/** @type {number} */ done, /** @type {number} */ all) => `${done} of ${all}`,
  format: "Format",
  noNetwork: "Train a network first.",

  // Check.
  checkLead: "Problems in photographs and marks that may disturb a training.",
  checkAgain: "Check again", checking: "Photographs and marks are being read.", nothingFound: "No problems were found.",
  levels: { error: "Error", warning: "Warning", note: "Note", info: "Note" },
  contradictions: "Contradictions between people", noContradictions: "No marks of different people contradict each other.",
  between: (/** @type {string} */ a, /** @type {string} */ b) => `${a} against ${b}`,

  // Set up.
  setupLead: "Names, colours and keys of the classes; people who mark; settings of this browser.",
  classColour: (/** @type {string} */ name) => `Colour of ${name}`, key: "Key", noKey: "none", keyOf: (/** @type {string} */ name) => `Key of ${name}`,
  nameOf: (/** @type {number} */ n) => `Name of class ${n}`,
  newClass: "New class", add: "Add", saveClasses: "Save classes", classesSaved: "Classes saved",
  sameName: (/** @type {string} */ name) => `Two classes are named ${name}.`,
  emptyName: "A class has no name.",
  browser: "This browser", theme: "Colours", themes: { auto: "as in the system", light: "light", dark: "dark" },
  singleKeys: "Single keys work everywhere. If off, they work only while the drawing surface has the focus.",
  leftHanded: "Left-handed: classes at the left, tools at the right",
  penOnly: "A finger moves the photograph; only a pen or a mouse draws",
  people: "People", inviteLabel: "Name", invite: "Make a link", inviteHelp: "Each link belongs to one person: whoever opens it marks under that name.",
  linkOf: (/** @type {string} */ name) => `Link of ${name}. It is shown only once:`,
  copy: "Copy", copied: "Copied",
  changeKeys: "Keys", changeKeysHelp: "Press a field, then the new key. Backspace turns the key off.", resetKeys: "Reset all keys",
  off: "off",

  // Help.
  help: "Keys",
  find: "Find a class", findLabel: "Part of its name",
  actions: {
    class: "Class; Shift for the next ten", brush: "Brush", click: "Click", box: "Box", polygon: "Polygon", lasso: "Lasso",
    fill: "Fill an area of the mask", eraser: "Eraser (or Alt held)", tags: "Tags", thinner: "Thinner pen", thicker: "Thicker pen", undo: "Undo", redo: "Redo",
    next: "Next suggested place", yes: "Yes", pass: "Pass", nextPhotograph: "Next photograph",
    previousPhotograph: "Previous photograph", done: "Done, and next (closes a polygon first)", photographs: "Photographs",
    zoomIn: "Larger", zoomOut: "Smaller", fit: "Fit", oneToOne: "1:1", masks: "Mask", outlines: "Outlines", ink: "Marks",
    alone: "Only the photograph, while held", fainter: "Fainter mask", stronger: "Stronger mask", uncertainty: "Uncertainty",
    find: "Find a class by name", pen: "Pen down or up, at the crosshair", help: "This list", train: "Train",
    cancel: "Cancel the mark, or close", move: "Crosshair by 1 pixel; with Shift by 10", pan: "Move the photograph, while held",
    backspace: "Remove the last corner", wheel: "Wheel, or two fingers",
    zoomMove: "Zoom; two fingers also move",
  },
};
