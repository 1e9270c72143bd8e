"""What a person was shown and what they said: frozen records, checked when they are made."""

import math
import operator
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from hml.errors import InputError

FAST_MS = 3000.0
"""Answers in less are fast: one in 150 of H-Mix's on two sliders is, and, over its tasks, 2 of 159 people's median."""


def _check_unit_interval(name: str, value: float, hint: str) -> None:
    """Reject what isn't a number in [0, 1], NaN included."""
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name}={value} is outside [0, 1]: {hint}.")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of the two images that a mixed image blends.

    Args:
        image_id: Its place among the data set's images, from 0. In H-Mix: its place in CIFAR-10's test set.
        label: Its class's label, from 0.

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
        filename: The name it is known by; two stimuli with one name are one stimulus.
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
    """What one person said about one stimulus.

    Args:
        stimulus: What they saw.
        annotator: Who they are: any name that identifies a person.
        lambda_h: The weight they gave the first endpoint, in [0, 1].
        omega: Their confidence, in [0, 1], or None where they weren't asked.
        reaction_ms: Time to answer in milliseconds, or None where it wasn't kept.
        is_repeat: Whether they had judged this stimulus before.

    Raises:
        InputError: lambda_h or omega is outside [0, 1], or reaction_ms isn't a time.
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
    """Keep one judgement of each image by each person: the first, or a repeat where the first was struck out.

    Args:
        judgements: Firsts and repeats. Of several first ones, which a file may fail to mark as repeats, one is kept.
        key: What a repeat shares with its first: the person and the image.

    Returns:
        Those kept, in their order.
    """
    kept: dict[Hashable, int] = {}
    for place, judgement in enumerate(judgements):
        earlier = kept.setdefault(key(judgement), place)
        if judgements[earlier].is_repeat and not judgement.is_repeat:
            kept[key(judgement)] = place
    return [judgements[place] for place in sorted(kept.values())]


def group_by_stimulus(judgements: Iterable[Judgement]) -> dict[Stimulus, list[Judgement]]:
    """Collect the judgements of each stimulus, both in order of first appearance."""
    groups: dict[Stimulus, list[Judgement]] = {}
    for judgement in judgements:
        groups.setdefault(judgement.stimulus, []).append(judgement)
    return groups
