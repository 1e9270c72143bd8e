"""Holding images out of the training split, for choices that must not see the evaluation images."""

import numpy as np
import torch
from torch import Tensor

from hml.errors import InputError
from hml.randomness import Draws


def hold_out(train_ids: Tensor, labels: Tensor, endpoint_ids: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Split validation images off the training ones, evenly over classes, the same for every seed.

    Endpoints of mixed images stay in training: a network that has seen half of an image can't be validated on it.

    Args:
        train_ids: The training images, shape (n,).
        labels: Class of every image in the bank, shape (M,).
        endpoint_ids: Images that mixed images are made of.
        size: How many to hold out.

    Returns:
        The remaining training ids, shape (n − size,), and the validation ids, shape (size,), both in order.

    Raises:
        InputError: there are fewer such images than size.
    """
    candidates = train_ids[~torch.isin(train_ids, endpoint_ids)]
    if not 0 <= size <= len(candidates):
        raise InputError(
            f"val_size={size} must be 0 to {len(candidates)}: that many training images are no mixed image's endpoint."
        )
    shuffled = torch.from_numpy(Draws(0, 0, candidates.numpy().astype(np.int64)).order("hold out"))
    classes = labels[shuffled]  # (n',)
    by_class = torch.argsort(classes, stable=True)
    sizes = classes.bincount()  # (C,)
    place_in_class = torch.empty_like(classes)  # how many of its class come before it
    place_in_class[by_class] = torch.arange(len(classes)) - (sizes.cumsum(0) - sizes)[classes[by_class]]
    chosen = shuffled[torch.argsort(place_in_class, stable=True)[:size]].sort().values
    return train_ids[~torch.isin(train_ids, chosen)], chosen
