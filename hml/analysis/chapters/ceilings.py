"""The section on how far people agree, and how well any relabeller could do."""

import pandas as pd

from hml.analysis.bootstrap import Bootstrap
from hml.analysis.figures import BLUE, GREEN, GREY, RED, finish, new_figure, reaches, typeset
from hml.analysis.reliability import RELABELLERS, ceilings, score_relabellers
from hml.analysis.report import Claim, Exhibit, Section, write_number

_TEXTS = {
    "retest": "Test–retest: how far a person's second answer to an image lies from the first, mean |difference|",
    "retest_correlation": "Test–retest: correlation of first and second answers",
    "disagreement": "Agreement: how far two people's answers to one image lie apart, mean |difference|",
    "floor_rmse": "Floor: the least root mean squared error, against one person's answer, of one number an image",
    "floor_mae": "Floor: a mean absolute error below which one number an image can't come (half of two people's "
    "difference)",
    "ceiling_correlation": "Ceiling: the largest correlation of one number an image with single answers",
    "mixup_correlation": "For comparison: the correlation of λ_f with single answers",
}


def ceilings_section(table: pd.DataFrame, bootstrap: Bootstrap) -> Section:
    """Write the section."""
    found = ceilings(table, bootstrap)
    scores = score_relabellers(table, bootstrap)
    paragraphs = [
        "People don't agree with themselves, and less with each other, so no relabeller that gives an image one "
        "number can meet everyone's answer. Two people's squared difference is twice the variance within images: "
        "that gives the floor of the squared error, and with the variance of all answers the ceiling of the "
        "correlation.",
        "The figure scores relabellers against one person's answer: first answers only, curves fitted without that "
        "person. The mean of a few other people is itself noisy, so a smooth curve, or λ_f, can come closer to a "
        "person than other people do, though it sees no image.",
    ]
    if found["retest"].value is None:
        paragraphs.append("Nobody judged an image twice, so test–retest can't be told.")
    if found["disagreement"].value is None:
        paragraphs.append("No image was judged by two people, so agreement, floors and ceiling can't be told.")
    claims = [Claim(name, text, found[name]) for name, text in _TEXTS.items()]
    return Section(
        "ceilings", "How well could any relabeller do?", paragraphs, claims, [_draw(scores, found["floor_rmse"].value)]
    )


def _draw(scores: pd.DataFrame, floor: float | None) -> Exhibit:
    names = [name for name in RELABELLERS if name in set(scores["relabeller"])]
    figure = new_figure(9.5, 0.42 * len(names) + 1.3)
    for axes, (measure, title) in zip(
        figure.subplots(1, 2, sharey=True),
        (("mae", "mean absolute error"), ("rmse", "root mean squared error")),
        strict=True,
    ):
        part = scores[scores["measure"] == measure].set_index("relabeller").loc[names].reset_index()
        part["row"] = range(len(part))[::-1]
        for _, one in part.iterrows():
            color = RED if one["relabeller"] == "mixup" else GREEN if "curve" in one["relabeller"] else BLUE
            kept = pd.DataFrame([one])
            axes.errorbar(kept["value"], kept["row"], xerr=reaches(kept), fmt="o", color=color, markersize=5)
        axes.set_yticks(part["row"], [typeset(RELABELLERS[name]) for name in names], fontsize=8.5)
        if measure == "rmse" and floor is not None:
            axes.axvline(floor, color=GREY, linestyle=":", linewidth=1.2)
            axes.text(floor, len(names) - 0.55, " floor of one number an image", fontsize=7.5, color=GREY)
        finish(axes, xlabel=title, xlim=(0, None), ylim=(-0.6, len(names) - 0.2))
    return Exhibit(
        "ceilings",
        "Relabellers against one person's answer",
        "How far each relabeller lies from one person's answer, with 95 % intervals: people in blue, fitted curves "
        "in green, mixup in red. The dotted line is the floor of the squared error for one number an image; a "
        "person's own second answer may lie below it, since it isn't one number for all people.",
        "Errors of relabellers: "
        + "; ".join(
            f"{RELABELLERS[r['relabeller']]} {write_number(r['value'])}"
            for _, r in scores[scores["measure"] == "mae"].iterrows()
        )
        + " (mean absolute error).",
        figure,
        scores,
    )
