"""How a study was asked: a row for each time that its folder was opened with something else than the time before."""

import json
import sqlite3
from dataclasses import asdict
from typing import Any

import hml
from hml.elicit.database import now
from hml.elicit.study import Study

_UNRECORDED = ("contact", "return_url")
"""What says nothing of what was asked, and may hold an address that has no business in a published file."""


def record(database: sqlite3.Connection, study: Study, canonical_pixels: bool) -> None:
    """Note how a study is asked from now on, if that isn't how it was asked; the caller's transaction keeps it.

    Args:
        database: The study's.
        study: What is asked.
        canonical_pixels: Whether the images are made of CIFAR-10's own pixels, to the bit.
    """
    asked = {name: value for name, value in asdict(study).items() if name not in _UNRECORDED}
    row = (hml.__version__, json.dumps(asked, ensure_ascii=False), canonical_pixels)
    last = database.execute(
        "SELECT hml_version, study, canonical_pixels FROM history ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if last is None or tuple(last) != row:
        database.execute(
            "INSERT INTO history (since, hml_version, study, canonical_pixels) VALUES (?, ?, ?, ?)", (now(), *row)
        )


def read_history(database: sqlite3.Connection) -> list[dict[str, Any]]:
    """List how it was asked, the first first: since when, in UTC, by which hml, and, as a study's YAML has it, what."""
    rows = database.execute("SELECT since, hml_version, canonical_pixels, study FROM history ORDER BY id").fetchall()
    return [
        {
            "since": row["since"],
            "hml_version": row["hml_version"],
            "canonical_pixels": bool(row["canonical_pixels"]),
            "study": json.loads(row["study"]),
        }
        for row in rows
    ]
