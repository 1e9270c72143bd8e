"""The mixed images of a study: chosen or drawn from the training split, and made into pixels."""

import io
import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from hml.data import Cifar10, DemoImages, HMix, ImageBank
from hml.data.download import fetch
from hml.data.judged import fetch_judged, load_judged
from hml.elicit.study import StimulusChoice, Study
from hml.elicit.tasks import GRID, TASKS
from hml.errors import InputError
from hml.judgements import CIFAR10, Endpoint, Stimulus, name_stimulus
from hml.randomness import Draws

_EXAMPLE_LAMBDAS = (0.75, 0.5)
_PAIRS = tuple(itertools.combinations(range(len(CIFAR10)), 2))


@dataclass(frozen=True)
class Stimuli:
    """A study's images.

    Args:
        all: Those of the trials.
        examples: Two for the instructions, of endpoints that no trial shows where any are left.
        images: The original images, uint8, shape (M, 3, H, W).
        canonical_pixels: Whether the original images are CIFAR-10's own, to the bit.
    """

    all: list[Stimulus]
    examples: list[Stimulus]
    images: npt.NDArray[np.uint8]
    canonical_pixels: bool

    def png(self, stimulus: Stimulus, lambda_f: float | None = None) -> bytes:
        """Make a blend's PNG, pixel for pixel, without scaling; `lambda_f` is by default the stimulus's own."""
        first, second = (self.images[endpoint.image_id] for endpoint in stimulus.endpoints)
        mixed = blend(first, second, stimulus.lambda_f if lambda_f is None else lambda_f)
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(mixed.transpose(1, 2, 0))).save(file, "PNG")
        return file.getvalue()


def blend(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], lambda_f: float) -> npt.NDArray[np.uint8]:
    """Blend two images in whole numbers, so that every pixel is rounded once, and halves go up.

    Args:
        first: Pixels, shape (3, H, W).
        second: Pixels, shape (3, H, W).
        lambda_f: The first one's weight, as its shortest decimal says it.

    Returns:
        Pixels, shape (3, H, W).
    """
    share = Fraction(str(lambda_f))
    whole, part = share.denominator, share.numerator
    mixed = part * first.astype(np.int64) + (whole - part) * second.astype(np.int64)
    return ((2 * mixed + whole) // (2 * whole)).astype(np.uint8)


def load_stimuli(study: Study, data_dir: Path) -> Stimuli:
    """Read the original images, fetching what is missing, and choose or draw the study's.

    Raises:
        DataError: a file can't be had.
        InputError: the study wants more images than there are, or a cohort's lie outside the training split.
    """
    source = DemoImages() if study.images == "demo" else Cifar10()
    choice = study.stimuli
    if choice.cohort is None:
        fetch(source.remote_files(data_dir), data_dir)
        bank = source.load(data_dir)
        stimuli = draw_stimuli(choice, bank)
    else:
        released = HMix(choice.cohort)
        fetch_judged(source, released, data_dir)
        judged = load_judged(source, released, data_dir, "training")
        bank, stimuli = judged.bank, list(judged.groups)
    if TASKS[study.task].shows_grid:
        if off := [weight for weight in choice.lambdas if weight not in GRID]:
            raise InputError(f"stimuli.lambdas={off} are none of the steps of {study.task}: use [0.1, 0.9], say.")
        stimuli = _one_a_pair(stimuli, choice.lambdas)
    if study.trials > len(stimuli):
        raise InputError(
            f"trials={study.trials} is more than the {len(stimuli)} images, and nobody is shown one twice: lower "
            "trials, or raise stimuli.per_class_pair."
        )
    return Stimuli(stimuli, draw_examples(stimuli, bank, choice.seed), bank.images.numpy(), bank.canonical_pixels)


def draw_stimuli(choice: StimulusChoice, bank: ImageBank) -> list[Stimulus]:
    """Draw images of all class pairs alike, of each weight alike, no original in two of them.

    Raises:
        InputError: there are too few originals.
    """
    by_class = _shuffled_by_class(bank, choice.seed)
    needed, least = choice.per_class_pair * (len(CIFAR10) - 1), min(map(len, by_class.values()))
    if needed > least:
        raise InputError(
            f"per_class_pair={choice.per_class_pair} takes {needed} originals of each class, and the training split "
            f"has {least}: {least // (len(CIFAR10) - 1)} at most."
        )
    order = Draws(choice.seed, 0, np.arange(len(_PAIRS))).order("class pairs").tolist()
    stimuli = []
    # Dealt out in turn, weights are even over the whole and within each class pair.
    weights = itertools.cycle(choice.lambdas)
    for pair in order:
        for _ in range(choice.per_class_pair):
            first, second = (Endpoint(by_class[label].pop(), label) for label in _PAIRS[pair])
            stimuli.append(name_stimulus(CIFAR10, next(weights), first, second))
    return stimuli


def _shuffled_by_class(bank: ImageBank, seed: int) -> dict[int, list[int]]:
    ids = Draws(seed, 0, bank.train_ids.numpy().astype(np.int64)).order("originals")
    labels = bank.labels.numpy()[ids]
    return {label: ids[labels == label].tolist() for label in range(len(CIFAR10))}


def _one_a_pair(stimuli: list[Stimulus], lambdas: tuple[float, ...]) -> list[Stimulus]:
    """Keep each pair of originals once, with the weights dealt out evenly: what varies there is shown by the grid."""
    pairs = dict.fromkeys(stimulus.endpoints for stimulus in stimuli)
    return [
        name_stimulus(CIFAR10, weight, *pair) for pair, weight in zip(pairs, itertools.cycle(lambdas), strict=False)
    ]


def draw_examples(stimuli: list[Stimulus], bank: ImageBank, seed: int) -> list[Stimulus]:
    """Draw the instructions' two examples, of originals that no trial shows if two of each class are left."""
    used = {end.image_id for stimulus in stimuli for end in stimulus.endpoints}
    by_class = _shuffled_by_class(bank, seed)
    free = {label: [i for i in ids if i not in used] for label, ids in by_class.items()}
    free = {label: ids if len(ids) >= len(_EXAMPLE_LAMBDAS) else by_class[label] for label, ids in free.items()}
    pairs = Draws(seed, 0, np.arange(len(_PAIRS))).order("examples")[: len(_EXAMPLE_LAMBDAS)].tolist()
    return [
        name_stimulus(CIFAR10, weight, *(Endpoint(free[label][-1 - place], label) for label in _PAIRS[pair]))
        for place, (weight, pair) in enumerate(zip(_EXAMPLE_LAMBDAS, pairs, strict=True))
    ]
