"""People and their steps before and after the trials: the tables `person`, `consent` and `comment`."""

import re
import sqlite3
from typing import get_args

from hml.elicit.store.conflicts import ConflictError, StudyFullError, UnknownPersonError
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.identities import new_code, read_code, read_outside_id
from hml.elicit.store.places import count_places
from hml.elicit.store.records import Person, Stage
from hml.elicit.study import Study
from hml.errors import InputError

_STAGES = get_args(Stage)
_STEPS = {("instructions", "quiz"), ("quiz", "instructions"), ("quiz", "trials")}
_CLIENT_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_LONGEST_COMMENT = 5_000
_SELECT = """
    SELECT number, code, subject, outside_hash, stage, trials, repeats, quiz_wrong, enrolled_at, completed_at,
        (SELECT count(*) FROM trial WHERE trial.person = person.number AND held_until IS NULL) AS answered
    FROM person
"""


class People:
    """The people of a study. Methods return once their changes are on disk."""

    def __init__(self, folder: StudyFolder, study: Study) -> None:
        self._folder = folder
        self._study = study

    def enrol(self, consent_version: str, outside_id: str | None = None) -> str:
        """Enrol a person who has agreed.

        Args:
            consent_version: The version of the text that they were shown.
            outside_id: Their id at a recruiting service; the same id is the same person.

        Returns:
            Their code.

        Raises:
            ConflictError: the text has changed since it was shown to them.
            StudyFullError: enough people take part. A known outside id is still admitted.
            InputError: the outside id is invalid.
        """
        if consent_version != self._study.consent.version:
            raise ConflictError(f"The consent's version is no longer {consent_version[:40]!r}: read it again.")
        outside_hash = None if outside_id is None else self._folder.key.hash_outside_id(outside_id)
        now = self._folder.now()
        with self._folder.database.writing() as rows:
            person = None if outside_hash is None else _find(rows, "outside_hash", outside_hash)
            if person is None:
                # Checked before the quiz, which people would otherwise take for nothing.
                if count_places(rows, self._study, self._folder.clock()) <= 0:
                    raise StudyFullError("Every image has enough people now: nobody else is needed.")
                code, asked = new_code(), (self._study.trials, self._study.repeats)
                rows.execute(
                    "INSERT INTO person (code, subject, outside_hash, stage, trials, repeats, enrolled_at) "
                    "VALUES (?, ?, ?, 'instructions', ?, ?, ?)",
                    (code, new_code(15), outside_hash, *asked, now),
                )
                person = known_person(rows, code)
            rows.execute("INSERT OR IGNORE INTO consent VALUES (?, ?, ?)", (person.number, consent_version, now))
            # Within the transaction, so that a person who withdraws in between doesn't stay on the list.
            if outside_id is not None and outside_hash is not None:
                self._folder.payments.enrol(outside_hash, read_outside_id(outside_id))
        return person.code

    def find(self, code: str) -> Person | None:
        """Find a person; None if nobody has this code, for example after they have withdrawn."""
        with self._folder.database.reading() as rows:
            return _find(rows, "code", code)

    def find_by_id(self, outside_id: str) -> Person | None:
        """Find a person by their id at a recruiting service; None if they don't take part.

        Raises:
            InputError: the outside id is invalid.
        """
        outside_hash = self._folder.key.hash_outside_id(outside_id)
        with self._folder.database.reading() as rows:
            return _find(rows, "outside_hash", outside_hash)

    def outside_id(self, code: str) -> str | None:
        """Look up a person's outside id; None if they came without one, or the list of payments is deleted."""
        person = self.find(code)
        return self._folder.payments.find(person.outside_hash) if person and person.outside_hash else None

    def advance(self, code: str, stage: Stage) -> Person:
        """Move a person from the instructions to the quiz, and from there to the trials or, after a wrong answer, back.

        Repeating a step, by a double click or in an older tab, changes nothing.

        Raises:
            ConflictError: a step in between was skipped.
        """
        with self._folder.database.writing() as rows:
            person = known_person(rows, code)
            if (person.stage, stage) in _STEPS:
                set_stage(rows, person, stage)
                if stage == "instructions":
                    rows.execute("UPDATE person SET quiz_wrong = quiz_wrong + 1 WHERE number = ?", (person.number,))
            elif _STAGES.index(stage) > _STAGES.index(person.stage):
                raise ConflictError(f"{person.stage} comes before {stage}: go back to it.")
            return known_person(rows, code)

    def comment(self, code: str, text: str, client_id: str) -> None:
        """Store a comment, which may be empty; the person is then done.

        Raises:
            InputError: it is too long.
            ConflictError: trials are left, or the id is another comment's.
        """
        check_client_id(client_id)
        if len(text) > _LONGEST_COMMENT:
            raise InputError(f"A comment has {_LONGEST_COMMENT:,} characters at most; this one has {len(text):,}.")
        with self._folder.database.writing() as rows:
            person = known_person(rows, code)
            if person.stage not in ("comment", "done"):
                raise ConflictError(f"{person.stage} comes before the comment: go back to it.")
            row = (person.number, client_id, text, self._folder.now(), person.answered)
            rows.execute("INSERT OR IGNORE INTO comment VALUES (?, ?, ?, ?, ?)", row)
            kept = rows.execute("SELECT text FROM comment WHERE person = ? AND client_id = ?", row[:2]).fetchone()
            if kept["text"] != text:
                raise ConflictError(f"{client_id} is the id of another comment, which was stored: reload the page.")
            set_stage(rows, person, "done")

    def complete(self, code: str, claimed: int) -> str:
        """Return the completion code, if the server has every answer that the browser has a receipt for.

        Raises:
            ConflictError: the counts differ, or something is left to do.
        """
        with self._folder.database.writing() as rows:
            person = known_person(rows, code)
            if person.stage != "done":
                raise ConflictError(f"{person.stage} is left to do: go back to it.")
            if claimed != person.answered:
                raise ConflictError(f"The server has {person.answered} answers, the browser {claimed}: send the rest.")
            time = person.completed_at or self._folder.now()
            rows.execute("UPDATE person SET completed_at = ? WHERE number = ?", (time, person.number))
        completion_code = self._folder.key.completion_code(code)
        if person.outside_hash is not None:
            self._folder.payments.complete(person.outside_hash, completion_code, time)
        return completion_code


