"""Copies of a study's database, made while it is in use."""

import os
import sqlite3
from pathlib import Path

from hml.elicit.database import BACKUPS, connect, storage_errors
from hml.errors import InputError, StorageError
from hml.files.atomic import write_atomically
from hml.files.locks import claim

_LOCK = ".backup.lock"


def back_up(folder: Path, database: sqlite3.Connection, path: Path) -> int:
    """Copy the database as it is at one moment, check the copy, and remember where it is, for withdrawals.

    The key and the list of payments stay where they are.

    Args:
        folder: The study's.
        database: Its database.
        path: Where to; it must not be there yet.

    Returns:
        How many answers the copy holds.

    Raises:
        InputError: a file is there already.
        FolderInUseError: another backup is being made.
        StorageError: the copy can't be written or isn't whole, or somebody withdrew meanwhile.
    """
    path = path.resolve()
    if path.exists():
        raise InputError(f"{path} is there already: give each backup a name of its own.")
    with claim(folder / _LOCK, f"Another backup of {folder} is being made: wait until it is."):
        return _back_up(folder, database, path)


def _back_up(folder: Path, database: sqlite3.Connection, path: Path) -> int:
    beside, others = partial(path), remembered_backups(folder)
    copy = connect(beside, "")
    try:
        # Remembered first: a copy that nobody knew of would outlive its people's withdrawals. In a file of its own,
        # since to write in the database would be to wait for everybody who answers.
        with (folder / BACKUPS).open("a", encoding="utf-8") as remembered:
            remembered.write(f"{path}\n")
            remembered.flush()
            os.fsync(remembered.fileno())
        with storage_errors(path):
            database.backup(copy)
            (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
            (count,) = copy.execute("SELECT count(*) FROM answer").fetchone()
        copy.close()
        if verdict != "ok":
            raise StorageError(f"The copy {path} isn't whole: {verdict}. Look to the disk, and try again.")
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    except BaseException as error:
        copy.close()
        is_gone = not beside.exists()
        beside.unlink(missing_ok=True)
        write_atomically(folder / BACKUPS, "".join(f"{other}\n" for other in others), mode=0o600)
        if is_gone and isinstance(error, OSError | StorageError):  # a withdrawal deletes what isn't whole yet
            raise StorageError(f"Somebody withdrew while {path} was being made: make it again.") from error
        raise
    return int(count)


def remembered_backups(folder: Path) -> list[Path]:
    """List where backups were made, or begun."""
    path = folder / BACKUPS
    return [Path(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def partial(path: Path) -> Path:
    """Name the file that a backup is until it is whole."""
    return path.with_name(f".{path.name}.partial")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
