"""Writes files whole or not at all."""

import errno
import os
import secrets
from pathlib import Path

from hml.errors import StorageError

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
    try:
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
    except OSError as error:
        raise StorageError(f"Can't write {path}: {error.strerror}. Free some space, or write elsewhere.") from error


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
