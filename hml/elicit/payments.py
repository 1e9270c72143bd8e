"""The list of whom to pay: a file of its own, the only one with outside ids, which may be deleted at any time."""

from dataclasses import dataclass
from pathlib import Path

from hml.elicit.database import connect, now, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    outside_hash TEXT PRIMARY KEY, outside_id TEXT NOT NULL, completion_code TEXT, completed_at TEXT
);
"""


@dataclass(frozen=True)
class Payment:
    """Who came, and the code that they finished with, if they did."""

    outside_hash: str
    outside_id: str
    completion_code: str | None
    completed_at: str | None


class Payments:
    """The list, opened anew each time so that deleting the file is always safe.

    Args:
        path: Its file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def enrol(self, outside_hash: str, outside_id: str) -> None:
        """Note that somebody came; no change where it is known."""
        self._write("INSERT OR IGNORE INTO payment VALUES (?, ?, NULL, NULL)", outside_hash, outside_id)

    def complete(self, outside_hash: str, completion_code: str) -> None:
        """Note that they finished; the first time stands."""
        self._write(
            "UPDATE payment SET completion_code = ?, completed_at = ? WHERE outside_hash = ? AND completed_at IS NULL",
            completion_code,
            now(),
            outside_hash,
        )

    def forget(self, outside_hash: str) -> bool:
        """Delete somebody; tells whether they were there."""
        return self.path.exists() and self._write("DELETE FROM payment WHERE outside_hash = ?", outside_hash) > 0

    def find(self, outside_hash: str) -> str | None:
        """Look up an outside id; None where the list doesn't have it, or is deleted."""
        return next((row.outside_id for row in self._select("WHERE outside_hash = ?", outside_hash)), None)

    def read(self) -> list[Payment]:
        """List all, in order of their ids, so that nothing is told of who came when."""
        return self._select("ORDER BY outside_id")

    def _select(self, clause: str, *values: str) -> list[Payment]:
        if not self.path.exists():
            return []
        connection = connect(self.path)
        try:
            rows = connection.execute(
                f"SELECT outside_hash, outside_id, completion_code, completed_at FROM payment {clause}", values
            ).fetchall()
        finally:
            connection.close()
        return [Payment(*row) for row in rows]

    def _write(self, statement: str, *values: str) -> int:
        """Change rows; returns how many."""
        connection = connect(self.path, _SCHEMA)
        try:
            with transaction(connection):
                return connection.execute(statement, values).rowcount
        finally:
            connection.close()
