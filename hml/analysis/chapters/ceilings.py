"""The section on agreement between people, and the best possible scores of relabellers."""

import pandas as pd

from hml.analysis.findings import state
from hml.analysis.reliability import RELABELLERS, ceilings, score_relabellers
from hml.reporting.drawing import finish, new_figure, reaches, typeset
from hml.reporting.palette import MIXUP, PEOPLE, Color
from hml.reporting.sections import Claim, Exhibit, Section, write_number
from hml.statistics.jackknife import Jackknife

_TEXTS = {
    "retest": "Test–retest: mean |difference| of a person's first and second answers to an image",
    "retest_correlation": "Test–retest: correlation of first and second answers",
    "disagreement": "Agreement: mean |difference| of two people's answers to one image",
    "floor_rmse": "Floor: the smallest root mean squared error of one number per image against one person's answer",
    "floor_mae": "Floor: a lower bound of the mean absolute error of one number per image (half of two people's "
    "difference)",
    "ceiling_correlation": "Ceiling: the largest correlation of one number per image with single answers",
    "mixup_correlation": "For comparison: the correlation of λ_f with single answers",
}
_FINDINGS = {
    "disagreement": "the mean |difference| of two people's answers to one image",
    "retest": "the mean |difference| of one person's two answers to one image",
    "ceiling_correlation": "the largest possible correlation of one number per image with single answers",
    "mixup_correlation": "the correlation of λ_f with single answers",
}


def ceilings_section(table: pd.DataFrame, jackknife: Jackknife) -> Section:
    """Write the section."""
    found = ceilings(table, jackknife)
    scores = score_relabellers(table, jackknife)
    paragraphs = [
        "A relabeller that gives each image one number can't match everyone's answer, because people differ from "
        "each other and from themselves. Two people's squared difference is twice the variance within images. "
        "This gives the floor of the squared error and, with the variance of all answers, the ceiling of the "
        "correlation.",
        "The figure scores relabellers against one person's answer. It uses first answers only, and curves that are "
        "fitted without that person. The mean of a few other people is noisy. So a smooth curve, or λ_f, can be nearer "
        "to a person's answer than other people are, although it doesn't use the image.",
    ]
    if found["retest"].value is None:
        paragraphs.append("Nobody judged an image twice, so test–retest can't be computed.")
    if found["disagreement"].value is None:
        paragraphs.append("No image was judged by two people, so agreement, floors and ceiling can't be computed.")
    claims = [Claim(name, text, found[name]) for name, text in _TEXTS.items()]
    findings = [sentence for name, what in _FINDINGS.items() for sentence in state(found[name], what)]
    exhibits = [_draw(scores, found["floor_rmse"].value)]
    return Section("ceilings", "How well could any relabeller do?", paragraphs, findings, claims, exhibits)


def _draw(scores: pd.DataFrame, floor: float | None) -> Exhibit:
    names = [name for name in RELABELLERS if name in set(scores["relabeller"])]
    figure = new_figure(9.5, 0.42 * len(names) + 1.3)
    titles = {"mae": "mean absolute error", "rmse": "root mean squared error"}
    for axes, (measure, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        part = scores[scores["measure"] == measure].set_index("relabeller").loc[names].reset_index()
        part["row"] = range(len(part))[::-1]
        for _, one in part.iterrows():
            color = MIXUP if one["relabeller"] == "mixup" else Color.GREEN if "curve" in one["relabeller"] else PEOPLE
            kept = pd.DataFrame([one])
            axes.errorbar(kept["value"], kept["row"], xerr=reaches(kept), fmt="o", color=color, markersize=5)
        axes.set_yticks(part["row"], [typeset(RELABELLERS[name]) for name in names], fontsize=8.5)
        if measure == "rmse" and floor is not None:
            axes.axvline(floor, color=Color.GREY, linestyle=":", linewidth=1.2)
            axes.text(floor, len(names) - 0.55, " floor of one number per image", fontsize=7.5, color=Color.GREY)
        finish(axes, xlabel=title, xlim=(0, None), ylim=(-0.6, len(names) - 0.2))
    errors = scores[scores["measure"] == "mae"]
    listed = "; ".join(f"{RELABELLERS[r['relabeller']]} {write_number(r['value'])}" for _, r in errors.iterrows())
    return Exhibit(
        "ceilings",
        "Relabellers against one person's answer",
        f"Each relabeller's error against one person's answer, with 95 % intervals: people ({PEOPLE.label}), fitted "
        f"curves ({Color.GREEN.label}) and mixup ({MIXUP.label}). The dotted line is the floor for one number per "
        "image. A person's own second answer may be below it, because it isn't one number for all people.",
        f"Errors of relabellers: {listed} (mean absolute error).",
        figure,
        scores,
    )
