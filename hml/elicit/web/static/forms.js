// Forms are sent again until they arrive, and count once, however often one clicks. Their text survives a reload.

import { forget, sendUntilAnswered, Shelf } from "./sending.js";

function setUp(form) {
  const written = form.querySelector("textarea");
  const drafts = new Shelf(() => sessionStorage, `hml:${form.dataset.owner}:written:`);
  if (written) {
    written.value = written.value || (drafts.get(written.name) ?? "");
    written.addEventListener("input", () => drafts.put(written.name, written.value));
  }
  if (form.elements.claimed) {
    // What this browser has receipts for; the server knows of more where answers came from another device.
    const count = new Shelf(() => localStorage, `hml:${form.dataset.owner}:receipts:`).get("count");
    form.elements.claimed.value = Math.max(count ?? 0, Number(form.elements.claimed.value));
  }
  const status = document.createElement("p");
  status.className = "status";
  status.setAttribute("role", "status");
  form.append(status);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.sent) return;
    form.dataset.sent = "yes";
    form.setAttribute("aria-busy", "true");
    const body = new URLSearchParams(new FormData(form));
    const { response, text } = await sendUntilAnswered(form.action, { method: "POST", body }, (words) => {
      status.textContent = words.replace("Your answer", "What you entered");
    });
    if (response.ok && "forget" in form.dataset) forget(form.dataset.owner);
    if (response.redirected) {
      if (written) drafts.drop(written.name);
      location.assign(response.url);
    } else {
      show(text);
    }
  });
}

/** Shows the page that came instead of the next one: the same page with an error, or an error page. */
function show(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  if (page.getElementById("main")) {
    document.title = page.title;
    document.body.replaceWith(page.body); // all of it: people who have withdrawn can't withdraw again
  } else {
    document.getElementById("main").textContent = text; // an error that is not a page
  }
  const main = document.getElementById("main");
  main.querySelectorAll("form[data-resend]").forEach(setUp);
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

document.querySelectorAll("form[data-resend]").forEach(setUp);
