"""Simulated people who judge mixed images, with biases, noise and lapses fitted to real people.

A person perceives log odds for the first class, which grow with its weight in the pixels. Added to these are effects of
the two classes, of the pair of endpoints, of the image and of the person, and noise. Repeats share the person's view of
the image, so they agree better than the answers of two people. Some answers are lapses. The slider rounds all answers.

Classes, images and people have separate seeds, so simulated data sets can share the images, or only the classes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtri

from hml.errors import InputError
from hml.judgements.schema import Judgement, Stimulus
from hml.randomness import Draws

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

FILE = "population.json"
_MOST_CLASSES = 512


@dataclass(frozen=True)
class Design:
    """The assignment of people to images.

    Args:
        stimuli: The mixed images, I of them.
        person: The person of each judgement, shape (N,), from 0.
        image: The stimulus of each judgement, shape (N,), an index into `stimuli`.
        is_repeat: Whether the person has judged the image before, shape (N,).

    Raises:
        InputError: the arrays differ in length, or an index is out of range.

    Examples:
        >>> from hml.judgements import CIFAR10, Endpoint, name_stimulus
        >>> blend = name_stimulus(CIFAR10, 0.5, Endpoint(4, 3), Endpoint(9, 5))
        >>> Design.balanced([blend], people=3, each=2, repeats=1).person.tolist()
        [0, 1, 0, 1]
    """

    stimuli: Sequence[Stimulus]
    person: Index
    image: Index
    is_repeat: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not len(self.person) == len(self.image) == len(self.is_repeat) or not len(self.person):
            raise InputError(
                "a design has one or more judgements: give person, image and is_repeat of the same length."
            )
        if self.image.min() < 0 or self.image.max() >= len(self.stimuli) or self.person.min() < 0:
            raise InputError(f"a design's images count from 0 to {len(self.stimuli) - 1}, and its people from 0.")

    @classmethod
    def of(cls, judgements: Iterable[Judgement]) -> "Design":
        """Return the design of real judgements, in order. People are numbered in the order of their names."""
        judged = list(judgements)
        stimuli = {judgement.stimulus: 0 for judgement in judged}
        places = {stimulus: place for place, stimulus in enumerate(stimuli)}
        names = {name: place for place, name in enumerate(sorted({judgement.annotator for judgement in judged}))}
        return cls(
            list(places),
            np.array([names[judgement.annotator] for judgement in judged], np.int64),
            np.array([places[judgement.stimulus] for judgement in judged], np.int64),
            np.array([judgement.is_repeat for judgement in judged], bool),
        )

    @classmethod
    def balanced(cls, stimuli: Sequence[Stimulus], people: int, each: int, repeats: int = 0, seed: int = 0) -> "Design":
        """Assign `each` different people to every image. All people judge about equally many images.

        Args:
            stimuli: The images.
            people: Number of people.
            each: Number of judgements per image, without repeats.
            repeats: Number of images that each person judges a second time, at the end.
            seed: The seed of the assignment.

        Raises:
            InputError: there are fewer people than judgements per image.
        """
        if not 1 <= each <= people:
            raise InputError(f"each={each} must be 1 to people={people}: the people who judge an image are different.")
        images = np.repeat(Draws(seed, 0, np.arange(len(stimuli))).order("design"), each)
        who = np.arange(len(images)) % people
        again = [np.flatnonzero(who == person)[:repeats] for person in range(people)]
        second = np.concatenate([np.zeros(0, np.int64), *again]).astype(np.int64)
        return cls(
            stimuli,
            np.concatenate([who, who[second]]).astype(np.int64),
            np.concatenate([images, images[second]]).astype(np.int64),
            np.arange(len(who) + len(second)) >= len(who),
        )


@dataclass(frozen=True)
class Population:
    """Variation between people and between images. Standard deviations are in log odds unless stated otherwise.

    Args:
        slope: Increase in log odds from lambda_f = 0 to lambda_f = 1, on average over people.
        slope_sd: Standard deviation of the logarithm of people's slopes.
        bias: Mean bias towards the class with the lower label.
        bias_sd: Standard deviation of people's biases.
        strength_sd: Standard deviation of the effects of classes.
        class_pair_sd: Standard deviation of the effects of class pairs, beyond those of their classes.
        endpoints_sd: Standard deviation of the effects of pairs of endpoints, within class pairs.
        image_sd: Standard deviation of the effects of images, within pairs of endpoints.
        view_sd: Standard deviation of people's views of an image. Repeats share the view.
        noise_sd: Standard deviation of a person's answers around their view.
        noise_spread: Standard deviation of the logarithm of people's view_sd and noise_sd.
        lapse: The share of views that are uniform in [0, 1], independent of the image.
        untouched: The share of views that stay at one half, where the slider starts, independent of the image.
        omega: Mean confidence.
        omega_extremeness: Increase in confidence from an answer of one half to an answer of 0 or 1.
        omega_person_sd: Standard deviation of confidence between people.
        omega_image_sd: Standard deviation of confidence between images.
        omega_noise_sd: Standard deviation of confidence between answers.
        step: The step of the slider. 0 disables rounding.
        provenance: The source of the numbers.
    """

    slope: float
    slope_sd: float
    bias: float
    bias_sd: float
    strength_sd: float
    class_pair_sd: float
    endpoints_sd: float
    image_sd: float
    view_sd: float
    noise_sd: float
    noise_spread: float
    lapse: float
    untouched: float
    omega: float
    omega_extremeness: float
    omega_person_sd: float
    omega_image_sd: float
    omega_noise_sd: float
    step: float = 0.01
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if (f.name.endswith(("_sd", "spread", "step")) or f.name == "slope") and value < 0:
                raise InputError(f"{f.name}={value} is below 0.")
        if not (self.lapse >= 0 and self.untouched >= 0 and self.lapse + self.untouched < 1):
            raise InputError(f"lapse={self.lapse} and untouched={self.untouched} must be shares with a sum below 1.")

    def answer(self, design: Design, people: int, images: int = 0, classes: int = 0) -> tuple[Array, Array]:
        """Draw an answer for each judgement of a design: a pure function of the arguments.

        Args:
            design: The assignment of people to images.
            people: The seed of the people and their noise.
            images: The seed of the effects of endpoints and images.
            classes: The seed of the effects of classes and class pairs.

        Returns:
            lambda_h and omega, each of shape (N,).
        """
        seen, sure = _draw_images(self, design, images, classes)  # (I,), (I,)
        num_people, n = int(design.person.max()) + 1, len(design.person)
        slope, bias, noisy, confident = ndtri(_open(Draws(people, 0, np.arange(num_people)).uniform("people", (4,)))).T
        noise, unsure = ndtri(_open(Draws(people, 0, np.arange(n)).uniform("answers", (2,)))).T
        view, place = np.unique(design.person * len(design.stimuli) + design.image, return_inverse=True)
        views = Draws(people, 0, np.arange(len(view))).uniform("views", (3,))[place.reshape(-1)]  # (N, 3)
        lambda_f = np.array([stimulus.lambda_f for stimulus in design.stimuli])
        who, which = design.person, design.image
        scatter = np.exp(self.noise_spread * noisy)[who]
        odds = (
            self.slope * np.exp(self.slope_sd * slope)[who] * (lambda_f - 0.5)[which]
            + self.bias_sd * bias[who]
            + seen[which]
            + scatter * (self.view_sd * ndtri(_open(views[:, 0])) + self.noise_sd * noise)
        )
        lambda_h = expit(odds)
        lambda_h = np.where(views[:, 1] < self.lapse, views[:, 2], lambda_h)
        lambda_h = np.where(views[:, 1] > 1 - self.untouched, 0.5, lambda_h)
        omega = (
            self.omega
            + self.omega_extremeness * (np.abs(2 * lambda_h - 1) - 0.5)
            + self.omega_person_sd * confident[who]
            + sure[which]
            + self.omega_noise_sd * unsure
        )
        return _slide(lambda_h, self.step), _slide(omega, self.step)

    def judge(self, design: Design, people: int, images: int = 0, classes: int = 0) -> list[Judgement]:
        """Draw answers as `answer` does, and return them as judgements of the annotators "simulated000" and so on.

        Examples:
            >>> from hml.judgements import CIFAR10, Endpoint, name_stimulus
            >>> blend = name_stimulus(CIFAR10, 0.9, Endpoint(4, 3), Endpoint(9, 5))
            >>> judged = shared_population().judge(Design.balanced([blend], people=3, each=3), people=1)
            >>> [(j.annotator, round(j.lambda_h, 2)) for j in judged]
            [('simulated000', 1.0), ('simulated001', 0.55), ('simulated002', 1.0)]
        """
        answers = zip(*self.answer(design, people, images, classes), design.person, design.image, strict=False)
        return [
            Judgement(
                design.stimuli[image], f"simulated{person:03d}", float(h), float(w), is_repeat=bool(design.is_repeat[n])
            )
            for n, (h, w, person, image) in enumerate(answers)
        ]

    def to_json(self) -> str:
        """Return the content of the file."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps(values | {"provenance": dict(self.provenance)}, indent=2) + "\n"