def check_client_id(client_id: str) -> None:
    """Check the id that a browser gave to what it sent; raise an InputError if it is invalid."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise InputError("client_id must be 8 to 64 letters, digits and hyphens, as from crypto.randomUUID().")


def known_person(rows: sqlite3.Connection, code: str) -> Person:
    """Find a person within a transaction; raise an UnknownPersonError if nobody has this code."""
    if (person := _find(rows, "code", code)) is None:
        raise UnknownPersonError("Nobody has this code: they have withdrawn.")
    return person


def set_stage(rows: sqlite3.Connection, person: Person, stage: Stage) -> None:
    """Set a person's stage, within a transaction."""
    rows.execute("UPDATE person SET stage = ? WHERE number = ?", (stage, person.number))


def find_code(folder: StudyFolder, name: str) -> str | None:
    """Find a person's code by the code itself, their subject, or the hash of their outside id."""
    with folder.database.reading() as rows:
        columns = "code, subject, outside_hash"
        row = rows.execute(f"SELECT code FROM person WHERE ? IN ({columns})", (read_code(name),)).fetchone()
    return None if row is None else str(row["code"])


def read_people(folder: StudyFolder) -> list[Person]:
    """List everybody, in the order in which they agreed."""
    with folder.database.reading() as rows:
        return [Person(*row) for row in rows.execute(f"{_SELECT} ORDER BY number")]


def read_comments(folder: StudyFolder) -> list[str]:
    """List people's comments, sorted, so that the order does not show who wrote them."""
    with folder.database.reading() as rows:
        return [text for (text,) in rows.execute("SELECT text FROM comment WHERE text <> '' ORDER BY text")]


def _find(rows: sqlite3.Connection, column: str, value: str) -> Person | None:
    row = rows.execute(f"{_SELECT} WHERE {column} = ?", (value,)).fetchone()
    return None if row is None else Person(*row)
