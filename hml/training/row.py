"""The row of figures that a run prints, with reference rows and explanations."""

import math
from collections.abc import Mapping

from hml.evaluation.metrics import TRUE_CLASS
from hml.evaluation.paper import (
    COLUMNS,
    HIGHER_IS_BETTER,
    PAPER_MIXED_IMAGES,
    PAPER_TABLE,
    SCALED_COLUMNS,
    compare_labels,
    is_on_hmix,
)
from hml.training.result import RunResult

_NOTHING = "–"
_WIDTH = 12


def format_row(result: RunResult, legend: Mapping[str, str], num_classes: int, encoding: str = "utf-8") -> str:
    """Format a run's figures as a table, with explanations.

    Below the run's row are those of the run after temperature scaling, of a uniform guess, and of the lowest possible
    cross entropy. The latter is the mean entropy of people's labels: the cross entropy minus the KL divergence. It is
    omitted without people's labels. The paper's row is shown only for the paper's data.

    Args:
        result: The run.
        legend: A description of each metric, by name.
        num_classes: Number of classes C.
        encoding: The encoding of the output. If it has no arrows, words show the directions.
    """
    down, up = _arrows(encoding)
    header = ["", *(f"{column} {up if column in HIGHER_IS_BETTER else down}" for column in COLUMNS)]
    trained = f", {result.training}" if result.training else ""
    run = [f"{result.scheme}, seed {result.seed}{trained}"]
    run += [_number(result.metrics.get(metric), 3) for metric in COLUMNS.values()]
    rows = [header, run, *_scaled(result), *_yardsticks(result, num_classes)]
    is_papers_data = is_on_hmix(result.data) and result.data["mixed_images"] == PAPER_MIXED_IMAGES
    paper = PAPER_TABLE.get(result.scheme) if is_papers_data else None
    if paper is not None:
        rows.append(_line("paper, 65 epochs, mean of 5 seeds", paper, 2))
    first = max(len(row[0]) for row in rows)
    lines = [row[0].ljust(first) + "".join(cell.rjust(_WIDTH) for cell in row[1:]) for row in rows]
    meanings = [f"{column}: {legend[metric]}." for column, metric in COLUMNS.items() if metric in legend]
    meanings.append(f"{down} lower is better, {up} higher is better.")
    two_a_line = [" ".join(meanings[i : i + 2]) for i in range(0, len(meanings), 2)]
    undefined = [
        f"No {column}: {result.undefined[metric]}." for column, metric in COLUMNS.items() if metric in result.undefined
    ]
    difference = None if paper is None else compare_labels(result.scheme, result.recipe.data)
    return "\n".join([*lines, "", *two_a_line, *filter(None, [difference]), *undefined])


def _scaled(result: RunResult) -> list[list[str]]:
    temperature = result.metrics.get(SCALED_COLUMNS["temperature"])
    if temperature is None or not math.isfinite(temperature):
        return []
    figures = [_number(result.metrics.get(SCALED_COLUMNS.get(column, "")), 3) for column in COLUMNS]
    return [[f"after temperature scaling, T = {temperature:.2f}", *figures]]


def _yardsticks(result: RunResult, num_classes: int) -> list[list[str]]:
    guess = math.log(num_classes)
    rows = [_line("a uniform guess", {"CE": guess, "FGSM": guess, "accuracy": 1 / num_classes}, 3)]
    cross_entropy, divergence = (result.metrics.get(f"test/{name}") for name in ("cross_entropy", "kl_divergence"))
    asked = result.truth.get("test/cross_entropy") != TRUE_CLASS  # without people's labels the lowest is 0
    if asked and cross_entropy is not None and divergence is not None:
        rows.append(_line("people's labels (lowest CE)", {"CE": cross_entropy - divergence}, 3))
    return rows


def _line(name: str, figures: Mapping[str, float], digits: int) -> list[str]:
    return [name, *(_number(figures.get(column), digits) for column in COLUMNS)]


def _number(value: float | None, digits: int) -> str:
    return f"{value:.{digits}f}" if value is not None and math.isfinite(value) else _NOTHING


def _arrows(encoding: str) -> tuple[str, str]:
    try:
        "↓↑".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return "(low)", "(high)"
    return "↓", "↑"
