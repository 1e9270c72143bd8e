"""Copies of a study's database, made while it is in use."""

import os
from contextlib import closing
from pathlib import Path

from hml.elicit.store.answers import count_answers
from hml.elicit.store.database import Database
from hml.elicit.store.folder import BACKUPS, StudyFolder
from hml.errors import InputError, StorageError
from hml.files.atomic import move_durably, write_atomically
from hml.files.locks import claim

_LOCK = ".backup.lock"


def back_up(folder: StudyFolder, path: Path) -> int:
    """Copy a snapshot of the database, check the copy, and record its path for withdrawals.

    The key and the list of payments are not copied. Returns the number of answers in the copy.

    Raises:
        InputError: the file exists already.
        FolderInUseError: another backup is being made.
        StorageError: the copy can't be written or is damaged, or a person withdrew during the copy.
    """
    path = path.resolve()
    if path.exists():
        raise InputError(f"{path} exists already: choose another name.")
    with claim(folder.path / _LOCK, f"Another backup of {folder.path} is being made: wait until it is finished."):
        return _back_up(folder, path)


def _back_up(folder: StudyFolder, path: Path) -> int:
    beside, others = partial(path), remembered_backups(folder)
    copy = Database(beside, schema="")
    try:
        with closing(copy):
            # Recorded first: an unrecorded copy would keep people who withdraw. In a separate file, because writing to
            # the database would wait for everybody who is answering.
            with (folder.path / BACKUPS).open("a", encoding="utf-8") as remembered:
                remembered.write(f"{path}\n")
                remembered.flush()
                os.fsync(remembered.fileno())
            verdict = folder.database.copy_to(copy)
            count = count_answers(copy)
        if verdict != "ok":
            raise StorageError(f"The copy {path} is damaged: {verdict}. Check the disk, and try again.")
        move_durably(beside, path)
    except BaseException as error:
        is_gone = not beside.exists()
        beside.unlink(missing_ok=True)
        write_atomically(folder.path / BACKUPS, "".join(f"{other}\n" for other in others), mode=0o600)
        if is_gone and isinstance(error, OSError | StorageError):  # a withdrawal deletes unfinished backups
            raise StorageError(f"Somebody withdrew while {path} was being made: repeat the backup.") from error
        raise
    return count


def remembered_backups(folder: StudyFolder) -> list[Path]:
    """List the paths of backups that were made or begun."""
    path = folder.path / BACKUPS
    return [Path(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def partial(path: Path) -> Path:
    """Return the path of a backup while it is being written."""
    return path.with_name(f".{path.name}.partial")
