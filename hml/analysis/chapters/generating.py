"""The section on lambda_f against lambda_h over all class pairs."""

from functools import partial

import pandas as pd

from hml.analysis.findings import conclude_list, state
from hml.analysis.generating import error_by_image, error_by_judgement, summarise_levels
from hml.reporting.drawing import draw_mixup_line, draw_points, finish, new_figure, typeset
from hml.reporting.palette import MIXUP, PEOPLE, Color
from hml.reporting.sections import Claim, Exhibit, Section, write_interval, write_number, write_same_images
from hml.reporting.tables import Table
from hml.statistics.estimates import SIZE, Estimate, with_adjusted_p
from hml.statistics.jackknife import Jackknife

_UNITS = {"image": "images (each the mean of its judgements)", "judgement": "single judgements"}
_HEADINGS = {
    "mean": "mean λ_h",
    "median": "median",
    "q25": "lower quartile",
    "q75": "upper quartile",
    "error": "mean |λ_h − λ_f|",
    "omega": "mean ω",
}


def generating_section(table: pd.DataFrame, jackknife: Jackknife) -> tuple[Section, pd.DataFrame]:
    """Write the section; also return the result of `summarise_levels`."""
    levels = summarise_levels(table, jackknife)
    means = _means(levels)
    levels = levels.join(with_adjusted_p(means, means["lambda_f"].tolist())[["p_adjusted", "adjustment"]])
    images, people = table["image"].nunique(), table["person"].nunique()
    claims = [
        Claim(
            "error_by_image",
            "Distance of an image's mean answer from its mixing coefficient: mean |λ_h − λ_f| over images",
            jackknife.estimate(partial(error_by_image, table), images, people, SIZE.for_other_images),
        ),
        Claim(
            "error_by_judgement",
            "Distance of a single answer from the mixing coefficient: mean |λ_h − λ_f| over judgements",
            jackknife.estimate(partial(error_by_judgement, table), len(table), people, SIZE),
        ),
    ]
    section = Section(
        "generating",
        "What goes in and what people see",
        [
            "mixup labels an image by the share λ_f of its first endpoint in the pixels. People saw the mixed image "
            "and the names of both classes, and moved a slider to the share λ_h that they inferred. If they saw what "
            f"mixup assumes, every answer would be on mixup's line ({MIXUP.label}).",
            "The paper finds that people's answers don't consistently align with mixup's labels. The figure and the "
            "tables show how far these judgements are from λ_f, and in which direction at each λ_f.",
        ],
        _find(claims[0].estimate, levels),
        claims,
        [_draw(levels)],
        [_tabulate(levels, unit) for unit in _UNITS],
    )
    return section, levels


def _find(error: Estimate, levels: pd.DataFrame) -> list[str]:
    """State the distance of images' mean answers from lambda_f, and at which levels they are larger or smaller."""
    means = {float(row["lambda_f"]): Estimate.from_row(row) for row in _means(levels).to_dict("records")}
    return state(error, "the mean over images of |λ_h − λ_f|, with λ_h averaged over an image's judgements,") + (
        conclude_list(
            [(f"{level:g}", estimate) for level, estimate in means.items()],
            "The mean λ_h is larger than λ_f at λ_f =",
            "The mean λ_h is smaller than λ_f at λ_f =",
            "The mean λ_h differs from λ_f at no λ_f",
            list(means),
        )
    )


def _draw(levels: pd.DataFrame) -> Exhibit:
    figure = new_figure(10, 4.8)
    for axes, unit in zip(figure.subplots(1, 2, sharey=True), _UNITS, strict=True):
        part = levels[levels["unit"] == unit]
        of = dict(list(part.groupby("statistic")))
        x = of["mean"]["lambda_f"].to_numpy()
        low, high = (of[name]["value"].to_numpy(float) for name in ("q25", "q75"))
        axes.bar(x, high - low, 0.085, low, color=Color.PALE_BLUE, edgecolor=PEOPLE, linewidth=0.6, label="middle half")
        middle = of["median"]["value"].to_numpy(float)
        axes.hlines(middle, x - 0.042, x + 0.042, color=PEOPLE, linewidth=2.5, label="median")
        draw_mixup_line(axes)
        draw_points(axes, of["mean"], "lambda_f", "black", "mean, 95 % interval", marker="D")
        for place, n in zip(x, of["mean"]["n"], strict=True):
            axes.text(place, -0.04, f"n = {n:,}", ha="center", va="top", fontsize=8)
        finish(axes, xlim=(-0.02, 1.02), ylim=(-0.11, 1.02), xlabel="λ_f, share in the pixels", title=_UNITS[unit])
    figure.axes[0].set_ylabel(typeset("λ_h, share that people infer"))
    figure.axes[0].legend(loc="upper left", frameon=False, fontsize=9)
    return Exhibit(
        "aggregate",
        "Inferred against generating coefficients",
        "For each mixing coefficient λ_f: the middle half of people's λ_h (wide bars), the median (thick line), the "
        f"mean with its 95 % interval (diamonds) and mixup's assumption ({MIXUP.label} line). Left: an "
        "image counts by the mean of its judgements. Right: every judgement counts.",
        "Wide bars of inferred against generating coefficients around mixup's diagonal; means at each λ_f over images: "
        + ", ".join(f"{e['lambda_f']:g} → {e['value']:.2f}" for _, e in _means(levels).iterrows())
        + ".",
        figure,
        levels,
    )


def _means(levels: pd.DataFrame) -> pd.DataFrame:
    return levels[(levels["unit"] == "image") & (levels["statistic"] == "mean")]


def _tabulate(levels: pd.DataFrame, unit: str) -> Table:
    part = levels[levels["unit"] == unit]
    statistics = part["statistic"].unique()
    rows = []
    for level, cells in part.groupby("lambda_f", sort=True):
        by_name = cells.set_index("statistic")
        estimates = [Estimate.from_row(by_name.loc[name].to_dict()) for name in statistics]
        written = [f"{write_number(e.value)}\n{write_interval(e)}\n{write_same_images(e)}" for e in estimates]
        rows.append([f"{level:g}", f"{estimates[0].n:,}", *written])
    caption = (
        f"Answers at each λ_f, over {_UNITS[unit]}. Below each number are its 95 % intervals: for other people and "
        "other images, and for other people and the same images."
    )
    return Table(caption, ["λ_f", "n", *(_HEADINGS[name] for name in statistics)], rows)
