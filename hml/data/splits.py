"""Splits images by class: evaluation images from a data set, and validation images from its training images."""

import numpy as np
import torch
from torch import Tensor

from hml.errors import InputError
from hml.randomness import Draws


def hold_out(train_ids: Tensor, labels: Tensor, endpoint_ids: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Split validation images from the training images, evenly over classes, the same for every seed.

    Endpoints of mixed images stay in training, since a network that was trained on a blend of an image can't be
    validated on the image.

    Args:
        train_ids: The training images, shape (n,).
        labels: Class of every image in the bank, shape (M,).
        endpoint_ids: The endpoints of mixed images.
        size: The number of validation images.

    Returns:
        The remaining training ids, shape (n − size,), and the validation ids, shape (size,), both in order.

    Raises:
        InputError: fewer than `size` training images are not endpoints.
    """
    candidates = train_ids[~torch.isin(train_ids, endpoint_ids)]
    if not 0 <= size <= len(candidates):
        raise InputError(
            f"val_size={size} must be 0 to {len(candidates)}: that many training images are not endpoints of mixes."
        )
    shuffled = torch.from_numpy(Draws(0, 0, candidates.numpy().astype(np.int64)).order("hold out"))
    chosen = shuffled[torch.argsort(_place_in_class(labels[shuffled]), stable=True)[:size]].sort().values
    return train_ids[~torch.isin(train_ids, chosen)], chosen


def split_by_class(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Split a share of the images of each class for evaluation.

    Args:
        labels: Class of every image, shape (M,).
        share: The share of each class, above 0 and below 1. It is rounded to whole images. At least one image of a
            class stays and, if the class has two or more, at least one is split off.
        seed: The seed of the split.

    Returns:
        Training ids, shape (M − m,), and evaluation ids, shape (m,), both in order.

    Examples:
        >>> split_by_class(torch.tensor([0, 0, 0, 0, 0, 1, 1, 2]), share=0.4, seed=0)
        (tensor([0, 1, 3, 5, 7]), tensor([2, 4, 6]))
    """
    shuffled = torch.from_numpy(Draws(seed, 0, np.arange(len(labels))).order("test split"))
    sizes = labels.bincount()  # (C,)
    num_test = (sizes * share).round().long().clamp(min=1).minimum(sizes - 1)  # (C,)
    classes = labels[shuffled]
    is_test = _place_in_class(classes) < num_test[classes]
    return shuffled[~is_test].sort().values, shuffled[is_test].sort().values


def _place_in_class(classes: Tensor) -> Tensor:
    """Count the earlier elements of the same class for each element, shape (N,)."""
    by_class = torch.argsort(classes, stable=True)
    sizes = classes.bincount()  # (C,)
    place = torch.empty_like(classes)
    place[by_class] = torch.arange(len(classes)) - (sizes.cumsum(0) - sizes)[classes[by_class]]
    return place
