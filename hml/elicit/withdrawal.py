"""Deleting a person everywhere: in the database, on the list of payments, and in the backups."""

import sqlite3
from pathlib import Path

from hml.elicit.backup import partial, remembered_backups
from hml.elicit.conflicts import UnknownPersonError
from hml.elicit.database import PAYMENTS, connect, storage_errors, transaction
from hml.elicit.payments import Payments
from hml.errors import HmlError


def find_code(database: sqlite3.Connection, name: str) -> str | None:
    """Find somebody's code by what is known of them: the code itself, their subject, or their outside id's hash."""
    with storage_errors():
        row = database.execute(
            "SELECT code FROM person WHERE ? IN (code, subject, outside_hash)", (name.strip().lower(),)
        ).fetchone()
    return None if row is None else str(row["code"])


def withdraw(folder: Path, database: sqlite3.Connection, code: str) -> list[Path]:
    """Delete everything about somebody; what was written over is not to be had back from the files.

    Args:
        folder: The study's.
        database: Its database.
        code: The person's.

    Returns:
        Backups that may still hold them: they aren't where they were made, or can't be written.

    Raises:
        UnknownPersonError: nobody has this code.
    """
    with storage_errors():
        person = database.execute("SELECT outside_hash FROM person WHERE code = ?", (code,)).fetchone()
    if person is None:
        raise UnknownPersonError("Nobody has this code: it is mistyped, or they have withdrawn already.")
    payments = Payments(folder / PAYMENTS)
    if person["outside_hash"] is not None:
        payments.forget(person["outside_hash"])
    backups = remembered_backups(folder)
    unreachable = [path for path in backups if not _delete_from_backup(path, code)]
    _delete(database, code)  # after them, so that a withdrawal that was cut short can be asked for again
    if person["outside_hash"] is not None:
        payments.forget(person["outside_hash"])  # again: they may have opened their link meanwhile
    begun = [path for path in remembered_backups(folder) if path not in backups]  # meanwhile
    return unreachable + [path for path in begun if not _delete_from_backup(path, code)]


def _delete_from_backup(path: Path, code: str) -> bool:
    """Delete somebody from a backup; tells whether it is certain not to hold them."""
    try:
        partial(path).unlink(missing_ok=True)
        if not path.exists():
            return False
        backup = connect(path)
        try:
            _delete(backup, code)
        finally:
            backup.close()
    except (HmlError, OSError):  # one bad copy must not keep anybody in the study
        return False
    return True


def _delete(database: sqlite3.Connection, code: str) -> None:
    with transaction(database):
        database.execute("DELETE FROM person WHERE code = ?", (code,))
