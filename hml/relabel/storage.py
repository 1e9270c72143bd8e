"""Files of tensors and plain values, which are read without running any code in them."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hml.errors import InputError
from hml.files.atomic import write_atomically
from hml.training.checkpoints import find_damage, seal


def save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values, whole or not at all.

    Raises:
        StorageError: the folder can't be written to.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    write_atomically(path, seal(buffer.getvalue()))


def load_tensors(path: Path, fields: Sequence[str], remedy: str = "Delete it, and run the command again.") -> Any:
    """Read what `save_tensors` wrote.

    Args:
        path: The file.
        fields: What must be in it.
        remedy: What to do where it can't be read.

    Returns:
        Its content by name.

    Raises:
        InputError: the file isn't there, is damaged, holds something else, or would run code.
    """
    try:
        written = path.read_bytes()
        damage = find_damage(written)  # which torch doesn't look for
        content = None if damage else torch.load(io.BytesIO(written), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"There is no {path}. {remedy}") from error
    except PermissionError as error:
        raise InputError(f"Can't read {path}: {error.strerror}. Ask its owner for `chmod a+r {path}`.") from error
    except Exception as error:  # torch's reader fails in many ways on what isn't its own
        raise InputError(f"{path} can't be read: it is damaged, or another program's. {remedy}") from error
    if damage:
        raise InputError(f"{path} can't be read: {damage}. {remedy}")
    missing = [name for name in fields if name not in content] if isinstance(content, dict) else list(fields)
    if missing:
        raise InputError(f"{path} has no {', '.join(missing)}: another program, or another version, wrote it. {remedy}")
    return content


def hash_file(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
