"""Reads judgements from `hmix_infer_mixing_factor.csv` and from any file with its columns."""

from pathlib import Path
from typing import Literal

from hml.errors import InputError, check_choice
from hml.judgements.classes import CIFAR10, Classes
from hml.judgements.hmix_format import FORMATS, parse_rating, parse_subject, stimulus_columns
from hml.judgements.rows import Row, read_file, read_rows, reject
from hml.judgements.schema import Judgement, Stimulus, drop_repeats
from hml.judgements.stimulus_names import find_class_names, parse_stimulus

Cohort = Literal["paper", "all"]
"""The first collection of the released file, or the whole file."""

PAPER_STUDY_IDS = frozenset({"6286131f274e4b5d5357425c", "62868d1c77a67aae6b2e5012"})
"""The first collection: the paper's 33 annotators and 810 images. `condition` is reused across collections, so only
`study_id` distinguishes them."""

_FORMAT = FORMATS["rate_mixture"]
REQUIRED = ("subject", "filename", "responses")
"""The columns that your own file must have."""


def read_hmix(
    path: str | Path, cohort: Cohort = "paper", include_repeats: bool = True, classes: Classes = CIFAR10
) -> list[Judgement]:
    """Read judgements in H-Mix's columns.

    Your own file needs `subject` (the annotator), `filename`
    (`mixed_{lambda_f}_{class1}_{id1}_{class2}_{id2}.png`) and `responses`
    (`{"mixingcoeff": 0..100, "confidence": 0..100}`, a slider from class1 at 0 to class2 at 100);
    `task`, `rt` (ms), `study_id`, `mixtureCoeff`, `label1`, `id1`, `label2` and `id2` are used if present.

    Args:
        path: The CSV file.
        cohort: "paper" keeps the released file's first collection (810 images, 33 people, 1,974 judgements),
            "all" keeps every row (in the released file 2,070 images, 81 people, 4,950 judgements).
        include_repeats: Whether an annotator's second judgement of an image counts, as it does for the authors.
        classes: The images' classes; H-Mix's are CIFAR-10's.

    Returns:
        The judgements, in the file's order.

    Raises:
        InputError: the file is not such a CSV. The message has the file, row (the header is row 1), field and value.
    """
    name, content = read_file(path)
    return parse_hmix(content, name, cohort, include_repeats, classes)


def parse_hmix(
    content: bytes, name: str, cohort: Cohort = "paper", include_repeats: bool = True, classes: Classes = CIFAR10
) -> list[Judgement]:
    """Read judgements from the content of a file called `name` in errors. See `read_hmix`."""
    check_choice("cohort", cohort, Cohort)
    required = (*REQUIRED, "study_id") if cohort == "paper" else REQUIRED
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
        judgements.append(_parse_row(classes, row, stimuli, where))
    if not include_repeats:
        judgements = drop_repeats(judgements, lambda judgement: (judgement.annotator, judgement.stimulus))
    if not judgements:
        raise InputError(
            f"{name} has no judgements" + (" of the paper's cohort (study_id): use cohort all." if others else ".")
        )
    return judgements


def find_hmix_classes(content: bytes, name: str) -> Classes:
    """Return the classes that a file's filenames name, in alphabetical order.

    Raises:
        InputError: the file is not such a CSV, or a filename is ambiguous.
    """
    rows = read_rows(content, name, REQUIRED)
    return Classes.collect((found for where, row in rows for found in find_class_names(row["filename"], where)), name)


def _parse_row(classes: Classes, row: Row, stimuli: dict[str, Stimulus], where: str) -> Judgement:
    filename = row["filename"]
    if filename not in stimuli:
        stimuli[filename] = parse_stimulus(classes, filename, where)
    _check_redundant_columns(classes, row, stimuli[filename], where)
    annotator = parse_subject(row, where)
    is_repeat = _FORMAT.is_repeat(row.get("task", _FORMAT.tasks[0]), where)
    reaction = row.get("rt", "")
    lambda_h, omega = parse_rating(row["responses"], where)
    try:
        reaction_ms = float(reaction) if reaction.strip() else None
        return Judgement(stimuli[filename], annotator, lambda_h, omega, reaction_ms, is_repeat)
    except ValueError as error:
        reject(where, "rt", reaction, "give milliseconds, or leave it empty.", error)


def _check_redundant_columns(classes: Classes, row: Row, stimulus: Stimulus, where: str) -> None:
    """Reject a row whose columns contradict its filename."""
    for column, expected in stimulus_columns(classes, stimulus).items():
        value = row.get(column, "").strip()
        try:
            agrees = not value or (value == expected if isinstance(expected, str) else float(value) == expected)
        except ValueError:
            agrees = False
        if not agrees:
            reject(where, column, value, f"it contradicts the row's filename {stimulus.filename}. Write {expected}.")
