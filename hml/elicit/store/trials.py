"""Trials, in the table `trial`: the image that a person judges next, and the receipt for an answer."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np

from hml.elicit.store.conflicts import ConflictError, StudyFullError
from hml.elicit.store.database import stamp
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.people import check_client_id, known_person, set_stage
from hml.elicit.store.places import choose_image, choose_repeat
from hml.elicit.store.records import Person, Receipt, Trial
from hml.elicit.study import Study
from hml.elicit.tasks import GRID, TASKS
from hml.errors import InputError
from hml.judgements import Classes, Stimulus
from hml.judgements.hmix_format import compact
from hml.judgements.stimulus_names import parse_stimulus
from hml.randomness import Draws

_LONGEST_REACTION_MS = 1e12  # 30 years; the export rejects longer times


class Trials:
    """The trials of a study. An answer is on disk when its receipt is returned."""

    def __init__(self, folder: StudyFolder, study: Study, classes: Classes) -> None:
        self._folder = folder
        self._study = study
        self._task = TASKS[study.task]
        self._classes = classes

    def next(self, code: str) -> Trial | None:
        """Return the person's unanswered trial, or assign the next one; None if none is left.

        Raises:
            ConflictError: the person isn't at the trials.
            StudyFullError: no image is left for them, and they haven't answered any.
        """
        with self._folder.database.writing() as rows:
            person = known_person(rows, code)
            if person.stage in ("comment", "done"):
                return None
            if person.stage != "trials":
                raise ConflictError(f"{person.stage} comes before trials: go back to it.")
            now = self._folder.clock()
            held_until = stamp(now + timedelta(minutes=self._study.hold_minutes))
            # The request shows that they are still there, so the image is reserved again.
            row = rows.execute(
                "UPDATE trial SET held_until = ? WHERE person = ? AND held_until IS NOT NULL RETURNING *",
                (held_until, person.number),
            ).fetchone()
            if row is not None:
                return self._make_trial(row, person)
            seed = self._study.stimuli.seed
            filename = choose_image(rows, person, self._study, stamp(now)) if person.answered < person.trials else None
            is_repeat = filename is None
            if filename is None:
                if person.answered < person.trials:  # images have run out: this person gets fewer
                    if not person.answered:  # no completion code, which would be paid; images may become free
                        raise StudyFullError("Every image has enough people now: nobody else is needed.")
                    person = replace(person, trials=person.answered, repeats=min(person.repeats, person.answered))
                    fewer = (person.trials, person.repeats, person.number)
                    rows.execute("UPDATE person SET trials = ?, repeats = ? WHERE number = ?", fewer)
                filename = choose_repeat(rows, person, seed)
            if filename is None:
                set_stage(rows, person, "comment")
                return None
            # The side of a repeat is drawn again. Then a remembered position is not the same answer, and a preference
            # for one side shows as a difference.
            swapped = draw_swap(person.number, 0 if self._task.keeps_order else person.answered, seed)
            row = rows.execute(
                "INSERT INTO trial (person, number, filename, is_repeat, held_until, swapped) "
                "VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
                (person.number, person.answered + 1, filename, is_repeat, held_until, swapped),
            ).fetchone()
            return self._make_trial(row, person)

    def answer(
        self, code: str, trial_id: str, client_id: str, answer: Mapping[str, object], reaction_ms: float | None
    ) -> Receipt:
        """Store an answer.

        Args:
            code: The person's code.
            trial_id: The trial's id.
            client_id: The browser's id of the answer. If it is sent again, the same receipt is returned.
            answer: The answer, as `Task.check` expects it.
            reaction_ms: Time to answer, in milliseconds.

        Raises:
            InputError: the answer is invalid.
            ConflictError: the id belongs to another answer, or the trial is answered already or isn't theirs.
        """
        check_client_id(client_id)
        if reaction_ms is not None and (isinstance(reaction_ms, bool) or not 0 <= reaction_ms <= _LONGEST_REACTION_MS):
            raise InputError(f"reaction_ms={reaction_ms} is not a time in milliseconds.")
        with self._folder.database.writing() as rows:
            person = known_person(rows, code)
            row = rows.execute(
                "SELECT * FROM trial WHERE CAST(id AS TEXT) = ? AND person = ?", (trial_id, person.number)
            ).fetchone()
            if row is None:
                raise ConflictError(f"Trial {trial_id} isn't this person's: reload the page.")
            stimulus, swapped = self._stimulus(row), bool(row["swapped"])
            text = compact(self._task.check(answer, stimulus, self._classes, swapped))
            kept = rows.execute(
                "SELECT trial, answer, count FROM answer WHERE person = ? AND client_id = ?", (person.number, client_id)
            ).fetchone()
            if kept is not None:
                if (kept["trial"], kept["answer"]) != (row["id"], text):
                    raise ConflictError(f"{client_id} is the id of another answer, which was stored: reload the page.")
                return Receipt(client_id, trial_id, kept["count"])
            if row["held_until"] is None:
                raise ConflictError(f"Trial {trial_id} has an answer already: reload the page.")
            # An answer counts even if its reservation has expired: one too many is better than one lost.
            rows.execute("UPDATE trial SET held_until = NULL WHERE id = ?", (row["id"],))
            receipt = Receipt(client_id, trial_id, person.answered + 1)
            rows.execute(
                "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?)",
                (row["id"], person.number, client_id, text, reaction_ms, self._folder.now(), receipt.count),
            )
            if receipt.count == person.total:
                set_stage(rows, person, "comment")
            return receipt

    def _stimulus(self, row: sqlite3.Row) -> Stimulus:
        return parse_stimulus(self._classes, row["filename"], "the study")

    def _make_trial(self, row: sqlite3.Row, person: Person) -> Trial:
        stimulus = self._stimulus(row)
        lambdas = GRID if self._task.shows_grid else ()
        if self._task.shuffles:
            draws = Draws(self._study.stimuli.seed, person.number, np.arange(len(GRID)))
            lambdas = tuple(GRID[place] for place in draws.order(f"blends of trial {row['number']}").tolist())
        return Trial(
            id=str(row["id"]),
            stimulus=stimulus,
            is_repeat=bool(row["is_repeat"]),
            number=row["number"],
            total=person.total,
            start=stimulus.lambda_f if self._study.task == "construct" else None,
            lambdas=lambdas,
            swapped=bool(row["swapped"]),
        )


def draw_swap(person: int, number: int, seed: int) -> bool:
    """Draw whether a person's trial, counted from 0, names the second class first.

    Trials 0 and 1 have opposite orders, and so have 2 and 3, so that everybody gets each order equally often.
    """
    pair, place = divmod(number, 2)
    first_is_swapped = Draws(seed, person, np.array([pair])).uniform("sides")[0] < 0.5
    return bool(first_is_swapped != place)
