"""Flattens and compares nested choices, such as those of a recipe."""

from collections.abc import Mapping
from typing import Any

_SHOWN = 10


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """Flatten nested choices to keys such as `a/b/c`, for comparisons and TensorBoard's table of hyperparameters."""
    flat: dict[str, str | int | float | bool] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}/")
        else:
            flat[prefix + key] = value if isinstance(value, str | int | float | bool) else str(value)
    return flat


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Find the choices that differ between two recipes, or two descriptions of data. 1 and 1.0 differ.

    A choice that is None equals one that is missing: earlier versions of hml recorded fewer choices.

    Examples:
        >>> differences({"trainer": {"max_epochs": 65}, "code": {}}, {"trainer": {"max_epochs": 8}})
        {'trainer.max_epochs': (65, 8)}
        >>> differences({"data": {}}, {"data": {"wrap": None}})
        {}
    """
    a, b = ({key: value for key, value in flatten(tree).items() if value != str(None)} for tree in (first, second))
    keys = [key for key in dict.fromkeys([*a, *b]) if repr(a.get(key)) != repr(b.get(key))]
    return {key.replace("/", "."): (a.get(key), b.get(key)) for key in keys}


def format_differences(found: Mapping[str, tuple[Any, Any]]) -> str:
    """Format differences between a recorded and a requested run for an error text: a line each, ten at most."""
    lines = [f"\n  {key:.100}: {_format(a)} recorded, {_format(b)} requested" for key, (a, b) in found.items()]
    return "".join(lines[:_SHOWN]) + (f"\n  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else "")


def _format(choice: object) -> str:
    return "nothing" if choice is None else f"{choice!r:.100}"
