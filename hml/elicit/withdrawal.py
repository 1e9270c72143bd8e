"""Deleting a person everywhere: in the database, on the list of payments, and in the backups."""

import sqlite3
from pathlib import Path

from hml.elicit.backup import partial, remembered_backups
from hml.elicit.conflicts import UnknownPersonError
from hml.elicit.database import PAYMENTS, connect, storage_errors, transaction
from hml.elicit.payments import Payments


def withdraw(folder: Path, database: sqlite3.Connection, code: str) -> list[Path]:
    """Delete everything about somebody; what was written over is not to be had back from the files.

    Args:
        folder: The study's.
        database: Its database.
        code: The person's.

    Returns:
        Backups that aren't where they were made, so may still hold them.

    Raises:
        UnknownPersonError: nobody has this code.
    """
    with storage_errors():
        person = database.execute("SELECT outside_hash FROM person WHERE code = ?", (code,)).fetchone()
    if person is None:
        raise UnknownPersonError("Nobody has this code: it is mistyped, or they have withdrawn already.")
    if person["outside_hash"] is not None:
        Payments(folder / PAYMENTS).forget(person["outside_hash"])
    unreachable = []
    for path in remembered_backups(folder):
        partial(path).unlink(missing_ok=True)
        if not path.exists():
            unreachable.append(path)
            continue
        backup = connect(path)
        try:
            _delete(backup, code)
        finally:
            backup.close()
    _delete(database, code)  # last, so that a withdrawal that was cut short can be asked for again
    return unreachable


def _delete(database: sqlite3.Connection, code: str) -> None:
    with transaction(database):
        database.execute("DELETE FROM person WHERE code = ?", (code,))
