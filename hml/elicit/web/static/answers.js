// Answers that are being sent: they are kept on this device until there is a receipt for each.

import { forget, newId, pause, sendUntilAnswered, Shelf } from "./sending.js";

export class Answers {
  constructor(owner, csrf, report) {
    this.queue = new Shelf(() => localStorage, `hml:${owner}:answer:`);
    this.receipts = new Shelf(() => localStorage, `hml:${owner}:receipts:`);
    this.owner = owner;
    this.csrf = csrf;
    this.report = report;
    if (this.receipts.get("count") === null) this.receipts.put("count", 0); // deleted when a person withdraws
  }

  /** Keeps an answer. The first one of a trial counts, whichever tab or click it came from. */
  keep(trial, answer, reactionMs) {
    if (this.queue.get(trial) === null) {
      this.queue.put(trial, { trial_id: trial, client_id: newId(), answer, reaction_ms: reactionMs });
    }
  }

  get waiting() {
    return this.queue.names();
  }

  /** Sends all kept answers; returns why one of them was rejected, or "". */
  async send() {
    let objection = "";
    for (const trial of this.waiting) {
      const kept = this.queue.get(trial);
      if (kept === null) continue; // another tab has sent it meanwhile
      objection = (await this.sendOne(kept)) || objection;
      this.queue.drop(trial);
    }
    return objection;
  }

  /** Sends an answer until the study has stored or rejected it; returns why it was rejected, or "". */
  async sendOne(kept) {
    for (;;) {
      const { response, text } = await sendUntilAnswered(
        "/answer",
        {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRF-Token": this.csrf },
          body: JSON.stringify(kept),
        },
        this.report,
      );
      if (response.status === 401 || response.status === 403) {
        // The session is over or another person's, and the answer is kept for its own person, unless they have
        // withdrawn. Then the status is 401, or another tab has deleted everything that this browser kept of them.
        if (response.status === 401 || this.receipts.get("count") === null) forget(this.owner);
        location.assign("/");
        return new Promise(() => {});
      }
      const content = parse(text);
      if (response.ok && content.client_id === kept.client_id) {
        this.receipts.put("count", content.count);
        return "";
      }
      if (response.status === 409) return content.message ?? "This answer could not be stored.";
      if (response.status === 422) return "This answer could not be stored. Please check it, and send it again.";
      // Neither a receipt nor a rejection: something in between answered, such as a network's login page.
      this.report("Another page answered instead of the study, perhaps your network's login. Your answer is kept on this device, and sent again.");
      await pause(5);
    }
  }
}

/** Reads JSON; anything else, such as a login page, is an empty object. */
function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
