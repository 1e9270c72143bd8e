"""H-Mix's file format: the spelling of tasks, columns and answers in its files, for reading and writing.

H-Mix is the data that "Human-in-the-loop mixup" (Collins, Bhatt, Liu, Love, Weller) released:
https://github.com/cambridge-mlg/hill-mixup. `hmix`, `midpoints` and `soft_categories` read its files row by row.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from hml.errors import InputError
from hml.judgements.classes import Classes
from hml.judgements.rows import Row, parse_object, reject
from hml.judgements.schema import Stimulus
from hml.judgements.stimulus_names import name_endpoints

TaskName = Literal["rate_mixture", "construct", "select", "categorical"]
"""The paper's names of the four tasks."""

Answer = Mapping[str, object]
"""One answer as the browser's JSON. Its keys are those below, and differ between tasks."""

SLIDER, CONFIDENCE = "mixingcoeff", "confidence"
"""Both 0 to 100. The slider runs from "100 % class 1" at 0 to "100 % class 2" at 100."""

FINAL, STARTING = "final_value", "starting_value"
"""Weights of the first image: the chosen one, and the one where the search started."""

SELECT = "select"
"""The key of a selected blend, and the prefix of its value: "select0.5"."""

MOST, PROB, SECOND, PROB2 = "classSelect", "prob", "classSelect2", "prob2"
"""The most probable class and its percentage, and the second one with its percentage, all as text."""

MOST_PREFIX, SECOND_PREFIX, IMPROBABLE = "mostProb", "secondProb", "improbClassSelect"
"""Prefixes of class names in the values of `MOST` and `SECOND`, and in the keys of classes that are ruled out."""

NO = "No"
"""Follows `SECOND_PREFIX` if there is no second class."""

_CATEGORIES_REMEDY = (
    'expected {"classSelect": "mostProbCat", "prob": "80", "classSelect2": "secondProbDog" or "secondProbNo", '
    '"prob2": "20", "improbClassSelectTruck": "1", …}.'
)


@dataclass(frozen=True, slots=True)
class TaskFormat:
    """The spelling of a task in its released file.

    Args:
        tasks: The values of the column `task` for a first answer and for a repeat.
        trial_type: The value of the column `trial_type`.
        columns: The columns of the file, in order. The first one has no name.
        answer: The column with the answer as JSON. None if each key has its own column.
        by_pair: Whether a row is about a pair of images, all blends of which were shown. It then has no filename.
    """

    tasks: tuple[str, str]
    trial_type: str
    columns: tuple[str, ...]
    answer: str | None
    by_pair: bool = False

    def is_repeat(self, task: str, where: str) -> bool:
        """Read the column `task`.

        Raises:
            InputError: it belongs to another task.
        """
        if task not in self.tasks:
            reject(where, "task", task, f"use {' or '.join(self.tasks)}.")
        return task == self.tasks[1]


_SHARED = (
    *("", "index", "trial_type", "trial_index", "time_elapsed", "subject", "study_id", "condition", "rt", "url"),
    *("view_history", "response", "question_order", "success", "timeout", "failed_images", "failed_audio"),
    "failed_video",
)
_STIMULUS = ("label1", "label2", "mixtureCoeff", "id1", "id2")

FORMATS: dict[TaskName, TaskFormat] = {
    "rate_mixture": TaskFormat(
        ("rate_mixture", "rerun_rate_mixture"),
        "multiple-slider",
        (*_SHARED, "responses", "filename", "task", "subj_id", *_STIMULUS, "class_pair"),
        "responses",
    ),
    "construct": TaskFormat(
        ("select_create", "rerun_select_create"),
        "reconstruction",
        (*_SHARED, FINAL, "start_value", "task", "class_pair", STARTING, "filename"),
        None,
        by_pair=True,
    ),
    "select": TaskFormat(
        ("select_shuffled", "rerun_select_shuffled"),
        "survey-html-form",
        (*_SHARED, "task", "class_pair"),
        "response",
        by_pair=True,
    ),
    "categorical": TaskFormat(
        ("spec_conf", "rerun_spec_conf"),
        "survey-html-form",
        tuple(name for name in (*_SHARED, "filename", "task", "subj_id", *_STIMULUS) if name != "index"),
        "response",
    ),
}


def stimulus_columns(classes: Classes, stimulus: Stimulus) -> dict[str, str | int | float]:
    """Return the values of the columns that describe a stimulus beside `filename`."""
    first, second = stimulus.endpoints
    labels = classes[first.label], classes[second.label]
    values = (*labels, stimulus.lambda_f, first.image_id, second.image_id)
    return dict(zip(_STIMULUS, values, strict=True))


def parse_subject(row: Row, where: str) -> str:
    """Read the person who answered.

    Raises:
        InputError: the column is empty.
    """
    if not (annotator := row["subject"].strip()):
        reject(where, "subject", row["subject"], "write a code for the person who judged.")
    return annotator


