"""Reads and writes judgements as a plain CSV that a person can write: who saw which two images, and what they said."""

from collections.abc import Iterable, Mapping, Sequence

from hml.errors import InputError
from hml.judgements.classes import Classes
from hml.judgements.rows import Row, read_rows, reject, write_rows
from hml.judgements.schema import Judgement, drop_repeats
from hml.judgements.stimuli_file import COLUMNS, number_images, parse_share, parse_stimulus_row, write_stimulus

REQUIRED = ("annotator", *COLUMNS, "lambda_h")
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
    ids = number_images((row for _, row in rows), images)
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
    values = {
        "annotator": judgement.annotator,
        "lambda_h": judgement.lambda_h,
        "omega": judgement.omega,
        "reaction_ms": judgement.reaction_ms,
        "is_repeat": int(judgement.is_repeat),
    }
    own = {column: "" if value is None else str(value) for column, value in values.items()}
    return write_stimulus(classes, images, judgement.stimulus) | own


def _parse_row(classes: Classes, ids: Mapping[str, int], row: Row, where: str) -> Judgement:
    stimulus = parse_stimulus_row(classes, ids, row, where)
    if not row["annotator"]:
        reject(where, "annotator", row["annotator"], "name the person who judged, by any code.")
    lambda_h = parse_share(row, "lambda_h", where)
    omega = parse_share(row, "omega", where) if row.get("omega") else None
    reaction = row.get("reaction_ms")
    if (repeat := row.get("is_repeat", "").casefold()) not in _REPEAT:
        reject(where, "is_repeat", row["is_repeat"], "use 1 for a person's second judgement of an image, otherwise 0.")
    try:
        reaction_ms = float(reaction) if reaction else None
        return Judgement(stimulus, row["annotator"], lambda_h, omega, reaction_ms, _REPEAT[repeat])
    except ValueError as error:
        reject(where, "reaction_ms", reaction, "give milliseconds, or leave it empty.", error)
