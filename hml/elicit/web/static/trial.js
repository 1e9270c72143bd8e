// A trial: shows the picture, reads the answer once, and loads the next trial when the server has sent its receipt.

import { Answers } from "./answers.js";
import { pause, sendUntilAnswered, Shelf } from "./sending.js";
import { isTouched, setUp, touch } from "./sliders.js";
import { isComplete, readAnswer, reconcile, settle } from "./tasks.js";

function report(words) {
  const status = document.getElementById("status");
  if (status.textContent !== words) status.textContent = words; // or it would be read out at every attempt
}

async function start(form, notice) {
  const answers = new Answers(form.dataset.owner, form.dataset.csrf, report);
  if (answers.waiting.length > 0) {
    form.inert = true; // from before a reload
    const objection = await answers.send();
    return showNext(objection);
  }
  const drafts = new Shelf(() => sessionStorage, `hml:${form.dataset.owner}:draft:`);
  for (const slider of form.querySelectorAll("input[type=range]")) {
    setUp(slider, () => {
      settle(slider.closest("fieldset"));
      changed(form, drafts);
    });
  }
  const draft = drafts.get(form.dataset.trial);
  restore(form, draft?.fields);
  // Not `change`, which comes with a click elsewhere: text that disappears then would move what was clicked.
  form.addEventListener("input", (event) => {
    settle(event.target.closest("fieldset"));
    changed(form, drafts);
  });
  report(notice);
  let shownAt = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.sent || !isComplete(form)) return;
    form.dataset.sent = "yes"; // a second click finds the form sent
    form.setAttribute("aria-busy", "true");
    form.querySelector("button.primary").textContent = "Saving …";
    answers.keep(form.dataset.trial, readAnswer(form), Math.max(0, Math.round(Date.now() - shownAt)));
    const objection = await answers.send();
    if (!objection) drafts.drop(form.dataset.trial); // a rejected answer is shown again, to be corrected
    await showNext(objection);
  });
  await Promise.all([...form.querySelectorAll("img")].map(arrive));
  shownAt = draft?.shownAt ?? Date.now(); // a reload does not restart the time
  drafts.put(form.dataset.trial, { ...drafts.get(form.dataset.trial), shownAt });
  form.querySelector("button.primary").disabled = false; // nobody answers before the picture is visible
}

/** Loads a picture, and tries again until it is there. */
async function arrive(picture) {
  for (;;) {
    try {
      return await picture.decode();
    } catch {
      report("The image hasn't arrived yet. It is loaded as soon as you are connected.");
      await pause(2);
      report("");
      picture.src = picture.getAttribute("src");
    }
  }
}

function changed(form, drafts) {
  reconcile(form);
  const fields = [...form.querySelectorAll("input")];
  drafts.put(form.dataset.trial, {
    ...drafts.get(form.dataset.trial),
    fields: fields.map((field) => [field.value, field.checked, isTouched(field)]),
  });
}

/** Restores what was entered before a reload. */
function restore(form, fields) {
  form.querySelectorAll("input").forEach((field, index) => {
    if (!fields?.[index]) return;
    [field.value, field.checked] = fields[index];
    if (fields[index][2]) touch(field);
  });
  reconcile(form);
}

/** Replaces this trial by the next one, without leaving the page, so that a lost connection shows no error. */
async function showNext(notice) {
  const { response, text } = await sendUntilAnswered("/trial", {}, report);
  const next = new DOMParser().parseFromString(text, "text/html");
  if (new URL(response.url).pathname !== "/trial" || !next.querySelector("form.trial")) {
    location.assign(response.url);
    return;
  }
  document.title = next.title;
  document.getElementById("main").replaceWith(next.getElementById("main"));
  window.scrollTo(0, 0);
  document.querySelector("h1").focus({ preventScroll: true });
  await start(document.querySelector("form.trial"), notice);
}

window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // reached by the back button: the trial may be answered by now
});
start(document.querySelector("form.trial"), "");
