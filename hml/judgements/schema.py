"""Frozen records of mixed images and people's answers. Values are checked at construction."""

import math
import operator
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hml.errors import InputError

FAST_MS = 3000.0
"""Answers in less count as fast: in H-Mix, 1 in 150 answers on two sliders, and 2 of 159 people's median answers."""


def _check_unit_interval(name: str, value: float, hint: str) -> None:
    """Reject values that are not in [0, 1], NaN included."""
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name}={value} is outside [0, 1]: {hint}.")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of the two images that a mixed image blends.

    Args:
        image_id: The index of the image in the data set, from 0. In H-Mix, the index in CIFAR-10's test set.
        label: The label of its class, from 0.

    Raises:
        InputError: either is negative.
    """

    image_id: int
    label: int

    def __post_init__(self) -> None:
        for name, value in (("image id", self.image_id), ("label", self.label)):
            if operator.index(value) < 0:
                raise InputError(f"{name} {value} is negative: it counts from 0.")


@dataclass(frozen=True, slots=True)
class Stimulus:
    """A mixed image: lambda_f · first endpoint + (1 − lambda_f) · second endpoint.

    Args:
        filename: The name. Two stimuli with the same name are the same stimulus.
        lambda_f: Weight of the first endpoint in the pixels, in [0, 1].
        endpoints: The two images blended.

    Raises:
        InputError: lambda_f is outside [0, 1], or one image id has two labels.
    """

    filename: str
    lambda_f: float
    endpoints: tuple[Endpoint, Endpoint]

    def __post_init__(self) -> None:
        _check_unit_interval("lambda_f", self.lambda_f, "it is the first image's weight in the blend")
        first, second = self.endpoints
        if first.image_id == second.image_id and first.label != second.label:
            raise InputError(f"image {first.image_id} can't be of two classes, {first.label} and {second.label}.")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One person's answer about one stimulus.

    Args:
        stimulus: The mixed image.
        annotator: A name or code that identifies the person.
        lambda_h: The weight that the person gave the first endpoint, in [0, 1].
        omega: The person's confidence, in [0, 1]. None if not asked for.
        reaction_ms: Time to answer in milliseconds. None if not recorded.
        is_repeat: Whether the person had judged this stimulus before.

    Raises:
        InputError: lambda_h or omega is outside [0, 1], or reaction_ms is not a time.
    """

    stimulus: Stimulus
    annotator: str
    lambda_h: float
    omega: float | None = None
    reaction_ms: float | None = None
    is_repeat: bool = False

    def __post_init__(self) -> None:
        _check_unit_interval("lambda_h", self.lambda_h, "it is the share a person gives the first image")
        if self.omega is not None:
            _check_unit_interval("omega", self.omega, "raw confidence is 0 to 100, divide by 100")
        if self.reaction_ms is not None and not 0.0 <= self.reaction_ms < math.inf:
            raise InputError(f"reaction_ms={self.reaction_ms} is not a time in milliseconds.")


class _MaybeRepeated(Protocol):
    @property
    def is_repeat(self) -> bool: ...


T = TypeVar("T", bound=_MaybeRepeated)


def drop_repeats(judgements: Sequence[T], key: Callable[[T], Hashable]) -> list[T]:
    """Keep one judgement of each image by each person: the first, or a repeat if the first was removed.

    Args:
        judgements: First judgements and repeats. If several are marked as first, one of them is kept.
        key: Returns the person and the image, which a repeat has in common with its first judgement.

    Returns:
        The kept judgements, in order.
    """
    kept: dict[Hashable, int] = {}
    for place, judgement in enumerate(judgements):
        earlier = kept.setdefault(key(judgement), place)
        if judgements[earlier].is_repeat and not judgement.is_repeat:
            kept[key(judgement)] = place
    return [judgements[place] for place in sorted(kept.values())]


def group_by_stimulus(judgements: Iterable[Judgement]) -> dict[Stimulus, list[Judgement]]:
    """Group judgements by stimulus, both in order of first appearance."""
    groups: dict[Stimulus, list[Judgement]] = {}
    for judgement in judgements:
        groups.setdefault(judgement.stimulus, []).append(judgement)
    return groups
