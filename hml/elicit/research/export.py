"""Writes a study's answers in the columns of the H-Mix file of its task, and beside them how they were asked for."""

import csv
import io
import json
from datetime import datetime
from pathlib import Path

from hml.elicit.research.privacy import check_cell
from hml.elicit.store.answers import KeptAnswer, read_answers
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.history import read_history
from hml.elicit.study import TaskName
from hml.elicit.tasks import TASKS
from hml.errors import InputError
from hml.files.atomic import write_atomically
from hml.judgements import CLASS_NAMES
from hml.judgements.hmix import parse_stimulus

_SHARED = (
    *("", "index", "trial_type", "trial_index", "time_elapsed", "subject", "study_id", "condition", "rt", "url"),
    *("view_history", "response", "question_order", "success", "timeout", "failed_images", "failed_audio"),
    "failed_video",
)
_STIMULUS = ("label1", "label2", "mixtureCoeff", "id1", "id2")
COLUMNS: dict[TaskName, tuple[str, ...]] = {
    "rate_mixture": (*_SHARED, "responses", "filename", "task", "subj_id", *_STIMULUS, "class_pair"),
    "construct": (*_SHARED, "final_value", "start_value", "task", "class_pair", "starting_value", "filename"),
    "select": (*_SHARED, "task", "class_pair"),
    "categorical": tuple(name for name in (*_SHARED, "filename", "task", "subj_id", *_STIMULUS) if name != "index"),
}
"""Each released file's columns, in its order; the first has no name."""

SIDES = "sides_swapped"
"""A column that H-Mix lacks: 1 where the second class was named first and was at the left, else 0.

Where it is 1, the slider was at 100 − `mixingcoeff` from the left.
"""


def export_answers(folder: StudyFolder, path: Path) -> int:
    """Write the answers that count, and how they were asked for.

    Args:
        folder: The study's.
        path: Where the answers go, as CSV; beside it, what `history_path` says.

    Returns:
        How many.

    Raises:
        InputError: there are none, or something stands in one that must not be exported.
        StorageError: the file can't be written.
    """
    answers, history = read_answers(folder), read_history(folder)
    if not answers:
        raise InputError("Nobody has answered anything yet: there is nothing to export.")
    study = history[-1]["study"]
    name, task = study["name"], study["task"]
    text = io.StringIO(newline="")
    columns = (*COLUMNS[task], SIDES)
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for index, kept in enumerate(answers):
        row = {"": str(index), "index": str(index), "study_id": name, **_cells(kept, task)}
        for column in columns:
            check_cell(column, row.get(column, ""), f"{path.name}, row {index + 2}")
        writer.writerow(row)
    asked = [  # the answers are in the order in which they came
        {"first_index": sum(kept.received_at < row["since"] for kept in answers), **row} for row in history
    ]
    write_atomically(history_path(path), json.dumps(asked, indent=2, ensure_ascii=False) + "\n")
    write_atomically(path, text.getvalue())
    return len(answers)


def history_path(path: Path) -> Path:
    """Name the file beside an export's that says how its answers were asked for: `judgements.study.json`."""
    return path.with_suffix(".study.json")


def _cells(kept: KeptAnswer, task_name: TaskName) -> dict[str, str]:
    """Say in H-Mix's columns what is known of an answer; those that its task's file lacks are left out later."""
    task = TASKS[task_name]
    stimulus = parse_stimulus(kept.filename, "the study")
    first, second = stimulus.endpoints
    labels = [CLASS_NAMES[end.label] for end in stimulus.endpoints]
    pair = f"{labels[0]}_{first.image_id}_{labels[1]}_{second.image_id}"
    elapsed = datetime.fromisoformat(kept.received_at) - datetime.fromisoformat(kept.enrolled_at)
    return {
        "trial_type": task.trial_type,
        "trial_index": str(kept.number),
        "time_elapsed": str(round(elapsed.total_seconds() * 1000)),
        "subject": kept.subject,
        "rt": "" if kept.reaction_ms is None else str(round(kept.reaction_ms, 1)),
        "task": task.exported_tasks[kept.is_repeat],
        # Pairs have no image of their own where all of their blends are shown.
        "filename": "" if task.shows_grid else kept.filename,
        "class_pair": pair if task.shows_grid else f"{pair}.png",
        "label1": labels[0],
        "label2": labels[1],
        "mixtureCoeff": str(stimulus.lambda_f),
        "id1": str(first.image_id),
        "id2": str(second.image_id),
        SIDES: str(int(kept.swapped)),
        **task.columns(kept.answer),
    }
