"""The section on what confidence depends on."""

import pandas as pd

from hml.analysis.confidence import VARIABLES, binned_confidence, correlations
from hml.analysis.findings import conclude, state
from hml.reporting.drawing import draw_points, finish, new_figure, reaches, typeset
from hml.reporting.palette import PEOPLE, Color
from hml.reporting.sections import Claim, Exhibit, Section, compare, write_number, write_share
from hml.statistics.estimates import Estimate
from hml.statistics.jackknife import Jackknife

_LABELS = {
    "ambiguity": "endpoints' ambiguity (mean entropy of people's labels, nats)",
    "most_ambiguous": "the more ambiguous endpoint's entropy",
    "distance": "how uneven the blend is, |λ_f − ½|",
    "extremeness": "how extreme the answer is, |λ_h − ½|",
    "error": "how far the answer is from λ_f, |λ_h − λ_f|",
}
_FINDINGS = {
    "distance": ("|λ_f − ½|", "about even blends", "about uneven blends"),
    "ambiguity": ("the endpoints' mean entropy", "if the endpoints are clear", "if the endpoints are ambiguous"),
    "error": ("|λ_h − λ_f|", "if their answer is near λ_f", "if their answer is far from λ_f"),
}
"""By variable: its name, and when people are more confident if the correlation is below and above 0."""

_UNITS = {"judgement": "over judgements", "within_person": "within people", "image": "over images"}


def confidence_section(table: pd.DataFrame, jackknife: Jackknife) -> Section:
    """Write the section. The table is from `add_variables`."""
    found = correlations(table, jackknife)
    claims = [
        Claim(f"{variable}_{unit}", f"Correlation of ω with {_LABELS[variable]}, {_UNITS[unit]}", estimate)
        for (variable, unit), estimate in found.items()
    ]
    paragraphs = [
        "People also gave their confidence ω. Each line of the table correlates ω with something that may make an "
        "image hard: over single judgements, within people (because people use the slider differently), and over "
        "images (each the mean of its judgements).",
        _on_ambiguity(found),
        "How extreme an answer is and its error are related by construction: an answer of ½ to an even blend is "
        "neither extreme nor wrong. A correlation doesn't show a cause.",
    ]
    exhibits = [_draw_correlations(found), _draw_bins(binned_confidence(table, jackknife))]
    findings = [
        sentence
        for variable, (name, below, above) in _FINDINGS.items()
        if (variable, "image") in found
        for sentence in conclude(
            found[variable, "image"],
            f"the correlation over images of ω with {name}",
            f"People are more confident {above}",
            f"People are more confident {below}",
        )
    ]
    return Section("confidence", "What confidence depends on", paragraphs, findings, claims, exhibits)


def _on_ambiguity(found: dict[tuple[str, str], Estimate]) -> str:
    paper = "The paper reports that confidence tracks the ambiguity of the endpoint images “somewhat”. "
    if ("ambiguity", "image") not in found:
        return paper + "To check this, people's labels of the endpoint images are needed."
    estimate = found["ambiguity", "image"]
    if estimate.value is None:
        return paper + "There are too few judgements to check this."
    verdict = {
        "below": "Here too, people are less sure where the endpoints are more ambiguous",
        "above": "Here the opposite is true: people are more sure where the endpoints are more ambiguous",
        "not clear of": "Here the interval includes 0, so no relation is shown",
        "unknown": "Here there are too few people for an interval",
    }[compare(estimate)]
    (stated,) = state(estimate, "the correlation over images")
    return f"{paper}{verdict}. {stated} It explains {write_share(estimate.value**2)} of the variance between images."


def _draw_correlations(found: dict[tuple[str, str], Estimate]) -> Exhibit:
    variables = [v for v in VARIABLES if (v, "image") in found]
    frame = pd.DataFrame([{"variable": v, "unit": u, **found[v, u].as_dict()} for v in variables for u in _UNITS])
    figure = new_figure(8.5, 0.75 * len(variables) + 1.1)
    axes = figure.subplots()
    axes.axvline(0, color=Color.GREY, linewidth=0.8)
    styles = zip(_UNITS, (PEOPLE, Color.LIGHT_ORANGE, Color.GREEN), "osD", strict=True)
    for i, (unit, color, fmt) in enumerate(styles):
        part = frame[(frame["unit"] == unit) & frame["value"].notna()]
        height = [len(variables) - 1 - variables.index(v) + 0.22 * (1 - i) for v in part["variable"]]
        label = _UNITS[unit]
        axes.errorbar(part["value"], height, xerr=reaches(part), fmt=fmt, color=color, markersize=5, label=label)
    labels = [typeset(_LABELS[v].replace(" (", "\n(")) for v in variables]
    axes.set_yticks(range(len(variables))[::-1], labels, fontsize=8.5)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8.5)
    finish(axes, xlabel="correlation with confidence ω", ylim=(-0.5, len(variables) - 0.5))
    listed = "; ".join(f"{v} {write_number(found[v, 'image'].value)} over images" for v in variables)
    return Exhibit(
        "confidence",
        "Correlations of confidence",
        "Pearson's correlation of confidence ω with each variable, with 95 % intervals, over judgements (circles), "
        "within people (squares) and over images (diamonds). Left of 0: people are less sure where the variable is "
        "larger.",
        f"Correlations of confidence with intervals: {listed}.",
        figure,
        frame,
    )


def _draw_bins(bins: pd.DataFrame) -> Exhibit:
    variables = [v for v in VARIABLES if v in set(bins["variable"]) and v != "most_ambiguous"]
    rows = -(-len(variables) // 2)
    figure = new_figure(9, 3 * rows)
    grid = figure.subplots(rows, 2, squeeze=False, sharey=True).ravel()
    for axes in grid[len(variables) :]:
        axes.axis("off")
    for place, (axes, variable) in enumerate(zip(grid, variables, strict=False)):
        part = bins[bins["variable"] == variable]
        axes.plot(part["x"], part["value"], color=PEOPLE, linewidth=0.8, alpha=0.6)
        draw_points(axes, part, "x")
        label = _LABELS[variable].replace(" (", "\n(")
        finish(axes, xlabel=label, ylabel="" if place % 2 else "mean confidence ω", ylim=(0, 1))
    return Exhibit(
        "confidence_bins",
        "Confidence along each variable",
        "Mean confidence with its 95 % interval in up to five bins of each variable. The bins contain about "
        "the same number of judgements, except where many judgements have the same value.",
        "Panels of mean confidence along each variable, as listed in the CSV.",
        figure,
        bins,
    )
