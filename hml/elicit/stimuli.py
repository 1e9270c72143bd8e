"""The mixed images of a study: chosen or drawn from the training split, and rendered."""

import contextlib
import io
import itertools
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jsonargparse import ArgumentError, ArgumentParser
from PIL import Image

import hml.data
from hml.command_line.class_errors import explain_class
from hml.data import HMix, ImageBank, ImageSource
from hml.data.download import fetch
from hml.data.judged import check_endpoints, fetch_judged, load_judged
from hml.elicit.study import NAMED_SOURCES, StimulusChoice, Study
from hml.elicit.tasks import GRID, TASKS
from hml.errors import InputError
from hml.files.paths import expand
from hml.judgements import Classes, Endpoint, Stimulus, name_stimulus
from hml.judgements.rows import read_file
from hml.judgements.stimuli_file import Proposal, parse_stimuli
from hml.randomness import Draws

_EXAMPLE_LAMBDAS = (0.75, 0.5)


@dataclass(frozen=True)
class Stimuli:
    """A study's images.

    Args:
        all: The images of the trials.
        examples: Two images for the instructions. No trial shows their endpoints, if enough originals are left.
        bank: The original images.
    """

    all: list[Stimulus]
    examples: list[Stimulus]
    bank: ImageBank

    @property
    def classes(self) -> Classes:
        """The images' classes."""
        return self.bank.classes

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """The original images, uint8, shape (M, 3, H, W)."""
        return self.bank.images.numpy()

    def png(self, stimulus: Stimulus, lambda_f: float | None = None) -> bytes:
        """Return a blend as a PNG, without scaling; `lambda_f` is by default the stimulus's own."""
        first, second = (self.images[endpoint.image_id] for endpoint in stimulus.endpoints)
        mixed = blend(first, second, stimulus.lambda_f if lambda_f is None else lambda_f)
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(mixed.transpose(1, 2, 0))).save(file, "PNG")
        return file.getvalue()


