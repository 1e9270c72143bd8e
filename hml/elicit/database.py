"""The study's SQLite file: its tables, and transactions that are on disk when they return."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hml.errors import DataError, StorageError

DATABASE, KEY, PAYMENTS, BACKUPS = "study.sqlite3", "secret.key", "payments.sqlite3", "backups.txt"
"""The files of a study's folder."""

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
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, since a person's draws come from it
    code TEXT UNIQUE NOT NULL,                 -- what the session holds
    subject TEXT UNIQUE NOT NULL,              -- what exports call them
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
    held_until TEXT,                           -- NULL: answered, so the place is taken for good
    swapped INTEGER NOT NULL DEFAULT 0,        -- 1: the second class was named first, and was at the left
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
    count INTEGER NOT NULL,                    -- the person's answers up to this one: the receipt says it again
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


def connect(path: Path, schema: str | None = None) -> sqlite3.Connection:
    """Open a database so that what is committed outlasts a power cut, and what is deleted is overwritten.

    Args:
        path: Its file; for its owner's eyes only.
        schema: Tables to make where the file is new; None wants it there already.

    Raises:
        StorageError: it can't be opened or written.
        DataError: it isn't a database.
    """
    try:
        if schema is not None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        elif not path.is_file():
            raise DataError(f"There is no study in {path.parent}: name its folder with --folder.")
        with storage_errors(path):
            connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    except OSError as error:
        raise StorageError(f"Can't open {path}: {error.strerror}. Choose another --folder.") from error
    try:
        _prepare(connection, path, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, schema: str | None) -> None:
    connection.row_factory = sqlite3.Row
    with storage_errors(path):
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        if schema is not None:
            connection.execute("PRAGMA journal_mode = DELETE")
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                # The whole schema or nothing of it: a study killed here starts anew.
                connection.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
        if _lacks_sides(connection):
            with transaction(connection):
                if _lacks_sides(connection):  # still: no other process has added it meanwhile
                    connection.execute("ALTER TABLE trial ADD COLUMN swapped INTEGER NOT NULL DEFAULT 0")


def _lacks_sides(connection: sqlite3.Connection) -> bool:
    """Check for a study that began before sides were randomised, whose trials all named the first class first."""
    columns = [row["name"] for row in connection.execute("PRAGMA table_info(trial)")]
    return bool(columns) and "swapped" not in columns


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Do everything or nothing; on disk when it returns.

    Raises:
        StorageError: the disk won't take it, and nothing was done.
    """
    with storage_errors():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def storage_errors(path: Path | None = None) -> Iterator[None]:
    """Turn what SQLite says of disks and files into hml's errors."""
    where = "the study's database" if path is None else str(path)
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(f"Can't use {where}: {error}. See that its disk has space and can be written.") from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise DataError(f"{where} is not a study's database, or is damaged: {error}. Take a backup.") from error


def now() -> str:
    """Return the time in UTC, in a form that sorts as times do."""
    return stamp(datetime.now(UTC))


def stamp(time: datetime) -> str:
    """Write a time in UTC."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
