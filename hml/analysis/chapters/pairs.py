"""The section on class pairs: the paper's Figure 2, and the atlas."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hml.analysis.pairs import most_judged
from hml.judgements import CIFAR10, Classes
from hml.judgements.curves import PairCurves
from hml.judgements.tables import with_pair_names
from hml.reporting.drawing import draw_mixup_line, draw_points, escape, finish, new_figure, typeset
from hml.reporting.palette import MIXUP, PEOPLE, Color
from hml.reporting.sections import Exhibit, Section, count
from hml.statistics.estimates import FEWEST_PEOPLE

PAPERS = ((0, 5), (2, 3), (3, 5), (1, 9))
"""The pairs in the paper: Airplane/Dog, Bird/Cat, Cat/Dog, Automobile/Truck."""

_GRID = np.linspace(0, 1, 51)


def default_pairs(table: pd.DataFrame, classes: Classes, count: int = 4) -> list[tuple[int, int]]:
    """Return the paper's pairs that were judged. If there are none, return those judged most often."""
    most = most_judged(table, len(table))
    papers = [pair for pair in PAPERS if pair in most] if classes == CIFAR10 else []
    return papers or most[:count]


def pairs_section(
    classes: Classes, cells: pd.DataFrame, curves: PairCurves, chosen: Sequence[tuple[int, int]]
) -> Section:
    """Draw lambda_h against lambda_f for chosen pairs and for all pairs with cells."""
    empty = int((cells["n"] == 0).sum())
    shown, possible = cells.groupby(["class_1", "class_2"]).ngroups, math.comb(len(classes), 2)
    some = [
        f"{len(classes)} classes make {possible:,} pairs, of which {len(curves.curves):,} were judged. This section "
        f"and the next show only {shown} of them: those judged most often, and those given with --pairs."
    ]
    lean = "" if not empty else f" {empty} of {len(cells)} cells have no judgement and are empty."
    return Section(
        "pairs",
        "Class by class",
        [
            "The paper's Figure 2 compares people's answers with mixup's line for single pairs of classes. Each dot "
            "here is the mean answer at one λ_f, with the number of judgements. It has a 95 % interval if "
            f"{FEWEST_PEOPLE} or more people judged it. With fewer, intervals cover too little.{lean}",
            f"The {Color.GREY.label} curves are fitted to all judgements of the pair. The fewer judgements a pair has, "
            "the closer its curve is to the overall curve. The next section describes these curves.",
            *(some if shown < possible else []),
        ],
        exhibits=[_draw_chosen(classes, cells, curves, chosen), _draw_atlas(classes, cells, curves)],
    )


def _draw_chosen(
    classes: Classes, cells: pd.DataFrame, curves: PairCurves, chosen: Sequence[tuple[int, int]]
) -> Exhibit:
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
        finish(axes, title=escape(classes.name_pair(*pair)), xlim=(-0.03, 1.03), ylim=(-0.03, 1.09))
    grid[0].legend(loc="lower right", frameon=False, fontsize=8)
    figure.supxlabel(typeset("λ_f, share of the first-named class in the pixels"), fontsize=10)
    figure.supylabel(typeset("λ_h, share that people infer"), fontsize=10)
    names = ", ".join(classes.name_pair(*pair) for pair in chosen)
    return Exhibit(
        "pairs",
        "λ_f against λ_h for chosen pairs",
        f"People's mean answer ({PEOPLE.label}, with 95 % interval and number of judgements) at each λ_f, mixup's line "
        f"({MIXUP.label}) and the fitted curve ({Color.GREY.label}) for {names}. Shares are the first-named class's.",
        f"Panels of inferred against generating share for {names}: points with intervals around mixup's diagonal.",
        figure,
        with_pair_names(classes, pd.concat(parts, ignore_index=True)),
    )


def _draw_atlas(classes: Classes, cells: pd.DataFrame, curves: PairCurves) -> Exhibit:
    groups = cells.groupby(["class_1", "class_2"])
    figure, rows, columns = _arrange(groups.ngroups)
    for place, (_, part) in enumerate(groups):
        pair = (int(part["class_1"].iloc[0]), int(part["class_2"].iloc[0]))
        axes = figure.add_subplot(rows, columns, place + 1)
        _draw_pair(axes, part, curves, pair, small=True)
        judged = part[part["n"] > 0]
        _mark_empty(axes, part, 6)
        for x, n in zip(judged["lambda_f"], judged["n"], strict=True):
            axes.text(x, 1.03, f"{n}", ha="center", va="bottom", fontsize=6)
        axes.set_title(escape(classes.name_pair(*pair)), fontsize=8, pad=9)
        axes.tick_params(labelsize=6, length=2)
        finish(axes, xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        if place % columns:
            axes.set_yticklabels([])
    figure.supxlabel(
        typeset("λ_f, share of the first-named class in the pixels"), fontsize=9, y=0.046 / figure.get_figheight()
    )
    shown = groups.ngroups
    which = f"all {count(shown, 'class pair')}" if shown == math.comb(len(classes), 2) else f"{shown} class pairs"
    return Exhibit(
        "atlas",
        f"Atlas of {which}",
        f"People's mean answers ({PEOPLE.label}), mixup's line ({MIXUP.label}) and the fitted curve "
        f"({Color.GREY.label}) for {which}. The small numbers on top count the "
        "judgements at each λ_f; “empty” marks a λ_f without judgements of the pair.",
        "Small panels, one for each class pair, of inferred against generating share.",
        figure,
        with_pair_names(classes, cells),
    )


def _arrange(panels: int) -> tuple[Figure, int, int]:
    """Make a figure for small panels, up to nine in a row. Return it with the numbers of rows and columns."""
    columns = min(panels, 9, math.ceil(math.sqrt(2 * panels)))
    rows = math.ceil(panels / columns)
    width, height = max(5.0, 14 + 1.55 * (columns - 9)), 9.2 + 1.8 * (rows - 5)
    figure = Figure(figsize=(width, height))  # laying out 45 panels automatically takes seconds
    across, down = 14 / width, 9.2 / height  # so that margins have the same width in inches
    figure.subplots_adjust(
        left=0.035 * across,
        right=1 - 0.005 * across,
        bottom=0.045 * down,
        top=1 - 0.045 * down,
        wspace=0.12,
        hspace=0.5,
    )
    return figure, rows, columns


def _draw_pair(axes: Axes, part: pd.DataFrame, curves: PairCurves, pair: tuple[int, int], small: bool = False) -> None:
    draw_mixup_line(axes)
    if pair in curves.curves:
        share = curves.of(*pair)(_GRID)
        axes.plot(_GRID, share, "--", color=Color.GREY, linewidth=1, label="fitted curve", zorder=1)
    draw_points(axes, part, "lambda_f", label="people, 95 % interval", size=2.5 if small else 4)


def _mark_empty(axes: Axes, part: pd.DataFrame, size: float) -> None:
    for x in part.loc[part["n"] == 0, "lambda_f"]:
        axes.text(x, 0.5, "empty", rotation=90, ha="center", va="center", fontsize=size, color=Color.GREY)
