"""Reads the categorical task: people say which of the ten classes a mixed image shows, and how probably."""

from dataclasses import dataclass

from hml.errors import InputError
from hml.judgements.hmix import class_index, parse_stimulus
from hml.judgements.rows import parse_object, read_rows, refuse
from hml.judgements.schema import CLASS_NAMES, Stimulus

_TRIAL = "survey-html-form"
_TASKS = ("spec_conf", "rerun_spec_conf")
_NO_SECOND = "secondProbNo"
_REDISTRIBUTED = 0.1
_REMEDY = (
    'expected {"classSelect": "mostProbCat", "prob": "80", "classSelect2": "secondProbDog" or "secondProbNo", '
    '"prob2": "20", "improbClassSelectTruck": "1", …}.'
)


@dataclass(frozen=True, slots=True)
class SoftCategories:
    """The distribution over the ten classes that one person gave a mixed image.

    Args:
        stimulus: What they saw.
        annotator: Who they are.
        probabilities: One for each of `CLASS_NAMES`; they sum to 1.
        is_repeat: Whether they had judged this image before.
    """

    stimulus: Stimulus
    annotator: str
    probabilities: tuple[float, ...]
    is_repeat: bool = False

    def __post_init__(self) -> None:
        if len(self.probabilities) != len(CLASS_NAMES) or abs(sum(self.probabilities) - 1) > 1e-9:
            raise InputError(f"probabilities={self.probabilities} must be {len(CLASS_NAMES)} that sum to 1.")


def parse_soft_categories(content: bytes, name: str) -> list[SoftCategories]:
    """Read `hmix_categorical_soft_labels.csv`, whose other trials (consent, instructions, …) are left out.

    Args:
        content: The file's bytes.
        name: What errors call it.

    Returns:
        The distributions, in the file's order.

    Raises:
        InputError: the file isn't such a CSV; names file, row, field, value and remedy.
    """
    answers = []
    for where, row in read_rows(content, name, ("trial_type", "subject", "filename", "task", "response")):
        if row["trial_type"] != _TRIAL:
            continue
        if (task := row["task"]) not in _TASKS:
            refuse(where, "task", task, f"use {' or '.join(_TASKS)}.")
        if not (annotator := row["subject"].strip()):
            refuse(where, "subject", row["subject"], "name the person who judged, by any code.")
        stimulus = parse_stimulus(row["filename"], where)
        answers.append(SoftCategories(stimulus, annotator, _parse_response(row["response"], where), task == _TASKS[1]))
    return answers


def spread(first: int, prob: float, second: int | None, prob2: float, improbable: frozenset[int]) -> tuple[float, ...]:
    """Make a distribution of what a person said, as CIFAR-10S does: what is left goes to classes not ruled out.

    The most probable class and the second get what they were given. The rest, or a tenth where nothing rests, goes
    evenly to the classes that were neither named nor called improbable; then all is made to sum to 1.

    Example:
        >>> [round(p, 3) for p in spread(0, 0.7, 1, 0.2, frozenset(range(3, 10)))][:4]
        [0.7, 0.2, 0.1, 0.0]
    """
    mass = [0.0] * len(CLASS_NAMES)
    mass[first] = prob
    if second is not None:
        mass[second] = prob2
    if others := [c for c in range(len(CLASS_NAMES)) if c not in (first, second) and c not in improbable]:
        left = 1 - sum(mass)
        for c in others:
            mass[c] = (left if left > 1e-9 else _REDISTRIBUTED) / len(others)
    total = sum(mass)
    return tuple(m / total if total else 1 / len(mass) for m in mass)


def _parse_response(text: str, where: str) -> tuple[float, ...]:
    answer = parse_object(text, where, "response", _REMEDY)
    first, second = answer.get("classSelect"), answer.get("classSelect2")
    if not (isinstance(first, str) and isinstance(second, str)):
        refuse(where, "response", text, _REMEDY)
    try:
        return spread(
            class_index(first.removeprefix("mostProb")),
            _percent(answer.get("prob")),
            None if second == _NO_SECOND else class_index(second.removeprefix("secondProb")),
            _percent(answer.get("prob2") or "0"),
            frozenset(class_index(k.removeprefix("improbClassSelect")) for k in answer if k.startswith("improb")),
        )
    except ValueError as error:
        refuse(where, "response", text, f"{error} {_REMEDY}", error)


def _percent(value: object) -> float:
    try:
        percent = float(value) if isinstance(value, str) else None
    except ValueError:
        percent = None
    if percent is None or not 0 <= percent <= 100:
        raise InputError(f"probability {value!r} is not a number from 0 to 100:")
    return percent / 100
