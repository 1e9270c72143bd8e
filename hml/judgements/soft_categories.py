"""Reads the categorical task: people say which class a mixed image shows, and how probably."""

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
        stimulus: What they saw.
        annotator: Who they are.
        probabilities: One for each class; they sum to 1.
        is_repeat: Whether they had judged this image before.
    """

    stimulus: Stimulus
    annotator: str
    probabilities: tuple[float, ...]
    is_repeat: bool = False

    def __post_init__(self) -> None:
        if abs(sum(self.probabilities) - 1) > 1e-9:
            raise InputError(f"probabilities={self.probabilities} must sum to 1.")


def parse_soft_categories(content: bytes, name: str, classes: Classes = CIFAR10) -> list[SoftCategories]:
    """Read `hmix_categorical_soft_labels.csv`, whose other trials (consent, instructions, …) are left out.

    Args:
        content: The file's bytes.
        name: What errors call it.
        classes: The images' classes; H-Mix's are CIFAR-10's.

    Returns:
        The distributions, in the file's order.

    Raises:
        InputError: the file isn't such a CSV; names file, row, field, value and remedy.
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
    """Make a distribution of what a person said, as CIFAR-10S does: what is left goes to classes not ruled out.

    The most probable class and the second get what they were given. The rest, or a tenth where nothing rests, goes
    evenly to the classes that were neither named nor called improbable; then all is made to sum to 1.

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
