"""Files of people's labels of images: a CSV, or an array of counts."""

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
from hml.judgements.rows import read_rows, reject

_IMAGE = "image"
_Array = npt.NDArray[np.float64]


def read_human_labels(
    path: Path, classes: Classes, names: Sequence[str] | None, labels: Tensor, test_ids: Tensor
) -> tuple[Tensor, dict[str, str]]:
    """Read the number or the share of people who chose each class, for each image.

    A CSV has a column `image`, with the names or ids of images, and one column per class. A `.npy` array has one row
    per image, in order of their ids, and one column per class. The file has all images, or only the evaluation images.

    Args:
        path: The file.
        classes: The C classes.
        names: The images' names, M of them, if they have any.
        labels: True classes, shape (M,). Training images that are not in the file keep their true class.
        test_ids: The evaluation images, shape (m,), in ascending order.

    Returns:
        Distributions, shape (M, C), and the file's SHA-256 by its name.

    Raises:
        InputError: the file can't be read, has the wrong number of rows or columns, has an unknown image or class, or
            has a row that is not counts or probabilities.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Can't read human labels from {path}: {error.strerror}.") from error
    expected = f"{len(labels)}, one per image, or {len(test_ids)}, one per evaluation image"
    if path.suffix == ".npy":
        weights = _read_array(content, path.name, len(classes))
        if len(weights) not in (len(labels), len(test_ids)):
            raise InputError(f"{path.name} has {len(weights)} rows. It must have {expected}.")
        ids = torch.arange(len(labels)) if len(weights) == len(labels) else test_ids
    else:
        by_id = _read_csv(content, path.name, classes, names, len(labels))
        ids = torch.arange(len(labels)) if len(by_id) > len(test_ids) else test_ids
        if missing := [image for image in ids.tolist() if image not in by_id]:
            example = names[missing[0]] if names else missing[0]
            raise InputError(f"{path.name} describes {len(by_id)} images, not {example}. It must describe {expected}.")
        weights = np.array([by_id[image] for image in ids.tolist()])
    human = torch.nn.functional.one_hot(labels, len(classes)).float()
    human[ids] = torch.from_numpy(weights / weights.sum(1, keepdims=True)).float()
    return human, {path.name: hashlib.sha256(content).hexdigest()}


def _read_array(content: bytes, name: str, num_classes: int) -> _Array:
    try:
        weights = np.asarray(np.load(io.BytesIO(content), allow_pickle=False), dtype=np.float64)
    except Exception as error:  # NumPy raises various errors on damaged files
        raise InputError(f"{name} can't be read as an array of numbers: {str(error)[:200]}.") from error
    if weights.ndim != 2 or weights.shape[1] != num_classes:
        raise InputError(f"{name} has shape {weights.shape}, expected {num_classes} columns, one per class.")
    for number, row in enumerate(weights):
        _check(row, f"{name}, row {number}")
    return weights


def _read_csv(
    content: bytes, name: str, classes: Classes, names: Sequence[str] | None, count: int
) -> dict[int, list[float]]:
    """Read each image's weights, by its id."""
    known = {str(image): image for image in range(count)} | {each: image for image, each in enumerate(names or ())}
    found: dict[int, list[float]] = {}
    for where, row in read_rows(content, name, [_IMAGE]):
        columns = [column for column in row if column != _IMAGE]
        if set(columns) != set(classes):
            unknown = [f"{column!r} is not a class" for column in columns if column not in classes.names]
            missing = [f"{each!r} is missing" for each in classes if each not in columns]
            raise InputError(
                f"{name} has {len(columns)} columns beside {_IMAGE!r} for {len(classes)} classes: "
                f"{', '.join([*unknown, *missing])[:500]}. It needs one column per class."
            )
        if (image := known.get(row[_IMAGE])) is None:
            reject(where, _IMAGE, row[_IMAGE], f"no such image among {count}. Write its path in the folder, or its id.")
        if image in found:
            reject(where, _IMAGE, row[_IMAGE], "an earlier row describes it. Keep one.")
        found[image] = [_parse_weight(where, each, row[each]) for each in classes]
        _check(np.array(found[image]), where)
    return found


def _parse_weight(where: str, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        reject(where, name, text, "give a count or a probability.", error)


def _check(weights: _Array, where: str) -> None:
    if not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        shown = str(weights.tolist())[:200]
        raise InputError(f"{where} is {shown}: give counts or probabilities, at least one of them above 0.")
