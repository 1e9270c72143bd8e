"""Reads the categorical task: people's class probabilities for a mixed image."""

from dataclasses import dataclass

from hml.errors import InputError
from hml.judgements.classes import CIFAR10, Classes
from hml.judgements.hmix_format import FORMATS, Categories, parse_categories, parse_subject
from hml.judgements.rows import read_rows
from hml.judgements.schema import Stimulus
from hml.judgements.stimulus_names import parse_stimulus

_FORMAT = FORMATS["categorical"]
_REDISTRIBUTED = 0.1


@dataclass(frozen=True, slots=True)
class SoftCategories:
    """The distribution over classes that one person gave a mixed image.

    Args:
        stimulus: The mixed image.
        annotator: The person.
        probabilities: One per class; they sum to 1.
        is_repeat: Whether the person had judged this image before.
    """

    stimulus: Stimulus
    annotator: str
    probabilities: tuple[float, ...]
    is_repeat: bool = False

    def __post_init__(self) -> None:
        if abs(sum(self.probabilities) - 1) > 1e-9:
            raise InputError(f"probabilities={self.probabilities} must sum to 1.")


def parse_soft_categories(content: bytes, name: str, classes: Classes = CIFAR10) -> list[SoftCategories]:
    """Read `hmix_categorical_soft_labels.csv`, without other trials (consent, instructions, …).

    Args:
        content: The file's bytes.
        name: The name of the file in errors.
        classes: The images' classes; H-Mix's are CIFAR-10's.

    Returns:
        The distributions, in the file's order.

    Raises:
        InputError: the file is not such a CSV. The message has the file, row, field, value and remedy.
    """
    answers = []
    for where, row in read_rows(content, name, ("trial_type", "subject", "filename", "task", "response")):
        if row["trial_type"] != _FORMAT.trial_type:
            continue
        is_repeat = _FORMAT.is_repeat(row["task"], where)
        annotator = parse_subject(row, where)
        stimulus = parse_stimulus(classes, row["filename"], where)
        probabilities = spread(parse_categories(classes, row["response"], where), len(classes))
        answers.append(SoftCategories(stimulus, annotator, probabilities, is_repeat))
    return answers


def spread(said: Categories, num_classes: int) -> tuple[float, ...]:
    """Make a distribution from a person's answer, as in CIFAR-10S: the rest is spread over classes not ruled out.

    The most probable class and the second keep their probabilities. The rest, or .1 if there is no rest, is spread
    evenly over the classes that were neither named nor ruled out. Then the probabilities are normalised.

    Examples:
        >>> [round(p, 3) for p in spread(Categories(0, 0.7, 1, 0.2, frozenset(range(3, 10))), 10)][:4]
        [0.7, 0.2, 0.1, 0.0]
    """
    mass = [0.0] * num_classes
    mass[said.first] = said.prob
    if said.second is not None:
        mass[said.second] = said.prob2
    if others := [c for c in range(num_classes) if c not in {said.first, said.second, *said.improbable}]:
        left = 1 - sum(mass)
        for c in others:
            mass[c] = (left if left > 1e-9 else _REDISTRIBUTED) / len(others)
    total = sum(mass)
    return tuple(m / total if total else 1 / len(mass) for m in mass)
