"""Files of tensors and plain values. Each contains its own SHA-256. Reading runs no code from the file."""

import hashlib
import io
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hml.files.atomic import write_atomically

_MARK = b"sha256:"
_SEAL = len(_MARK) + 2 * hashlib.sha256().digest_size
_LENGTH = struct.Struct("<H")  # of the comment at the end of a zip file


def write_sealed(path: Path, content: Mapping[str, Any], keep_as: Path | None = None) -> None:
    """Write tensors and plain values atomically to a file that `torch.load` can also read.

    Args:
        path: The file.
        content: The tensors and values.
        keep_as: A new name for the existing file, in the same folder. By default it is replaced.

    Raises:
        ValueError: the content is more than plain data, so it could not be read safely.
        StorageError: the file can't be written. An existing file is unchanged.
    """
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    buffer.seek(0)
    try:
        torch.load(buffer, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(_explain(error)) from error
    write_atomically(path, _seal(buffer.getvalue()), keep_as)


def read_sealed(path: Path) -> Any:
    """Read a file written by torch, after checking that it is intact.

    Raises:
        OSError: the file can't be opened.
        ValueError: the file is damaged or truncated, or is not a file of plain data.
    """
    try:
        with path.open("rb") as file:  # checked first, so that a large file of another kind is not read
            content = file.read() if zipfile.is_zipfile(file) and file.seek(0) == 0 else b""
        damage = _find_damage(content)
        found = None if damage else torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch and its unpickler raise various errors on other files
        raise ValueError(f"it isn't a file of plain data ({_explain(error)})") from error
    if damage:
        raise ValueError(damage)
    return found


def hash_file(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _explain(error: Exception) -> str:
    """Shorten an unpickler's error, and omit torch's advice to load the file unsafely."""
    named = re.search(r"GLOBAL \S+", str(error))
    return f"{type(error).__name__}{f', {named[0][:200]}' if named else ''}"


def _seal(body: bytes) -> bytes:
    """Write the SHA-256 of a zip file into its comment, which unpacking programs ignore."""
    body = body[: -_LENGTH.size]
    return body + _LENGTH.pack(_SEAL) + _MARK + hashlib.sha256(body).hexdigest().encode()


def _find_damage(content: bytes) -> str | None:
    """Return the fault in a file's bytes, or None, without unpickling."""
    if not content:
        return "it is not a torch file, or it is truncated"
    if content[-_SEAL:].startswith(_MARK):
        digest = hashlib.sha256(content[: -_SEAL - _LENGTH.size]).hexdigest()
        return None if digest.encode() == content[-_SEAL + len(_MARK) :] else "it was damaged: its sha256 is wrong"
    # The file of another program: torch 2.12 does not verify the checksums of a zip file.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            return "torch doesn't compress its files"
        return f"its part {broken} is damaged" if (broken := archive.testzip()) else None
