// The answers on their way to the server: kept on this device until there is a receipt for each.

import { forget, newId, pause, sendUntilAnswered, Shelf } from "./sending.js";

export class Answers {
  constructor(owner, csrf, report) {
    this.queue = new Shelf(() => localStorage, `hml:${owner}:answer:`);
    this.receipts = new Shelf(() => localStorage, `hml:${owner}:receipts:`);
    this.owner = owner;
    this.csrf = csrf;
    this.report = report;
    if (this.receipts.get("count") === null) this.receipts.put("count", 0); // gone once they have withdrawn
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
      objection = (await this.sendOne(kept)) || objection;
      this.queue.drop(trial);
    }
    return objection;
  }

  /** Sends an answer until the study has taken or refused it; returns why it was refused, "" if it wasn't. */
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
        // The session is over, or another person's: the answer stays here for the right one, unless they have withdrawn,
        // which 401 says, or another tab, by having deleted all that this browser kept of them.
        if (response.status === 401 || this.receipts.get("count") === null) forget(this.owner);
        location.assign("/");
        return new Promise(() => {});
      }
      const content = parse(text);
      if (response.ok && content.client_id === kept.client_id) {
        this.receipts.put("count", content.count);
        return "";
      }
      if (response.status === 409) return content.message ?? "This answer could not be taken.";
      if (response.status === 422) return "This answer could not be taken as it is. Please look it over, and send it again.";
      // Neither a receipt nor a refusal: the word of something in between, such as a network that wants a login.
      this.report("Something else answered in the study's place. Your answer is kept on this device, and sent again.");
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
