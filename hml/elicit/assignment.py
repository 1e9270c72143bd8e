"""Whether anybody new is needed, and which image comes next: the one that the fewest have judged or are judging."""

import sqlite3
from datetime import UTC, datetime, timedelta

import numpy as np

from hml.elicit.database import now, stamp
from hml.randomness import Draws

_COUNTS = """trial.is_repeat = 0 AND trial.id NOT IN (  -- struck out, in the latest correction
    SELECT trial FROM correction GROUP BY trial HAVING id = max(id) AND answer IS NULL
)"""
"""Tells trials that fill, or may fill, a place of their image."""


def count_places(database: sqlite3.Connection, people_per_image: int, hold_minutes: float) -> int:
    """Count the judgements that are wanted still, beyond what people who take part now are about to give.

    Args:
        database: The study's.
        people_per_image: How many people are to judge each image.
        hold_minutes: Whoever has done nothing for that long has left, so that their places are others'.

    Returns:
        How many, repeats left out; 0 or less where nobody new is needed.
    """
    (wanted,) = database.execute(
        f"""
        SELECT sum(max(? - given, 0)) FROM (
            SELECT count(trial.id) AS given FROM image
            LEFT JOIN trial ON trial.filename = image.filename AND trial.held_until IS NULL AND {_COUNTS}
            GROUP BY image.place
        )
        """,
        (people_per_image,),
    ).fetchone()
    (due,) = database.execute(
        """
        SELECT coalesce(sum(trials - (
            SELECT count(*) FROM trial WHERE person = person.number AND is_repeat = 0 AND held_until IS NULL
        )), 0) FROM person
        WHERE stage IN ('instructions', 'quiz', 'trials') AND (enrolled_at > :since OR EXISTS (
            SELECT 1 FROM trial LEFT JOIN answer ON answer.trial = trial.id
            WHERE trial.person = person.number AND (held_until > :now OR received_at > :since)
        ))
        """,
        {"since": stamp(datetime.now(UTC) - timedelta(minutes=hold_minutes)), "now": now()},
    ).fetchone()
    return int(wanted - due)


def choose_image(database: sqlite3.Connection, person: int, people_per_image: int, seed: int) -> str | None:
    """Choose an image that a person hasn't seen; the caller's transaction makes it theirs.

    Args:
        database: The study's.
        person: Their number.
        people_per_image: How many people are to judge each image.
        seed: Decides, with the person's number, which of equally good images comes first.

    Returns:
        Its filename, or None where every other image has its people.
    """
    rows = database.execute(
        f"""
        SELECT image.filename, image.place, count(trial.id) AS taken
        FROM image LEFT JOIN trial ON trial.filename = image.filename
            AND (trial.held_until IS NULL OR trial.held_until > :now) AND {_COUNTS}
        GROUP BY image.place
        HAVING taken < :people_per_image
            AND image.filename NOT IN (SELECT filename FROM trial WHERE person = :person)
        """,
        {"now": now(), "people_per_image": people_per_image, "person": person},
    ).fetchall()
    fewest = min((row["taken"] for row in rows), default=0)
    equal = {row["place"]: str(row["filename"]) for row in rows if row["taken"] == fewest}
    if not equal:
        return None
    places = np.array(sorted(equal), dtype=np.int64)
    return equal[int(Draws(seed, person, places).order("images")[0])]


def choose_repeat(database: sqlite3.Connection, person: int, repeats: int, seed: int) -> str | None:
    """Choose an image that a person judges again, out of those they saw in the first half; None: enough repeated."""
    seen = database.execute(
        "SELECT filename FROM trial WHERE person = ? AND is_repeat = 0 ORDER BY number", (person,)
    ).fetchall()
    repeated = database.execute("SELECT count(*) FROM trial WHERE person = ? AND is_repeat = 1", (person,)).fetchone()
    if repeated[0] >= min(repeats, len(seen)):
        return None
    half = np.arange(max(repeats, len(seen) // 2))[: len(seen)]
    return str(seen[Draws(seed, person, half).order("repeats")[repeated[0]]]["filename"])


def draw_swap(person: int, number: int, seed: int) -> bool:
    """Draw whether a person's trial, counted from 0, names the second class first.

    Of trials 0 and 1 one does, and of 2 and 3, so that everybody has each order as often as the other.
    """
    pair, place = divmod(number, 2)
    first_is_swapped = Draws(seed, person, np.array([pair])).uniform("sides")[0] < 0.5
    return bool(first_is_swapped != place)


def shuffle(lambdas: tuple[float, ...], person: int, number: int, seed: int) -> tuple[float, ...]:
    """Put the blends of a person's trial in an order of its own."""
    order = Draws(seed, person, np.arange(len(lambdas))).order(f"blends of trial {number}")
    return tuple(lambdas[place] for place in order.tolist())
