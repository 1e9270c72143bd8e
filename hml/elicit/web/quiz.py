"""The quiz between instructions and trials: a few questions that show whether the task was understood."""

from dataclasses import dataclass

from hml.judgements import Classes, TaskName


@dataclass(frozen=True)
class Question:
    """One question."""

    id: str  # its form field
    text: str
    options: tuple[str, ...]
    right: int  # the right option's index; checked on the server, and never sent to the browser


_OTHERS = Question(
    "others",
    "Whose answer are you asked for?",
    ("What I see myself", "What I think 100 other people would say, on average", "What the computer used"),
    1,
)
_ENDS = Question(
    "ends",
    "The slider is at “100 % A”. What does that mean?",
    ("The image shows only B", "It is half A and half B", "The image shows only A"),
    2,
)
_SURE = Question("sure", "You have no idea what others would say. How sure are you?", ("0 %", "50 %", "100 %"), 0)
_HALF = Question(
    "half",
    "Which image are you asked for?",
    ("The one that looks like half of each", "The one that looks clearest", "The first one"),
    0,
)


def make_quiz(task: TaskName, classes: Classes) -> tuple[Question, ...]:
    """Return a task's questions; those about classes name the study's own."""
    if task == "rate_mixture":
        return _OTHERS, _ENDS, _SURE
    if task != "categorical":
        return _OTHERS, _HALF
    first, second, third = (classes[place] for place in (3 * len(classes) // 10, len(classes) // 2, len(classes) - 1))
    one, other, never = map(in_sentence, (first, second, third))
    likely = Question(
        "likely",
        f"70 of 100 people would say {one}, 20 {other}. What do you answer?",
        (f"{second} 70 %, {one} 20 %", f"{first} 70 %, {other} 20 %", f"{first} 100 %"),
        1,
    )
    impossible = Question(
        "impossible",
        f"Nobody would ever say {never}. What do you do?",
        (f"Say that {never} is impossible", f"Give {never} 50 %", f"Name {never} as the second class"),
        0,
    )
    return _OTHERS, likely, impossible


def in_sentence(name: str) -> str:
    """Spell a class within a sentence: "Cat" becomes "cat"; names with other capitals stay as they are."""
    return name.lower() if name.istitle() else name
