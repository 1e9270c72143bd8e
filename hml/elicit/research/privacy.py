"""What may stand in an exported file: cells of known shapes, and nothing that tells who somebody is."""

import re

from hml.errors import InputError

_NUMBER = r"-?[0-9]{1,15}(\.[0-9]{1,15})?"
_CLASS = "[A-Z][a-z]{2,9}"
_PAIR = f"{_CLASS}_[0-9]{{1,5}}_{_CLASS}_[0-9]{{1,5}}"
_JSON = r'\{"\w{1,30}":("[\w.]{0,30}"|[0-9.]{1,6})(,"\w{1,30}":("[\w.]{0,30}"|[0-9.]{1,6}))*\}'
_COUNTED = ("", "index", "trial_index", "time_elapsed", "rt", "id1", "id2")
_WEIGHTS = ("mixtureCoeff", "final_value", "start_value", "starting_value")
_SHAPES = dict.fromkeys((*_COUNTED, *_WEIGHTS), _NUMBER) | {
    "trial_type": "multiple-slider|reconstruction|survey-html-form",
    "subject": "[a-z0-9]{15}",
    "study_id": "[a-z0-9][a-z0-9_-]{0,39}",
    "response": _JSON,
    "responses": _JSON,
    "question_order": r"\[0,1\]",
    "task": "[a-z_]{1,30}",
    "filename": rf"mixed_0\.[0-9]{{1,3}}_{_PAIR}\.png",
    "label1": _CLASS,
    "label2": _CLASS,
    "class_pair": rf"{_PAIR}(\.png)?",
    "sides_swapped": "[01]",
}
_TELLING = {
    "an email address": re.compile(r"[^\s@]@[^\s@]+\.[A-Za-z]"),
    "a 24-digit hexadecimal id": re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])", re.IGNORECASE),
    "an IP address": re.compile(
        r"(?<![0-9.])(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![0-9.])"
        r"|([0-9a-f]{1,4}:){2,7}(:|[0-9a-f]{1,4})|::[0-9a-f]{1,4}",
        re.IGNORECASE,
    ),
}


def check_cell(column: str, text: str, where: str) -> None:
    """Refuse what must not be exported: an id that tells who somebody is, or anything but what the column is for.

    Raises:
        InputError: it must not; says where it stands, and not what it is.
    """
    for what, pattern in _TELLING.items():
        if pattern.search(text):
            raise InputError(f"{where}: {column} holds {what}, which is never exported. See the study's folder.")
    if text and not re.fullmatch(_SHAPES.get(column, ""), text):
        raise InputError(f"{where}: {column} holds free text, which is never exported. See the study's folder.")
