"""The section on answers over all classes."""

import pandas as pd

from hml.analysis.findings import capitalise, state
from hml.analysis.reliability import agreement
from hml.analysis.soft_categories import MEASURES, endpoint_share, summarise_soft_categories
from hml.reporting.drawing import finish, new_figure, reaches
from hml.reporting.palette import PEOPLE, Color
from hml.reporting.sections import Claim, Exhibit, Section
from hml.statistics.estimates import Estimate
from hml.statistics.jackknife import Jackknife


def soft_categories_section(soft: pd.DataFrame, judgements: pd.DataFrame) -> Section:
    """Write the section."""
    levels = summarise_soft_categories(soft, Jackknife.of(soft))
    overall = levels[levels["lambda_f"] == "all"].set_index("measure")
    tables = (endpoint_share(soft), judgements)
    texts = {"outside": MEASURES["outside"], "neither": f"{MEASURES['neither']}, share of answers"}
    claims = [Claim(name, capitalise(texts[name]), Estimate.from_row(overall.loc[name].to_dict())) for name in texts]
    correlation = agreement(tables, "filename", ("share", "lambda_h"))
    text = "Correlation, over images, of the first endpoint's part of the mass on both with the mean λ_h"
    claims.append(Claim("inference", text, correlation))
    return Section(
        "soft_categories",
        "Answers over all classes",
        [
            "People saw mixed images without the names of the endpoints' classes. They gave the most probable class, "
            "the second most probable, the probability of each, and the classes that are impossible. The remaining "
            "probability is spread over the other possible classes, as for CIFAR-10S. mixup's label gives no "
            "probability to classes other than the endpoints'.",
            f"{soft['person'].nunique()} people took part.",
        ],
        state(claims[0].estimate, "the mean probability that people give to classes of neither endpoint"),
        claims,
        [_draw(levels)],
    )


def _draw(levels: pd.DataFrame) -> Exhibit:
    part = levels[levels["lambda_f"] != "all"]
    figure = new_figure(6.5, 4)
    axes = figure.subplots()
    for name, color, marker, offset in (
        ("outside", Color.GREY, "D", 0.0),
        ("mass_1", PEOPLE, "o", -0.008),
        ("mass_2", Color.LIGHT_ORANGE, "s", 0.008),
    ):
        shown = part[part["measure"] == name]
        x = shown["lambda_f"].astype(float) + offset
        axes.errorbar(x, shown["value"], yerr=reaches(shown), fmt=f"{marker}-", color=color, label=MEASURES[name])
    axes.legend(frameon=False, fontsize=8.5, loc="upper center")
    finish(axes, xlabel="λ_f", ylabel="mean share of the mass", ylim=(0, 1.15))
    return Exhibit(
        "soft_categories",
        "Where the probability of all classes falls",
        "The mean share of the probability that falls on the first endpoint's class (circles), on the second's "
        "(squares) and on neither (diamonds) at each λ_f, with 95 % intervals.",
        "The mass on the first endpoint increases with its share in the pixels; that on the second decreases.",
        figure,
        levels,
    )
