"""Draws mixes of two classes from the training images."""

from collections.abc import Sequence

import numpy as np
import torch

from hml.data import ImageBank
from hml.data.fresh import draw_lambda_f
from hml.errors import InputError
from hml.judgements.stimuli_file import number_images
from hml.labels import MixedBatch
from hml.randomness import Draws
from hml.statistics.estimates import Index

TARGETS = 512
"""The number of fresh mixes over which expected errors are averaged."""


def draw_mixes(
    bank: ImageBank,
    pairs: Sequence[tuple[int, int]],
    count: int,
    lambdas: Sequence[float] | None,
    draws_of: tuple[int, str],
    ids: Index | None = None,
) -> MixedBatch:
    """Draw mixes of two classes. Class pairs, and originals of a class, are equally likely.

    Args:
        bank: The images.
        pairs: Class pairs. The first class is that of the first endpoint.
        count: The number of mixes, N. Mixes may be equal.
        lambdas: Values of lambda_f, equally likely. None draws lambda_f from U(0, 1), as mixup does.
        draws_of: The seed and the purpose. Draws for different purposes are independent.
        ids: The originals to mix; by default all training images.

    Raises:
        InputError: a class has no originals.
    """
    seed, purpose = draws_of
    draws = Draws(seed, 0, np.arange(count))
    originals = bank.train_ids.numpy() if ids is None else ids
    labels = bank.labels.numpy()[originals]
    order = originals[np.argsort(labels, kind="stable")]  # class by class
    size = np.bincount(labels, minlength=len(bank.classes))
    if empty := sorted({label for pair in pairs for label in pair if size[label] == 0}):
        names = ", ".join(bank.classes[label] for label in empty)
        raise InputError(f"There are no training images of {names} to mix: choose other --pairs or --images.")
    start = np.concatenate([[0], size.cumsum()[:-1]])
    uniform = draws.uniform(purpose, (3,))
    drawn = np.array(pairs)[(uniform[:, 0] * len(pairs)).astype(np.int64)]  # (N, 2)
    ends = order[start[drawn] + (uniform[:, 1:] * size[drawn]).astype(np.int64)]  # (N, 2)
    lambda_f = torch.from_numpy(draw_lambda_f(draws, 1.0, lambdas))
    id_1, id_2, class_1, class_2 = (torch.from_numpy(column.copy()) for column in (*ends.T, *drawn.T))
    return MixedBatch(id_1, id_2, class_1, class_2, lambda_f, len(bank.classes))


def draw_targets(bank: ImageBank, seed: int) -> MixedBatch:
    """Draw fresh mixes of two classes, as in training."""
    return draw_mixes(bank, bank.classes.pairs, TARGETS, None, (seed, "targets"))


def find_originals(bank: ImageBank, names: Sequence[str]) -> Index:
    """Return the ids of training images by their names or ids. Without names, return all.

    Raises:
        InputError: there is no such training image.
    """
    trained: Index = bank.train_ids.numpy().astype(np.int64)
    if not names:
        return trained
    known = number_images((), bank.names or [str(image) for image in range(len(bank.labels))])
    if unknown := [name for name in names if known.get(name) not in set(trained.tolist())]:
        raise InputError(
            f"--images {', '.join(unknown[:10])}: these are no training images. Give ids, or paths in the folder."
        )
    return np.unique([known[name] for name in names]).astype(np.int64)
