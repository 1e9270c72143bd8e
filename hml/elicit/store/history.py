"""The study that a folder belongs to, and its versions: tables `study`, `consent_text`, `history` and `image`."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import hml
from hml.elicit.store.folder import StudyFolder
from hml.elicit.study import Study
from hml.errors import DataError, FolderInUseError, InputError
from hml.judgements import Classes, Stimulus, TaskName
from hml.judgements.stimuli_file import Proposal, same_pixels
from hml.judgements.stimulus_names import parse_stimulus

_COLUMNS = "hml_version, study, canonical_pixels"
_UNRECORDED = ("contact", "return_url")
"""Fields that don't affect answers, and may contain an address that must not be published."""


def claim_folder(
    folder: StudyFolder, study: Study, images: Sequence[str], classes: Classes, canonical_pixels: bool
) -> None:
    """Assign a folder to a study, and record the study if it has changed.

    `images` are filenames. See `Store` for the other arguments and the errors.
    """
    with folder.database.writing() as rows:
        is_new = rows.execute("SELECT 1 FROM person").fetchone() is None
        if is_new:
            for table in ("study", "consent_text", "history", "image"):  # of a study without participants
                rows.execute(f"DELETE FROM {table}")
            rows.execute("INSERT INTO study VALUES (?, ?, ?, 1)", (study.name, study.task, study.is_demo))
            rows.executemany("INSERT INTO image VALUES (?, ?)", ((name, place) for place, name in enumerate(images)))
        name, task, is_demo = rows.execute("SELECT name, task, is_demo FROM study").fetchone()
        problem = ""
        if (name, task) != (study.name, study.task):
            problem = f"the study {name!r} ({task}), not {study.name!r} ({study.task})"
        elif is_demo != study.is_demo:
            whose, what = ("a demo's", "not a demo") if is_demo else ("a real study's", "a demo")
            problem = f"{whose} answers, and {study.name!r} is {what}"
        if problem:
            raise FolderInUseError(f"{folder.path} contains {problem}: choose another --folder.")
        batches = [] if is_new else read_batches(rows)
        shown = _image_names(rows)[: -sum(len(batch["images"]) for batch in batches) or None]
        if shown != list(images) or not (is_new or read_classes(rows) == classes):
            raise FolderInUseError(
                f"{folder.path} contains answers to other images: the source's images or classes have changed, or "
                "the file, seed, cohort, pairs, per_class_pair or lambdas under stimuli. Restore them, or choose "
                "another --folder."
            )
        _record_consent(rows, study)
        _record(rows, study, classes, canonical_pixels, batches, folder.now())


def add_images(folder: StudyFolder, proposals: Sequence[Proposal], source: Mapping[str, object]) -> int:
    """Add images to a running study, all or none of them, and record how they were chosen.

    Args:
        folder: The study's folder.
        proposals: The images. Images that the study already has are skipped.
        source: How they were chosen, for the history.

    Returns:
        The number of added images.
    """
    with folder.database.writing() as rows:
        names = _image_names(rows)
        classes = read_classes(rows)
        known = {same_pixels(parse_stimulus(classes, name, "the study")) for name in names}
        new = [proposal for proposal in proposals if same_pixels(proposal.stimulus) not in known]
        if not new:
            return 0
        added = ((one.stimulus.filename, place) for place, one in enumerate(new, start=len(names)))
        rows.executemany("INSERT INTO image VALUES (?, ?)", added)
        images = [{"filename": one.stimulus.filename, "score": one.score, "reason": one.reason} for one in new]
        last = rows.execute("SELECT * FROM history ORDER BY id DESC LIMIT 1").fetchone()
        asked = json.loads(last["study"])
        asked["batches"] = [*asked.get("batches", []), {**source, "images": images}]
        _insert(rows, folder.now(), (hml.__version__, _to_json(asked), last["canonical_pixels"]))
    return len(new)


def read_batches(rows: sqlite3.Connection) -> list[dict[str, Any]]:
    """Read the batches of images that were added while people took part, oldest first."""
    batches: list[dict[str, Any]] = _last_asked(rows).get("batches", [])
    return batches


def read_images(folder: StudyFolder) -> list[Stimulus]:
    """Read the study's current images, in order."""
    with folder.database.reading() as rows:
        classes = read_classes(rows)
        return [parse_stimulus(classes, name, "the study") for name in _image_names(rows)]


def read_task(rows: sqlite3.Connection) -> TaskName:
    """Read the study's task."""
    return cast(TaskName, rows.execute("SELECT task FROM study").fetchone()[0])


def read_classes(rows: sqlite3.Connection) -> Classes:
    """Read the classes of the study's images, in the order of their labels.

    Raises:
        DataError: an earlier version of hml created the folder, without recording classes.
    """
    asked = _last_asked(rows)
    if "classes" not in asked:
        raise DataError("An earlier version of hml created this study's folder, without its classes: use that version.")
    return Classes(tuple(asked["classes"]))


def read_history(folder: StudyFolder) -> list[dict[str, Any]]:
    """List the study's versions, oldest first: since when (UTC), hml's version, and the content of its YAML."""
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
        raise InputError(f"consent.text has changed, but not consent.version={version!r}: change it too.")


def _record(
    rows: sqlite3.Connection,
    study: Study,
    classes: Classes,
    canonical_pixels: bool,
    batches: Sequence[Mapping[str, object]],
    now: str,
) -> None:
    asked = {name: value for name, value in asdict(study).items() if name not in _UNRECORDED}
    asked |= {"classes": classes.names} | ({"batches": batches} if batches else {})
    row = (hml.__version__, _to_json(asked), canonical_pixels)
    last = rows.execute(f"SELECT {_COLUMNS} FROM history ORDER BY id DESC LIMIT 1").fetchone()
    if last is None or tuple(last) != row:
        _insert(rows, now, row)


def _insert(rows: sqlite3.Connection, now: str, row: tuple[str, str, bool]) -> None:
    rows.execute(f"INSERT INTO history (since, {_COLUMNS}) VALUES (?, ?, ?, ?)", (now, *row))


def _to_json(asked: Mapping[str, object]) -> str:
    return json.dumps(asked, ensure_ascii=False)


def _last_asked(rows: sqlite3.Connection) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(rows.execute("SELECT study FROM history ORDER BY id DESC LIMIT 1").fetchone()[0])
    return asked


def _image_names(rows: sqlite3.Connection) -> list[str]:
    return [name for (name,) in rows.execute("SELECT filename FROM image ORDER BY place")]
