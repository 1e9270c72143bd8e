"""Strict JSON: no NaN, no infinity, no repeated keys."""

import json
import math
from pathlib import Path
from typing import Any, NoReturn


def parse_json(content: str | bytes) -> Any:
    """Read a JSON text.

    Raises:
        ValueError: the text is not JSON, is nested too deeply, repeats a key, or has a number that is too large.
    """
    try:
        return json.loads(
            content,
            parse_constant=_reject_constant,
            parse_float=_parse_float,
            parse_int=_parse_int,
            object_pairs_hook=_unique_pairs,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json_object(path: Path) -> dict[str, Any] | None:
    """Read a file's JSON object. Return None if there is no file, or it does not contain one complete object."""
    try:
        content = parse_json(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _parse_float(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _parse_int(text: str) -> int:
    _parse_float(text)
    return int(text)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is repeated")
    return dict(pairs)
