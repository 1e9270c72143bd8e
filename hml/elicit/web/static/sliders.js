// Sliders that have no answer until somebody has given one: an untouched slider shows no thumb.

const WORDS = {
  mix: (slider) => `${100 - slider.value} % ${slider.dataset.left}, ${slider.value} % ${slider.dataset.right}`,
  sure: (slider) => `${slider.value} % sure`,
  // Not which of how many, which would say where the middle is.
  step: (slider) => (slider.value === slider.min || slider.value === slider.max ? "The last mix" : "Another mix"),
};

export function isTouched(slider) {
  return slider.dataset.touched === "yes";
}

/** Takes the slider's value for an answer from now on. */
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

/** Tells whether a button that moves a slider by some steps has that far to go. */
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
  // A press on the very middle changes nothing, so there is no `input`. A label's click is no press, nor is what began
  // elsewhere, or with another button.
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
