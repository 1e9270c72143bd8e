"""Files of what people say each image is: a CSV, or an array of counts."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hml.errors import InputError
from hml.judgements import Classes
from hml.judgements.rows import read_rows, refuse

_IMAGE = "image"
_Array = npt.NDArray[np.float64]


def read_human_labels(
    path: Path, classes: Classes, names: Sequence[str] | None, labels: Tensor, test_ids: Tensor
) -> tuple[Tensor, dict[str, str]]:
    """Read how many people chose each class for each image, or what share of them.

    A CSV has a column `image`, with an image's name or id, and one column per class. A `.npy` array has one row per
    image, in order of their ids, and one column per class. Either describes all images, or only the evaluation images.

    Args:
        path: The file.
        classes: The C classes.
        names: The images' names, M of them, if they have any.
        labels: True classes, shape (M,). A training image that the file doesn't describe keeps its true class.
        test_ids: The evaluation images, shape (m,), in ascending order.

    Returns:
        Distributions, shape (M, C), and the file's SHA-256 by its name.

    Raises:
        InputError: the file can't be read, has another number of rows or columns, names an unknown image or class, or
            has a row that isn't counts or probabilities.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Can't read human labels from {path}: {error.strerror}.") from error
    if path.suffix == ".npy":
        weights = _read_array(content, path.name, len(classes))
        ids = torch.arange(len(labels)) if len(weights) == len(labels) else test_ids
    else:
        found, weights = _read_csv(content, path.name, classes, names, len(labels))
        order = found.argsort()
        ids, weights = found[order], weights[order.numpy()]
    if not any(torch.equal(ids, described) for described in (torch.arange(len(labels)), test_ids)) or len(ids) != len(
        weights
    ):
        raise InputError(
            f"{path.name} has {len(weights)} rows. It must have {len(labels)}, one per image, or {len(test_ids)}, one per "
            "evaluation image."
        )
    human = torch.nn.functional.one_hot(labels, len(classes)).float()
    human[ids] = torch.from_numpy(weights / weights.sum(1, keepdims=True)).float()
    return human, {path.name: hashlib.sha256(content).hexdigest()}


def _read_array(content: bytes, name: str, num_classes: int) -> _Array:
    try:
        weights = np.asarray(np.load(io.BytesIO(content), allow_pickle=False), dtype=np.float64)
    except Exception as error:  # NumPy raises all kinds of errors on damaged files
        raise InputError(f"{name} can't be read as an array of numbers: {error}.") from error
    if weights.ndim != 2 or weights.shape[1] != num_classes:
        raise InputError(f"{name} has shape {weights.shape}, expected {num_classes} columns, one per class.")
    _check(weights, [f"{name}, row {row}" for row in range(len(weights))])
    return weights
