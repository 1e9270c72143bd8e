"""Reads judgements from `hmix_infer_mixing_factor.csv` and from any file with its columns.

H-Mix is the data that "Human-in-the-loop mixup" (Collins, Bhatt, Liu, Love, Weller) released:
https://github.com/cambridge-mlg/hill-mixup. The file's own spellings stay inside this module.
"""

import difflib
import re
from pathlib import Path
from typing import Literal

from hml.errors import InputError, check_choice
from hml.files.paths import expand
from hml.judgements.rows import Row, parse_object, read_rows, refuse
from hml.judgements.schema import CLASS_NAMES, Endpoint, Judgement, Stimulus, drop_repeats

Cohort = Literal["paper", "all"]
"""The released file's first collection, or everything."""

PAPER_STUDY_IDS = frozenset({"6286131f274e4b5d5357425c", "62868d1c77a67aae6b2e5012"})
"""The first collection: the paper's 33 annotators and 810 images. `condition` is reused across
collections, so only `study_id` tells them apart."""

REPEAT_TASK = "rerun_rate_mixture"
TASKS = ("rate_mixture", REPEAT_TASK)

_FILENAME = re.compile(
    r"mixed_(?P<lambda_f>[^_]+)_(?P<class1>[^_]+)_(?P<id1>[0-9]{1,9})_(?P<class2>[^_]+)_(?P<id2>[0-9]{1,9})\.png"
)
_REQUIRED = ("subject", "filename", "responses")


