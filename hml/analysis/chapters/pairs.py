"""The section on class pairs: the paper's Figure 2, and the atlas."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hml.judgements import CIFAR10
from hml.judgements.curves import PairCurves
from hml.judgements.tables import with_pair_names
from hml.reporting.drawing import draw_mixup_line, draw_points, finish, new_figure, typeset
from hml.reporting.palette import MIXUP, PEOPLE, Color
from hml.reporting.sections import Exhibit, Section

PAPERS = ((0, 5), (2, 3), (3, 5), (1, 9))
"""The pairs that the paper speaks of: Airplane/Dog, Bird/Cat, Cat/Dog, Automobile/Truck."""

_GRID = np.linspace(0, 1, 51)


def default_pairs(cells: pd.DataFrame, count: int = 4) -> list[tuple[int, int]]:
    """Choose the paper's pairs as far as they were judged, or else those judged most often."""
    judged = cells.groupby(["class_1", "class_2"])["n"].sum()
    papers = [pair for pair in PAPERS if judged.loc[pair] > 0]
    most = judged[judged > 0].sort_values(ascending=False, kind="stable").index[:count]
    return papers or [(int(a), int(b)) for a, b in most]


def pairs_section(cells: pd.DataFrame, curves: PairCurves, chosen: Sequence[tuple[int, int]]) -> Section:
    """Draw lambda_f against lambda_h for chosen pairs and for all 45."""
    empty = int((cells["n"] == 0).sum())
    lean = "" if not empty else f" {empty} of {len(cells)} cells have no judgement and are empty."
    return Section(
        "pairs",
        "Class by class",
        [
            "The paper's Figure 2 compares people's answers with mixup's line for single pairs of classes. Each dot "
            "here is the mean answer at one λ_f, with the number of judgements. It has a 95 % interval if three or "
            f"more people judged it. Intervals of so few people are wide and approximate.{lean}",
            f"The {Color.GREY.label} curves are fitted to all judgements of the pair. The fewer judgements a pair has, "
            "the closer its curve is to the overall curve. The next section describes these curves.",
        ],
        exhibits=[_draw_chosen(cells, curves, chosen), _draw_atlas(cells, curves)],
    )


def _draw_chosen(cells: pd.DataFrame, curves: PairCurves, chosen: Sequence[tuple[int, int]]) -> Exhibit:
    columns = min(len(chosen), 2)
    rows = -(-len(chosen) // columns)
    figure = new_figure(4.4 * columns + 0.4, 4.2 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in grid[len(chosen) :]:
        axes.axis("off")
    parts = [cells[(cells["class_1"] == a) & (cells["class_2"] == b)] for a, b in chosen]
    for axes, pair, part in zip(grid, chosen, parts, strict=False):
        _draw_pair(axes, part, curves, pair)
        _mark_empty(axes, part, 8)
        judged = part[part["n"] > 0]
        tops = judged["high"].astype(float).fillna(judged["value"].astype(float))
        for x, top, n in zip(judged["lambda_f"], tops, judged["n"], strict=True):
            axes.text(x, min(top + 0.025, 1.02), f"n = {n}", ha="center", fontsize=7.5)
        finish(axes, title=CIFAR10.name_pair(*pair), xlim=(-0.03, 1.03), ylim=(-0.03, 1.09))
    grid[0].legend(loc="lower right", frameon=False, fontsize=8)
    figure.supxlabel(typeset("λ_f, share of the first-named class in the pixels"), fontsize=10)
    figure.supylabel(typeset("λ_h, share that people infer"), fontsize=10)
    names = ", ".join(CIFAR10.name_pair(*pair) for pair in chosen)
    return Exhibit(
        "pairs",
        "λ_f against λ_h for chosen pairs",
        f"People's mean answer ({PEOPLE.label}, with 95 % interval and number of judgements) at each λ_f, mixup's line "
        f"({MIXUP.label}) and the fitted curve ({Color.GREY.label}) for {names}. Shares are the first-named class's.",
        f"Panels of inferred against generating share for {names}: points with intervals around mixup's diagonal.",
        figure,
        with_pair_names(CIFAR10, pd.concat(parts, ignore_index=True)),
    )


def _draw_atlas(cells: pd.DataFrame, curves: PairCurves) -> Exhibit:
    figure = Figure(figsize=(14, 9.2))  # laying out 45 panels automatically takes seconds
    figure.subplots_adjust(left=0.035, right=0.995, bottom=0.045, top=0.955, wspace=0.12, hspace=0.5)
    for place, (_, part) in enumerate(cells.groupby(["class_1", "class_2"])):
        pair = (int(part["class_1"].iloc[0]), int(part["class_2"].iloc[0]))
        axes = figure.add_subplot(5, 9, place + 1)
        _draw_pair(axes, part, curves, pair, small=True)
        judged = part[part["n"] > 0]
        _mark_empty(axes, part, 6)
        for x, n in zip(judged["lambda_f"], judged["n"], strict=True):
            axes.text(x, 1.03, f"{n}", ha="center", va="bottom", fontsize=6)
        axes.set_title(CIFAR10.name_pair(*pair), fontsize=8, pad=9)
        axes.tick_params(labelsize=6, length=2)
        finish(axes, xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        if place % 9:
            axes.set_yticklabels([])
    figure.supxlabel(typeset("λ_f, share of the first-named class in the pixels"), fontsize=9, y=0.005)
    return Exhibit(
        "atlas",
        "Atlas of all 45 class pairs",
        f"People's mean answers ({PEOPLE.label}), mixup's line ({MIXUP.label}) and the fitted curve "
        f"({Color.GREY.label}) for every pair of CIFAR-10's classes. The small numbers on top count the "
        "judgements at each λ_f; “empty” marks a λ_f at which nobody judged the pair.",
        "Forty-five small panels, one for each class pair, of inferred against generating share.",
        figure,
        with_pair_names(CIFAR10, cells),
    )


def _draw_pair(axes: Axes, part: pd.DataFrame, curves: PairCurves, pair: tuple[int, int], small: bool = False) -> None:
    draw_mixup_line(axes)
    if pair in curves.curves:
        share = curves.of(*pair)(_GRID)
        axes.plot(_GRID, share, "--", color=Color.GREY, linewidth=1, label="fitted curve", zorder=1)
    draw_points(axes, part, "lambda_f", label="people, 95 % interval", size=2.5 if small else 4)


def _mark_empty(axes: Axes, part: pd.DataFrame, size: float) -> None:
    for x in part.loc[part["n"] == 0, "lambda_f"]:
        axes.text(x, 0.5, "empty", rotation=90, ha="center", va="center", fontsize=size, color=Color.GREY)