def blend(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8], lambda_f: float) -> npt.NDArray[np.uint8]:
    """Blend two images in integer arithmetic: every pixel is rounded once, and halves are rounded up.

    Args:
        first: Pixels, shape (3, H, W).
        second: Pixels, shape (3, H, W).
        lambda_f: The first image's weight. Its shortest decimal form is used.

    Returns:
        Pixels, shape (3, H, W).
    """
    share = Fraction(str(lambda_f))
    whole, part = share.denominator, share.numerator
    mixed = part * first.astype(np.int64) + (whole - part) * second.astype(np.int64)
    return ((2 * mixed + whole) // (2 * whole)).astype(np.uint8)


def load_stimuli(study: Study, data_dir: Path, folder: Path = Path()) -> Stimuli:
    """Load the original images, download missing files, and choose or draw the study's images.

    Args:
        study: The study.
        data_dir: The data folder, by an absolute path.
        folder: The folder of the study's YAML file, the base of its relative paths.

    Raises:
        DataError: a file is missing and can't be downloaded.
        InputError: the source doesn't exist, there are too few images, a file's or a cohort's images are outside the
            training split, or the task can't be used with the classes.
    """
    choice = study.stimuli
    with contextlib.chdir(folder):  # a source's paths may be strings, or in lists
        source = _make_source(study.images)
        if choice.cohort is None:
            fetch(source.remote_files(data_dir), data_dir)
            bank = source.load(data_dir)
            if choice.file is None:
                stimuli = draw_stimuli(choice, bank)
            else:
                stimuli = [proposal.stimulus for proposal in read_proposals(expand(choice.file), bank)]
        else:
            released = HMix(choice.cohort)
            fetch_judged(source, released, data_dir)
            judged = load_judged(source, released, data_dir, "training")
            bank, stimuli = judged.bank, list(judged.groups)
    if (name := TASKS[study.task].reserved) in bank.classes:
        raise InputError(f"a class is called {name!r}, which means no class in answers to {study.task}: rename it.")
    if TASKS[study.task].shows_grid:
        if off := [weight for weight in choice.lambdas if weight not in GRID]:
            raise InputError(f"stimuli.lambdas={off} are not steps of {study.task}: use, for example, [0.1, 0.9].")
        stimuli = _one_a_pair(stimuli, choice.lambdas, bank.classes)
    if study.trials > len(stimuli):
        raise InputError(
            f"trials={study.trials} is more than the {len(stimuli)} images, but people judge each image once: decrease "
            f"trials, or {'increase stimuli.per_class_pair' if choice.file is None else f'list more in {choice.file}'}."
        )
    judgements = len(stimuli) * study.people_per_image
    if choice.refresh_every is not None and choice.refresh_every > judgements:
        raise InputError(
            f"stimuli.refresh_every={choice.refresh_every} is more than all {judgements:,} judgements of the study's "
            "images: decrease it, so that images are added before people run out of them."
        )
    return Stimuli(stimuli, draw_examples(stimuli, bank, choice.seed), bank)


def read_proposals(path: Path, bank: ImageBank) -> list[Proposal]:
    """Read a stimuli file whose images are blends of a bank's training images.

    Raises:
        InputError: the file can't be read, a row is wrong, or an image isn't of the class that the file names, or is
            outside the training split.
    """
    name, content = read_file(path)
    images = bank.names or [str(image_id) for image_id in range(len(bank.labels))]
    proposals = parse_stimuli(content, name, bank.classes, images)
    try:
        check_endpoints((proposal.stimulus for proposal in proposals), bank, "training")
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return proposals


def _make_source(images: str | dict[str, Any]) -> ImageSource:
    """Instantiate the image source that a study names, or raise an InputError."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--images", type=ImageSource)
    try:
        found = parser.parse_object(
            {"images": NAMED_SOURCES.get(images, images) if isinstance(images, str) else images}
        )
        source: ImageSource = parser.instantiate_classes(found).images
    except (ArgumentError, TypeError, ValueError) as error:
        explained = explain_class(str(error), lambda: hml.data.__all__) or f"images: {' '.join(str(error).split())}"
        raise InputError(explained.removeprefix("--")) from error
    return source


def draw_stimuli(choice: StimulusChoice, bank: ImageBank) -> list[Stimulus]:
    """Draw equally many images for each chosen class pair and each weight. Each original is used once.

    Raises:
        InputError: there are too few originals.
    """
    by_class = _shuffled_by_class(bank, choice.seed)
    pairs = _choose_pairs(choice, bank.classes)
    times = Counter(itertools.chain(*pairs))  # the number of pairs that a class is in
    scarce = min(times, key=lambda label: len(by_class[label]) // times[label])
    needed, there = choice.per_class_pair * times[scarce], len(by_class[scarce])
    if needed > there:
        raise InputError(
            f"per_class_pair={choice.per_class_pair} needs {needed} originals of {bank.classes[scarce]}, and the "
            f"training split has {there}: use {there // times[scarce]} at most, or fewer stimuli.pairs."
        )
    stimuli = []
    # Cycling balances the weights over all images and within each class pair.
    weights = itertools.cycle(choice.lambdas)
    for pair in pairs:
        for _ in range(choice.per_class_pair):
            first, second = (Endpoint(by_class[label].pop(), label) for label in pair)
            stimuli.append(name_stimulus(bank.classes, next(weights), first, second))
    return stimuli


def _choose_pairs(choice: StimulusChoice, classes: Classes) -> list[tuple[int, int]]:
    """Return the class pairs to draw images for, in an order drawn with the seed."""
    named = choice.pairs if isinstance(choice.pairs, tuple) else None
    pairs = classes.pairs if named is None else sorted({classes.parse_pair(pair) for pair in named})
    order = Draws(choice.seed, 0, np.arange(len(pairs))).order("class pairs").tolist()
    if isinstance(choice.pairs, int):
        if choice.pairs > len(pairs):
            raise InputError(f"stimuli.pairs={choice.pairs} is more than the {len(pairs)} class pairs: decrease it.")
        order = order[: choice.pairs]
    return [pairs[place] for place in order]


def _shuffled_by_class(bank: ImageBank, seed: int) -> dict[int, list[int]]:
    ids = Draws(seed, 0, bank.train_ids.numpy().astype(np.int64)).order("originals")
    labels = bank.labels.numpy()[ids]
    return {label: ids[labels == label].tolist() for label in range(len(bank.classes))}


def _one_a_pair(stimuli: list[Stimulus], lambdas: tuple[float, ...], classes: Classes) -> list[Stimulus]:
    """Keep each pair of originals once, with balanced weights, because the grid shows each pair at all weights."""
    pairs = dict.fromkeys(stimulus.endpoints for stimulus in stimuli)
    return [
        name_stimulus(classes, weight, *pair) for pair, weight in zip(pairs, itertools.cycle(lambdas), strict=False)
    ]


def draw_examples(stimuli: list[Stimulus], bank: ImageBank, seed: int) -> list[Stimulus]:
    """Draw the two examples of the instructions, from the study's class pairs.

    No trial shows their originals, if two of each class are left.
    """
    used = {end.image_id for stimulus in stimuli for end in stimulus.endpoints}
    by_class = _shuffled_by_class(bank, seed)
    free = {label: [i for i in ids if i not in used] for label, ids in by_class.items()}
    free = {label: ids if len(ids) >= len(_EXAMPLE_LAMBDAS) else by_class[label] for label, ids in free.items()}
    endpoints = [stimulus.endpoints for stimulus in stimuli]
    pairs = sorted({(min(a.label, b.label), max(a.label, b.label)) for a, b in endpoints})
    order = Draws(seed, 0, np.arange(len(pairs))).order("examples").tolist()
    examples = []
    for place, weight in enumerate(_EXAMPLE_LAMBDAS):
        pair = pairs[order[place % len(order)]]
        # If a class has only one original, both examples show it.
        first, second = (Endpoint(free[label][-1 - place % len(free[label])], label) for label in pair)
        examples.append(name_stimulus(bank.classes, weight, first, second))
    return examples
