"""The section on what confidence goes with."""

import pandas as pd

from hml.analysis.bootstrap import Bootstrap, Estimate
from hml.analysis.confidence import UNITS, VARIABLES, binned_confidence, correlations
from hml.analysis.figures import BLUE, GREEN, GREY, ORANGE, draw_points, finish, new_figure, reaches, typeset
from hml.analysis.report import Claim, Exhibit, Section, compare, write_interval, write_number

_LABELS = {
    "ambiguity": "endpoints' ambiguity (mean entropy of their CIFAR-10H labels, nats)",
    "most_ambiguous": "the more ambiguous endpoint's entropy",
    "distance": "how uneven the blend is, |λ_f − ½|",
    "extremeness": "how extreme the answer is, |λ_h − ½|",
    "error": "how far the answer is from λ_f, |λ_h − λ_f|",
}
_UNIT_LABELS = {
    "judgement": "over judgements",
    "within_person": "within people",
    "image": "over images",
}


def confidence_section(table: pd.DataFrame, bootstrap: Bootstrap) -> Section:
    """Write the section; `table` is what `add_variables` made."""
    found = correlations(table, bootstrap)
    claims = [
        Claim(f"{variable}_{unit}", f"Correlation of ω with {_LABELS[variable]}, {_UNIT_LABELS[unit]}", estimate)
        for (variable, unit), estimate in found.items()
    ]
    paragraphs = [
        "Beside the share, people gave their confidence ω. Each line of the table correlates it with something that "
        "may make an image hard: over single judgements, within people (since people use such a slider "
        "differently), and over images, each the mean of its judgements.",
        _on_ambiguity(found),
        "Answers and errors hang together by construction: an answer of ½ to an even blend is neither extreme nor "
        "wrong. None of these correlations says what causes what.",
    ]
    exhibits = [_draw_correlations(found), _draw_bins(binned_confidence(table, bootstrap))]
    return Section("confidence", "What confidence goes with", paragraphs, claims, exhibits)


def _on_ambiguity(found: dict[tuple[str, str], Estimate]) -> str:
    paper = "The paper says that confidence tracks the ambiguity of the endpoint images “somewhat”. "
    if ("ambiguity", "image") not in found:
        return paper + "That needs CIFAR-10H's labels, which aren't at hand."
    estimate = found["ambiguity", "image"]
    if estimate.value is None:
        return paper + "Here there is too little to tell."
    verdict = {
        "below": "So it does here: people are less sure where the endpoints are more ambiguous",
        "above": "Here it is the other way round: people are more sure where the endpoints are more ambiguous",
        "not clear of": "Here that can't be told from no relation at all",
        "unknown": "Here there are too few people to tell",
    }[compare(estimate)]
    return (
        f"{paper}{verdict} (over images, correlation {write_number(estimate.value)}, 95 % interval "
        f"{write_interval(estimate)}); that is {estimate.value**2:.1%} of the variance between images."
    )


def _draw_correlations(found: dict[tuple[str, str], Estimate]) -> Exhibit:
    variables = [v for v in VARIABLES if (v, "image") in found]
    frame = pd.DataFrame([{"variable": v, "unit": u, **found[v, u].as_dict()} for v in variables for u in UNITS])
    figure = new_figure(8.5, 0.75 * len(variables) + 1.1)
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=0.8)
    for i, (unit, color, marker) in enumerate(zip(UNITS, (BLUE, ORANGE, GREEN), "osD", strict=True)):
        part = frame[(frame["unit"] == unit) & frame["value"].notna()]
        height = [len(variables) - 1 - variables.index(v) + 0.22 * (1 - i) for v in part["variable"]]
        axes.errorbar(
            part["value"], height, xerr=reaches(part), fmt=marker, color=color, markersize=5, label=_UNIT_LABELS[unit]
        )
    axes.set_yticks(
        range(len(variables))[::-1], [typeset(_LABELS[v].replace(" (", "\n(")) for v in variables], fontsize=8.5
    )
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8.5)
    finish(axes, xlabel="correlation with confidence ω", ylim=(-0.5, len(variables) - 0.5))
    return Exhibit(
        "confidence",
        "Correlations of confidence",
        "Pearson's correlation of confidence ω with each variable, with 95 % intervals, over judgements (circles), "
        "within people (squares) and over images (diamonds). Left of 0: people are less sure where the variable is "
        "larger.",
        "Correlations of confidence with intervals: "
        + "; ".join(f"{v} {write_number(found[v, 'image'].value, 2)} over images" for v in variables)
        + ".",
        figure,
        frame,
    )


def _draw_bins(bins: pd.DataFrame) -> Exhibit:
    variables = [v for v in VARIABLES if v in set(bins["variable"]) and v != "most_ambiguous"]
    columns = 2
    rows = -(-len(variables) // columns)
    figure = new_figure(9, 3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in grid[len(variables) :]:
        axes.axis("off")
    for axes, variable in zip(grid, variables, strict=False):
        part = bins[bins["variable"] == variable]
        axes.plot(part["x"], part["value"], color=BLUE, linewidth=0.8, alpha=0.6)
        draw_points(axes, part, "x")
        label = _LABELS[variable].replace(" (", "\n(")
        finish(axes, xlabel=label, ylabel="mean confidence ω", ylim=(0, 1))
    return Exhibit(
        "confidence_bins",
        "Confidence along each variable",
        "Mean confidence with its 95 % interval in up to five bins of each variable, which hold about as many "
        "judgements each where ties allow.",
        "Panels of mean confidence along each variable, as listed in the CSV.",
        figure,
        bins,
    )
