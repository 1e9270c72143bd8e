"""The section on ten-class answers."""

import pandas as pd

from hml.analysis.bootstrap import Bootstrap, Estimate
from hml.analysis.figures import BLUE, GREY, ORANGE, finish, new_figure, reaches
from hml.analysis.report import Claim, Exhibit, Section
from hml.analysis.soft_categories import MEASURES, agreement_with_inference, summarise_soft_categories


def soft_categories_section(soft: pd.DataFrame, judgements: pd.DataFrame, bootstraps: dict[str, Bootstrap]) -> Section:
    """Write the section.

    Args:
        soft: What `soft_category_table` made.
        judgements: The inference task's `judgement_table`.
        bootstraps: Resamples of each task's people: "soft" and "inference".
    """
    levels = summarise_soft_categories(soft, bootstraps["soft"])
    overall = levels[levels["lambda_f"] == "all"].set_index("measure")
    claims = [
        Claim(
            name,
            MEASURES[name][0].upper() + MEASURES[name][1:] + ", share of answers" * (name == "neither"),
            Estimate.from_row(overall.loc[name].to_dict()),
        )
        for name in ("outside", "neither")
    ]
    claims.append(
        Claim(
            "inference",
            "Correlation, over images, of the first endpoint's part of the mass on both with the mean λ_h",
            agreement_with_inference(soft, judgements, (bootstraps["soft"], bootstraps["inference"])),
        )
    )
    return Section(
        "soft_categories",
        "When all ten classes are open",
        [
            "A few people saw mixed images without being told the endpoints, and said which class is most probable, "
            "which next, how probable each is, and which can be ruled out. What they left over is spread over the "
            "classes not ruled out, as CIFAR-10S does. mixup's label puts nothing outside the two endpoints' "
            "classes.",
            f"Only {soft['person'].nunique()} people took part, so the intervals are wide.",
        ],
        claims,
        [_draw(levels)],
    )


def _draw(levels: pd.DataFrame) -> Exhibit:
    part = levels[levels["lambda_f"] != "all"]
    figure = new_figure(6.5, 4)
    axes = figure.subplots()
    for name, color, marker, offset in (
        ("outside", GREY, "D", 0.0),
        ("mass_1", BLUE, "o", -0.008),
        ("mass_2", ORANGE, "s", 0.008),
    ):
        shown = part[part["measure"] == name]
        x = shown["lambda_f"].astype(float) + offset
        axes.errorbar(x, shown["value"], yerr=reaches(shown), fmt=f"{marker}-", color=color, label=MEASURES[name])
    axes.legend(frameon=False, fontsize=8.5, loc="upper center")
    finish(axes, xlabel="λ_f", ylabel="mean share of the mass", ylim=(0, 1.15))
    return Exhibit(
        "soft_categories",
        "Where ten-class mass falls",
        "The mean share of the ten-class mass that falls on the first endpoint's class (circles), on the second's "
        "(squares) and on neither (diamonds) at each λ_f, with 95 % intervals.",
        "Mass on the first endpoint rises with its share in the pixels, on the second falls; part falls on neither.",
        figure,
        levels,
    )
