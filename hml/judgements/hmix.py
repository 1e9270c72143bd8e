"""Reads judgements from `hmix_infer_mixing_factor.csv` and from any file with its columns.

H-Mix is the data that "Human-in-the-loop mixup" (Collins, Bhatt, Liu, Love, Weller) released:
https://github.com/cambridge-mlg/hill-mixup. The file's own spellings stay inside this module.
"""

import csv
import difflib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NoReturn

from hml.errors import InputError, check_choice
from hml.judgements.schema import CLASS_NAMES, Endpoint, Judgement, Stimulus

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
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"Can't read judgements from {path}: {error.strerror}.") from error
    return parse_hmix(content, path.name, cohort, include_repeats)


def parse_hmix(content: bytes, name: str, cohort: Cohort = "paper", include_repeats: bool = True) -> list[Judgement]:
    """Read judgements from a file's content, called `name` in errors; otherwise as `read_hmix`."""
    check_choice("cohort", cohort, Cohort)
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        columns = next(reader, [])
        rows = list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{name} is not a CSV file in UTF-8: {error}.") from error
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise InputError(f"{name} has two columns called {', '.join(repeated)[:200]}: keep one of each.")
    required = (*_REQUIRED, "study_id") if cohort == "paper" else _REQUIRED
    if missing := [column for column in required if column not in columns]:
        raise InputError(
            f"{name} has no column {', '.join(missing)} (its columns: {', '.join(columns)[:200] or 'none'}). "
            "Judgements are read from H-Mix's columns: subject, filename, responses"
            + (", and study_id for cohort paper." if cohort == "paper" else ".")
        )
    stimuli: dict[str, Stimulus] = {}
    judgements = []
    for number, fields in enumerate(rows, start=2):
        if not fields:  # a blank line
            continue
        where = f"{name}, row {number}"
        if len(fields) != len(columns):
            raise InputError(f"{where} has {len(fields)} fields where the header has {len(columns)}: mend the row.")
        row = dict(zip(columns, fields, strict=True))
        if cohort == "paper" and row["study_id"] not in PAPER_STUDY_IDS:
            continue
        judgement = _parse_row(row, stimuli, where)
        if include_repeats or not judgement.is_repeat:
            judgements.append(judgement)
    if not judgements:
        raise InputError(
            f"{name} holds no judgements"
            + (" of the paper's cohort (study_id): use cohort all." if rows and cohort == "paper" else ".")
        )
    return judgements


def _refuse(where: str, field: str, value: object, remedy: str, cause: Exception | None = None) -> NoReturn:
    shown = repr(value)
    shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
    raise InputError(f"{field}={shown} in {where}: {remedy}") from cause


def _parse_row(row: Mapping[str, str], stimuli: dict[str, Stimulus], where: str) -> Judgement:
    filename = row["filename"]
    if filename not in stimuli:
        stimuli[filename] = _parse_stimulus(filename, where)
    _check_redundant_columns(row, stimuli[filename], where)
    if not (annotator := row["subject"].strip()):
        _refuse(where, "subject", row["subject"], "name the person who judged, by any code.")
    if (task := row.get("task", TASKS[0])) not in TASKS:
        _refuse(where, "task", task, f"use {' or '.join(TASKS)}.")
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
        _refuse(where, "rt", reaction, "give milliseconds, or leave it empty.", error)


def _parse_stimulus(filename: str, where: str) -> Stimulus:
    match = _FILENAME.fullmatch(filename)
    if match is None:
        _refuse(where, "filename", filename, "expected mixed_{lambda_f}_{class1}_{id1}_{class2}_{id2}.png.")
    try:
        lambda_f = float(match["lambda_f"])
    except ValueError as error:
        _refuse(where, "filename", filename, f"its mixing coefficient {match['lambda_f']!r} is not a number.", error)
    try:
        first = Endpoint(image_id=int(match["id1"]), label=_class_index(match["class1"]))
        second = Endpoint(image_id=int(match["id2"]), label=_class_index(match["class2"]))
        return Stimulus(filename=filename, lambda_f=lambda_f, endpoints=(first, second))
    except InputError as error:
        _refuse(where, "filename", filename, str(error), error)


def _class_index(name: str) -> int:
    if name in CLASS_NAMES:
        return CLASS_NAMES.index(name)
    nearest = difflib.get_close_matches(name.capitalize(), CLASS_NAMES, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"the classes are {', '.join(CLASS_NAMES)}."
    raise InputError(f"unknown class {name!r}: {hint}")


def _check_redundant_columns(row: Mapping[str, str], stimulus: Stimulus, where: str) -> None:
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
            _refuse(where, column, value, f"the row's filename {stimulus.filename} says {expected}.")


def _parse_responses(text: str, where: str) -> tuple[float, float]:
    """Take the slider and the confidence, each 0 to 100, out of the JSON that the browser sent."""
    remedy = 'expected {"mixingcoeff": 0..100, "confidence": 0..100}.'
    try:
        answers = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_pairs)
    except (ValueError, RecursionError) as error:
        _refuse(where, "responses", text, remedy, error)
    values = []
    for field in ("mixingcoeff", "confidence"):
        value = answers.get(field) if isinstance(answers, dict) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            _refuse(where, "responses", text, remedy)
        if not 0 <= value <= 100:
            _refuse(where, f"responses.{field}", value, "it is outside [0, 100]: sliders run from 0 to 100.")
        values.append(float(value))
    return values[0], values[1]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)
