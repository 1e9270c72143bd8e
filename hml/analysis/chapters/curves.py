"""The section on psychometric curves."""

import numpy as np
import pandas as pd

from hml.analysis.figures import BLUE, GREY, PALE, draw_forest, draw_mixup_line, finish, new_figure
from hml.analysis.pairs import CurveEstimates
from hml.analysis.report import Claim, Exhibit, Section, compare, name_pairs, pair_name

_GRID = np.linspace(0, 1, 51)


def curves_section(found: CurveEstimates) -> Section:
    """Describe the overall curve and the spread of the pairs'."""
    texts = {
        "bias": "Bias of the overall curve: the λ_f seen as half and half, less ½ (above 0: the alphabetically "
        "second class outweighs)",
        "slope": "Slope of the overall curve on the logistic's scale",
        "gain": "Gain: how fast λ_h grows with λ_f where the overall curve is steepest (mixup's line: 1)",
        "lapse": "Lapse: the share of answers that don't depend on λ_f",
    }
    claims = [Claim(f"overall_{name}", texts[name], estimate) for name, estimate in found.overall.items()]
    clear = sum(compare(p["bias"]) in ("above", "below") for p in found.pairs.values())
    spread_bias, spread_slope = found.curves.spread
    paragraphs = [
        "A psychometric curve says how the share that people see grows with the share in the pixels: a logistic "
        "with a bias (where half and half lies), a slope, and a lapse (answers that pay no heed to the image). The "
        "overall curve is fitted to all judgements. Each pair's curve shares its lapse, and its bias and slope are "
        "drawn to the overall curve's by a Gaussian prior whose width is estimated from the pairs themselves: pairs "
        f"scatter around the overall bias by {spread_bias:.3f} and around its log slope by {spread_slope:.2f} "
        "(standard deviations).",
        f"Of {len(found.pairs)} pairs, {clear} have a bias whose 95 % interval excludes 0; with none biased, about "
        f"{0.05 * len(found.pairs):.0f} would by chance.",
    ]
    if "slope" not in found.overall:
        paragraphs.append("There are fewer than three different λ_f, so slope and lapse can't be told.")
    exhibits = [_draw_curves(found)]
    if found.pairs:
        exhibits.append(_draw_biases(found))
    return Section("curves", "Psychometric curves", paragraphs, claims, exhibits)


def _draw_curves(found: CurveEstimates) -> Exhibit:
    figure = new_figure(6, 5)
    axes = figure.subplots()
    data = [found.bands.assign(pair="overall")]
    for pair, curve in found.curves.curves.items():
        axes.plot(
            _GRID,
            curve(_GRID),
            color=GREY,
            linewidth=0.5,
            alpha=0.6,
            label="each class pair" if len(data) == 1 else None,
        )
        data.append(pd.DataFrame({"lambda_f": _GRID, "value": curve(_GRID), "pair": pair_name(*pair)}))
    draw_mixup_line(axes)
    bands = found.bands
    if bands["low"].notna().all():
        axes.fill_between(
            bands["lambda_f"], bands["low"].astype(float), bands["high"].astype(float), color=PALE, zorder=3
        )
    axes.plot(
        bands["lambda_f"], bands["value"], color=BLUE, linewidth=1.6, label="all judgements, 95 % interval", zorder=4
    )
    finish(
        axes,
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="λ_f, first class's share in the pixels",
        ylabel="λ_h, share that people infer",
    )
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    return Exhibit(
        "curves",
        "Psychometric curves",
        "The overall curve with its 95 % interval (blue), each class pair's curve (grey) and mixup's line (red). "
        "Outside the λ_f that people judged, curves are extrapolated.",
        "The overall curve in blue with its band beside mixup's red diagonal, among the pairs' thin grey curves.",
        figure,
        pd.concat(data, ignore_index=True)[["pair", "lambda_f", "value", "low", "high", "n", "people"]],
    )


def _draw_biases(found: CurveEstimates) -> Exhibit:
    order = sorted(found.pairs, key=lambda pair: -(found.pairs[pair]["bias"].value or 0))
    frame = pd.DataFrame(
        [
            {"class_1": a, "class_2": b, "parameter": name, **found.pairs[a, b][name].as_dict()}
            for a, b in order
            for name in found.pairs[a, b]
        ]
    )
    biases = frame[frame["parameter"] == "bias"]
    figure = new_figure(7, 0.19 * len(order) + 1.2)
    axes = figure.subplots()
    draw_forest(axes, [f"{pair_name(*pair)} ({int(n)})" for pair, n in zip(order, biases["n"], strict=True)], biases)
    axes.tick_params(axis="y", labelsize=7.5)
    finish(axes, xlabel="bias, in λ_f (left of 0: the first-named class outweighs; right: the second)")
    return Exhibit(
        "biases",
        "Bias of each class pair",
        "Where each pair's curve puts half and half, less ½, with 95 % intervals; in brackets the number of "
        "judgements. Estimates are drawn to the overall bias, and the intervals hold what that leaves unknown.",
        "A list of class pairs in order of bias, each with an interval around zero or clear of it.",
        figure,
        name_pairs(frame),
    )
