"""What people say, kept: every method that changes something returns only when that is on disk."""

import re
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

from hml.elicit.assignment import choose_image, choose_repeat, count_places, draw_swap, shuffle
from hml.elicit.conflicts import ConflictError, StudyFullError, UnknownPersonError
from hml.elicit.database import now, stamp
from hml.elicit.folder import StudyFolder
from hml.elicit.identities import new_code, read_outside_id
from hml.elicit.records import Person, Receipt, Stage, Trial
from hml.elicit.tasks import GRID
from hml.elicit.withdrawal import withdraw
from hml.errors import InputError
from hml.judgements.hmix_format import compact

_STAGES = get_args(Stage)
_STEPS = {("instructions", "quiz"), ("quiz", "instructions"), ("quiz", "trials")}
_CLIENT_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_LONGEST_COMMENT = 5_000
_LONGEST_REACTION_MS = 1e12  # 30 years: more than that isn't a time, and the export would refuse it


class Store(StudyFolder):
    """What people do in a study, each step kept before it is acknowledged."""

    def enrol(self, consent_version: str, outside_id: str | None = None) -> str:
        """Take somebody in who has agreed.

        Args:
            consent_version: Of the text they were shown.
            outside_id: What a recruiting service calls them; the same id is the same person.

        Returns:
            Their code.

        Raises:
            ConflictError: the text has changed since it was shown to them.
            StudyFullError: those who take part are enough for all that is wanted; an outside id that is known gets in.
            InputError: the outside id isn't one.
        """
        if consent_version != self.study.consent.version:
            raise ConflictError(f"The consent's version is no longer {consent_version[:40]!r}: read it again.")
        outside_hash = None if outside_id is None else self.key.hash_outside_id(outside_id)
        with self._writing() as database:
            row = database.execute("SELECT number, code FROM person WHERE outside_hash = ?", (outside_hash,)).fetchone()
            if row is None:
                # Not left to when the first image is shown: by then they have read and been quizzed for nothing.
                if count_places(database, self.study.people_per_image, self.study.hold_minutes) <= 0:
                    raise StudyFullError("Every image has its people now: nobody else is needed.")
                row = database.execute(
                    "INSERT INTO person (code, subject, outside_hash, stage, trials, repeats, enrolled_at) "
                    "VALUES (?, ?, ?, 'instructions', ?, ?, ?) RETURNING number, code",
                    (new_code(), new_code(15), outside_hash, self.study.trials, self.study.repeats, now()),
                ).fetchone()
            database.execute("INSERT OR IGNORE INTO consent VALUES (?, ?, ?)", (row["number"], consent_version, now()))
            # Within the transaction, so that nobody withdraws between the two and stays on the list.
            if outside_id is not None and outside_hash is not None:
                self.payments.enrol(outside_hash, read_outside_id(outside_id))
        return str(row["code"])

    def find(self, code: str) -> Person | None:
        """Say where somebody is; None: nobody has this code, as after they have withdrawn."""
        with self._reading():
            row = self._find(code)
            return None if row is None else self._describe(row)

    def is_known(self, outside_id: str) -> bool:
        """Tell whether somebody whom a recruiting service calls so takes part.

        Raises:
            InputError: the outside id isn't one.
        """
        outside_hash = self.key.hash_outside_id(outside_id)
        with self._reading() as database:
            found = database.execute("SELECT 1 FROM person WHERE outside_hash = ?", (outside_hash,)).fetchone()
        return found is not None

    def is_called(self, code: str, outside_id: str) -> bool:
        """Tell whether a recruiting service calls somebody so.

        Raises:
            InputError: the outside id isn't one.
        """
        outside_hash = self.key.hash_outside_id(outside_id)
        with self._reading():
            row = self._find(code)
            return row is not None and row["outside_hash"] == outside_hash

    def outside_id(self, code: str) -> str | None:
        """Look up what a recruiting service calls somebody. None: they came without an id, or the list is deleted."""
        with self._reading():
            row = self._find(code)
        return None if row is None or row["outside_hash"] is None else self.payments.find(row["outside_hash"])

    def advance(self, code: str, stage: Stage) -> Person:
        """Go on from instructions to the quiz, and from there to trials or, which counts as wrong, back.

        A step that was taken already, as by a double click or an older tab, changes nothing.

        Raises:
            ConflictError: something in between was left out.
        """
        with self._writing() as database:
            row = self._known(code)
            if (row["stage"], stage) in _STEPS:
                wrong = stage == "instructions"
                row = database.execute(
                    "UPDATE person SET stage = ?, quiz_wrong = quiz_wrong + ? WHERE number = ? RETURNING *",
                    (stage, wrong, row["number"]),
                ).fetchone()
            elif _STAGES.index(stage) > _STAGES.index(row["stage"]):
                raise ConflictError(f"{row['stage']} comes before {stage}: go back to it.")
            return self._describe(row)

    def next_trial(self, code: str) -> Trial | None:
        """Return the trial that waits for an answer, else assign the next; None: there is none left to answer.

        Raises:
            ConflictError: the person isn't at the trials.
            StudyFullError: there is none for them, and they haven't answered any.
        """
        with self._writing() as database:
            person = self._known(code)
            if person["stage"] in ("comment", "done"):
                return None
            if person["stage"] != "trials":
                raise ConflictError(f"{person['stage']} comes before trials: go back to it.")
            held_until = stamp(datetime.now(UTC) + timedelta(minutes=self.study.hold_minutes))
            # Whoever asks is still there, so the place is theirs for that long again.
            row = database.execute(
                "UPDATE trial SET held_until = ? WHERE person = ? AND held_until IS NOT NULL RETURNING *",
                (held_until, person["number"]),
            ).fetchone()
            if row is None:
                row = self._assign(person, held_until)
            if row is None:
                database.execute("UPDATE person SET stage = 'comment' WHERE number = ?", (person["number"],))
                return None
            return self._make_trial(row, self._known(code))

    def _assign(self, person: sqlite3.Row, held_until: str) -> sqlite3.Row | None:
        """Give a person a new trial, if there is one."""
        number, seed = person["number"], self.study.stimuli.seed
        done = self._count(number)
        filename = None
        if done < person["trials"]:
            filename = choose_image(self._database, number, self.study.people_per_image, seed)
            if filename is None and not done:  # a code for nothing would be paid for; images may still come back
                raise StudyFullError("Every image has its people now: nobody else is needed.")
            if filename is None:  # images have run out: this person gets fewer
                self._database.execute(
                    "UPDATE person SET trials = ?, repeats = min(repeats, ?) WHERE number = ?", (done, done, number)
                )
        is_repeat = filename is None
        filename = choose_repeat(self._database, number, person["repeats"], seed) if is_repeat else filename
        if filename is None:
            return None
        # A repeat draws its side again: memory of a position is then no memory of the answer, and where the sides
        # differ, so do the two answers of somebody who prefers one.
        swapped = draw_swap(number, 0 if self.task.keeps_order else done, seed)
        row: sqlite3.Row = self._database.execute(
            "INSERT INTO trial (person, number, filename, is_repeat, held_until, swapped) "
            "VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
            (number, done + 1, filename, is_repeat, held_until, swapped),
        ).fetchone()
        return row

    def answer(
        self, code: str, trial_id: str, client_id: str, answer: Mapping[str, object], reaction_ms: float | None
    ) -> Receipt:
        """Keep an answer.

        Args:
            code: Whose.
            trial_id: To what.
            client_id: What the browser calls it; sent again, it gets the first receipt again.
            answer: As `Task.check` takes it.
            reaction_ms: Time to answer, in milliseconds.

        Raises:
            InputError: the answer isn't one.
            ConflictError: the id stands for another answer, or the trial has an answer already or isn't theirs.
        """
        _check_client_id(client_id)
        if reaction_ms is not None and (isinstance(reaction_ms, bool) or not 0 <= reaction_ms <= _LONGEST_REACTION_MS):
            raise InputError(f"reaction_ms={reaction_ms} is not a time in milliseconds.")
        with self._writing() as database:
            person = self._known(code)
            trial = database.execute(
                "SELECT * FROM trial WHERE CAST(id AS TEXT) = ? AND person = ?", (trial_id, person["number"])
            ).fetchone()
            if trial is None:
                raise ConflictError(f"Trial {trial_id} isn't this person's: reload the page.")
            text = compact(self.task.check(answer, self._stimuli[trial["filename"]], bool(trial["swapped"])))
            known = database.execute(
                "SELECT * FROM answer WHERE person = ? AND client_id = ?", (person["number"], client_id)
            ).fetchone()
            if known is None:
                if trial["held_until"] is None:
                    raise ConflictError(f"Trial {trial_id} has an answer already: reload the page.")
                # Also one whose place was given back meanwhile counts: better one too many than one lost.
                database.execute("UPDATE trial SET held_until = NULL WHERE id = ?", (trial["id"],))
                known = database.execute(
                    "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
                    (trial["id"], person["number"], client_id, text, reaction_ms, now(), self._count(person["number"])),
                ).fetchone()
                if known["count"] == person["trials"] + person["repeats"]:
                    database.execute("UPDATE person SET stage = 'comment' WHERE number = ?", (person["number"],))
            elif (known["trial"], known["answer"]) != (trial["id"], text):
                raise ConflictError(f"{client_id} stands for another answer, which was kept: reload the page.")
            return Receipt(client_id, trial_id, known["received_at"], known["count"])

    def comment(self, code: str, text: str, client_id: str) -> Receipt:
        """Keep a comment, which may be empty; after it a person is done.

        Raises:
            InputError: it is too long.
            ConflictError: trials are left, or the id stands for another comment.
        """
        _check_client_id(client_id)
        if len(text) > _LONGEST_COMMENT:
            raise InputError(f"A comment has {_LONGEST_COMMENT:,} characters at most; this one has {len(text):,}.")
        with self._writing() as database:
            person = self._known(code)
            number = person["number"]
            if person["stage"] not in ("comment", "done"):
                raise ConflictError(f"{person['stage']} comes before the comment: go back to it.")
            database.execute(
                "INSERT OR IGNORE INTO comment VALUES (?, ?, ?, ?, ?)",
                (number, client_id, text, now(), self._count(number)),
            )
            row = database.execute(
                "SELECT * FROM comment WHERE person = ? AND client_id = ?", (number, client_id)
            ).fetchone()
            if row["text"] != text:
                raise ConflictError(f"{client_id} stands for another comment, which was kept: reload the page.")
            database.execute("UPDATE person SET stage = 'done' WHERE number = ?", (number,))
            return Receipt(client_id, None, row["received_at"], row["count"])

    def complete(self, code: str, claimed: int) -> str:
        """Give the completion code, if the server has every answer that the browser has a receipt for.

        Raises:
            ConflictError: the counts differ (`count` says the server's), or something is left to do.
        """
        with self._writing() as database:
            person = self._known(code)
            count = self._count(person["number"])
            if person["stage"] != "done":
                raise ConflictError(f"{person['stage']} is left to do: go back to it.", count)
            if claimed != count:
                raise ConflictError(f"The server has {count} answers, the browser {claimed}: send the rest.", count)
            database.execute(
                "UPDATE person SET completed_at = coalesce(completed_at, ?) WHERE number = ?", (now(), person["number"])
            )
        completion_code = self.key.completion_code(code)
        if person["outside_hash"] is not None:
            self.payments.complete(person["outside_hash"], completion_code)
        return completion_code

    def withdraw(self, code: str) -> list[Path]:
        """Delete everything about somebody, in the backups too.

        Returns:
            Backups that may still hold them: they aren't where they were made, or can't be written.

        Raises:
            UnknownPersonError: nobody has this code.
        """
        with self._lock:
            return withdraw(self.folder, self._database, code)

    def _find(self, code: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._database.execute("SELECT * FROM person WHERE code = ?", (code,)).fetchone()
        return row

    def _known(self, code: str) -> sqlite3.Row:
        if (row := self._find(code)) is None:
            raise UnknownPersonError("Nobody has this code: they have withdrawn.")
        return row

    def _count(self, number: int) -> int:
        (count,) = self._database.execute(
            "SELECT count(*) FROM trial WHERE person = ? AND held_until IS NULL", (number,)
        ).fetchone()
        return int(count)

    def _describe(self, row: sqlite3.Row) -> Person:
        total = row["trials"] + row["repeats"]
        return Person(row["code"], row["stage"], self._count(row["number"]), total, row["quiz_wrong"])

    def _make_trial(self, row: sqlite3.Row, person: sqlite3.Row) -> Trial:
        stimulus = self._stimuli[row["filename"]]
        lambdas = GRID if self.task.shows_grid else ()
        if self.task.shuffles:
            lambdas = shuffle(lambdas, person["number"], row["number"], self.study.stimuli.seed)
        return Trial(
            id=str(row["id"]),
            stimulus=stimulus,
            is_repeat=bool(row["is_repeat"]),
            number=row["number"],
            total=person["trials"] + person["repeats"],
            start=stimulus.lambda_f if self.study.task == "construct" else None,
            lambdas=lambdas,
            swapped=bool(row["swapped"]),
        )


def _check_client_id(client_id: str) -> None:
    if not _CLIENT_ID.fullmatch(client_id):
        raise InputError("client_id must be 8 to 64 letters, digits and hyphens, as of crypto.randomUUID().")
