"""Files of tensors and plain values. Each holds its own SHA-256, and reading one runs no code in it."""

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
_LENGTH = struct.Struct("<H")  # of a zip file's comment, which it ends with


def write_sealed(path: Path, content: Mapping[str, Any], keep_as: Path | None = None) -> None:
    """Write tensors and plain values, whole or not at all, in a file that `torch.load` reads too.

    Args:
        path: Where to.
        content: What to write.
        keep_as: The new name of the file that was there, in the same folder; by default it is replaced.

    Raises:
        ValueError: the content is more than plain data, so that nobody could read it safely.
        StorageError: it can't be written; what was there before is untouched.
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
    """Read a file of torch's, after checking that it holds what was written.

    Raises:
        OSError: it can't be opened.
        ValueError: it is damaged or cut off, or isn't a file of plain data.
    """
    try:
        with path.open("rb") as file:  # a large file of another kind isn't read whole
            content = file.read() if zipfile.is_zipfile(file) and file.seek(0) == 0 else b""
        damage = _find_damage(content)
        found = None if damage else torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch and its unpickler raise all kinds on files that aren't theirs
        raise ValueError(f"it isn't a file of plain data ({_explain(error)})") from error
    if damage:
        raise ValueError(damage)
    return found


def hash_file(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _explain(error: Exception) -> str:
    """Say what an unpickler complains of, without torch's advice to load the file unsafely."""
    named = re.search(r"GLOBAL \S+", str(error))
    return f"{type(error).__name__}{f', {named[0][:200]}' if named else ''}"


def _seal(body: bytes) -> bytes:
    """Put the SHA-256 of a zip file into its comment, which programs that unpack it skip."""
    body = body[: -_LENGTH.size]
    return body + _LENGTH.pack(_SEAL) + _MARK + hashlib.sha256(body).hexdigest().encode()


def _find_damage(content: bytes) -> str | None:
    """Say what is wrong with a file's bytes, if something is, without unpickling any."""
    if not content:
        return "it isn't a file of torch's, or is one that was cut off"
    if content[-_SEAL:].startswith(_MARK):
        digest = hashlib.sha256(content[: -_SEAL - _LENGTH.size]).hexdigest()
        return None if digest.encode() == content[-_SEAL + len(_MARK) :] else "it was damaged: its sha256 is wrong"
    # Another program's: torch 2.12 doesn't look at a zip file's own checksums.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            return "torch doesn't compress its files"
        return f"its part {broken} is damaged" if (broken := archive.testzip()) else None
