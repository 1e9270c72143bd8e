// A slider has no answer until somebody moves it: an untouched slider shows no thumb.

const WORDS = {
  mix: (slider) => `${100 - slider.value} % ${slider.dataset.left}, ${slider.value} % ${slider.dataset.right}`,
  sure: (slider) => `${slider.value} % sure`,
  // Without its number, which would show where the middle is.
  step: (slider) => (slider.value === slider.min || slider.value === slider.max ? "The last mix" : "Another mix"),
};

export function isTouched(slider) {
  return slider.dataset.touched === "yes";
}

/** Uses the slider's value as an answer from now on. */
export function touch(slider) {
  slider.dataset.touched = "yes";
  const words = WORDS[slider.dataset.words](slider);
  slider.setAttribute("aria-valuetext", words);
  const output = slider.parentElement.querySelector("output");
  if (output) {
    output.textContent = words;
    output.className = "";
  }
}

/** Returns whether a button can move its slider by its number of steps. */
export function canMove(slider, button) {
  const value = Number(slider.value) + Number(button.dataset.move);
  return value >= Number(slider.min) && value <= Number(slider.max);
}

export function setUp(slider, onTouch) {
  slider.setAttribute("aria-valuetext", "no answer yet");
  const touched = () => {
    touch(slider);
    onTouch(slider);
  };
  slider.addEventListener("input", touched);
  // A press exactly on the middle changes nothing, so there is no `input`. A label's click is not a press, and neither
  // is one that began elsewhere, or with another button.
  let isPressed = false;
  slider.addEventListener("pointerdown", (event) => {
    isPressed = event.button === 0;
  });
  slider.addEventListener("pointercancel", () => {
    isPressed = false; // a finger that scrolls the page
  });
  slider.addEventListener("pointerup", (event) => {
    if (isPressed && event.button === 0) touched();
    isPressed = false;
  });
  slider.parentElement.querySelector("[data-half]")?.addEventListener("click", () => {
    slider.value = 50;
    touched();
  });
  for (const button of slider.parentElement.querySelectorAll("[data-move]")) {
    button.addEventListener("click", () => {
      if (!canMove(slider, button)) return;
      slider.value = Number(slider.value) + Number(button.dataset.move);
      touched();
    });
  }
}
