"""Exports a study's answers in H-Mix's columns or the plain ones, with a record of how they were collected."""

import json
from datetime import datetime
from pathlib import Path

from hml.elicit.research.privacy import check_cell
from hml.elicit.store.answers import KeptAnswer, read_answers
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.history import read_classes, read_history
from hml.errors import InputError
from hml.files.atomic import write_atomically
from hml.judgements import Classes, TaskName, parse_hmix, write_plain
from hml.judgements.formats import FormatName
from hml.judgements.hmix_format import FORMATS, write_row
from hml.judgements.rows import write_rows
from hml.judgements.stimulus_names import parse_stimulus

SIDES = "sides_swapped"
"""A column that H-Mix lacks: 1 where the second class was named first and was on the left, otherwise 0.

Where it is 1, the slider was at 100 − `mixingcoeff` from the left.
"""


def export_answers(folder: StudyFolder, path: Path, format_name: FormatName = "hmix") -> int:
    """Write the answers that count as CSV, and a record of how they were collected; return their number.

    Raises:
        InputError: there are no answers, one contains something that must not be exported, or the task's answers don't
            fit the plain format.
        StorageError: the file can't be written.
    """
    with folder.database.reading() as database:
        classes = read_classes(database)
    answers, history = read_answers(folder), read_history(folder)
    if not answers:
        raise InputError("The study has no answers yet, so there is nothing to export.")
    study = history[-1]["study"]
    name, task = study["name"], study["task"]
    if format_name == "plain" and task != "rate_mixture":
        raise InputError(f"--format plain is for answers to rate_mixture, and this study's task is {task}: use hmix.")
    columns = (*FORMATS[task].columns, SIDES)
    rows = []
    for index, kept in enumerate(answers):
        row = {"": str(index), "index": str(index), "study_id": name, **_cells(kept, task, classes)}
        for column in columns:
            check_cell(column, row.get(column, ""), f"{path.name}, row {index + 2}", classes)
        rows.append(row)
    asked = [  # answers are in order of arrival
        {"first_index": sum(kept.received_at < row["since"] for kept in answers), **row} for row in history
    ]
    write_atomically(history_path(path), json.dumps(asked, indent=2, ensure_ascii=False) + "\n")
    text = write_rows(columns, rows)
    if format_name == "plain":
        text = write_plain(parse_hmix(text.encode(), path.name, "all", classes=classes), classes)
    write_atomically(path, text)
    return len(answers)


def history_path(path: Path) -> Path:
    """Return the path of the record beside an export, such as `judgements.study.json`."""
    return path.with_suffix(".study.json")


def _cells(kept: KeptAnswer, task: TaskName, classes: Classes) -> dict[str, str]:
    """Return an answer's cells in H-Mix's columns and `sides_swapped`."""
    stimulus = parse_stimulus(classes, kept.filename, "the study")
    elapsed = datetime.fromisoformat(kept.received_at) - datetime.fromisoformat(kept.enrolled_at)
    return {
        **write_row(classes, task, stimulus, kept.subject, kept.answer, kept.reaction_ms, kept.is_repeat),
        "trial_index": str(kept.number),
        "time_elapsed": str(round(elapsed.total_seconds() * 1000)),
        SIDES: str(int(kept.swapped)),
    }
