"""Deleting a person everywhere: in the database, on the list of payments, and in the backups."""

import sqlite3
from pathlib import Path

from hml.elicit.backup import partial, remembered_backups
from hml.elicit.conflicts import UnknownPersonError
from hml.elicit.database import PAYMENTS, connect, storage_errors, transaction
from hml.elicit.identities import read_code
from hml.elicit.payments import Payments
from hml.errors import HmlError


def find_code(database: sqlite3.Connection, name: str) -> str | None:
    """Find somebody's code by what is known of them: the code itself, their subject, or their outside id's hash."""
    with storage_errors():
        row = database.execute(
            "SELECT code FROM person WHERE ? IN (code, subject, outside_hash)", (read_code(name),)
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
    if find_code(database, code) != code:
        raise UnknownPersonError("Nobody has this code: it is mistyped, or they have withdrawn already.")
    backups = remembered_backups(folder)
    unreachable = [path for path in backups if not _delete_from_backup(path, code)]
    # After them, so that a withdrawal that was cut short can be asked for again.
    _delete(database, code, Payments(folder / PAYMENTS))
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


def _delete(database: sqlite3.Connection, code: str, payments: Payments | None = None) -> None:
    with transaction(database):
        deleted = database.execute("DELETE FROM person WHERE code = ? RETURNING outside_hash", (code,)).fetchone()
        # Within the transaction: whenever a process is killed, nobody is gone from the study and still on the list, so
        # whom the list alone knows hasn't withdrawn. Whoever opens their link meanwhile waits, and is new.
        if payments is not None and deleted is not None and deleted["outside_hash"] is not None:
            payments.forget(deleted["outside_hash"])
