"""Reads and writes names of mixed images as in H-Mix, `mixed_{lambda_f}_{class1}_{id1}_{class2}_{id2}.png`."""

import functools
import re

from hml.errors import InputError
from hml.judgements.classes import Classes
from hml.judgements.rows import reject
from hml.judgements.schema import Endpoint, Stimulus

_FILENAME = re.compile(r"mixed_(?P<lambda_f>[^_]+)_(?P<pair>.+)\.png")
_FILENAME_REMEDY = "expected mixed_{lambda_f}_{class1}_{id1}_{class2}_{id2}.png."


def is_blend(lambda_f: float) -> bool:
    """Return whether people can be asked about a weight: it must be between 0 and 1, with at most three decimals."""
    return 0 < lambda_f < 1 and round(lambda_f, 3) == lambda_f


def name_stimulus(classes: Classes, lambda_f: float, first: Endpoint, second: Endpoint) -> Stimulus:
    """Make a stimulus with the name of the image in H-Mix's style."""
    return Stimulus(f"mixed_{lambda_f}_{name_endpoints(classes, first, second)}.png", lambda_f, (first, second))


def parse_stimulus(classes: Classes, filename: str, where: str) -> Stimulus:
    """Read the name of a mixed image, `mixed_{lambda_f}_{class1}_{id1}_{class2}_{id2}.png`.

    Raises:
        InputError: it is not such a name. The message contains `where`.
    """
    match = _FILENAME.fullmatch(filename)
    if match is None:
        reject(where, "filename", filename, _FILENAME_REMEDY)
    try:
        lambda_f = float(match["lambda_f"])
    except ValueError as error:
        reject(where, "filename", filename, f"its mixing coefficient {match['lambda_f']!r} is not a number.", error)
    try:
        endpoints = _endpoints(classes, match["pair"])
        if endpoints is None:
            reject(where, "filename", filename, _FILENAME_REMEDY)
        return Stimulus(filename, lambda_f, endpoints)
    except InputError as error:
        reject(where, "filename", filename, str(error), error)


def name_endpoints(classes: Classes, first: Endpoint, second: Endpoint) -> str:
    """Return the name of two images, such as "Cat_12_Dog_5"."""
    return "_".join(f"{classes[end.label]}_{end.image_id}" for end in (first, second))


def find_class_names(filename: str, where: str) -> tuple[str, str]:
    """Return the two classes in a filename, without a list of classes.

    Raises:
        InputError: it is not such a name, or is ambiguous, since names of classes contain "_1_", for example.
    """
    match = _FILENAME.fullmatch(filename)
    readings = [] if match is None else [*re.finditer("(?=_[0-9]{1,9}_(.+)_[0-9]{1,9}$)", match["pair"])]
    if match is None or not readings:
        reject(where, "filename", filename, _FILENAME_REMEDY)
    if len(readings) > 1:
        reject(where, "filename", filename, "its classes are ambiguous: also give the images, whose classes are known.")
    return match["pair"][: readings[0].start()], readings[0][1]


def parse_endpoints(classes: Classes, text: str, where: str) -> tuple[Endpoint, Endpoint]:
    """Read the column `class_pair` of the midpoint tasks, `{class1}_{id1}_{class2}_{id2}`.

    Raises:
        InputError: it is not such a pair. The message contains `where`.
    """
    try:
        endpoints = _endpoints(classes, text)
    except InputError as error:
        reject(where, "class_pair", text, str(error), error)
    if endpoints is None:
        reject(where, "class_pair", text, "expected {class1}_{id1}_{class2}_{id2}.")
    return endpoints


def _endpoints(classes: Classes, text: str) -> tuple[Endpoint, Endpoint] | None:
    """Read the names of two images. Return None if the text has another form.

    Raises:
        InputError: it has an unknown class.
    """
    # Names may contain underscores and digits, so known names are tried first. The other pattern finds unknown names.
    match = _pair_pattern(classes).fullmatch(text) or _ANY_PAIR.fullmatch(text)
    if match is None:
        return None
    label_1, label_2 = classes.index(match["class1"]), classes.index(match["class2"])
    return Endpoint(int(match["id1"]), label_1), Endpoint(int(match["id2"]), label_2)


@functools.cache
def _pair_pattern(classes: Classes) -> re.Pattern[str]:
    return _compile_pair("|".join(map(re.escape, sorted(classes, key=len, reverse=True))))


def _compile_pair(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<class1>{name})_(?P<id1>[0-9]{{1,9}})_(?P<class2>{name})_(?P<id2>[0-9]{{1,9}})")


_ANY_PAIR = _compile_pair(".+?")
