"""Reads what `hml relabel` keeps: a relabeller, and what it knows of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hml.errors import InputError
from hml.files.sealed import read_sealed


def load_tensors(path: Path, fields: Sequence[str], remedy: str = "Delete it, and run the command again.") -> Any:
    """Read a file of tensors and plain values by name, which must have these fields; errors end with the remedy.

    Raises:
        InputError: the file isn't there, is damaged, holds something else, or would run code.
    """
    try:
        content = read_sealed(path)
    except FileNotFoundError as error:
        raise InputError(f"There is no {path}. {remedy}") from error
    except PermissionError as error:
        raise InputError(f"Can't read {path}: {error.strerror}. Ask its owner for `chmod a+r {path}`.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read: {error}. {remedy}") from error
    missing = [name for name in fields if name not in content] if isinstance(content, dict) else list(fields)
    if missing:
        raise InputError(f"{path} has no {', '.join(missing)}: another program, or another version, wrote it. {remedy}")
    return content
