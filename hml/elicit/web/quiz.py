"""The quiz between instructions and trials: a few questions that show whether the task was understood."""

from dataclasses import dataclass

from hml.judgements import TaskName


@dataclass(frozen=True)
class Question:
    """One question."""

    id: str  # its form field
    text: str
    options: tuple[str, ...]
    right: int  # the right option's place; checked on the server, and never sent to the browser


_OTHERS = Question(
    "others",
    "Whose answer are you asked for?",
    ("What I alone see", "What I think 100 other people would say, on average", "What the computer used"),
    1,
)
_ENDS = Question(
    "ends",
    "The slider stands at “100 % A”. What does that say?",
    ("The image shows B alone", "It is half A and half B", "The image shows A alone"),
    2,
)
_SURE = Question("sure", "You have no idea what others would say. How sure are you?", ("0 %", "50 %", "100 %"), 0)
_HALF = Question(
    "half",
    "Which image is wanted?",
    ("The one that looks like half of each", "The one that looks clearest", "The first one"),
    0,
)
_LIKELY = Question(
    "likely",
    "70 of 100 people would say cat, 20 dog. What do you answer?",
    ("Dog 70 %, cat 20 %", "Cat 70 %, dog 20 %", "Cat 100 %"),
    1,
)
_IMPOSSIBLE = Question(
    "impossible",
    "Nobody would ever see a truck in it. What do you do?",
    ("Say that truck is impossible", "Give truck 50 %", "Name truck as the second class"),
    0,
)

QUIZ: dict[TaskName, tuple[Question, ...]] = {
    "rate_mixture": (_OTHERS, _ENDS, _SURE),
    "construct": (_OTHERS, _HALF),
    "select": (_OTHERS, _HALF),
    "categorical": (_OTHERS, _LIKELY, _IMPOSSIBLE),
}
