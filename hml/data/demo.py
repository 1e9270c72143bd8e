"""A small synthetic data set: ten kinds of textures, and simulated people who judge mixtures of them.

With it, all of hml runs offline in under a minute. Its results say nothing about CIFAR-10 or about people.
"""

import itertools
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from typing_extensions import override

from hml.data.download import RemoteFile
from hml.data.images import CIFAR10_NORMALIZATION, ImageBank, ImageSource
from hml.data.mixed import MixedSet, MixedSource
from hml.errors import InputError
from hml.judgements import Classes, Endpoint, Judgement, name_stimulus

TEXTURES = Classes(
    (
        *("Vertical stripes", "Horizontal stripes", "Diagonal stripes", "Antidiagonal stripes", "Checks"),
        *("Rings", "Spokes", "Dots", "Disc", "Clouds"),
    )
)
"""The classes, in the order of their labels."""

_SIZE = 32
_GRID = np.mgrid[:_SIZE, :_SIZE] / _SIZE  # (2, 32, 32), y and x
_NUM_CLASSES = len(TEXTURES)
_Array = npt.NDArray[np.float64]


class DemoImages(ImageSource):
    """Textures such as stripes, checks, rings and spokes. Each image has its own colours, phase and noise.

    Evaluation images are blends of two kinds, and their human labels follow `simulate_lambda_h`. So training on
    people's labels has an effect that training on the weights of pixels does not have.

    Args:
        num_train: Number of training images.
        num_test: Number of evaluation images.
    """

    def __init__(self, num_train: int = 800, num_test: int = 500) -> None:
        if num_train < _NUM_CLASSES or num_test < 1:
            raise InputError(f"num_train={num_train} and num_test={num_test} must be {_NUM_CLASSES} and 1, or more.")
        self.num_train = num_train
        self.num_test = num_test

    @override
    def classes(self, data_dir: Path) -> Classes:
        return TEXTURES

    @override
    def load(self, data_dir: Path) -> ImageBank:
        images, labels, human = _draw_images(self.num_train, self.num_test)
        return ImageBank(
            images=torch.from_numpy(images.copy()),
            classes=TEXTURES,
            labels=torch.from_numpy(labels.copy()),
            train_ids=torch.arange(self.num_train),
            test_ids=torch.arange(self.num_train, len(labels)),
            human=torch.from_numpy(human).float(),
            normalization=CIFAR10_NORMALIZATION,  # keeps the demo's figures the same as in earlier versions
            canonical_pixels=False,
        )


class DemoMixes(MixedSource):
    """Mixed textures and the judgements of simulated people: biased and noisy lambda_h, and a confidence.

    Args:
        images_per_pair: Number of mixed images per class pair. The demo has 45 pairs.
        annotators: Number of people.
        judgements_per_image: Number of judgements per image, by different people.
    """

    def __init__(self, images_per_pair: int = 10, annotators: int = 12, judgements_per_image: int = 3) -> None:
        if images_per_pair < 0 or not 1 <= judgements_per_image <= annotators:
            raise InputError(
                f"images_per_pair={images_per_pair} must be 0 or more, and judgements_per_image={judgements_per_image} "
                f"1 to annotators={annotators}."
            )
        self.images_per_pair = images_per_pair
        self.annotators = annotators
        self.judgements_per_image = judgements_per_image

    @override
    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        return []

    @override
    def load(self, data_dir: Path, bank: ImageBank) -> MixedSet:
        rng = np.random.default_rng(1)
        noise = rng.uniform(0.02, 0.2, self.annotators)  # people differ in their noise
        train_labels = bank.labels[bank.train_ids].numpy()
        judgements = []
        for class_1, class_2 in bank.classes.pairs:
            for lambda_f in itertools.islice(itertools.cycle((0.5, 0.25, 0.75, 0.1, 0.9)), self.images_per_pair):
                first, second = (
                    Endpoint(int(bank.train_ids[rng.choice(np.flatnonzero(train_labels == label))]), label)
                    for label in (class_1, class_2)
                )
                stimulus = name_stimulus(bank.classes, lambda_f, first, second)
                for person in rng.choice(self.annotators, self.judgements_per_image, replace=False):
                    lambda_h = simulate_lambda_h(lambda_f, class_1, class_2) + rng.normal(0, noise[person])
                    lambda_h = round(float(np.clip(lambda_h, 0, 1)), 2)
                    # People are less confident near the middle, and noisy people are less confident.
                    omega = 0.35 + 1.2 * abs(lambda_h - 0.5) - noise[person] + rng.normal(0, 0.1)
                    omega = round(float(np.clip(omega, 0, 1)), 2)
                    judgements.append(Judgement(stimulus, f"demo{person:02d}", lambda_h, omega, reaction_ms=6000.0))
        return MixedSet(judgements)


