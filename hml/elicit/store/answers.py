"""Stored answers and their corrections: the tables `answer` and `correction`.

A trial's latest correction counts, or the original answer if there is none. Struck-out answers don't count.
"""

import json
from dataclasses import dataclass

from hml.elicit.store.database import Database
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.history import read_classes, read_task
from hml.elicit.store.identities import read_code
from hml.elicit.tasks import TASKS
from hml.errors import InputError
from hml.judgements.hmix_format import Answer, compact
from hml.judgements.stimulus_names import parse_stimulus


@dataclass(frozen=True)
class KeptAnswer:
    """An answer and its circumstances. Times are in UTC."""

    subject: str  # the person's code in exports
    filename: str  # the image's
    is_repeat: bool  # whether they had judged it before
    number: int  # the trial's position among theirs, from 1
    answer: Answer  # in H-Mix's terms
    swapped: bool  # whether the second class was named first, and was on the left
    reaction_ms: float | None
    enrolled_at: str
    received_at: str


def read_answers(folder: StudyFolder) -> list[KeptAnswer]:
    """Read the answers that count, in the order in which they arrived."""
    with folder.database.reading() as rows:
        found = rows.execute(
            """
            SELECT subject, filename, is_repeat, trial.number, coalesce(correction.answer, answer.answer),
                swapped, reaction_ms, enrolled_at, received_at
            FROM answer JOIN trial ON trial.id = answer.trial JOIN person ON person.number = answer.person
            LEFT JOIN correction ON correction.id = (SELECT max(id) FROM correction WHERE trial = answer.trial)
            WHERE correction.id IS NULL OR correction.answer IS NOT NULL
            ORDER BY received_at, answer.trial
            """
        ).fetchall()
    return [
        KeptAnswer(subject, filename, bool(is_repeat), number, json.loads(answer), bool(swapped), *times)
        for subject, filename, is_repeat, number, answer, swapped, *times in found
    ]


def count_answers(database: Database) -> int:
    """Count the answers in a database, including those that were struck out."""
    with database.reading() as rows:
        return int(rows.execute("SELECT count(*) FROM answer").fetchone()[0])


def correct(folder: StudyFolder, subject: str, number: int, answer: Answer | None, reason: str) -> None:
    """Correct an answer by a new row; the original is kept unchanged.

    Args:
        folder: The study's folder.
        subject: The person's code in exports.
        number: The trial, as in exports' `trial_index`.
        answer: The new answer, in H-Mix's terms; None strikes it out.
        reason: Why it is corrected, for the record.

    Raises:
        InputError: there is no such answer, or the new one isn't valid.
    """
    with folder.database.writing() as rows:
        row = rows.execute(
            "SELECT trial.id, filename FROM trial JOIN answer ON answer.trial = trial.id "
            "JOIN person ON person.number = trial.person WHERE subject = ? AND trial.number = ?",
            (read_code(subject), number),
        ).fetchone()
        if row is None:
            raise InputError(
                f"Subject {subject!r} has no answer to trial {number}: use an export's subject and trial_index."
            )
        text = None
        if answer is not None:
            classes = read_classes(rows)
            stimulus = parse_stimulus(classes, row["filename"], "the study")
            text = compact(TASKS[read_task(rows)].check_values(answer, stimulus, classes))
        rows.execute(
            "INSERT INTO correction (trial, answer, reason, made_at) VALUES (?, ?, ?, ?)",
            (row["id"], text, reason, folder.now()),
        )
