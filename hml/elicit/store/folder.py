"""A study's folder: its files, opened together."""

from functools import cached_property
from pathlib import Path

from hml.elicit.store.database import SCHEMA, Clock, Database, make_folder, stamp, utc_now
from hml.elicit.store.identities import Key
from hml.elicit.store.payments import Payments

DATABASE, KEY, PAYMENTS, BACKUPS = "study.sqlite3", "secret.key", "payments.sqlite3", "backups.txt"
"""The files of a study's folder."""


class StudyFolder:
    """A study's folder: its database, its key and its list of payments.

    With `create`, a missing folder is created, with an empty database and a new key.

    Raises:
        DataError: there is no study, or its database or key is damaged.
        StorageError: the folder can't be read or written.
    """

    def __init__(self, path: Path, create: bool = False, clock: Clock = utc_now) -> None:
        self.path = path
        self.clock = clock
        if create:
            make_folder(path)
            # The key first: a folder with a database but no key has lost its key.
            self.key = Key(path / KEY, create=not (path / DATABASE).exists())
        self.database = Database(path / DATABASE, SCHEMA if create else None)
        self.payments = Payments(path / PAYMENTS)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    @cached_property
    def key(self) -> Key:
        """The study's key. It is read on first use, because exports don't need it."""
        return Key(self.path / KEY, create=False)

    def now(self) -> str:
        """Return the time in UTC, as the database stores it."""
        return stamp(self.clock())
