"""Checks exports: cells have known formats, and nothing identifies a person."""

import functools
import json
import re

from hml.errors import InputError
from hml.judgements import Classes
from hml.judgements.hmix_format import IMPROBABLE, MOST_PREFIX, SECOND_PREFIX

_NUMBER = r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
_COUNTED = ("", "index", "trial_index", "time_elapsed", "rt", "id1", "id2")
_WEIGHTS = ("mixtureCoeff", "final_value", "start_value", "starting_value")
_IDENTIFYING = {
    "an email address": re.compile(r"[^\s@]@[^\s@]+\.[A-Za-z]"),
    "a 24-digit hexadecimal id": re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])", re.IGNORECASE),
    "an IP address": re.compile(
        r"(?<![0-9.])(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![0-9.])"
        r"|([0-9a-f]{1,4}:){2,7}(:|[0-9a-f]{1,4})|::[0-9a-f]{1,4}",
        re.IGNORECASE,
    ),
}


@functools.cache
def _shapes(classes: Classes) -> dict[str, str]:
    """Return the pattern that each column of a study of these classes must match."""
    name = "|".join(map(re.escape, classes))
    pair = f"({name})_[0-9]{{1,9}}_({name})_[0-9]{{1,9}}"
    in_json = "|".join(re.escape(json.dumps(one)[1:-1]) for one in classes)
    key = rf'"(\w{{1,30}}|{IMPROBABLE}({in_json}))"'
    value = rf'("([\w.]{{0,30}}|({MOST_PREFIX}|{SECOND_PREFIX})({in_json}))"|[0-9.]{{1,6}})'
    answer = rf"\{{{key}:{value}(,{key}:{value})*\}}"
    return dict.fromkeys((*_COUNTED, *_WEIGHTS), _NUMBER) | {
        "trial_type": "multiple-slider|reconstruction|survey-html-form",
        "subject": "[a-z0-9]{15}",
        "study_id": "[a-z0-9][a-z0-9_-]{0,39}",
        "response": answer,
        "responses": answer,
        "question_order": r"\[0,1\]",
        "task": "[a-z_]{1,30}",
        "filename": rf"mixed_0\.[0-9]{{1,3}}_{pair}\.png",
        "label1": name,
        "label2": name,
        "class_pair": rf"{pair}(\.png)?",
        "sides_swapped": "[01]",
    }


def check_cell(column: str, text: str, where: str, classes: Classes) -> None:
    """Reject a cell that identifies a person or doesn't match its column's format.

    Raises:
        InputError: the cell must not be exported. The message names its place, not its content.
    """
    for what, pattern in _IDENTIFYING.items():
        if pattern.search(text):
            raise InputError(f"{where}: {column} contains {what}, which is never exported. See the study's folder.")
    if text and not re.fullmatch(_shapes(classes).get(column, ""), text):
        raise InputError(f"{where}: {column} contains free text, which is never exported. See the study's folder.")
