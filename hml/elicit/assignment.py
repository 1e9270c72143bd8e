"""Which image comes next: the one that the fewest people have judged or are judging."""

import sqlite3

import numpy as np

from hml.elicit.database import now
from hml.randomness import Draws


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
        """
        SELECT image.filename, image.place, count(trial.id) AS taken
        FROM image LEFT JOIN trial ON trial.filename = image.filename AND trial.is_repeat = 0
            AND (trial.held_until IS NULL OR trial.held_until > :now)
            AND trial.id NOT IN (  -- struck out, in the latest correction
                SELECT trial FROM correction GROUP BY trial HAVING id = max(id) AND answer IS NULL
            )
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


def shuffle(lambdas: tuple[float, ...], person: int, number: int, seed: int) -> tuple[float, ...]:
    """Put the blends of a person's trial in an order of its own."""
    order = Draws(seed, person, np.arange(len(lambdas))).order(f"blends of trial {number}")
    return tuple(lambdas[place] for place in order.tolist())
