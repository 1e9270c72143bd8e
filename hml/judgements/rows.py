"""Rows of a CSV file of answers. Errors have the file, row, field, value and remedy."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from hml.errors import InputError
from hml.files.paths import expand
from hml.files.strict_json import parse_json

Row = Mapping[str, str]


def read_file(path: str | Path) -> tuple[str, bytes]:
    """Read a user's file of judgements or of images to ask about. Return its name and content.

    Raises:
        InputError: the file can't be read.
    """
    path = expand(path)
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror}.") from error


def read_columns(content: bytes, name: str) -> list[str]:
    """Read the names of a CSV file's columns.

    Args:
        content: The file's bytes.
        name: The name of the file in errors.

    Raises:
        InputError: the file is not CSV in UTF-8.
    """
    return _read(content, name)[0]


def read_rows(content: bytes, name: str, required: Sequence[str], hint: str = "") -> Iterator[tuple[str, Row]]:
    """Read the rows of a CSV file, each with a description of its place.

    Args:
        content: The file's bytes.
        name: The name of the file in errors.
        required: Columns that the file must have.
        hint: The end of the error message if a column is missing.

    Yields:
        "name, row 2" (the header is row 1) and the row's fields by column. Blank lines are skipped.

    Raises:
        InputError: the file is not CSV in UTF-8, a column is missing or repeated, or a row has too few or many fields.
    """
    columns, rows = _read(content, name)
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise InputError(f"{name} has two columns called {', '.join(repeated)[:200]}: keep one of each.")
    if missing := [column for column in required if column not in columns]:
        raise InputError(
            f"{name} has no column {', '.join(missing)} (its columns: {', '.join(columns)[:200] or 'none'}). {hint}"
        )
    for number, fields in enumerate(rows, start=2):
        if not fields:  # a blank line
            continue
        where = f"{name}, row {number}"
        if len(fields) != len(columns):
            raise InputError(f"{where} has {len(fields)} fields where the header has {len(columns)}: correct the row.")
        yield where, dict(zip(columns, fields, strict=True))


def _read(content: bytes, name: str) -> tuple[list[str], list[list[str]]]:
    """Read the header and the rows. Blanks after commas are removed."""
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not a CSV file in UTF-8: {error}. Save it as CSV in UTF-8.") from error
    reader = csv.reader(text, strict=True, skipinitialspace=True)
    try:
        return [column.strip() for column in next(reader, [])], list(reader)
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num} is not CSV: {error}. Correct the line.") from error


def write_rows(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Write the text of a CSV file: a header and rows. Missing cells are empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def reject(where: str, field: str, value: object, remedy: str, cause: Exception | None = None) -> NoReturn:
    """Reject a field's value.

    Raises:
        InputError: always. The message has the field, value, place and remedy.
    """
    shown = repr(value)
    shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
    remedy = remedy if len(remedy) <= 500 else f"{remedy[:497]}..."  # it may quote the value
    raise InputError(f"{field}={shown} in {where}: {remedy}") from cause


def parse_object(text: str, where: str, field: str, remedy: str) -> dict[str, object]:
    """Read a field's JSON object, without NaN, infinity and repeated keys.

    Raises:
        InputError: the field is not such an object.
    """
    try:
        answers = parse_json(text)
    except ValueError as error:
        reject(where, field, text, remedy, error)
    if not isinstance(answers, dict):
        reject(where, field, text, remedy)
    return answers
