// The answers on their way to the server: kept on this device until there is a receipt for each.

import { newId, sendUntilAnswered, Shelf } from "./sending.js";

export class Answers {
  constructor(owner, csrf, report) {
    this.queue = new Shelf(() => localStorage, `hml:${owner}:answer:`);
    this.receipts = new Shelf(() => localStorage, `hml:${owner}:receipts:`);
    this.csrf = csrf;
    this.report = report;
  }

  /** Keeps an answer; the first one of a trial stands, whichever tab or click it came from. */
  keep(trial, answer, reactionMs) {
    if (this.queue.get(trial) === null) {
      this.queue.put(trial, { trial_id: trial, client_id: newId(), answer, reaction_ms: reactionMs });
    }
  }

  get waiting() {
    return this.queue.names();
  }

  /** Sends all that is kept; returns what the server had to say against any of it, "" if nothing. */
  async send() {
    let objection = "";
    for (const trial of this.waiting) {
      const kept = this.queue.get(trial);
      if (kept === null) continue; // another tab has sent it meanwhile
      const response = await sendUntilAnswered(
        "/answer",
        {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRF-Token": this.csrf },
          body: JSON.stringify(kept),
        },
        this.report,
      );
      if (response.status === 401 || response.status === 403) {
        location.assign("/"); // the session is over, or another person's: the answer stays here, for the right one
        return new Promise(() => {});
      }
      const content = await response.json().catch(() => ({}));
      if (response.ok) {
        this.receipts.put("count", content.count);
      } else {
        objection = content.message ?? "This answer could not be taken.";
      }
      this.queue.drop(trial);
    }
    return objection;
  }
}
