"""What `hml relabel evaluate --active` shows: tables on the terminal, active.json, a figure and a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import hml
from hml.files.atomic import write_atomically
from hml.judgements.annotators import fit_crowd
from hml.randomness import Draws
from hml.relabel.acquisition.curves import fit_curves
from hml.relabel.active import IMAGES, MEASURES, RANDOM
from hml.reporting.citation import name_hml
from hml.reporting.drawing import finish, new_figure
from hml.reporting.exhibits import to_json, write_exhibit
from hml.reporting.page import render_page
from hml.reporting.palette import Color
from hml.reporting.sections import Exhibit, Section, count, write_number, write_share
from hml.reporting.tables import Table, to_text
from hml.statistics.estimates import Array
from hml.statistics.paired import PairedDifference, adjust_by_holm, paired_difference

_DIGITS = {"bits_pair": 3, "bits_person": 3, "mae": 4, "curve_error": 4}
_RESAMPLES = 2000
_STYLES = list(
    zip([Color.GREY, Color.BLUE, Color.DARK_ORANGE, Color.GREEN, Color.LIGHT_ORANGE, "black"], "osD^vP", strict=True)
)
_LEGEND = (
    "Less is better. bits: −log2 of what the relabeller gave an answer, one of 101. The MAE of its mean, "
    "with image pairs held out, and the mean distance of class pairs' curves from those of all judgements, over λ_f "
    "from .1 to .9, are on λ_h's scale. Intervals are 95 %, over repetitions (t for differences, bootstrap for "
    "numbers of judgements): each holds out other image pairs and people of the same data, so they don't show how "
    "other images or other people would differ."
)


@dataclass(frozen=True)
class Gain:
    """How an acquisition compares with random in one measure.

    Args:
        acquisition: Its name.
        measure: The measure.
        area: Its learning curve less random's, averaged over the rounds: below 0, it is better.
        p: The p value of that, adjusted by Holm over the acquisitions.
        final: Its last value less random's at as many judgements.
        needed: How many judgements random needs to reach the acquisition's last value.
        low: The 2.5 % point of that over resamples of repetitions.
        high: The 97.5 % point; `most` where random hasn't reached it.
        most: How many judgements random had in the end.
    """

    acquisition: str
    measure: str
    area: PairedDifference
    p: float | None
    final: PairedDifference
    needed: float
    low: float
    high: float
    most: int


@dataclass(frozen=True)
class Spread:
    """What judgements scatter by: parts of the variance of lambda_h, which sum to 1.

    Args:
        blend: What lambda_f and the class pair explain, by class pairs' curves.
        image: What images scatter around that.
        people: What people who judge one image scatter around its mean.
    """

    blend: float
    image: float
    people: float


def compare(results: pd.DataFrame, seed: int = 0) -> list[Gain]:
    """Compare every acquisition with random over the repetitions, by measure.

    Args:
        results: One row per repetition, acquisition, number of judgements and measure, with its value.
        seed: What resamples are drawn from.
    """
    repetitions = int(results["repetition"].nunique())
    drawn = Draws(seed, 0, np.arange(_RESAMPLES)).uniform("repetitions", (repetitions,))  # (R, A)
    counts = (np.floor(drawn * repetitions)[:, :, None] == np.arange(repetitions)).sum(1)  # (R, A)
    names = [name for name in results["acquisition"].unique() if name != RANDOM]
    gains = []
    for measure in MEASURES:
        curves = {name: learning_curve(results, name, measure) for name in (RANDOM, *names)}
        random = curves[RANDOM]
        found = {name: _differences(curves[name], random) for name in names}
        adjusted = adjust_by_holm({name: area.p for name, (area, _) in found.items() if area.p is not None})
        for name, (area, final) in found.items():
            last = curves[name].iloc[:, -1].to_numpy()
            weights = np.concatenate([np.ones((1, repetitions)), counts]) / repetitions  # (1 + R, A)
            needed = find_needed(weights @ random.to_numpy(), random.columns.to_numpy(float), weights @ last)
            low, high = np.quantile(needed[1:], [0.025, 0.975])
            gains.append(
                Gain(
                    name, measure, area, adjusted.get(name), final, float(needed[0]), low, high, int(random.columns[-1])
                )
            )
    return gains


def learning_curve(results: pd.DataFrame, acquisition: str, measure: str) -> pd.DataFrame:
    """Return a measure by repetition (rows) and number of judgements (columns)."""
    rows = results[(results["acquisition"] == acquisition) & (results["measure"] == measure)]
    return rows.pivot(index="repetition", columns="judgements", values="value")


def _differences(curve: pd.DataFrame, random: pd.DataFrame) -> tuple[PairedDifference, PairedDifference]:
    """Return the area between two learning curves over what the first adds to the start, and the last difference."""
    shared = curve.columns[1:]
    return (
        _difference(curve[shared].mean(axis=1), random[shared].mean(axis=1)),
        _difference(curve[shared[-1]], random[shared[-1]]),
    )


def _difference(values: "pd.Series[float]", baseline: "pd.Series[float]") -> PairedDifference:
    """Compare values by repetition, of which both have the same."""
    difference = paired_difference(*(dict(enumerate(each.tolist())) for each in (values, baseline)))
    assert difference is not None
    return difference


def find_needed(curves: Array, judgements: Array, values: Array) -> Array:
    """Find how many judgements a falling learning curve needs to reach a value.

    Between rounds it is interpolated, and a rise counts as none: the lowest so far is what was reached.

    Args:
        curves: R learning curves, shape (R, K).
        judgements: How many judgements each of the K values had, rising.
        values: The value to reach on each curve, shape (R,).

    Returns:
        Judgements, shape (R,); the last of them where a curve doesn't reach its value.

    Example:
        >>> find_needed(np.array([[3.0, 2.0, 1.0]]), np.array([60.0, 120.0, 180.0]), np.array([1.5])).tolist()
        [150.0]
    """
    reached = np.minimum.accumulate(curves, axis=1)
    # np.interp needs rising values, so both run from the end.
    each = [np.interp(value, row[::-1], judgements[::-1]) for value, row in zip(values, reached, strict=True)]
    return np.array(each)


def decompose(table: pd.DataFrame) -> Spread:
    """Divide the variance of lambda_h between blends, images and people."""
    curves = fit_curves(table)
    image, first = np.unique(table["image"].to_numpy(), return_index=True)
    rows = table.iloc[first]
    of_image = [
        float(curves.of(int(a), int(b))(x))
        for a, b, x in zip(rows["class_1"], rows["class_2"], rows["lambda_f"], strict=True)
    ]
    place = np.searchsorted(image, table["image"].to_numpy())
    one = np.zeros(len(table), np.int64)
    answers = table["lambda_h"].to_numpy(float)
    crowd = fit_crowd(answers, place, one, np.array(of_image), individual=False)
    parts = np.array([np.var(np.array(of_image)[place]), crowd.image_variance, crowd.noise[0] ** 2])
    return Spread(*(parts / parts.sum()).tolist())


def write_report(
    results: pd.DataFrame, table: pd.DataFrame, settings: Mapping[str, object], seconds: float, out: Path
) -> str:
    """Write active.json, active.html and the figure; return what the terminal shows.

    Args:
        results: What `Comparison.run` made.
        table: The judgements.
        settings: What was asked for, and what the data were.
        seconds: How long it took.
        out: The folder.
    """
    gains, spread = compare(results), decompose(table)
    tables = [_area_table(gains), _final_table(results, gains), _needed_table(gains)]
    verdicts = [*(verdict(gains, measure) for measure in MEASURES), explain(spread)]
    exhibit = learning_curves(results)
    png = write_exhibit(exhibit, out / "figures")
    repetitions = count(int(results["repetition"].nunique()), "repetition")
    introduction = (
        f"People's answers to {count(table['image'].nunique(), 'mixed image')} are asked for in batches, by each "
        f"acquisition, and the relabeller is fitted to them again after each batch: {repetitions}."
    )
    sections = [
        Section("active", "What to ask next", [*verdicts, _LEGEND], tables=tables),
        Section("curves", "Learning curves", [], exhibits=[exhibit]),
    ]
    page = render_page(
        "Which images to ask about", [introduction], [], sections, {exhibit.name: png}, [f"Made with {name_hml()}."]
    )
    write_atomically(out / "active.html", page)
    content = {
        "gains": [asdict(gain) for gain in gains],
        "spread": asdict(spread),
        "verdicts": verdicts,
        "results": results.to_dict("records"),
        "settings": dict(settings),
        "seconds": round(seconds, 1),
        "version": hml.__version__,
    }
    write_atomically(out / "active.json", to_json(content))
    place = f"{out / 'active.html'} (numbers in active.json, figures in figures/)"
    return "\n\n".join([*map(to_text, tables), *verdicts, _LEGEND, place])


def verdict(gains: Sequence[Gain], measure: str) -> str:
    """State which acquisitions are better and worse than random in a measure, by the area between the curves."""
    own = [gain for gain in gains if gain.measure == measure]
    better = [gain for gain in own if gain.p is not None and gain.p < 0.05 and gain.area.mean < 0]
    worse = [gain for gain in own if gain.p is not None and gain.p < 0.05 and gain.area.mean > 0]
    parts = [
        f"{word} than random: {', '.join(f'{gain.acquisition} ({_write(gain.area, measure)})' for gain in some)}"
        for word, some in (("better", better), ("worse", worse))
        if some
    ]
    found = "; ".join(parts) if parts else "no acquisition differs clearly from random"
    return f"{MEASURES[measure]}: {found} (area between the learning curves, p below .05 by Holm)."


def explain(spread: Spread) -> str:
    """State what there is to learn, and what no choice of images can."""
    return (
        f"Of the variance of λ_h, λ_f and the class pair explain {write_share(spread.blend)}, images scatter around "
        f"that by {write_share(spread.image)}, and people who judge one image scatter by {write_share(spread.people)}. "
        "A choice of images can help only with what images differ by; what people differ by takes more people."
    )


def learning_curves(results: pd.DataFrame) -> Exhibit:
    """Draw each measure's mean over repetitions by the number of judgements, a line for each acquisition."""
    figure = new_figure(9, 6.4)
    _draw(figure, results)
    means = results.groupby(["acquisition", "measure", "judgements"], sort=False)["value"]
    data = means.agg(["mean", "std", "count"]).reset_index()
    return Exhibit(
        "learning_curves",
        "Learning curves",
        "What each acquisition reaches by the number of judgements, averaged over the repetitions. Random runs "
        "longer, to show how many judgements it needs for the same.",
        "Four panels of falling curves over the number of judgements, one curve for each acquisition.",
        figure,
        data,
    )


