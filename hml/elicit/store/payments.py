"""The list of payments: a separate file, the only one with outside ids. It may be deleted at any time."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hml.elicit.store.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    outside_hash TEXT PRIMARY KEY, outside_id TEXT NOT NULL, completion_code TEXT, completed_at TEXT
);
"""


@dataclass(frozen=True)
class Payment:
    """A person, and their completion code if they have finished."""

    outside_hash: str
    outside_id: str
    completion_code: str | None
    completed_at: str | None


class Payments:
    """The list. Its file is opened for each call, so that deleting it is always safe."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def enrol(self, outside_hash: str, outside_id: str) -> None:
        """Add a person; no change if they are on the list."""
        self._write("INSERT OR IGNORE INTO payment VALUES (?, ?, NULL, NULL)", outside_hash, outside_id)

    def complete(self, outside_hash: str, completion_code: str, time: str) -> None:
        """Record that a person has finished; the first time is kept."""
        self._write(
            "UPDATE payment SET completion_code = ?, completed_at = ? WHERE outside_hash = ? AND completed_at IS NULL",
            completion_code,
            time,
            outside_hash,
        )

    def forget(self, outside_hash: str) -> bool:
        """Delete a person; return whether they were on the list."""
        return self.path.exists() and self._write("DELETE FROM payment WHERE outside_hash = ?", outside_hash) > 0

    def find(self, outside_hash: str) -> str | None:
        """Look up an outside id; None if it is not on the list, or the list is deleted."""
        return next((row.outside_id for row in self._select("WHERE outside_hash = ?", outside_hash)), None)

    def read(self) -> list[Payment]:
        """List everybody, sorted by id, so that the order does not show who came when."""
        return self._select("ORDER BY outside_id")

    def _select(self, clause: str, *values: str) -> list[Payment]:
        if not self.path.exists():
            return []
        with closing(Database(self.path)) as database, database.reading() as rows:
            columns = "outside_hash, outside_id, completion_code, completed_at"
            return [Payment(*row) for row in rows.execute(f"SELECT {columns} FROM payment {clause}", values)]

    def _write(self, statement: str, *values: str) -> int:
        """Execute a statement; return the number of changed rows."""
        with closing(Database(self.path, _SCHEMA)) as database, database.writing() as rows:
            return rows.execute(statement, values).rowcount
