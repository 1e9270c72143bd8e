"""Assigns images to people: reserves images, and chooses a person's next one."""

import sqlite3
from datetime import datetime, timedelta

import numpy as np

from hml.elicit.store.database import stamp
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.records import Person
from hml.elicit.study import Study
from hml.randomness import Draws

_COUNTS = """trial.is_repeat = 0 AND trial.id NOT IN (  -- struck out, in the latest correction
    SELECT trial FROM correction GROUP BY trial HAVING id = max(id) AND answer IS NULL
)"""
"""Selects the trials that count towards `people_per_image`."""


def count_pending(folder: StudyFolder) -> int:
    """Count the images that are currently shown."""
    with folder.database.reading() as rows:
        return int(rows.execute("SELECT count(*) FROM trial WHERE held_until > ?", (folder.now(),)).fetchone()[0])


def count_places(rows: sqlite3.Connection, study: Study, now: datetime) -> int:
    """Count the judgements that are still needed, beyond those that current people will give.

    Repeats don't count. The result is 0 or less if no more people are needed. People who have done nothing for the
    study's `hold_minutes` count as absent.
    """
    (wanted,) = rows.execute(
        f"""
        SELECT sum(max(? - given, 0)) FROM (
            SELECT count(trial.id) AS given FROM image
            LEFT JOIN trial ON trial.filename = image.filename AND trial.held_until IS NULL AND {_COUNTS}
            GROUP BY image.place
        )
        """,
        (study.people_per_image,),
    ).fetchone()
    (due,) = rows.execute(
        """
        SELECT coalesce(sum(trials - (
            SELECT count(*) FROM trial WHERE person = person.number AND is_repeat = 0 AND held_until IS NULL
        )), 0) FROM person
        WHERE stage IN ('instructions', 'quiz', 'trials') AND (enrolled_at > :since OR EXISTS (
            SELECT 1 FROM trial LEFT JOIN answer ON answer.trial = trial.id
            WHERE trial.person = person.number AND (held_until > :now OR received_at > :since)
        ))
        """,
        {"since": stamp(now - timedelta(minutes=study.hold_minutes)), "now": stamp(now)},
    ).fetchone()
    return int(wanted - due)


def choose_image(rows: sqlite3.Connection, person: Person, study: Study, now: str) -> str | None:
    """Choose an image that a person hasn't seen: one that the fewest people have judged or are judging.

    Ties are broken at random, from the study's seed and the person's number. Returns the filename, to be assigned in
    the same transaction, or None if every other image has enough people.
    """
    found = rows.execute(
        f"""
        SELECT image.filename, image.place, count(trial.id) AS taken
        FROM image LEFT JOIN trial ON trial.filename = image.filename
            AND (trial.held_until IS NULL OR trial.held_until > :now) AND {_COUNTS}
        GROUP BY image.place
        HAVING taken < :people_per_image
            AND image.filename NOT IN (SELECT filename FROM trial WHERE person = :person)
        """,
        {"now": now, "people_per_image": study.people_per_image, "person": person.number},
    ).fetchall()
    fewest = min((row["taken"] for row in found), default=0)
    equal = {row["place"]: str(row["filename"]) for row in found if row["taken"] == fewest}
    if not equal:
        return None
    places = np.array(sorted(equal), dtype=np.int64)
    return equal[int(Draws(study.stimuli.seed, person.number, places).order("images")[0])]


def choose_repeat(rows: sqlite3.Connection, person: Person, seed: int) -> str | None:
    """Choose an image of a person's first half of trials to repeat; None if no repeat is left."""
    by_repeat: dict[int, list[str]] = {0: [], 1: []}
    for row in rows.execute("SELECT filename, is_repeat FROM trial WHERE person = ? ORDER BY number", (person.number,)):
        by_repeat[row["is_repeat"]].append(row["filename"])
    seen, repeated = by_repeat[0], len(by_repeat[1])
    if repeated >= min(person.repeats, len(seen)):
        return None
    half = np.arange(max(person.repeats, len(seen) // 2))[: len(seen)]
    return str(seen[Draws(seed, person.number, half).order("repeats")[repeated]])
