"""Locks on folders, which one process at a time may use.

A folder is locked by `flock` on a file in it. The kernel releases the lock when the process ends. Some network file
systems have no `flock`. On these, the lock is a second file, `<lock>.holder`, created only if it does not exist. It
contains the process, since it remains if the process is killed. The file of a dead process on this machine is removed.
"""

import errno
import json
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from hml.errors import FolderInUseError, StorageError
from hml.files.strict_json import read_json_object

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_CONTENTION = {errno.EAGAIN, errno.EACCES}
# NFS without its lock daemon raises ENOLCK. Lustre mounted without flock raises ENOSYS or EOPNOTSUPP.
_NO_FLOCK = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}


@contextmanager
def claim(lock: Path, in_use: str) -> Iterator[None]:
    """Lock a folder for this process until the block or the process ends.

    Args:
        lock: The lock file in the folder. Both are created if missing.
        in_use: The error message if another process has the lock. The process and its start are added if known.

    Raises:
        FolderInUseError: another process has the lock.
        StorageError: the folder can't be written to.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StorageError(f"Can't write {lock}: {error.strerror}. Use a folder that you can write to.") from error
    try:
        held = holder_file(lock)
        if _try_flock(descriptor, lock, in_use):
            # Another host may have no flock although this one does.
            if (record := _read(held)) is not None and not _remove_if_dead(held, record):
                raise FolderInUseError(_report(in_use, held, record, removable=True))
            yield from _keep_record(descriptor)
        else:
            yield from _keep_file(held, in_use)
    finally:
        os.close(descriptor)  # which unlocks it


def holder_file(lock: Path) -> Path:
    """Return the file that represents a lock if there is no `flock`."""
    return lock.with_name(f"{lock.name}.holder")


def _try_flock(descriptor: int, lock: Path, in_use: str) -> bool:
    """Lock the file. Return whether the file system supports locks. Raise an error if another process has the lock."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_FLOCK:
            return False
        if error.errno not in _CONTENTION:
            raise
        raise FolderInUseError(_report(in_use, lock, _read(lock), removable=False)) from error
    return True


def _keep_record(descriptor: int) -> Iterator[None]:
    """Write this process into the locked file, for error messages only: the kernel holds the lock."""
    _write_record(descriptor, _record())
    try:
        yield
    finally:
        _write_record(descriptor, {})
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # now, even if a forked process has the descriptor too


def _write_record(descriptor: int, record: Mapping[str, Any]) -> None:
    try:
        os.ftruncate(descriptor, 0)
        if record:
            os.pwrite(descriptor, json.dumps(record).encode(), 0)
    except OSError:
        return  # the disk is full or broken, which writing results will report; this record is only for error messages


def _keep_file(held: Path, in_use: str) -> Iterator[None]:
    """Hold the lock by creating a file exclusively."""
    record = _record()
    while True:
        try:
            with held.open("x", encoding="utf-8") as file:
                json.dump(record, file)
            break
        except FileExistsError as error:
            there = _read(held)
            if not _remove_if_dead(held, there):
                raise FolderInUseError(_report(in_use, held, there, removable=True)) from error
    try:
        yield
    finally:
        if _read(held) == record:  # otherwise a user deleted it, and another process has created its own
            held.unlink()


def _record() -> dict[str, Any]:
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return {"pid": os.getpid(), "machine": _machine(), "since": now, "id": secrets.token_hex(8)}


def _machine() -> str:
    """Return the scope of process ids: the host and its container."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {namespace.readlink()}" if namespace.is_symlink() else socket.gethostname()


def _read(path: Path) -> dict[str, Any] | None:
    """Read the holder of a lock. Return {} if it is unknown, and None if the file no longer exists."""
    try:
        if not path.exists():
            return None
        record = read_json_object(path)
    except PermissionError:  # another user's
        return {}
    return record if record is not None and {"pid", "machine", "since"} <= record.keys() else {}


def _remove_if_dead(held: Path, record: Mapping[str, Any] | None) -> bool:
    """Remove the file if its process ran on this machine and has ended. Return whether there is no file now."""
    if record is None:
        return True
    if record.get("machine") != _machine() or _is_alive(record["pid"]):
        return False
    # Two processes may do this at the same time. The slower one must not remove the new file of the faster one.
    aside = held.with_name(f".{held.name}.{secrets.token_hex(8)}")
    try:
        held.rename(aside)
    except FileNotFoundError:
        return True
    if _read(aside) != record:
        aside.rename(held)
        return False
    aside.unlink()
    return True


def _is_alive(pid: object) -> bool:
    if os.name != "posix" or not isinstance(pid, int) or pid < 1:  # elsewhere os.kill ends the process
        return True
    try:
        os.kill(pid, 0)
    except OSError as error:  # PermissionError for another user's process
        return not isinstance(error, ProcessLookupError)
    return True


def _report(in_use: str, lock: Path, record: Mapping[str, Any] | None, removable: bool) -> str:
    holder = "an unknown process"
    if record:
        holder = f"process {record['pid']} on {str(record['machine']).partition(' ')[0]}, since {record['since']}"
    elif not removable:
        return in_use
    remedy = f" If that process is dead, delete {lock}." if removable else ""
    return f"{in_use} {lock} is held by {holder}.{remedy}"
