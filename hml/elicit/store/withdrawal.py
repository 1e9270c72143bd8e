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
    """Delete all data about a person. They are overwritten, and can't be recovered from the files.

    Returns:
        Backups that may still contain the person, because they were moved or can't be written.

    Raises:
        UnknownPersonError: nobody has this code.
    """
    if find_code(folder, code) != code:
        raise UnknownPersonError("Nobody has this code: it is mistyped, or they have withdrawn already.")
    backups = remembered_backups(folder)
    unreachable = [path for path in backups if not _delete_from_backup(path, code)]
    # After the backups, so that an interrupted withdrawal can be repeated.
    delete_person(folder.database, code, folder.payments)
    begun = [path for path in remembered_backups(folder) if path not in backups]  # during the withdrawal
    return unreachable + [path for path in begun if not _delete_from_backup(path, code)]


def delete_person(database: Database, code: str, payments: Payments | None = None) -> None:
    """Delete a person from a study's database, or a copy of it, and from its list of payments."""
    with database.writing() as rows:
        deleted = rows.execute("DELETE FROM person WHERE code = ? RETURNING outside_hash", (code,)).fetchone()
        # Within the transaction: if the process is killed, a person deleted from the study is not left on the list.
        # So people who are only on the list haven't withdrawn.
        # If they open their link during this, they wait, and start as new people.
        if payments is not None and deleted is not None and deleted["outside_hash"] is not None:
            payments.forget(deleted["outside_hash"])


def _delete_from_backup(path: Path, code: str) -> bool:
    """Delete a person from a backup; return whether it certainly doesn't contain them."""
    try:
        partial(path).unlink(missing_ok=True)
        if not path.exists():
            return False
        with closing(Database(path)) as backup:
            delete_person(backup, code)
    except (HmlError, OSError):  # one damaged copy must not prevent the withdrawal
        return False
    return True
