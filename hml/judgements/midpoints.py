"""Reads the two midpoint tasks: people construct or select (out of eleven) the blend that shows both images equally."""

import math
from dataclasses import dataclass

from hml.errors import InputError
from hml.judgements.classes import CIFAR10, Classes
from hml.judgements.hmix_format import FINAL, FORMATS, STARTING, TaskFormat, parse_selection, parse_subject
from hml.judgements.rows import Row, read_rows, reject
from hml.judgements.schema import Endpoint
from hml.judgements.stimulus_names import parse_endpoints


@dataclass(frozen=True, slots=True)
class Midpoint:
    """The blend of two images that one person perceives as the midpoint.

    Args:
        endpoints: The two images.
        annotator: The person.
        lambda_m: The first image's weight in the blend, in [0, 1].
        start: The weight at which the search began. None in the selection task.
        reaction_ms: Time to answer in milliseconds. None if not recorded.
        is_repeat: Whether the person had been asked about this pair before.

    Raises:
        InputError: a weight is outside [0, 1], or reaction_ms is not a time.
    """

    endpoints: tuple[Endpoint, Endpoint]
    annotator: str
    lambda_m: float
    start: float | None = None
    reaction_ms: float | None = None
    is_repeat: bool = False

    def __post_init__(self) -> None:
        for name, value in (("lambda_m", self.lambda_m), ("start", self.start)):
            if value is not None and not 0.0 <= value <= 1.0:
                raise InputError(f"{name}={value} is outside [0, 1]: it is the first image's weight in the blend.")
        if self.reaction_ms is not None and not 0.0 <= self.reaction_ms < math.inf:
            raise InputError(f"reaction_ms={self.reaction_ms} is not a time in milliseconds.")


def parse_construct(content: bytes, name: str, classes: Classes = CIFAR10) -> list[Midpoint]:
    """Read `hmix_construct_midpoint.csv`: blends that people constructed with two keys, starting at .1 or .9.

    Args:
        content: The file's bytes.
        name: The name of the file in errors.
        classes: The images' classes; H-Mix's are CIFAR-10's.

    Returns:
        The midpoints, in the file's order.

    Raises:
        InputError: the file is not such a CSV. The message has the file, row, field, value and remedy.
    """
    required = ("subject", "class_pair", "task", FINAL, STARTING)
    return [
        _make(
            classes,
            row,
            where,
            FORMATS["construct"],
            # Repeatedly adding .1 left rounding errors such as 0.5000000000000001.
            round(_number(row, FINAL, where), 9),
            _number(row, STARTING, where),
        )
        for where, row in read_rows(content, name, required)
    ]


def parse_select(content: bytes, name: str, classes: Classes = CIFAR10) -> list[Midpoint]:
    """Read `hmix_select_shuffled_midpoint.csv`: blends selected out of eleven. See `parse_construct`."""
    required = ("subject", "class_pair", "task", "response")
    return [
        _make(classes, row, where, FORMATS["select"], parse_selection(row["response"], where))
        for where, row in read_rows(content, name, required)
    ]


def _make(
    classes: Classes, row: Row, where: str, spelled: TaskFormat, lambda_m: float, start: float | None = None
) -> Midpoint:
    is_repeat = spelled.is_repeat(row["task"], where)
    annotator = parse_subject(row, where)
    endpoints = parse_endpoints(classes, row["class_pair"], where)
    reaction = _number(row, "rt", where) if row.get("rt", "").strip() else None
    try:
        return Midpoint(endpoints, annotator, lambda_m, start, reaction, is_repeat)
    except InputError as error:
        reject(where, "answer", lambda_m if reaction is None or reaction >= 0 else reaction, str(error), error)


def _number(row: Row, field: str, where: str) -> float:
    try:
        return float(row[field])
    except ValueError as error:
        reject(where, field, row[field], "give a number.", error)
