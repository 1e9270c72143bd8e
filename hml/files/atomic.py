"""Writes files atomically."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hml.errors import FolderInUseError, StorageError

# Errors of network and FUSE file systems that can sync files but not folders. The file is complete by then.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF}


def write_atomically(path: Path, content: str | bytes, keep_as: Path | None = None, mode: int = 0o666) -> None:
    """Write a file atomically: readers see the old file or the complete new one.

    Args:
        path: The file.
        content: The complete content.
        keep_as: A new name for the existing file, in the same folder. By default it is replaced.
        mode: The permissions, before the umask is applied.

    Raises:
        StorageError: the folder can't be written to. An existing file is unchanged.
    """
    with _storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile, whose files only their owner can read.
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
    """Write a folder atomically: yield a temporary folder to fill, and rename it at the end.

    Raises:
        FolderInUseError: the path exists and is not an empty folder.
        StorageError: the folder can't be written. Nothing is left behind.
    """
    if path.exists() and not (path.is_dir() and next(path.iterdir(), None) is None):
        raise FolderInUseError(f"{path} exists already: use another folder, or move it away.")
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
    """Rename a finished file in its folder durably, so that it survives a power failure.

    Raises:
        OSError: there is no such file, or the folder can't be written to.
    """
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    _sync_folder(target.parent)


def clear_leftovers(path: Path) -> None:
    """Remove temporary files of writers that were killed. No process may be writing the file."""
    for leftover in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 16}"):
        leftover.unlink()


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn operating system errors in writing a file or folder into a StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"Can't write {path}: {error.strerror}. Free some space, or use another folder.") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, if the file system can sync folders."""
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
