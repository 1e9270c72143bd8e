"""CSV that is safe in spreadsheets, which would run text from data that begins like a formula."""

import csv
import io
from collections.abc import Iterable

_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    r"""Write a table as CSV. Text that a spreadsheet would run as a formula gets an apostrophe.

    Args:
        header: The names of the columns.
        rows: The rows of values. None becomes an empty cell.

    Examples:
        >>> to_csv(["scheme", "mean"], [["=1+1", -1.5], ["sep_conf", None]])
        "scheme,mean\n'=1+1,-1.5\nsep_conf,\n"
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_defuse(header), *map(_defuse, rows)])
    return text.getvalue()


def _defuse(line: Iterable[object]) -> list[object]:
    return [f"'{cell}" if isinstance(cell, str) and cell.startswith(_STARTS_OF_FORMULAS) else cell for cell in line]
