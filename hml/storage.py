"""Writing files so that none is ever half there."""

import os
import secrets
from pathlib import Path

from hml.errors import StorageError


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, sync it and rename it, so that readers see the old file or the whole new one.

    Raises:
        StorageError: the folder can't be written to; what was there before is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # tempfile's files are for their owner alone, and a report is there to be shared.
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with beside.open("xb") as file:
            try:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
                beside.replace(path)
            except BaseException:
                beside.unlink()
                raise
    except OSError as error:
        raise StorageError(f"Can't write {path}: {error.strerror}. Free some space, or write elsewhere.") from error
