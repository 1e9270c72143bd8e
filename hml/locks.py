"""Folders that one process at a time may use."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from hml.errors import FolderInUseError


@contextlib.contextmanager
def claim(lock: Path, in_use: str) -> Iterator[None]:
    """Keep a folder for this process, until the block or the process ends.

    One that is made for it, and that nothing is put into until the block ends, goes again.

    Args:
        lock: The file that is locked, in the folder; both are made if missing.
        in_use: What to tell people if another process has it.

    Raises:
        FolderInUseError: another process has it.
    """
    made = [folder for folder in (lock.parent, *lock.parent.parents) if not folder.exists()]
    lock.parent.mkdir(parents=True, exist_ok=True)
    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout as error:
        raise FolderInUseError(in_use) from error
    try:
        yield
    finally:
        _remove_if_empty(lock, made)  # while it is held, so that nobody else takes it meanwhile
        held.release()


def _remove_if_empty(lock: Path, made: Sequence[Path]) -> None:
    """Remove the folders that were made, innermost first, if nothing was put into the first but the lock."""
    if not made or not lock.exists() or list(lock.parent.iterdir()) != [lock]:
        return
    with contextlib.suppress(OSError):  # somebody else has put something beside it
        lock.unlink()
        for folder in made:
            folder.rmdir()
