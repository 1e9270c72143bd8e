"""The section on which classes dominate a blend."""

import pandas as pd

from hml.analysis.dominance import dominance
from hml.analysis.findings import conclude_list
from hml.judgements import Classes
from hml.reporting.drawing import draw_forest, escape, finish, new_figure
from hml.reporting.sections import Claim, Exhibit, Section, write_number
from hml.statistics.estimates import Estimate, with_adjusted_p
from hml.statistics.jackknife import Jackknife

_POSITION = "Preference for the first-named class, as a share of the pixels (below 0: for the second)"


def dominance_section(classes: Classes, table: pd.DataFrame, jackknife: Jackknife) -> Section:
    """Write the section."""
    strengths, position = dominance(table, jackknife, len(classes))
    named = strengths.assign(**{"class": [classes[c] for c in strengths["class"]]})
    findings = conclude_list(
        [(row["class"], Estimate.from_row(row)) for row in named.to_dict("records")],
        "Classes that dominate, with the share of the pixels that they can miss:",
        "Classes that are dominated, with the same share, which is below 0:",
        "No class's strength differs from 0",
    )
    return Section(
        "dominance",
        "Which classes dominate",
        [
            "A Bradley–Terry model gives each class a strength. The log odds of λ_h are a slope times λ_f − ½, plus "
            "the first class's strength minus the second's. Divided by the slope, a strength is a share of the pixels: "
            "how much less than half of the pixels a class needs to look like half of a blend with an average class.",
            "The first-named class of a pair is the one with the lower label. In H-Mix it is the first in the alphabet "
            "and on the left of the slider. The model also fits a common preference for it, so that this isn't "
            "mistaken for strength.",
        ],
        findings,
        [Claim("position", _POSITION, position)],
        [_draw(with_adjusted_p(named))],
    )


def _draw(named: pd.DataFrame) -> Exhibit:
    figure = new_figure(7, 0.36 * len(named) + 1)
    axes = figure.subplots()
    draw_forest(axes, [f"{escape(row['class'])} (n = {row['n']:,})" for _, row in named.iterrows()], named)
    finish(axes, xlabel="share of the pixels that the class can miss (right: it dominates)")
    listed = ", ".join(f"{r['class']} {write_number(r['value'])}" for _, r in named.iterrows())
    return Exhibit(
        "dominance",
        "Strength of each class",
        "How much less than half of the pixels each class needs to look like half of a blend with an average class, "
        "with 95 % intervals and the number of judgements of blends that contain the class.",
        f"Classes in order of strength: {listed}.",
        figure,
        named,
    )
