"""The section on the construct and select tasks."""

import numpy as np
import pandas as pd

from hml.analysis.findings import conclude
from hml.analysis.midpoints import implied_midpoints, pair_midpoints, summarise_midpoints
from hml.analysis.quality import ALIKE
from hml.analysis.reliability import agreement
from hml.reporting.drawing import finish, new_figure
from hml.reporting.palette import MIXUP, PEOPLE, Color
from hml.reporting.sections import Claim, Exhibit, Section
from hml.statistics.jackknife import Jackknife

_TEXTS = {
    "mean": "mean midpoint",
    "varied": f"mean midpoint without people who gave one answer in {ALIKE:.0%} of their trials or more",
    "distance": "mean distance from ½",
    "exact": "share of answers at exactly ½, as mixup assumes",
    "disagreement": "mean |difference| of two people on one pair of images",
    "retest": "mean |difference| of a person's two answers",
    "pull": "mean midpoint of searches that start at .9 minus that of searches that start at .1",
}


def midpoints_section(construct: pd.DataFrame, select: pd.DataFrame, judgements: pd.DataFrame) -> Section:
    """Write the section."""
    claims = [
        Claim(f"{task}_{name}", f"{title}: {_TEXTS[name]}", estimate)
        for task, title, table in (("construct", "Built", construct), ("select", "Picked", select))
        for name, estimate in summarise_midpoints(table, Jackknife.of(table)).items()
        if not (name in ("pull", "varied") and estimate.value is None)
    ]
    claims += _correlate(construct, select, judgements)
    shared = pair_midpoints(construct, select, judgements)
    return Section(
        "midpoints",
        "Where people put the middle",
        [
            "Other people were asked for the blend that shows both images equally. They built it with two keys, "
            "starting from .1 or .9, or picked it from eleven shuffled blends. mixup's midpoint is ½.",
            "Some pairs of images are in these tasks and in the task above. Someone who sees more than half of the "
            "first image in an even blend should put the midpoint below ½. So 1 − λ_h of an even blend and the "
            f"midpoint should move in the same direction. {len(shared)} pairs are in all tasks, with λ_f = ½. Each "
            "pair's mean is over few people, which makes all correlations smaller.",
        ],
        [sentence for claim in claims for sentence in _find(claim)],
        claims,
        [_draw(construct, select, shared)],
    )


def _find(claim: Claim) -> list[str]:
    """State on which side of one half a task's mean midpoint is."""
    if claim.name not in ("construct_mean", "select_mean"):
        return []
    how = "built" if claim.name == "construct_mean" else "picked"
    return conclude(
        claim.estimate,
        f"the mean midpoint that people {how}",
        f"Blends that people {how} as even have more of the first image",
        f"Blends that people {how} as even have less of the first image",
        against=0.5,
    )


def _correlate(construct: pd.DataFrame, select: pd.DataFrame, judgements: pd.DataFrame) -> list[Claim]:
    """Correlate every two of the three tasks, over the pairs of images that are in both."""
    even = implied_midpoints(judgements)
    tables = {"construct": (construct, "lambda_m"), "select": (select, "lambda_m"), "inference": (even, "implied")}
    claims = []
    for a, b, text in (
        ("construct", "select", "Correlation of built with picked midpoints, over pairs of images"),
        ("construct", "inference", "Correlation of built midpoints with what judgements of even blends imply"),
        ("select", "inference", "Correlation of picked midpoints with what judgements of even blends imply"),
    ):
        (left, x), (right, y) = tables[a], tables[b]
        estimate = agreement((left, right), "pair", (x, y))
        claims.append(Claim(f"{a}_{b}", text, estimate))
    return claims


def _draw(construct: pd.DataFrame, select: pd.DataFrame, shared: pd.DataFrame) -> Exhibit:
    figure = new_figure(9.5, 4.2)
    left, right = figure.subplots(1, 2)
    levels = np.arange(11) / 10
    rows = []
    right.axvline(0.5, color=Color.GREY, linewidth=0.8)
    right.axhline(0.5, color=Color.GREY, linewidth=0.8)
    for name, task, table, color, marker, offset in (
        ("construct", "built", construct, PEOPLE, "o", -0.02),
        ("select", "picked", select, Color.LIGHT_ORANGE, "s", 0.02),
    ):
        share = np.array([(np.abs(table["lambda_m"] - level) < 0.05).mean() for level in levels])
        left.bar(levels + offset, share, width=0.038, color=color, label=f"{task} (n = {len(table):,})")
        right.scatter(shared["inferred"], shared[name], s=14, color=color, marker=marker, alpha=0.7, label=task)
        rows += [{"part": task, "midpoint": x, "share": s} for x, s in zip(levels, share, strict=True)]
    left.axvline(0.5, color=MIXUP, linewidth=1.2, label="mixup: ½", zorder=0)
    left.legend(frameon=False, fontsize=8.5)
    finish(left, xlabel="midpoint, share of the first image", ylabel="share of answers")
    right.legend(frameon=False, fontsize=8.5)
    right.set(xlim=(0, 1), ylim=(0, 1))
    finish(right, xlabel="implied by judgements of the even blend, 1 − λ_h", ylabel="mean midpoint")
    points = [{"part": "shared pair", **row} for row in shared.to_dict("records")]
    return Exhibit(
        "midpoints",
        "Midpoints, built and picked",
        "Left: how often each midpoint was given, in both tasks. Right: for each pair of images that the tasks "
        "share, the mean midpoint against what judgements of the even blend imply.",
        "Left, bars of midpoints that peak at one half; right, a scatter of midpoints against what judgements imply.",
        figure,
        pd.DataFrame([*rows, *points]),
    )
