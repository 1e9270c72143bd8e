// Sends until the server has answered, through a lost connection, a busy server or a restart.

const LONGEST_PAUSE = 15;
const PATIENCE = 20; // seconds for an answer, all of it

/**
 * Sends a request until there is a whole answer that isn't "later"; returns the response and its text.
 *
 * The text is read here, since a connection may also be lost, or be too slow, after the headers. `report` is
 * called with what it waits for, and with "" at the end.
 */
export async function sendUntilAnswered(address, options, report) {
  for (let attempt = 0; ; attempt++) {
    let wait = Math.min(LONGEST_PAUSE, 2 ** attempt / 2) * (0.5 + Math.random() / 2);
    try {
      const response = await fetch(address, { ...options, signal: after(PATIENCE) });
      const text = await response.text();
      if (response.status !== 429 && response.status < 500) {
        report("");
        return { response, text };
      }
      wait = Math.max(wait, Number(response.headers.get("Retry-After")) || 0);
      report("The study is busy. Your answer is kept here, and sent again in a moment.");
    } catch {
      report("No connection. Your answer is kept on this device, and sent as soon as you are back.");
    }
    await pause(wait);
  }
}

/** Makes a signal that ends slow requests; browsers from before 2022 lack `AbortSignal.timeout`. */
function after(seconds) {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), seconds * 1000);
  return stop.signal;
}

/** Waits, at most until the connection is back. */
export function pause(seconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, seconds * 1000);
    function done() {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve();
    }
    window.addEventListener("online", done);
  });
}

/** A browser's storage; in memory if the browser may store nothing. */
export class Shelf {
  constructor(storage, prefix) {
    this.prefix = prefix;
    try {
      this.storage = storage();
      this.put("probe", "");
      this.drop("probe");
    } catch {
      this.storage = {};
    }
  }

  get(name) {
    return JSON.parse(this.storage[this.prefix + name] ?? null);
  }

  put(name, value) {
    this.storage[this.prefix + name] = JSON.stringify(value);
  }

  drop(name) {
    delete this.storage[this.prefix + name];
  }

  names() {
    const keys = Object.keys(this.storage).filter((key) => key.startsWith(this.prefix));
    return keys.map((key) => key.slice(this.prefix.length));
  }
}

/** Deletes what this browser kept of somebody who has withdrawn. */
export function forget(owner) {
  for (const storage of [() => localStorage, () => sessionStorage]) {
    const shelf = new Shelf(storage, `hml:${owner}:`);
    for (const name of shelf.names()) shelf.drop(name);
  }
}

/** A unique name; `randomUUID` exists only on https and on localhost. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
