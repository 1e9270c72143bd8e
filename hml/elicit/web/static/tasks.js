// Reads each task's form: its answer, with H-Mix's keys, and what is still missing. A slider's answer is its distance
// from the left end; the server knows which class is there.

import { canMove, isTouched } from "./sliders.js";

const READ = {
  rate_mixture: (form) => ({
    mixingcoeff: Number(form.elements.mixingcoeff.value),
    confidence: Number(form.elements.confidence.value),
    moved: moved(form),
  }),
  construct: (form) => ({
    final_value: Number(form.querySelector(".stack img:not([hidden])").dataset.weight),
    starting_value: Number(form.elements.final_value.dataset.start),
    moved: moved(form),
  }),
  select: (form) => ({ select: form.elements.select.value }),
  categorical: (form) => {
    const answer = { prob2: "", ...Object.fromEntries(new FormData(form)) };
    for (const percent of form.querySelectorAll("[type=number]:enabled")) {
      answer[percent.name] = String(percent.valueAsNumber); // browsers accept 70.0 and 7e1 too
    }
    return answer;
  },
};

function moved(form) {
  return [...form.querySelectorAll("input[type=range]")].filter(isTouched).map((slider) => slider.name);
}

export function readAnswer(form) {
  return READ[form.dataset.task](form);
}

/** Shows what is missing, puts the focus there, and returns whether the form is complete. */
export function isComplete(form) {
  const missing = [...form.querySelectorAll("fieldset[data-answer]")].filter((fieldset) => {
    const field = MISSING[fieldset.dataset.answer](fieldset, form);
    mark(fieldset, field);
    return field;
  });
  missing[0]?.querySelector("[aria-invalid=true]").focus();
  return missing.length === 0;
}

/** Each returns the field that lacks an answer, or nothing. */
const MISSING = {
  slider: (fieldset) => {
    const slider = fieldset.querySelector("input");
    return isTouched(slider) ? null : slider;
  },
  choice: (fieldset) => (fieldset.querySelector(":checked") ? null : fieldset.querySelector("input")),
  class: (fieldset, form) => {
    const chosen = fieldset.querySelector(":checked");
    const percent = fieldset.querySelector("[type=number]");
    const first = percent.name === "prob2" ? form.elements.prob.valueAsNumber : NaN; // with which no comparison holds
    let words = "";
    if (!chosen) words = "Choose one.";
    else if (chosen.value === "secondProbNo") return null;
    else if (percent.value === "" || !percent.validity.valid) words = "Give a number from 0 to 100.";
    else if (percent.valueAsNumber > first) words = "The second class can't be more probable than the first.";
    else if (percent.valueAsNumber + first > 100) words = "Both together can't be more than 100 %.";
    else return null;
    fieldset.querySelector(".error").textContent = words;
    return chosen ? percent : fieldset.querySelector("input:not(:disabled)");
  },
};

function mark(fieldset, field) {
  settle(fieldset);
  if (!field) return;
  const error = fieldset.querySelector(".error");
  error.hidden = false;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", error.id); // read out with the field, which gets the focus
}

/** Removes what was shown as missing. */
export function settle(fieldset) {
  for (const input of fieldset.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  }
  const error = fieldset.querySelector(".error");
  if (error) error.hidden = true;
}

/** Keeps the parts of a form in agreement with each other. */
export function reconcile(form) {
  if (form.dataset.task === "construct") {
    form.querySelectorAll(".stack img").forEach((picture, index) => {
      picture.hidden = index !== Number(form.elements.final_value.value);
    });
    for (const button of form.querySelectorAll("[data-move]")) {
      button.setAttribute("aria-disabled", !canMove(form.elements.final_value, button));
    }
  } else if (form.dataset.task === "categorical") {
    const named = (name) => form.querySelector(`[name=${name}]:checked`)?.dataset.class;
    const [first, second] = [named("classSelect"), named("classSelect2")];
    for (const input of form.querySelectorAll("[data-class]")) {
      const others = { classSelect: [], classSelect2: [first] }[input.name] ?? [first, second];
      input.disabled = others.includes(input.dataset.class); // a class has one place
      if (input.disabled) input.checked = false;
    }
    const none = form.querySelector("[value=secondProbNo]").checked;
    form.elements.prob2.disabled = none;
    if (none) form.elements.prob2.value = "";
  }
}
