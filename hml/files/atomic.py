"""Writes files whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hml.errors import FolderInUseError, StorageError

# What network and FUSE file systems say that sync files only. The file is whole and in its place by then.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF}


def write_atomically(path: Path, content: str | bytes, keep_as: Path | None = None, mode: int = 0o666) -> None:
    """Write a file beside its place, sync it and rename it, so that readers see the old file or the whole new one.

    Args:
        path: Where to.
        content: The whole of it.
        keep_as: What the file that was there is called from now on, in the same folder; by default it goes.
        mode: Who may read and write it, as far as the umask lets them.

    Raises:
        StorageError: the folder can't be written to; what was there before is untouched.
    """
    with _storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # tempfile's files can be read by their owner only, but reports are shared.
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            try:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
                if keep_as is not None and path.exists():
                    path.replace(keep_as)
                beside.replace(path)
            except BaseException:
                beside.unlink(missing_ok=True)
                raise
        _sync_folder(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder beside its place for the block to fill, and rename it at the end: it is whole or not there.

    Raises:
        FolderInUseError: there is something at its place already, other than an empty folder.
        StorageError: it can't be written; nothing is left of it.
    """
    if path.exists() and not (path.is_dir() and next(path.iterdir(), None) is None):
        raise FolderInUseError(f"{path} exists already: name a new folder, or move that one away.")
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with _storage_errors(path):
        beside.mkdir(parents=True)
    try:
        yield beside
        with _storage_errors(path):
            _sync_folder(beside)
            beside.replace(path)
            _sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def move_durably(source: Path, target: Path) -> None:
    """Rename a finished file in its folder so that it is whole in its new place, also after a power cut.

    Raises:
        OSError: there is no such file, or the folder can't be written to.
    """
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    _sync_folder(target.parent)


def clear_leftovers(path: Path) -> None:
    """Remove what writers of a file that were killed have left beside it; nobody may be writing it."""
    for leftover in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 16}"):
        leftover.unlink()


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn what the system reports of a file or folder that is written into hml's error."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"Can't write {path}: {error.strerror}. Free some space, or write elsewhere.") from error


def _sync_folder(folder: Path) -> None:
    """Make a renaming outlast a power cut, where folders can be synced."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)
