"""The SQLite files of a study's folder: their tables, and durable transactions."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hml.errors import DataError, StorageError

Clock = Callable[[], datetime]
"""Returns the current time, with its time zone."""

SCHEMA = """
CREATE TABLE study (
    name TEXT NOT NULL, task TEXT NOT NULL, is_demo INTEGER NOT NULL, lock INTEGER PRIMARY KEY CHECK (lock = 1)
);
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    since TEXT NOT NULL,
    hml_version TEXT NOT NULL,
    study TEXT NOT NULL,                       -- as JSON
    canonical_pixels INTEGER NOT NULL
);
CREATE TABLE consent_text (version TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE image (filename TEXT PRIMARY KEY, place INTEGER UNIQUE NOT NULL);
CREATE TABLE person (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: a person's random draws depend on it
    code TEXT UNIQUE NOT NULL,                 -- in the session's cookie
    subject TEXT UNIQUE NOT NULL,              -- their code in exports
    outside_hash TEXT UNIQUE,
    stage TEXT NOT NULL,
    trials INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    quiz_wrong INTEGER NOT NULL DEFAULT 0,
    enrolled_at TEXT NOT NULL,
    completed_at TEXT
);
CREATE TABLE consent (
    person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
    version TEXT NOT NULL REFERENCES consent_text,
    consented_at TEXT NOT NULL,
    PRIMARY KEY (person, version)
);
CREATE TABLE trial (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
    number INTEGER NOT NULL,
    filename TEXT NOT NULL REFERENCES image,
    is_repeat INTEGER NOT NULL,
    held_until TEXT,                           -- NULL: answered, so the place stays taken
    swapped INTEGER NOT NULL DEFAULT 0,        -- 1: the second class was named first, and was on the left
    UNIQUE (person, number),
    UNIQUE (person, filename, is_repeat)
);
CREATE INDEX places ON trial (filename, is_repeat, held_until);
CREATE TABLE answer (
    trial INTEGER PRIMARY KEY REFERENCES trial ON DELETE CASCADE,
    person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    answer TEXT NOT NULL,                      -- in H-Mix's terms, whichever side a class was on
    reaction_ms REAL,
    received_at TEXT NOT NULL,
    count INTEGER NOT NULL,                    -- the person's answers up to this one, as in the receipt
    UNIQUE (person, client_id)
);
CREATE TRIGGER answers_are_kept BEFORE UPDATE ON answer
BEGIN SELECT RAISE(ABORT, 'an answer is never changed: add a correction'); END;
CREATE TABLE correction (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    trial INTEGER NOT NULL REFERENCES answer ON DELETE CASCADE,
    answer TEXT,                               -- NULL: struck out
    reason TEXT NOT NULL,
    made_at TEXT NOT NULL
);
CREATE TABLE comment (
    person INTEGER NOT NULL REFERENCES person ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    text TEXT NOT NULL,
    received_at TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (person, client_id)
);
"""


class Database:
    """An SQLite file. Committed changes survive a power cut, and deleted rows are overwritten.

    Several threads may share an instance. Each waits for the others' transactions.

    Args:
        path: The file, readable by its owner only.
        schema: Tables to create in a new file; None if the file must exist already.

    Raises:
        StorageError: the file can't be opened or written.
        DataError: it is missing, or is not a database.
    """

    def __init__(self, path: Path, schema: str | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            if schema is not None:
                make_folder(path.parent)
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            elif not path.is_file():
                raise DataError(f"There is no study in {path.parent}: give its folder with --folder.")
            with _storage_errors(path):
                # Python's own transactions are off (None): `writing` begins and ends them.
                self._connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        except OSError as error:
            raise StorageError(f"Can't open {path}: {error.strerror}. Choose another --folder.") from error
        try:
            self._prepare(schema)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Use the connection for reading.

        Raises:
            StorageError: the disk can't be read.
            DataError: the file is damaged.
        """
        with self._lock, _storage_errors(self.path):
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Use the connection for an atomic transaction, which is on disk when the block ends.

        Raises:
            StorageError: the disk can't be written, and nothing was changed.
            DataError: the file is damaged.
        """
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def copy_to(self, copy: "Database") -> str:
        """Copy a snapshot of the content, even while others write; return the result of SQLite's integrity check."""
        with self.reading() as connection, copy.reading() as target:
            connection.backup(target)
            return str(target.execute("PRAGMA integrity_check").fetchone()[0])

    def _prepare(self, schema: str | None) -> None:
        self._connection.row_factory = sqlite3.Row
        with self.reading() as connection:
            for pragma in ("synchronous = EXTRA", "foreign_keys = ON", "secure_delete = ON", "temp_store = MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
            if schema is not None:
                connection.execute("PRAGMA journal_mode = DELETE")
                if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                    # The whole schema or nothing: if the process is killed here, the next start creates it.
                    connection.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about disks and files into hml's."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(f"Can't use {path}: {error}. Check that its disk has space and is writable.") from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise DataError(f"{path} is not a study's database, or is damaged: {error}. Restore a backup.") from error


def make_folder(path: Path) -> None:
    """Create a missing folder, readable by its owner only.

    Raises:
        StorageError: it can't be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(f"Can't create {path}: {error.strerror}. Choose another --folder.") from error


def utc_now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


def stamp(time: datetime) -> str:
    """Format a time in UTC. The texts sort by time."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
