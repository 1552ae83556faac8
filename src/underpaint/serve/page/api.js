/** Requests to the server, with the token of the link. */

const PLACE = "underpaint-token";

/** The error of a request that the server refused, or of a server that cannot be reached (`status` 0). */
export class ApiError extends Error {
  /** @param {number} status @param {string} what @param {string} [fix] */
  constructor(status, what, fix = "") {
    super(what);
    this.status = status;
    this.what = what;
    this.fix = fix;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/**
 * The token from the fragment of the link, which browsers do not send to servers. It is moved to the storage of the tab
 * and removed from the address, so that it is neither in the history nor in a copied address.
 */
export function takeToken() {
  const match = /^#(?:token=)?([A-Za-z0-9_-]{32,})$/.exec(location.hash);
  if (match) {
    sessionStorage.setItem(PLACE, match[1]);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(PLACE) ?? "";
}

/** @param {string} token */
export const keepToken = (token) => sessionStorage.setItem(PLACE, token);

/** The token in a pasted link, or the pasted text itself. @param {string} text */
export const tokenOf = (text) => /#(?:token=)?([A-Za-z0-9_-]+)\s*$/.exec(text)?.[1] ?? text.trim();

export class Api {
  /** @param {string} token */
  constructor(token) {
    this.token = token;
    this.root = new URL("api/v1/", document.baseURI);
  }

  /** @param {string} path @param {Record<string, string | number | boolean | null | undefined>} [query] */
  address(path, query = {}) {
    const url = new URL(path.replace(/^\//, ""), this.root);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
    }
    return url;
  }

  /**
   * @param {string | URL} address @param {RequestInit} [options]
   * @returns {Promise<Response>}
   */
  async send(address, options = {}) {
    const headers = new Headers(options.headers);
    headers.set("Authorization", `Bearer ${this.token}`);
    let response;
    try {
      response = await fetch(address, { ...options, headers, cache: options.cache ?? "default", credentials: "omit" });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new ApiError(0, "the server does not answer");
    }
    if (response.ok) return response;
    const said = await response.json().catch(() => ({}));
    throw new ApiError(response.status, said.what ?? `the server answers ${response.status}`, said.fix ?? "");
  }

  /**
   * @template T
   * @param {string} path @param {Record<string, string | number | boolean | null | undefined>} [query] @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  async get(path, query = {}, signal) {
    return (await this.send(this.address(path, query), { signal, cache: "no-store" })).json();
  }

  /**
   * @template T
   * @param {string} path @param {unknown} body @param {string} [method]
   * @returns {Promise<T>}
   */
  async post(path, body, method = "POST") {
    const headers = { "Content-Type": "application/json" };
    return (await this.send(this.address(path), { method, headers, body: JSON.stringify(body) })).json();
  }

  /**
   * A picture or a file.
   * @param {string} path @param {Record<string, string | number | boolean | null | undefined>} [query] @param {AbortSignal} [signal]
   */
  async blob(path, query = {}, signal) {
    return (await this.send(this.address(path, query), { signal })).blob();
  }
}
