"""The section on psychometric curves."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hml.analysis.findings import conclude, conclude_list
from hml.analysis.pairs import CurveEstimates
from hml.judgements import Classes
from hml.judgements.tables import with_pair_names
from hml.reporting.drawing import draw_forest, draw_mixup_line, escape, finish, new_figure
from hml.reporting.palette import MIXUP, PEOPLE, Color
from hml.reporting.sections import Claim, Exhibit, Section, write_number
from hml.statistics.estimates import Estimate, with_adjusted_p

_GRID = np.linspace(0, 1, 51)


def curves_section(classes: Classes, found: CurveEstimates) -> Section:
    """Describe the overall curve and the spread of the pairs'."""
    texts = {
        "bias": "Bias of the overall curve: the λ_f that people see as half and half, minus ½ (above 0: the class "
        "with the higher label dominates)",
        "slope": "Slope of the overall curve on the logistic's scale",
        "gain": "Gain: how fast λ_h grows with λ_f where the overall curve is steepest (mixup's line: 1)",
        "lapse": "Lapse: the share of answers that don't depend on λ_f",
    }
    claims = [Claim(f"overall_{name}", texts[name], estimate) for name, estimate in found.overall.items()]
    which = "class pairs" if len(found.pairs) == len(found.curves.curves) else "class pairs judged most often"
    biased = conclude_list(
        [(classes.name_pair(*pair), estimates["bias"]) for pair, estimates in found.pairs.items()],
        f"Of the {which}, the second-named class dominates in",
        f"Of the {which}, the first-named class dominates in",
        f"None of the {which} has a bias that differs from 0",
    )
    spread_bias, spread_slope = found.curves.spread
    paragraphs = [
        "A psychometric curve describes how the share that people see grows with the share in the pixels. It is a "
        "logistic function with a bias (where people see half and half), a slope, and a lapse (the share of answers "
        "that don't depend on the image). The overall curve is fitted to all judgements. Each pair's curve has the "
        "same lapse. A Gaussian prior shrinks its bias and slope towards those of the overall curve. The prior's width "
        f"is estimated from the pairs: their standard deviation is {write_number(spread_bias)} for the bias and "
        f"{write_number(spread_slope)} for the logarithm of the slope.",
        "A pair's class with the lower label is named first. CIFAR-10's labels are in alphabetical order.",
        *biased,
        "A pair's bias has no interval for the same images. Its estimate is shrunk as if other images might have been "
        "shown, so it underestimates how much these images differ.",
    ]
    if "slope" not in found.overall:
        paragraphs.append("There are fewer than three different λ_f, so slope and lapse can't be estimated.")
    exhibits = [_draw_curves(classes, found)]
    if found.pairs:
        exhibits.append(_draw_biases(classes, found))
    return Section("curves", "Psychometric curves", paragraphs, [*_find(found.overall), *biased], claims, exhibits)


def _find(overall: Mapping[str, Estimate]) -> list[str]:
    """State what the overall curve's bias and gain mean."""
    found = conclude(
        overall["bias"],
        "the bias of the overall curve",
        "An even blend looks more like the class with the higher label",
        "An even blend looks more like the class with the lower label",
    )
    if "gain" in overall:
        found += conclude(
            overall["gain"],
            "the gain of the overall curve",
            "Near even blends λ_h changes faster than λ_f",
            "Near even blends λ_h changes more slowly than λ_f",
            against=1,
        )
    return found


def _draw_curves(classes: Classes, found: CurveEstimates) -> Exhibit:
    figure = new_figure(6, 5)
    axes = figure.subplots()
    data = [found.bands.assign(pair="overall")]
    for pair in found.pairs:
        curve = found.curves.of(*pair)
        label = "each class pair" if len(data) == 1 else None
        axes.plot(_GRID, curve(_GRID), color=Color.GREY, linewidth=0.5, alpha=0.6, label=label)
        data.append(pd.DataFrame({"lambda_f": _GRID, "value": curve(_GRID), "pair": classes.name_pair(*pair)}))
    draw_mixup_line(axes)
    bands = found.bands
    x, low, high = bands["lambda_f"], bands["low"].astype(float), bands["high"].astype(float)
    if low.notna().all():
        axes.fill_between(x, low, high, color=Color.PALE_BLUE, zorder=3)
    axes.plot(x, bands["value"], color=PEOPLE, linewidth=1.6, label="all judgements, 95 % interval", zorder=4)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    finish(axes, xlabel="λ_f, first class's share in the pixels", ylabel="λ_h, share that people infer")
    axes.legend(loc="upper left", frameon=False, fontsize=9)
    return Exhibit(
        "curves",
        "Psychometric curves",
        f"The overall curve with its 95 % interval ({PEOPLE.label}), each class pair's curve ({Color.GREY.label}) and "
        f"mixup's line ({MIXUP.label}). Outside the range of λ_f that people judged, curves are extrapolated.",
        "The overall curve with its band beside mixup's diagonal, among the pairs' thin curves.",
        figure,
        pd.concat(data, ignore_index=True)[["pair", "lambda_f", "value", "low", "high", "n", "people"]],
    )


def _draw_biases(classes: Classes, found: CurveEstimates) -> Exhibit:
    order = sorted(found.pairs, key=lambda pair: -(found.pairs[pair]["bias"].value or 0))
    rows = [
        {"class_1": a, "class_2": b, "parameter": name, **estimate.as_dict()}
        for a, b in order
        for name, estimate in found.pairs[a, b].items()
    ]
    frame = pd.DataFrame(rows)
    biases = with_adjusted_p(frame[frame["parameter"] == "bias"])
    frame = frame.join(biases[["p_adjusted", "adjustment"]])
    figure = new_figure(7, 0.19 * len(order) + 1.2)
    axes = figure.subplots()
    named = [f"{escape(classes.name_pair(*pair))} ({int(n)})" for pair, n in zip(order, biases["n"], strict=True)]
    draw_forest(axes, named, biases)
    axes.tick_params(axis="y", labelsize=7.5)
    finish(axes, xlabel="bias, in λ_f (left of 0: the first-named class dominates; right: the second)")
    return Exhibit(
        "biases",
        "Bias of each class pair",
        "The λ_f that people see as half and half, minus ½, for each pair with its 95 % interval. The number of "
        "judgements is in brackets. Estimates are shrunk towards the overall bias, which the intervals account for.",
        "A list of class pairs in order of bias, each with an interval that may or may not include zero.",
        figure,
        with_pair_names(classes, frame),
    )
