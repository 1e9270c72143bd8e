"""Reads the files of `hml relabel`: relabellers and descriptions of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hml.errors import InputError
from hml.files.sealed import read_sealed


def load_tensors(path: Path, fields: Sequence[str], remedy: str = "Delete it, and run the command again.") -> Any:
    """Read a file of named tensors and plain values.

    Args:
        path: The file.
        fields: The names that it must have.
        remedy: The end of every error's message.

    Raises:
        InputError: the file is missing or damaged, has other content, or would run code.
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
        raise InputError(f"{path} lacks {', '.join(missing)}: another program or version wrote it. {remedy}")
    return content
