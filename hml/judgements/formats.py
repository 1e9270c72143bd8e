"""Reads judgements from your own file, in the plain format or H-Mix's. The columns determine the format."""

from collections.abc import Sequence
from typing import Literal

from hml.errors import InputError
from hml.judgements import hmix, plain_format
from hml.judgements.classes import Classes
from hml.judgements.rows import read_columns
from hml.judgements.schema import Judgement

FormatName = Literal["hmix", "plain"]
"""The names of the two formats in flags."""


def parse_judgements(
    content: bytes, name: str, classes: Classes, images: Sequence[str] | None = None, include_repeats: bool = True
) -> list[Judgement]:
    """Read judgements in either format.

    Args:
        content: The file's bytes.
        name: The name of the file in errors.
        classes: The classes of the images.
        images: The names of the images in files, in the order of their ids. None without the images.
        include_repeats: Whether an annotator's second judgement of an image counts.

    Returns:
        The judgements, in the file's order.

    Raises:
        InputError: the file is in neither format, or a row is wrong.
    """
    if _is_plain(content, name):
        return plain_format.parse_plain(content, name, classes, images, include_repeats)
    return hmix.parse_hmix(content, name, "all", include_repeats, classes)


def find_classes(content: bytes, name: str) -> Classes:
    """Return the classes that a file's judgements name, in alphabetical order.

    Raises:
        InputError: the file is in neither format, or its names are ambiguous.
    """
    return (plain_format.find_plain_classes if _is_plain(content, name) else hmix.find_hmix_classes)(content, name)


def _is_plain(content: bytes, name: str) -> bool:
    columns = read_columns(content, name)
    formats = (plain_format.REQUIRED, hmix.REQUIRED)
    for required in formats:
        if set(required) <= set(columns):
            return required is plain_format.REQUIRED
    # Report the missing columns of the more similar format.
    nearest = max(formats, key=lambda required: len(set(required) & set(columns)) / len(required))
    missing = [column for column in nearest if column not in columns]
    raise InputError(
        f"{name} has no column {', '.join(missing)} (its columns: {', '.join(columns)[:200] or 'none'}). Judgements "
        f"are read from the columns {', '.join(plain_format.REQUIRED)} and, if you have it, omega; or from H-Mix's: "
        f"{', '.join(hmix.REQUIRED)}." + (" Separate columns by commas." if ";" in "".join(columns) else "")
    )