def read_hmix(path: str | Path, cohort: Cohort = "paper", include_repeats: bool = True) -> list[Judgement]:
    """Read judgements in H-Mix's columns.

    A file of one's own needs `subject` (the annotator), `filename`
    (`mixed_{lambda_f}_{class1}_{id1}_{class2}_{id2}.png`) and `responses`
    (`{"mixingcoeff": 0..100, "confidence": 0..100}`, a slider from class1 at 0 to class2 at 100);
    `task`, `rt` (ms), `study_id`, `mixtureCoeff`, `label1`, `id1`, `label2` and `id2` are used where present.

    Args:
        path: The CSV file.
        cohort: "paper" keeps the released file's first collection (810 images, 33 people, 1,974 judgements),
            "all" keeps every row (in the released file 2,070 images, 81 people, 4,950 judgements).
        include_repeats: Whether an annotator's second judgement of an image counts, as it does for the authors.

    Returns:
        The judgements, in the file's order.

    Raises:
        InputError: the file isn't such a CSV; the message names file, row (the header is row 1), field and value.
    """
    path = expand(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Can't read judgements from {path}: {error.strerror}.") from error
    return parse_hmix(content, path.name, cohort, include_repeats)


def parse_hmix(content: bytes, name: str, cohort: Cohort = "paper", include_repeats: bool = True) -> list[Judgement]:
    """Read judgements from a file's content, called `name` in errors; otherwise as `read_hmix`."""
    check_choice("cohort", cohort, Cohort)
    required = (*_REQUIRED, "study_id") if cohort == "paper" else _REQUIRED
    hint = "Judgements are read from H-Mix's columns: subject, filename, responses" + (
        ", and study_id for cohort paper." if cohort == "paper" else "."
    )
    stimuli: dict[str, Stimulus] = {}
    judgements = []
    others = False
    for where, row in read_rows(content, name, required, hint):
        if cohort == "paper" and row["study_id"] not in PAPER_STUDY_IDS:
            others = True
            continue
        judgements.append(_parse_row(row, stimuli, where))
    if not include_repeats:
        judgements = drop_repeats(judgements, lambda judgement: (judgement.annotator, judgement.stimulus))
    if not judgements:
        raise InputError(
            f"{name} holds no judgements" + (" of the paper's cohort (study_id): use cohort all." if others else ".")
        )
    return judgements


def _parse_row(row: Row, stimuli: dict[str, Stimulus], where: str) -> Judgement:
    filename = row["filename"]
    if filename not in stimuli:
        stimuli[filename] = parse_stimulus(filename, where)
    _check_redundant_columns(row, stimuli[filename], where)
    if not (annotator := row["subject"].strip()):
        refuse(where, "subject", row["subject"], "name the person who judged, by any code.")
    if (task := row.get("task", TASKS[0])) not in TASKS:
        refuse(where, "task", task, f"use {' or '.join(TASKS)}.")
    reaction = row.get("rt", "")
    slider, confidence = _parse_responses(row["responses"], where)
    try:
        return Judgement(
            stimulus=stimuli[filename],
            annotator=annotator,
            # The slider runs from "100 % class1" at 0 to "100 % class2" at 100, and lambda is class1's share.
            lambda_h=1.0 - slider / 100.0,
            omega=confidence / 100.0,
            reaction_ms=float(reaction) if reaction.strip() else None,
            is_repeat=task == REPEAT_TASK,
        )
    except ValueError as error:
        refuse(where, "rt", reaction, "give milliseconds, or leave it empty.", error)


def parse_stimulus(filename: str, where: str) -> Stimulus:
    """Read a mixed image's name, `mixed_{lambda_f}_{class1}_{id1}_{class2}_{id2}.png`.

    Raises:
        InputError: it isn't such a name; says where it stands.
    """
    match = _FILENAME.fullmatch(filename)
    if match is None:
        refuse(where, "filename", filename, "expected mixed_{lambda_f}_{class1}_{id1}_{class2}_{id2}.png.")
    try:
        lambda_f = float(match["lambda_f"])
    except ValueError as error:
        refuse(where, "filename", filename, f"its mixing coefficient {match['lambda_f']!r} is not a number.", error)
    try:
        first = Endpoint(image_id=int(match["id1"]), label=class_index(match["class1"]))
        second = Endpoint(image_id=int(match["id2"]), label=class_index(match["class2"]))
        return Stimulus(filename=filename, lambda_f=lambda_f, endpoints=(first, second))
    except InputError as error:
        refuse(where, "filename", filename, str(error), error)


def class_index(name: str) -> int:
    """Return a class's index by H-Mix's name for it.

    Raises:
        InputError: there is no such class; names the nearest.
    """
    if name in CLASS_NAMES:
        return CLASS_NAMES.index(name)
    nearest = difflib.get_close_matches(name.capitalize(), CLASS_NAMES, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"the classes are {', '.join(CLASS_NAMES)}."
    raise InputError(f"unknown class {name!r}: {hint}")


def _check_redundant_columns(row: Row, stimulus: Stimulus, where: str) -> None:
    """Refuse a row whose columns say something else than its filename."""
    first, second = stimulus.endpoints
    named = {
        "label1": CLASS_NAMES[first.label],
        "label2": CLASS_NAMES[second.label],
        "id1": first.image_id,
        "id2": second.image_id,
        "mixtureCoeff": stimulus.lambda_f,
    }
    for column, expected in named.items():
        value = row.get(column, "").strip()
        try:
            agrees = not value or (value == expected if isinstance(expected, str) else float(value) == expected)
        except ValueError:
            agrees = False
        if not agrees:
            refuse(where, column, value, f"the row's filename {stimulus.filename} says {expected}.")


def _parse_responses(text: str, where: str) -> tuple[float, float]:
    """Take the slider and the confidence, each 0 to 100, out of the JSON that the browser sent."""
    remedy = 'expected {"mixingcoeff": 0..100, "confidence": 0..100}.'
    answers = parse_object(text, where, "responses", remedy)
    values = []
    for field in ("mixingcoeff", "confidence"):
        value = answers.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float):
            refuse(where, "responses", text, remedy)
        if not 0 <= value <= 100:
            refuse(where, f"responses.{field}", value, "it is outside [0, 100]: sliders run from 0 to 100.")
        values.append(float(value))
    return values[0], values[1]
