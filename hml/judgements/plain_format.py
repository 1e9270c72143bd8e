"""Reads and writes judgements as a plain CSV that a person can write: who saw which two images, and what they said."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

from hml.errors import InputError
from hml.judgements.classes import Classes
from hml.judgements.rows import Row, read_rows, refuse, write_rows
from hml.judgements.schema import Endpoint, Judgement, drop_repeats
from hml.judgements.stimulus_names import name_stimulus

REQUIRED = ("annotator", "image_1", "class_1", "image_2", "class_2", "lambda_f", "lambda_h")
OPTIONAL = ("omega", "reaction_ms", "is_repeat")
"""Columns that may be missing, or have empty cells."""

_REPEAT = {"": False, "0": False, "false": False, "1": True, "true": True}


def parse_plain(
    content: bytes, name: str, classes: Classes, images: Sequence[str] | None = None, include_repeats: bool = True
) -> list[Judgement]:
    """Read judgements.

    Args:
        content: The file's bytes.
        name: What errors call it.
        classes: The images'.
        images: What files call each image, in the order of their ids; a file may also give ids. None where the images
            aren't at hand: then the file's ids are taken as they are, and names are numbered as they first appear.
        include_repeats: Whether an annotator's second judgement of an image counts.

    Returns:
        The judgements, in the file's order.

    Raises:
        InputError: the file isn't such a CSV; the message names file, row (the header is row 1), field and value.
    """
    rows = [
        (where, {column: cell.strip() for column, cell in row.items()})
        for where, row in read_rows(content, name, REQUIRED)
    ]
    ids = _number_images((row for _, row in rows), images)
    judgements = [_parse_row(classes, ids, row, where) for where, row in rows]
    if not judgements:
        raise InputError(f"{name} holds no judgements.")
    if include_repeats:
        return judgements
    return drop_repeats(judgements, lambda judgement: (judgement.annotator, judgement.stimulus))


def find_plain_classes(content: bytes, name: str) -> Classes:
    """Return the classes that a file's judgements name, in alphabetical order.

    Raises:
        InputError: the file isn't such a CSV, or its names can't be classes.
    """
    rows = [row for _, row in read_rows(content, name, REQUIRED)]
    return Classes.collect((row[column].strip() for row in rows for column in ("class_1", "class_2")), name)


def write_plain(judgements: Iterable[Judgement], classes: Classes, images: Sequence[str] | None = None) -> str:
    """Write judgements as a file's text, which `parse_plain` reads as the same judgements.

    Args:
        judgements: What people said; an image's own filename is not kept.
        classes: The images'.
        images: What to call each image, in the order of their ids; by default its id.
    """
    return write_rows((*REQUIRED, *OPTIONAL), (_write_row(classes, images, judgement) for judgement in judgements))


def _write_row(classes: Classes, images: Sequence[str] | None, judgement: Judgement) -> Row:
    first, second = judgement.stimulus.endpoints
    image_1, image_2 = (str(end.image_id) if images is None else images[end.image_id] for end in (first, second))
    values = {
        "annotator": judgement.annotator,
        "image_1": image_1,
        "class_1": classes[first.label],
        "image_2": image_2,
        "class_2": classes[second.label],
        "lambda_f": judgement.stimulus.lambda_f,
        "lambda_h": judgement.lambda_h,
        "omega": judgement.omega,
        "reaction_ms": judgement.reaction_ms,
        "is_repeat": int(judgement.is_repeat),
    }
    return {column: "" if value is None else str(value) for column, value in values.items()}


def _number_images(rows: Iterable[Row], images: Sequence[str] | None) -> dict[str, int]:
    """Return each image's id by what the file may call it."""
    if images is not None:
        return {str(number): number for number in range(len(images))} | {name: i for i, name in enumerate(images)}
    said = dict.fromkeys(row[column] for row in rows for column in ("image_1", "image_2") if row[column])
    are_ids = all(re.fullmatch("[0-9]{1,9}", name) for name in said)
    return {name: int(name) if are_ids else number for number, name in enumerate(said)}


def _parse_row(classes: Classes, ids: Mapping[str, int], row: Row, where: str) -> Judgement:
    first, second = (_parse_endpoint(classes, ids, row, number, where) for number in (1, 2))
    if first.image_id == second.image_id and first.label != second.label:
        refuse(where, "class_2", row["class_2"], f"class_1 says that this image is of class {row['class_1']}.")
    if not row["annotator"]:
        refuse(where, "annotator", row["annotator"], "name the person who judged, by any code.")
    stimulus = name_stimulus(classes, _parse_share(row, "lambda_f", where), first, second)
    lambda_h = _parse_share(row, "lambda_h", where)
    omega = _parse_share(row, "omega", where) if row.get("omega") else None
    reaction = row.get("reaction_ms")
    if (repeat := row.get("is_repeat", "").casefold()) not in _REPEAT:
        refuse(where, "is_repeat", row["is_repeat"], "use 1 for a person's second judgement of an image, otherwise 0.")
    try:
        reaction_ms = float(reaction) if reaction else None
        return Judgement(stimulus, row["annotator"], lambda_h, omega, reaction_ms, _REPEAT[repeat])
    except ValueError as error:
        refuse(where, "reaction_ms", reaction, "give milliseconds, or leave it empty.", error)


def _parse_endpoint(classes: Classes, ids: Mapping[str, int], row: Row, number: int, where: str) -> Endpoint:
    image, label = f"image_{number}", f"class_{number}"
    if row[image] not in ids:
        nearest = difflib.get_close_matches(row[image], ids, n=1)
        hint = (
            f"did you mean {nearest[0]}?" if nearest else "give its path in the folder, or its id, which is 0 or more."
        )
        refuse(where, image, row[image], f"there is no such image: {hint}")
    try:
        return Endpoint(ids[row[image]], classes.index(row[label]))
    except InputError as error:
        refuse(where, label, row[label], str(error), error)


def _parse_share(row: Row, column: str, where: str) -> float:
    try:
        share = float(row[column])
    except ValueError as error:
        refuse(where, column, row[column], "give a number from 0 to 1.", error)
    if not 0 <= share <= 1:
        refuse(where, column, row[column], "it is outside [0, 1]: divide per cents by 100.")
    return share