def simulate_lambda_h(lambda_f: float, class_1: float, class_2: float) -> float:
    """Return the simulated people's mean lambda_h: steeper than lambda_f, and biased towards the class they favour.

    Swapping the classes and using 1 − lambda_f gives 1 − lambda_h. For unmixed images, lambda_h is lambda_f.
    """
    if lambda_f in (0, 1):
        return float(lambda_f)
    favour = 0.35 * (class_2 - class_1)  # later classes are more salient
    odds: float = (lambda_f / (1 - lambda_f)) ** 1.5 * math.exp(-favour / 2)
    return odds / (1 + odds)


@lru_cache(maxsize=4)  # of the demo's runs in one process, only the first has to wait for its images
def _draw_images(num_train: int, num_test: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], _Array]:
    """Draw M images, shape (M, 3, 32, 32), with their labels, (M,), and human labels, (M, 10). Copy before changing."""
    rng = np.random.default_rng(0)
    count = num_train + num_test
    labels = np.arange(count) % _NUM_CLASSES
    others = (labels + rng.integers(1, _NUM_CLASSES, count)) % _NUM_CLASSES
    # Training images are of one kind. Test images are blends in which the label's texture has more weight.
    share = np.where(np.arange(count) < num_train, 1.0, rng.uniform(0.5, 1.0, count))
    images = np.stack(
        [
            s * _texture(kind, rng) + (1 - s) * _texture(other, rng)
            for kind, other, s in zip(labels.tolist(), others.tolist(), share, strict=True)
        ]
    )
    human = np.zeros((count, _NUM_CLASSES))
    seen = np.array(
        [simulate_lambda_h(s, a, b) for s, a, b in zip(share, labels.tolist(), others.tolist(), strict=True)]
    )
    human[np.arange(count), labels] = seen
    human[np.arange(count), others] += 1 - seen
    return (images * 255).round().astype(np.uint8), labels.astype(np.int64), human


def _texture(kind: int, rng: np.random.Generator) -> _Array:
    """Draw one texture of a kind in 0..9, in [0, 1], shape (3, 32, 32)."""
    y, x = _GRID - rng.uniform(0.35, 0.65, (2, 1, 1))  # the origin is off-centre
    tilt = rng.normal(0, 0.1)
    x, y = x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)
    frequency = rng.uniform(3.5, 5.5)
    phase = rng.uniform(0, 2 * np.pi, 3)
    wave = 2 * np.pi * frequency

    def stripes(across: _Array, which: int = 0) -> _Array:
        sine: _Array = np.sin(wave * across + phase[which])
        return sine

    match kind:
        case 0:
            pattern = stripes(x)
        case 1:
            pattern = stripes(y)
        case 2:
            pattern = stripes((x + y) / np.sqrt(2))
        case 3:
            pattern = stripes((x - y) / np.sqrt(2))
        case 4:  # checks
            pattern = np.sign(stripes(x)) * np.sign(stripes(y, 1))
        case 5:  # rings
            pattern = stripes(np.hypot(x, y))
        case 6:  # spokes
            pattern = np.sin(round(2 * frequency) * np.arctan2(y, x) + phase[0])
        case 7:  # dots
            pattern = np.maximum(stripes(x) + stripes(y, 1), 0.4) - 1.2
        case 8:  # one large disc
            pattern = np.tanh(40 * (rng.uniform(0.22, 0.32) - np.hypot(x, y)))
        case _:  # clouds
            pattern = sum(
                np.sin(2 * np.pi * (u * x + v * y) + rng.uniform(0, 6)) for u, v in rng.normal(0, 1.2, (6, 2))
            )
            pattern = pattern / 2.5
    dark, light = np.sort(rng.uniform(0.1, 0.9, (2, 3)), axis=0)[..., None, None]
    image = (dark + light) / 2 + (light - dark + 0.2) / 2 * np.clip(pattern, -1, 1)
    noisy: _Array = np.clip(image + rng.normal(0, 0.08, (3, _SIZE, _SIZE)), 0, 1)
    return noisy
