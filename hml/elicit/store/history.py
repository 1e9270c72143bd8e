"""Which study a folder is of, and how it was asked: the tables `study`, `consent_text`, `history` and `image`."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

import hml
from hml.elicit.store.folder import StudyFolder
from hml.elicit.study import Study
from hml.errors import DataError, FolderInUseError, InputError
from hml.judgements import Classes, TaskName

_UNRECORDED = ("contact", "return_url")
"""Fields that say nothing of what was asked, and may hold an address that must not be published."""


def claim_folder(
    folder: StudyFolder, study: Study, images: Sequence[str], classes: Classes, canonical_pixels: bool
) -> None:
    """Make a folder this study's, and record how it is asked, if that is not how it was asked before.

    `images` are filenames. See `Store` for the other arguments and the errors.
    """
    with folder.database.writing() as rows:
        is_new = rows.execute("SELECT 1 FROM person").fetchone() is None
        if is_new:
            for table in ("study", "consent_text", "history", "image"):  # of a study that nobody has taken part in
                rows.execute(f"DELETE FROM {table}")
            rows.execute("INSERT INTO study VALUES (?, ?, ?, 1)", (study.name, study.task, study.is_demo))
            rows.executemany("INSERT INTO image VALUES (?, ?)", ((name, place) for place, name in enumerate(images)))
        name, task, is_demo = rows.execute("SELECT name, task, is_demo FROM study").fetchone()
        problem = ""
        if (name, task) != (study.name, study.task):
            problem = f"the study {name!r} ({task}), not {study.name!r} ({study.task})"
        elif is_demo != study.is_demo:
            whose, what = ("a demo's", "no demo") if is_demo else ("a real study's", "a demo")
            problem = f"{whose} answers, and {study.name!r} is {what}"
        if problem:
            raise FolderInUseError(f"{folder.path} holds {problem}: choose another --folder.")
        shown = [name for (name,) in rows.execute("SELECT filename FROM image ORDER BY place")]
        if shown != list(images) or not (is_new or read_classes(rows) == classes):
            raise FolderInUseError(
                f"{folder.path} holds answers to other images: the source's images or classes have changed, or the "
                "file, seed, cohort, pairs, per_class_pair or lambdas under stimuli. Put them back, or choose another "
                "--folder."
            )
        _record_consent(rows, study)
        _record(rows, study, classes, canonical_pixels, folder.now())


def read_task(rows: sqlite3.Connection) -> TaskName:
    """Read which task the study asks."""
    return cast(TaskName, rows.execute("SELECT task FROM study").fetchone()[0])


def read_classes(rows: sqlite3.Connection) -> Classes:
    """Read the classes of the study's images, in the order of their labels.

    Raises:
        DataError: an earlier hml made the folder, and didn't record them.
    """
    asked = json.loads(rows.execute("SELECT study FROM history ORDER BY id DESC LIMIT 1").fetchone()[0])
    if "classes" not in asked:
        raise DataError("An earlier hml made this study's folder, without its classes: use it with that version.")
    return Classes(tuple(asked["classes"]))


def read_history(folder: StudyFolder) -> list[dict[str, Any]]:
    """List how the study was asked, oldest first: since when, in UTC, by which hml, and what, as its YAML has it."""
    with folder.database.reading() as rows:
        found = rows.execute("SELECT since, hml_version, canonical_pixels, study FROM history ORDER BY id").fetchall()
    return [
        dict(row) | {"canonical_pixels": bool(row["canonical_pixels"]), "study": json.loads(row["study"])}
        for row in found
    ]


def _record_consent(rows: sqlite3.Connection, study: Study) -> None:
    version, text = study.consent.version, study.consent.text
    rows.execute("INSERT OR IGNORE INTO consent_text VALUES (?, ?)", (version, text))
    if rows.execute("SELECT text FROM consent_text WHERE version = ?", (version,)).fetchone()["text"] != text:
        raise InputError(f"consent.text has changed, consent.version={version!r} hasn't: raise it.")


def _record(rows: sqlite3.Connection, study: Study, classes: Classes, canonical_pixels: bool, now: str) -> None:
    asked = {name: value for name, value in asdict(study).items() if name not in _UNRECORDED}
    asked["classes"] = classes.names
    row = (hml.__version__, json.dumps(asked, ensure_ascii=False), canonical_pixels)
    columns = "hml_version, study, canonical_pixels"
    last = rows.execute(f"SELECT {columns} FROM history ORDER BY id DESC LIMIT 1").fetchone()
    if last is None or tuple(last) != row:
        rows.execute(f"INSERT INTO history (since, {columns}) VALUES (?, ?, ?, ?)", (now, *row))
