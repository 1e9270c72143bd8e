"""Deleting a person everywhere: in the database, on the list of payments, and in the backups."""

from contextlib import closing
from pathlib import Path

from hml.elicit.store.backup import partial, remembered_backups
from hml.elicit.store.conflicts import UnknownPersonError
from hml.elicit.store.database import Database
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.payments import Payments
from hml.elicit.store.people import find_code
from hml.errors import HmlError


def withdraw(folder: StudyFolder, code: str) -> list[Path]:
    """Delete everything about somebody; what was overwritten can't be recovered from the files.

    Returns:
        Backups that may still hold them: they aren't where they were made, or can't be written.

    Raises:
        UnknownPersonError: nobody has this code.
    """
    if find_code(folder, code) != code:
        raise UnknownPersonError("Nobody has this code: it is mistyped, or they have withdrawn already.")
    backups = remembered_backups(folder)
    unreachable = [path for path in backups if not _delete_from_backup(path, code)]
    # After them, so that a withdrawal that was interrupted can be asked for again.
    delete_person(folder.database, code, folder.payments)
    begun = [path for path in remembered_backups(folder) if path not in backups]  # since then
    return unreachable + [path for path in begun if not _delete_from_backup(path, code)]


def delete_person(database: Database, code: str, payments: Payments | None = None) -> None:
    """Delete somebody from a study's database, or a copy of it, and from its list of payments."""
    with database.writing() as rows:
        deleted = rows.execute("DELETE FROM person WHERE code = ? RETURNING outside_hash", (code,)).fetchone()
        # Within the transaction: whenever a process is killed, nobody is gone from the study and still on the list, so
        # people whom only the list knows haven't withdrawn. Whoever opens their link during it waits, and is new.
        if payments is not None and deleted is not None and deleted["outside_hash"] is not None:
            payments.forget(deleted["outside_hash"])


def _delete_from_backup(path: Path, code: str) -> bool:
    """Delete somebody from a backup; return whether it is certain not to hold them."""
    try:
        partial(path).unlink(missing_ok=True)
        if not path.exists():
            return False
        with closing(Database(path)) as backup:
            delete_person(backup, code)
    except (HmlError, OSError):  # one bad copy must not keep anybody in the study
        return False
    return True
