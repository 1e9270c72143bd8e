"""CSV files that a spreadsheet reads as text: names come from data, and one that begins like a formula would be run."""

from typing import Any

_STARTS_OF_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def defuse(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would take for a formula; leave anything else as it is.

    Example:
        >>> [defuse(value) for value in ("=1+1", "sep_conf", -1.5)]
        ["'=1+1", 'sep_conf', -1.5]
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS_OF_FORMULAS) else value
