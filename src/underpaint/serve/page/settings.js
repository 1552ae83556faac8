/** Settings of this browser: pen, opacity, keys, layout. */

const PLACE = "underpaint";

/**
 * @typedef {object} Settings
 * @property {number} pen width of the pen in pixels of the photograph
 * @property {number} opacity of the mask, 0 to 1
 * @property {boolean} masks whether masks are shown
 * @property {boolean} outlines whether outlines of the mask are shown
 * @property {boolean} ink whether marks are shown
 * @property {boolean} uncertainty whether the model's uncertainty is shown
 * @property {boolean} singleKeys whether keys without Ctrl do something
 * @property {boolean} leftHanded whether the panel is at the left
 * @property {"auto" | "light" | "dark"} theme
 * @property {boolean} penOnly whether a finger moves the photograph instead of drawing
 * @property {Record<string, string>} keys changed keys, by action
 */

/** @type {Settings} */
const FIRST = {
  pen: 8, opacity: 0.5, masks: true, outlines: true, ink: true, uncertainty: false, singleKeys: true, leftHanded: false,
  theme: "auto", penOnly: false, keys: {},
};

/** @returns {Settings} */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
    /** @type {Record<string, unknown>} */
    const settings = { ...FIRST };
    for (const [name, value] of Object.entries(FIRST)) {
      if (typeof kept?.[name] === typeof value && kept[name] !== null) settings[name] = kept[name];
    }
    return /** @type {Settings} */ (settings);
  } catch {
    return { ...FIRST };
  }
}

export const settings = read();
export const settingsChanged = new EventTarget();

/** @param {Partial<Settings>} changes */
export function change(changes) {
  Object.assign(settings, changes);
  try {
    localStorage.setItem(PLACE, JSON.stringify(settings));
  } catch {
    // Without storage, the settings last until the page is closed.
  }
  settingsChanged.dispatchEvent(new Event("change"));
}
