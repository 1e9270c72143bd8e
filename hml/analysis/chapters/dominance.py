"""The section on which classes dominate a blend."""

import pandas as pd

from hml.analysis.bootstrap import Bootstrap
from hml.analysis.dominance import dominance
from hml.analysis.figures import draw_forest, finish, new_figure
from hml.analysis.report import Claim, Exhibit, Section
from hml.judgements import CLASS_NAMES


def dominance_section(table: pd.DataFrame, bootstrap: Bootstrap) -> Section:
    """Write the section."""
    classes, position = dominance(table, bootstrap)
    named = classes.assign(**{"class": [CLASS_NAMES[c] for c in classes["class"]]})
    low, high = named["low"].astype(float), named["high"].astype(float)
    strong, weak = (named.loc[clear, "class"].tolist() for clear in (low > 0, high < 0))
    said = []
    if strong:
        said.append(f"seen in more than their share of the pixels: {', '.join(strong)}")
    if weak:
        said.append(f"seen in less: {', '.join(weak)}")
    summary = "; ".join(said) or "no class can be told from the average"
    return Section(
        "dominance",
        "Which classes dominate",
        [
            "A Bradley–Terry model gives each class a strength, with what is in the pixels as a handicap: the log "
            "odds of λ_h are a slope times λ_f − ½, plus the first class's strength less the second's. Divided by "
            "the slope, a strength reads as a share of the pixels: how much less than half a class needs to look "
            "like half of a blend with an average class. A common lean to the class that stands first "
            "alphabetically, and on the left of the slider, is fitted besides, so that it isn't mistaken for "
            "strength.",
            f"In these images, with intervals clear of 0, {summary}.",
        ],
        [
            Claim(
                "position",
                "Lean to the class that stands first, as a share of the pixels (below 0: to the second)",
                position,
            )
        ],
        [_draw(named)],
    )


def _draw(named: pd.DataFrame) -> Exhibit:
    figure = new_figure(7, 0.36 * len(named) + 1)
    axes = figure.subplots()
    draw_forest(axes, [f"{row['class']} (n = {row['n']:,})" for _, row in named.iterrows()], named)
    finish(axes, xlabel="share of the pixels that the class can do without (right: it dominates)")
    return Exhibit(
        "dominance",
        "Strength of each class",
        "The share of the pixels that each class can do without, against an average class, and still be seen as half "
        "of the blend, with 95 % intervals and the number of judgements of blends that hold the class.",
        "Classes in order of strength: "
        + ", ".join(f"{r['class']} {r['value']:+.3f}" for _, r in named.iterrows())
        + ".",
        figure,
        named,
    )
