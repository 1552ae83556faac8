/**
 * Types of the messages between page and server (docs/paint-api.md), for the type checker. There is no code here.
 *
 * @typedef {[number, number]} Point x to the right and y down, in pixels of the photograph
 * @typedef {{kind: "scribble", class: string, points: Point[], width: number}} ScribbleHint
 * @typedef {{kind: "click", class: string, x: number, y: number}} ClickHint
 * @typedef {{kind: "box", class: string, x0: number, y0: number, x1: number, y1: number}} BoxHint
 * @typedef {{kind: "polygon", class: string, points: Point[], holes?: Point[][]}} PolygonHint
 * @typedef {{kind: "bitmap", class: string, x: number, y: number, width: number, height: number, runs: number[]}} BitmapHint
 * @typedef {ScribbleHint | ClickHint | BoxHint | PolygonHint | BitmapHint} Hint
 * @typedef {{id: string, hint: Hint, by: string, at: number}} Mark
 * @typedef {{present: string[], absent: string[], boxed: string[]}} TagSet
 * @typedef {{name: string, color: string, key: string | null}} ClassInfo
 * @typedef {"new" | "marked" | "done" | "unreadable"} State
 * @typedef {{id: string, image: number} & ({op: "add", hint: Hint, place?: Answered} | {op: "delete", target: string} | ({op: "tags"} & TagSet) |
 *   {op: "state", state: "done" | "marked"})} Op
 * @typedef {{id: number, name: string, width: number, height: number, marks: number, tags: TagSet, state: State, uncertainty: number,
 *   rev: number, mask: number}} ImageRow
 * @typedef {ImageRow & {hints: Mark[], levels: number, tile: number, depth: number, window: {lo: number, hi: number} | null}} ImageDetail
 * @typedef {{image: number, x: number, y: number, radius: number, guess: string | null, other: string | null, random: boolean}} Place
 * @typedef {{x: number, y: number, random: boolean, guess: string | null}} Answered the place that a mark answers
 * @typedef {{kind: "none" | "quick" | "network", run: string | null, at: number, knows: number, behind: number, marked: number, fault: string}} ModelInfo
 * @typedef {{id: string, method: string, state: string, step: number, steps: number, left: number | null, behind: number, external: boolean,
 *   fault?: string}} RunInfo
 * @typedef {RunInfo & {losses: [number, number][], notes: string[], samples: {image: number, name: string, rev: number}[], fault: string,
 *   resumable: boolean}} RunDetail
 * @typedef {{id: string, name: string, revision: number, classes: ClassInfo[], images: number, model: ModelInfo, run: RunInfo | null,
 *   me: {name: string}, limits: {methods: string[], formats: string[]}}} ProjectInfo
 * @typedef {{level: string, what: string, fix: string, images: {id: number, name: string}[]}} Finding
 * @typedef {{image: number, name: string, by: [string, string], classes: [string, string]}} Contradiction
 * @typedef {{id: string, kind: string, format: string, state: string, done: number, all: number, where: string, fault: string,
 *   download: string}} JobInfo
 * @typedef {{shares: number[], random: {asked: number, right: number, low: number, high: number}, images: ImageRow[]}} ResultsInfo
 */
export {};
