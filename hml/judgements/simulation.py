"""Simulated people who judge mixed images, with the habits, the noise and the lapses of real ones.

A person sees log odds for the first class that grow with its weight in the pixels. To these come effects of the two
classes, of the pair of endpoints, of the image and of the person, and noise. Repeats share the person's own view of
the image, so they agree better than two people do. Some answers are lapses, and the slider rounds all of them.

Classes, images and people are drawn from seeds of their own, so simulated data sets can share the images, or only the
classes.
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
    """Who judges which image.

    Args:
        stimuli: The mixed images, I of them.
        person: Each judgement's person, shape (N,), counted from 0.
        image: Each judgement's stimulus, shape (N,), an index into `stimuli`.
        is_repeat: Whether the person has judged that image before, shape (N,).

    Raises:
        InputError: the arrays differ in length, or a judgement is of no stimulus.

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
            raise InputError("a design has one or more judgements, each with its person, image and is_repeat.")
        if self.image.min() < 0 or self.image.max() >= len(self.stimuli) or self.person.min() < 0:
            raise InputError(f"a design's images count from 0 to {len(self.stimuli) - 1}, and its people from 0.")

    @classmethod
    def of(cls, judgements: Iterable[Judgement]) -> "Design":
        """Return the design of real judgements, in their order; people by their names' order."""
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
        """Let `each` different people judge every image, all people about equally many.

        Args:
            stimuli: The images.
            people: How many people there are.
            each: Judgements an image, without repeats.
            repeats: How many of their images every person judges a second time, at the end.
            seed: Decides who judges what.

        Raises:
            InputError: there are fewer people than judgements an image.
        """
        if not 1 <= each <= people:
            raise InputError(f"each={each} must be 1 to people={people}: nobody judges an image twice as new.")
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
    """How people differ and how images do; standard deviations are of log odds unless said otherwise.

    Args:
        slope: Log odds that a whole blend's difference in lambda_f adds, on average over people.
        slope_sd: Standard deviation of the logarithm of people's slopes.
        bias: Mean lean to the class with the lower label.
        bias_sd: How people differ in it.
        strength_sd: How classes differ in what they add.
        class_pair_sd: How pairs of classes differ beyond their strengths.
        endpoints_sd: How pairs of endpoints of the same classes differ.
        image_sd: How images of the same endpoints differ.
        view_sd: How people differ in what they see in one image, each time they see it.
        noise_sd: How two answers of one person to one image differ from what they see.
        noise_spread: Standard deviation of the logarithm of people's view_sd and noise_sd.
        lapse: The share of views that are anything from 0 to 1, whatever the image.
        untouched: The share of views that end at one half, where the slider starts, whatever the image.
        omega: Mean confidence.
        omega_extremeness: What confidence gains from an answer of one half to one of 0 or 1.
        omega_person_sd: How people differ in confidence.
        omega_image_sd: How images do.
        omega_noise_sd: How answers do.
        step: The slider's step; 0 doesn't round.
        provenance: Where the numbers come from.
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
            raise InputError(f"lapse={self.lapse} and untouched={self.untouched} must be shares of less than 1 in all.")

    def answer(self, design: Design, people: int, images: int = 0, classes: int = 0) -> tuple[Array, Array]:
        """Draw an answer for each judgement of a design: a pure function of the arguments.

        Args:
            design: Who judges which image.
            people: The seed of the people and of their noise.
            images: The seed of what endpoints and images are like.
            classes: The seed of what classes and pairs of classes are like.

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
        """Draw answers as `answer` does, and return them as judgements by "simulated000" and so on.

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
        """Return what the file holds."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return json.dumps(values | {"provenance": dict(self.provenance)}, indent=2) + "\n"


@cache
def shared_population() -> Population:
    """Return the population fitted to H-Mix's first collection, which hml ships: 33 people, 810 images."""
    return Population(**json.loads(files("hml.judgements").joinpath(FILE).read_text(encoding="utf-8")))


def _draw_images(population: Population, design: Design, images: int, classes: int) -> tuple[Array, Array]:
    """Draw what each image adds to log odds and to confidence, each of shape (I,)."""
    labels = np.array([[end.label for end in stimulus.endpoints] for stimulus in design.stimuli])  # (I, 2)
    ids = np.array([[end.image_id for end in stimulus.endpoints] for stimulus in design.stimuli])
    turn = np.where(labels[:, 0] < labels[:, 1], 1.0, -1.0)
    num = int(labels.max()) + 1
    of_class = Draws(classes, 0, np.arange(num))
    strength = population.strength_sd * ndtri(_open(of_class.uniform("strengths")))
    of_pair = population.class_pair_sd * ndtri(_open(of_class.uniform("class pairs", (_MOST_CLASSES,))))
    low, high = labels.min(1), labels.max(1)
    ends = np.unique(np.sort(ids, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
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
