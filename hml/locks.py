"""Folders that one process at a time may use."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from hml.errors import FolderInUseError


@contextmanager
def claim(lock: Path, in_use: str) -> Iterator[None]:
    """Keep a folder for this process, until the block or the process ends.

    Args:
        lock: The file that is locked, in the folder; both are made if missing.
        in_use: What to tell people if another process has it.

    Raises:
        FolderInUseError: another process has it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout as error:
        raise FolderInUseError(in_use) from error
    try:
        yield
    finally:
        held.release()
