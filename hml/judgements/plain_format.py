"""Reads and writes judgements in the plain CSV format: the person, the two images, and the answer."""

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
        name: The name of the file in errors.
        classes: The classes of the images.
        images: The names of the images in files, in the order of their ids. A file may also use ids. With None, ids in
            the file are not checked, and names are numbered in order of first appearance.
        include_repeats: Whether an annotator's second judgement of an image counts.

    Returns:
        The judgements, in the file's order.

    Raises:
        InputError: the file is not such a CSV. The message has the file, row (the header is row 1), field and value.
    """
    rows = [
        (where, {column: cell.strip() for column, cell in row.items()})
        for where, row in read_rows(content, name, REQUIRED)
    ]
    ids = number_images((row for _, row in rows), images)
    judgements = [_parse_row(classes, ids, row, where) for where, row in rows]
    if not judgements:
        raise InputError(f"{name} has no judgements.")
    if include_repeats:
        return judgements
    return drop_repeats(judgements, lambda judgement: (judgement.annotator, judgement.stimulus))


def find_plain_classes(content: bytes, name: str) -> Classes:
    """Return the classes that a file's judgements name, in alphabetical order.

    Raises:
        InputError: the file is not such a CSV, or its names can't be classes.
    """
    rows = [row for _, row in read_rows(content, name, REQUIRED)]
    return Classes.collect((row[column].strip() for row in rows for column in ("class_1", "class_2")), name)


def write_plain(judgements: Iterable[Judgement], classes: Classes, images: Sequence[str] | None = None) -> str:
    """Write judgements as the text of a file. `parse_plain` reads the same judgements from it.

    Args:
        judgements: The judgements. Filenames of images are not written.
        classes: The classes of the images.
        images: The names of the images, in the order of their ids. By default, the ids.
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
        reject(where, "annotator", row["annotator"], "write a code for the person who judged.")
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