def _draw(figure: Figure, results: pd.DataFrame) -> None:
    panels = figure.subplots(2, 2, sharex=True)
    for axes, (measure, title) in zip(panels.flat, MEASURES.items(), strict=True):
        for number, name in enumerate(results["acquisition"].unique()):
            color, marker = _STYLES[number % len(_STYLES)]
            mean = learning_curve(results, name, measure).mean()
            axes.plot(mean.index, mean, color=color, marker=marker, markersize=4, linewidth=1.2, label=name)
        finish(axes, ylabel=title)
    for axes in panels[1]:
        axes.set_xlabel("judgements")
    panels[0, 1].legend(fontsize=8, frameon=False)


def _area_table(gains: Sequence[Gain]) -> Table:
    rows = _rows(gains, lambda gain: f"{_write(gain.area, gain.measure)}{_write_p(gain.p)}")
    return Table(
        "Area between the learning curves: less random's, averaged over the rounds [95 %], p by Holm",
        ["", *MEASURES.values()],
        rows,
    )


def _final_table(results: pd.DataFrame, gains: Sequence[Gain]) -> Table:
    names = list(results["acquisition"].unique())
    last = min(int(learning_curve(results, name, "mae").columns[-1]) for name in names)
    at_last = results[results["judgements"] == last]
    means = at_last.groupby(["acquisition", "measure"])["value"].mean()
    differences = {(gain.acquisition, gain.measure): gain.final for gain in gains}
    rows = []
    for name in names:
        cells = []
        for measure in MEASURES:
            difference = differences.get((name, measure))
            own = write_number(float(means[name, measure]), _DIGITS[measure])
            cells.append(own if difference is None else f"{own} ({_write(difference, measure)})")
        rows.append([name, *cells, f"{means[name, IMAGES]:.0f}"])
    return Table(
        f"After {last} judgements (less random's [95 %])", ["", *MEASURES.values(), "images asked about"], rows
    )


