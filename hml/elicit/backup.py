"""Copies of a study's database, made while it is in use."""

import os
import sqlite3
from pathlib import Path

from hml.elicit.database import connect, now, storage_errors, transaction
from hml.errors import InputError, StorageError


def back_up(database: sqlite3.Connection, path: Path) -> int:
    """Copy the database as it is at one moment, check the copy, and remember where it is, for withdrawals.

    The key and the list of payments stay where they are.

    Args:
        database: The study's.
        path: Where to; it must not be there yet.

    Returns:
        How many answers the copy holds.

    Raises:
        InputError: a file is there already.
        StorageError: the copy can't be written, or isn't whole.
    """
    path = path.resolve()
    if path.exists():
        raise InputError(f"{path} is there already: give each backup a name of its own.")
    beside = path.with_name(f".{path.name}.partial")
    # Remembered first: a copy that nobody knew of would outlive its people's withdrawals.
    with transaction(database):
        database.execute("INSERT OR REPLACE INTO backup VALUES (?, ?)", (str(path), now()))
    try:
        beside.unlink(missing_ok=True)
        copy = connect(beside, "")
        try:
            with storage_errors(path):
                database.backup(copy)
                (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
                (count,) = copy.execute("SELECT count(*) FROM answer").fetchone()
        finally:
            copy.close()
        if verdict != "ok":
            raise StorageError(f"The copy {path} isn't whole: {verdict}. Look to the disk, and try again.")
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    except BaseException:
        with transaction(database):
            database.execute("DELETE FROM backup WHERE path = ?", (str(path),))
        beside.unlink(missing_ok=True)
        raise
    return int(count)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
