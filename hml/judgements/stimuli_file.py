"""Reads and writes mixed images as rows of a CSV, and files of images that people should judge.

A stimuli file lists images to judge, with reasons: `image_1,class_1,image_2,class_2,lambda_f,score,reason`. The plain
format of judgements also has the first five columns.
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hml.errors import InputError
from hml.judgements.classes import Classes
from hml.judgements.rows import Row, read_rows, reject, write_rows
from hml.judgements.schema import Endpoint, Stimulus
from hml.judgements.stimulus_names import is_blend, name_stimulus

COLUMNS = ("image_1", "class_1", "image_2", "class_2", "lambda_f")
"""Columns that describe a mixed image."""

OPTIONAL = ("score", "reason")
"""Columns of a stimuli file that may be missing, or have empty cells."""


@dataclass(frozen=True)
class Proposal:
    """A mixed image that people should judge.

    Args:
        stimulus: The image.
        score: The usefulness of an answer, on the scale of the method that proposed the image. None if unknown.
        reason: The reason for the proposal.

    Raises:
        InputError: people can't be asked about the image, or the score is not a finite number.
    """

    stimulus: Stimulus
    score: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        first, second = self.stimulus.endpoints
        if not is_blend(self.stimulus.lambda_f):
            raise InputError(f"lambda_f={self.stimulus.lambda_f} must be between 0 and 1, with three decimals at most.")
        if first.label == second.label:
            raise InputError("class_1 and class_2 are the same: people are asked how much they see of each.")
        if self.score is not None and not math.isfinite(self.score):
            raise InputError(f"score={self.score} is not a finite number.")


def parse_stimuli(content: bytes, name: str, classes: Classes, images: Sequence[str] | None = None) -> list[Proposal]:
    r"""Read a stimuli file.

    Args:
        content: The file's bytes.
        name: The name of the file in errors.
        classes: The classes of the images.
        images: The names of the images, in the order of their ids, as for `parse_plain`.

    Returns:
        The images, in the file's order.

    Raises:
        InputError: the file is not such a CSV, or lists an image twice. The message has the file, row (the header is
            row 1), field and value.

    Examples:
        >>> text = "image_1,class_1,image_2,class_2,lambda_f,score\n0,Cat,1,Dog,0.25,1.5\n"
        >>> (proposal,) = parse_stimuli(text.encode(), "proposed.csv", Classes(("Cat", "Dog")))
        >>> proposal.stimulus.filename, proposal.score
        ('mixed_0.25_Cat_0_Dog_1.png', 1.5)
    """
    rows = [
        (where, {column: cell.strip() for column, cell in row.items()})
        for where, row in read_rows(content, name, COLUMNS)
    ]
    if not rows:
        raise InputError(f"{name} lists no images.")
    ids = number_images((row for _, row in rows), images)
    proposals: list[Proposal] = []
    seen: dict[tuple[Endpoint, Endpoint, float], str] = {}
    for where, row in rows:
        proposal = _parse_row(classes, ids, row, where)
        key = same_pixels(proposal.stimulus)
        if key in seen:
            reject(where, "image_1", row["image_1"], f"{seen[key]} is the same blend. Keep one of them.")
        seen[key] = where
        proposals.append(proposal)
    return proposals


def write_stimuli(proposals: Iterable[Proposal], classes: Classes, images: Sequence[str] | None = None) -> str:
    """Write the text of a stimuli file. `parse_stimuli` reads the same images from it.

    Args:
        proposals: The images.
        classes: The classes of the images.
        images: The names of the images, in the order of their ids. By default, the ids.

    Examples:
        >>> cat_and_dog = name_stimulus(Classes(("Cat", "Dog")), 0.25, Endpoint(0, 0), Endpoint(1, 1))
        >>> print(write_stimuli([Proposal(cat_and_dog, 1.5, "members differ")], Classes(("Cat", "Dog"))), end="")
        image_1,class_1,image_2,class_2,lambda_f,score,reason
        0,Cat,1,Dog,0.25,1.5,members differ
    """
    return write_rows(
        (*COLUMNS, *OPTIONAL),
        (
            write_stimulus(classes, images, one.stimulus)
            | {"score": "" if one.score is None else str(one.score), "reason": one.reason}
            for one in proposals
        ),
    )


def number_images(rows: Iterable[Row], images: Sequence[str] | None) -> dict[str, int]:
    """Return the id of each image by its name and by its id as text."""
    if images is not None:
        return {str(number): number for number in range(len(images))} | {name: i for i, name in enumerate(images)}
    said = dict.fromkeys(row[column] for row in rows for column in ("image_1", "image_2") if row[column])
    are_ids = all(re.fullmatch("[0-9]{1,9}", name) for name in said)
    return {name: int(name) if are_ids else number for number, name in enumerate(said)}


def parse_stimulus_row(classes: Classes, ids: Mapping[str, int], row: Row, where: str) -> Stimulus:
    """Read the mixed image that a row describes.

    Args:
        classes: The classes of the images.
        ids: The ids that `number_images` returns.
        row: The row's cells, by column.
        where: A description of the row.

    Raises:
        InputError: a cell is wrong. The message names the cell.
    """
    first, second = (_parse_endpoint(classes, ids, row, number, where) for number in (1, 2))
    if first.image_id == second.image_id and first.label != second.label:
        reject(where, "class_2", row["class_2"], f"this image is {row['class_1']} in class_1. Correct one.")
    return name_stimulus(classes, parse_share(row, "lambda_f", where), first, second)


def write_stimulus(classes: Classes, images: Sequence[str] | None, stimulus: Stimulus) -> dict[str, str]:
    """Return the cells that describe a mixed image, by column."""
    first, second = stimulus.endpoints
    image_1, image_2 = (str(end.image_id) if images is None else images[end.image_id] for end in (first, second))
    values = (image_1, classes[first.label], image_2, classes[second.label], str(stimulus.lambda_f))
    return dict(zip(COLUMNS, values, strict=True))


def parse_share(row: Row, column: str, where: str) -> float:
    """Read a number from 0 to 1, or raise an InputError."""
    try:
        share = float(row[column])
    except ValueError as error:
        reject(where, column, row[column], "give a number from 0 to 1.", error)
    if not 0 <= share <= 1:
        reject(where, column, row[column], "it is outside [0, 1]: divide percentages by 100.")
    return share


def same_pixels(stimulus: Stimulus) -> tuple[Endpoint, Endpoint, float]:
    """Return a key that is equal for blends with the same pixels, also if their images are in the other order."""
    first, second = stimulus.endpoints
    if first.image_id < second.image_id:
        return first, second, stimulus.lambda_f
    return second, first, round(1 - stimulus.lambda_f, 3)


def _parse_row(classes: Classes, ids: Mapping[str, int], row: Row, where: str) -> Proposal:
    stimulus = parse_stimulus_row(classes, ids, row, where)
    score = row.get("score")
    try:
        value = float(score) if score else None
    except ValueError as error:
        reject(where, "score", score, "give a number, or leave it empty.", error)
    try:
        return Proposal(stimulus, value, row.get("reason", ""))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _parse_endpoint(classes: Classes, ids: Mapping[str, int], row: Row, number: int, where: str) -> Endpoint:
    image, label = f"image_{number}", f"class_{number}"
    if row[image] not in ids:
        nearest = difflib.get_close_matches(row[image], ids, n=1)
        hint = (
            f"did you mean {nearest[0]}?" if nearest else "give its path in the folder, or its id, which is 0 or more."
        )
        reject(where, image, row[image], f"there is no such image: {hint}")
    try:
        return Endpoint(ids[row[image]], classes.index(row[label]))
    except InputError as error:
        reject(where, label, row[label], str(error), error)