def _needed_table(gains: Sequence[Gain]) -> Table:
    def write(gain: Gain) -> str:
        def bound(number: float) -> str:
            return f"{'≥ ' if number >= gain.most else ''}{number:.0f}"

        return f"{bound(gain.needed)} [{bound(gain.low)}, {bound(gain.high)}]"

    caption = "How many judgements random needs for what the acquisition reaches in the end [95 %]"
    return Table(caption, ["", *MEASURES.values()], _rows(gains, write))


def _rows(gains: Sequence[Gain], write: Callable[[Gain], str]) -> list[list[str]]:
    names = dict.fromkeys(gain.acquisition for gain in gains)
    cells = {(gain.acquisition, gain.measure): write(gain) for gain in gains}
    return [[name, *(cells[name, measure] for measure in MEASURES)] for name in names]


def _write(difference: PairedDifference, measure: str) -> str:
    def signed(value: float | None) -> str:
        text = write_number(value, _DIGITS[measure])
        return text if text.startswith(("−", "–")) else f"+{text}"

    return f"{signed(difference.mean)} [{signed(difference.low)}, {signed(difference.high)}]"


def _write_p(p: float | None) -> str:
    return "" if p is None else f", p {'< .001' if p < 0.001 else f'{p:.3f}'.removeprefix('0')}"