@cache
def shared_population() -> Population:
    """Return the built-in population, fitted to H-Mix's first collection (33 people, 810 images)."""
    return Population(**json.loads(files("hml.judgements").joinpath(FILE).read_text(encoding="utf-8")))


def _draw_images(population: Population, design: Design, images: int, classes: int) -> tuple[Array, Array]:
    """Draw the effects of images on log odds and on confidence, each of shape (I,)."""
    labels = np.array([[end.label for end in stimulus.endpoints] for stimulus in design.stimuli])  # (I, 2)
    ids = np.array([[end.image_id for end in stimulus.endpoints] for stimulus in design.stimuli])
    turn = np.where(labels[:, 0] < labels[:, 1], 1.0, -1.0)
    num = int(labels.max()) + 1
    of_class = Draws(classes, 0, np.arange(num))
    strength = population.strength_sd * ndtri(_open(of_class.uniform("strengths")))
    of_pair = population.class_pair_sd * ndtri(_open(of_class.uniform("class pairs", (_MOST_CLASSES,))))
    low, high = labels.min(1), labels.max(1)
    # Numbered by first appearance, so that images added at the end leave the effects of the others as they are.
    _, first, member = np.unique(np.sort(ids, axis=1), axis=0, return_index=True, return_inverse=True)
    ends = np.argsort(np.argsort(first))[member.reshape(-1)]
    of_ends = ndtri(_open(Draws(images, 0, np.arange(int(ends.max()) + 1)).uniform("endpoints")))[ends]
    own = ndtri(_open(Draws(images, 0, np.arange(len(labels))).uniform("images", (2,))))  # (I, 2)
    seen = (
        strength[labels[:, 0]]
        - strength[labels[:, 1]]
        + turn * (population.bias + of_pair[low, high % _MOST_CLASSES] + population.endpoints_sd * of_ends)
    )
    return seen + population.image_sd * own[:, 0], population.omega_image_sd * own[:, 1]


def _open(uniform: Array) -> Array:
    return np.clip(uniform, 1e-12, 1 - 1e-12)  # 0 has no normal quantile


def _slide(values: Array, step: float) -> Array:
    inside = np.clip(values, 0, 1)
    return np.round(np.round(inside / step) * step, 9) if step else inside