def write_row(
    classes: Classes,
    task: TaskName,
    stimulus: Stimulus,
    subject: str,
    answer: Answer,
    reaction_ms: float | None,
    is_repeat: bool,
) -> dict[str, str]:
    """Write an answer as a row of the task's file.

    Args:
        classes: The classes of the images.
        task: The task.
        stimulus: The mixed image that was shown. In tasks by pair, only its endpoints matter.
        subject: The person who answered.
        answer: The answer, with the keys of the task.
        reaction_ms: Time to answer in milliseconds, if known.
        is_repeat: Whether the person had been asked before.

    Returns:
        Cells by column. Missing columns are empty. Some cells belong to columns that the task's file does not have.
    """
    spelled = FORMATS[task]
    pair = name_endpoints(classes, *stimulus.endpoints)
    row = {
        "trial_type": spelled.trial_type,
        "subject": subject,
        "rt": "" if reaction_ms is None else str(round(reaction_ms, 1)),
        "task": spelled.tasks[is_repeat],
        "filename": "" if spelled.by_pair else stimulus.filename,
        "class_pair": pair if spelled.by_pair else f"{pair}.png",
        **{column: str(value) for column, value in stimulus_columns(classes, stimulus).items()},
    }
    if spelled.answer is None:
        return row | {key: str(value) for key, value in answer.items()} | {"start_value": str(answer[STARTING])}
    order = {"question_order": "[0,1]"} if task == "rate_mixture" else {}
    return row | {spelled.answer: compact(answer)} | order


def compact(answer: Answer) -> str:
    """Write an answer as JSON, with its keys in order."""
    return json.dumps(dict(answer), separators=(",", ":"))


def rating(lambda_h: float, omega: float) -> Answer:
    """Write an inferred mixing coefficient and a confidence as the values of the two sliders, in whole per cent."""
    return {SLIDER: round(100 * (1 - lambda_h)), CONFIDENCE: round(100 * omega)}


def parse_rating(text: str, where: str) -> tuple[float, float]:
    """Read lambda_h and omega.

    Raises:
        InputError: the text is not the JSON of a rating, or a slider is outside [0, 100].
    """
    remedy = 'expected {"mixingcoeff": 0..100, "confidence": 0..100}.'
    answers = parse_object(text, where, "responses", remedy)
    values = []
    for field in (SLIDER, CONFIDENCE):
        value = answers.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float):
            reject(where, "responses", text, remedy)
        if not 0 <= value <= 100:
            reject(where, f"responses.{field}", value, "it is outside [0, 100], the range of the sliders.")
        values.append(float(value))
    return 1.0 - values[0] / 100.0, values[1] / 100.0


def selection(weight: float) -> Answer:
    """Write the selected blend as the weight of its first image."""
    return {SELECT: f"{SELECT}{weight}"}


def parse_selection(text: str, where: str) -> float:
    """Read the weight of the first image in the selected blend.

    Raises:
        InputError: the text is not the JSON of a selection.
    """
    remedy = 'expected {"select": "select0.5"}, with the weight chosen.'
    chosen = parse_object(text, where, "response", remedy).get(SELECT)
    if not isinstance(chosen, str) or not re.fullmatch(rf"{SELECT}[0-9.]+", chosen):
        reject(where, "response", text, remedy)
    try:
        return float(chosen.removeprefix(SELECT))
    except ValueError as error:
        reject(where, "response", text, remedy, error)


@dataclass(frozen=True, slots=True)
class Categories:
    """A person's answer about the class of an image.

    Args:
        first: The most probable class.
        prob: Its probability.
        second: The second most probable class, if any.
        prob2: Its probability.
        improbable: Classes that the person ruled out.
    """

    first: int
    prob: float
    second: int | None
    prob2: float
    improbable: frozenset[int]


def categories(
    first: str, percent: int, second: str | None, percent2: int, improbable: Iterable[str]
) -> dict[str, str]:
    """Write an answer about the class of an image, with names of classes and whole per cent."""
    return {
        MOST: f"{MOST_PREFIX}{first}",
        PROB: str(percent),
        SECOND: f"{SECOND_PREFIX}{NO if second is None else second}",
        PROB2: "" if second is None else str(percent2),
        **{f"{IMPROBABLE}{name}": "1" for name in improbable},
    }


def parse_categories(classes: Classes, text: str, where: str) -> Categories:
    """Read an answer about the class of an image.

    Raises:
        InputError: the text is not the JSON of such an answer.
    """
    answer = parse_object(text, where, "response", _CATEGORIES_REMEDY)
    first, second = answer.get(MOST), answer.get(SECOND)
    if not (isinstance(first, str) and isinstance(second, str)):
        reject(where, "response", text, _CATEGORIES_REMEDY)
    try:
        return Categories(
            classes.index(first.removeprefix(MOST_PREFIX)),
            _probability(answer.get(PROB)),
            None if second == f"{SECOND_PREFIX}{NO}" else classes.index(second.removeprefix(SECOND_PREFIX)),
            _probability(answer.get(PROB2) or "0"),
            frozenset(classes.index(key.removeprefix(IMPROBABLE)) for key in answer if key.startswith("improb")),
        )
    except ValueError as error:
        reject(where, "response", text, f"{error} {_CATEGORIES_REMEDY}", error)


def _probability(value: object) -> float:
    try:
        percent = float(value) if isinstance(value, str) else None
    except ValueError:
        percent = None
    if percent is None or not 0 <= percent <= 100:
        raise InputError(f"probability {value!r} is not a number from 0 to 100:")
    return percent / 100
