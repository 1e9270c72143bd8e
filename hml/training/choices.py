"""Nested choices, such as a recipe's: flattened, and compared."""

from collections.abc import Mapping
from typing import Any

_SHOWN = 10


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """Flatten nested choices to `a/b/c`, as TensorBoard's table of hyperparameters and comparisons want them."""
    flat: dict[str, str | int | float | bool] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}/")
        else:
            flat[prefix + key] = value if isinstance(value, str | int | float | bool) else str(value)
    return flat


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Find the choices in which two recipes, or two data, differ, 1 and 1.0 among them.

    Example:
        >>> differences({"trainer": {"max_epochs": 65}, "code": {}}, {"trainer": {"max_epochs": 8}})
        {'trainer.max_epochs': (65, 8)}
    """
    a, b = flatten(first), flatten(second)
    keys = [key for key in dict.fromkeys([*a, *b]) if repr(a.get(key)) != repr(b.get(key))]
    return {key.replace("/", "."): (a.get(key), b.get(key)) for key in keys}


def tell(found: Mapping[str, tuple[Any, Any]]) -> str:
    """Say what differs between what is there and what is asked for, a line each, as far as people read."""
    told = [f"\n  {key:.100}: {a!r:.100} there, {b!r:.100} asked for" for key, (a, b) in found.items()]
    return "".join(told[:_SHOWN]) + (f"\n  and {len(told) - _SHOWN} more" if len(told) > _SHOWN else "")
