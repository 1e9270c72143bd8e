"""The answers that count: each trial's, in its latest correction, without those struck out."""

import json
import sqlite3
from dataclasses import dataclass

from hml.elicit.database import now, transaction
from hml.elicit.identities import read_code
from hml.elicit.tasks import Task
from hml.errors import InputError
from hml.judgements.hmix_format import Answer, compact, parse_stimulus


@dataclass(frozen=True)
class KeptAnswer:
    """An answer, and what is known of how it came about.

    Args:
        subject: What exports call the person.
        filename: The image's.
        is_repeat: Whether they had judged it before.
        number: The trial's place among theirs, from 1.
        answer: What they said, in H-Mix's terms.
        swapped: Whether the second class was named first, and was at the left.
        reaction_ms: Time to answer, in milliseconds.
        enrolled_at: When they agreed, in UTC.
        received_at: When the answer came, in UTC.
    """

    subject: str
    filename: str
    is_repeat: bool
    number: int
    answer: Answer
    swapped: bool
    reaction_ms: float | None
    enrolled_at: str
    received_at: str


def read_answers(database: sqlite3.Connection) -> list[KeptAnswer]:
    """Read the answers that count, in the order in which they came."""
    rows = database.execute(
        """
        SELECT subject, filename, is_repeat, trial.number, swapped,
            coalesce(correction.answer, answer.answer) AS answer, reaction_ms, enrolled_at, received_at
        FROM answer JOIN trial ON trial.id = answer.trial JOIN person ON person.number = answer.person
        LEFT JOIN correction ON correction.id = (SELECT max(id) FROM correction WHERE trial = answer.trial)
        WHERE correction.id IS NULL OR correction.answer IS NOT NULL
        ORDER BY received_at, answer.trial
        """
    )
    return [
        KeptAnswer(
            subject=row["subject"],
            filename=row["filename"],
            is_repeat=bool(row["is_repeat"]),
            number=row["number"],
            answer=json.loads(row["answer"]),
            swapped=bool(row["swapped"]),
            reaction_ms=row["reaction_ms"],
            enrolled_at=row["enrolled_at"],
            received_at=row["received_at"],
        )
        for row in rows.fetchall()
    ]


def correct(
    database: sqlite3.Connection, task: Task, subject: str, number: int, answer: Answer | None, reason: str
) -> None:
    """Correct an answer by a row beside it; what the person sent stays as it came.

    Args:
        database: The study's.
        task: What was asked.
        subject: Whose answer it is, as exports call them.
        number: To which of their trials, as exports' `trial_index` says.
        answer: What counts instead, in H-Mix's terms; None strikes it out.
        reason: Why; for the study's keepers.

    Raises:
        InputError: there is no such answer, or the new one isn't one.
    """
    with transaction(database):
        row = database.execute(
            "SELECT trial.id, filename FROM trial JOIN answer ON answer.trial = trial.id "
            "JOIN person ON person.number = trial.person WHERE subject = ? AND trial.number = ?",
            (read_code(subject), number),
        ).fetchone()
        if row is None:
            raise InputError(f"Subject {subject!r} has no answer to trial {number}: see subject and trial_index.")
        checked = None if answer is None else task.check_values(answer, parse_stimulus(row["filename"], "the study"))
        database.execute(
            "INSERT INTO correction (trial, answer, reason, made_at) VALUES (?, ?, ?, ?)",
            (row["id"], None if checked is None else compact(checked), reason, now()),
        )
