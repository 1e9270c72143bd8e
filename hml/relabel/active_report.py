"""The output of `hml relabel evaluate --active`: tables on the terminal, active.json, a figure and a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hml.judgements.annotators import fit_crowd
from hml.randomness import Draws
from hml.relabel.acquisition.curves import curve_values, fit_curves
from hml.relabel.active import IMAGES, MEASURES, RANDOM
from hml.relabel.pages import write_page
from hml.reporting.drawing import finish, new_figure
from hml.reporting.palette import Color
from hml.reporting.sections import Exhibit, Section, count, write_number, write_share
from hml.reporting.tables import Table, to_text
from hml.statistics.estimates import Array
from hml.statistics.paired import PairedDifference, adjust_by_holm, paired_difference

PAGE = "active"
_DIGITS = {"bits_pair": 3, "bits_person": 3, "mae": 4, "curve_error": 4}
_HEADER = ["", *MEASURES.values()]
_RESAMPLES = 2000
_STYLES = list(
    zip([Color.GREY, Color.BLUE, Color.DARK_ORANGE, Color.GREEN, Color.LIGHT_ORANGE, "black"], "osD^vP", strict=True)
)
_LEGEND = (
    "Lower is better. bits: −log2 of the probability that the relabeller gave an answer, one of 101. The MAE is of the "
    "predicted mean, with image pairs held out. The error of curves is their mean distance from the curves of all "
    "judgements, over λ_f from .1 to .9. Both are on λ_h's scale. Intervals are 95 %, over repetitions: t intervals of "
    "differences, bootstrap intervals of numbers of judgements. Repetitions hold out different image pairs and people "
    "of the same data, so the intervals are not for other images or other people."
)


@dataclass(frozen=True)
class Gain:
    """How an acquisition compares with random in one measure.

    Args:
        acquisition: Its name.
        measure: The measure.
        area: Its learning curve minus random's, averaged over the rounds. Below 0, the acquisition is better.
        p: The p value of `area`, adjusted by Holm over the acquisitions.
        final: Its last value minus random's at the same number of judgements.
        needed: The number of judgements that random needs to reach the acquisition's last value.
        low: The 2.5 % quantile of `needed` over resampled repetitions.
        high: The 97.5 % quantile. It is `most` if random has not reached the value.
        most: The number of judgements that random had at the end.
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
    """Parts of the variance of lambda_h, which sum to 1.

    Args:
        blend: The part that lambda_f and the class pair explain, by class pairs' curves.
        image: The variance of images around the curves.
        people: The variance of people around an image's mean.
    """

    blend: float
    image: float
    people: float


def compare(results: pd.DataFrame, seed: int = 0) -> list[Gain]:
    """Compare every acquisition with random over the repetitions, by measure.

    Args:
        results: One row per repetition, acquisition, number of judgements and measure, with its value.
        seed: The seed of the resamples.
    """
    repetitions = int(results["repetition"].nunique())
    drawn = Draws(seed, 0, np.arange(_RESAMPLES)).uniform("repetitions", (repetitions,))  # (R, A)
    counts = (np.floor(drawn * repetitions)[:, :, None] == np.arange(repetitions)).sum(1)  # (R, A)
    weights = np.concatenate([np.ones((1, repetitions)), counts]) / repetitions  # (1 + R, A)
    names = [name for name in results["acquisition"].unique() if name != RANDOM]
    gains = []
    for measure in MEASURES:
        curves = {name: learning_curve(results, name, measure) for name in (RANDOM, *names)}
        random = curves[RANDOM]
        judgements = random.columns.to_numpy(float)
        found = {name: _differences(curves[name], random) for name in names}
        adjusted = adjust_by_holm({name: area.p for name, (area, _) in found.items() if area.p is not None})
        for name, (area, final) in found.items():
            last = curves[name].iloc[:, -1].to_numpy()
            needed = find_needed(weights @ random.to_numpy(), judgements, weights @ last)
            low, high = np.quantile(needed[1:], [0.025, 0.975])
            own = float(needed[0]), low, high, int(judgements[-1])
            gains.append(Gain(name, measure, area, adjusted.get(name), final, *own))
    return gains


def learning_curve(results: pd.DataFrame, acquisition: str, measure: str) -> pd.DataFrame:
    """Return a measure by repetition (rows) and number of judgements (columns)."""
    rows = results[(results["acquisition"] == acquisition) & (results["measure"] == measure)]
    return rows.pivot(index="repetition", columns="judgements", values="value")


def _differences(curve: pd.DataFrame, random: pd.DataFrame) -> tuple[PairedDifference, PairedDifference]:
    """Return the differences of two learning curves: the mean over the rounds after the start, and the last value."""
    rounds = curve.columns[1:]
    found = []
    for columns in (rounds, rounds[-1:]):
        both = (dict(enumerate(each[columns].mean(axis=1).tolist())) for each in (curve, random))
        difference = paired_difference(*both)
        assert difference is not None  # both have the same repetitions
        found.append(difference)
    return found[0], found[1]


def find_needed(curves: Array, judgements: Array, values: Array) -> Array:
    """Find how many judgements a falling learning curve needs to reach a value.

    Curves are interpolated between rounds. Where a curve rises, the lowest value so far counts.

    Args:
        curves: R learning curves, shape (R, K).
        judgements: The number of judgements of each of the K values, increasing.
        values: The value to reach on each curve, shape (R,).

    Returns:
        Judgements, shape (R,); the last number where a curve doesn't reach its value.

    Examples:
        >>> find_needed(np.array([[3.0, 2.0, 1.0]]), np.array([60.0, 120.0, 180.0]), np.array([1.5])).tolist()
        [150.0]
    """
    reached = np.minimum.accumulate(curves, axis=1)
    # np.interp needs increasing values, so both are reversed.
    each = [np.interp(value, row[::-1], judgements[::-1]) for value, row in zip(values, reached, strict=True)]
    return np.array(each)


def decompose(table: pd.DataFrame) -> Spread:
    """Divide the variance of lambda_h between blends, images and people."""
    _, first, image = np.unique(table["image"].to_numpy(), return_index=True, return_inverse=True)
    expected = curve_values(fit_curves(table), table.iloc[first])  # (I,)
    nobody = np.zeros(len(table), np.int64)
    crowd = fit_crowd(table["lambda_h"].to_numpy(float), image.reshape(-1), nobody, expected, individual=False)
    parts = np.array([np.var(expected[image.reshape(-1)]), crowd.image_variance, crowd.noise[0] ** 2])
    return Spread(*(parts / parts.sum()).tolist())


def write_report(
    results: pd.DataFrame, table: pd.DataFrame, settings: Mapping[str, object], seconds: float, out: Path
) -> str:
    """Write active.json, active.html and the figure. Return the text for the terminal.

    Args:
        results: As `Comparison.run` returns them.
        table: The judgements.
        settings: The flags, and the data's provenance.
        seconds: The duration.
        out: The folder.
    """
    gains, spread = compare(results), decompose(table)
    tables = _tables(results, gains)
    verdicts = [*(verdict(gains, measure) for measure in MEASURES), explain(spread)]
    introduction = (
        f"Each acquisition asks for people's answers to {count(table['image'].nunique(), 'mixed image')} in batches. "
        "The relabeller is fitted again after each batch. There are "
        f"{count(int(results['repetition'].nunique()), 'repetition')}."
    )
    sections = [
        Section(PAGE, "What to ask next", [*verdicts, _LEGEND], tables=tables),
        Section("curves", "Learning curves", [], exhibits=[learning_curves(results)]),
    ]
    content = {
        "gains": [asdict(gain) for gain in gains],
        "spread": asdict(spread),
        "verdicts": verdicts,
        "results": results.to_dict("records"),
        "settings": dict(settings),
        "seconds": round(seconds, 1),
    }
    place = write_page(PAGE, "Which images to ask about", introduction, sections, content, out)
    return "\n\n".join([*map(to_text, tables), *verdicts, _LEGEND, place])


def verdict(gains: Sequence[Gain], measure: str) -> str:
    """State which acquisitions are better and worse than random in a measure, by the area between the curves."""
    clear = [gain for gain in gains if gain.measure == measure and gain.p is not None and gain.p < 0.05]
    parts = [
        f"{word} than random: {', '.join(f'{gain.acquisition} ({_write(gain.area, measure)})' for gain in some)}"
        for word, some in (
            ("better", [gain for gain in clear if gain.area.mean < 0]),
            ("worse", [gain for gain in clear if gain.area.mean > 0]),
        )
        if some
    ]
    found = "; ".join(parts) or "no acquisition differs clearly from random"
    return f"{MEASURES[measure]}: {found} (area between the learning curves, p below .05 by Holm)."


def explain(spread: Spread) -> str:
    """State how much of the variance a choice of images can reduce."""
    return (
        f"Of the variance of λ_h, λ_f and the class pair explain {write_share(spread.blend)}, differences between "
        f"images {write_share(spread.image)}, and differences between people who judge one image "
        f"{write_share(spread.people)}. A choice of images helps only with the differences between images. The "
        "differences between people take more people."
    )


def learning_curves(results: pd.DataFrame) -> Exhibit:
    """Draw each measure's mean over repetitions by the number of judgements, one line per acquisition."""
    figure = new_figure(9, 6.4)
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
    means = results.groupby(["acquisition", "measure", "judgements"], sort=False)["value"]
    return Exhibit(
        "learning_curves",
        "Learning curves",
        "The measures of each acquisition by the number of judgements, averaged over the repetitions. Random continues "
        "for longer, to show how many judgements it needs for the same values.",
        "Four panels of falling curves over the number of judgements, one curve for each acquisition.",
        figure,
        means.agg(["mean", "std", "count"]).reset_index(),
    )


def _tables(results: pd.DataFrame, gains: Sequence[Gain]) -> list[Table]:
    """Make the tables of the areas, of the last values, and of the judgements that random needs."""
    found = {(gain.acquisition, gain.measure): gain for gain in gains}

    def rows(write: Callable[[Gain], str]) -> list[list[str]]:
        names = dict.fromkeys(gain.acquisition for gain in gains)
        return [[name, *(write(found[name, measure]) for measure in MEASURES)] for name in names]

    return [
        Table(
            "Area between the learning curves: minus random's, averaged over the rounds [95 %], p by Holm",
            _HEADER,
            rows(lambda gain: f"{_write(gain.area, gain.measure)}{_write_p(gain.p)}"),
        ),
        _final_table(results, found),
        Table(
            "How many judgements random needs for the acquisition's last value [95 %]",
            _HEADER,
            rows(_write_needed),
        ),
    ]


def _final_table(results: pd.DataFrame, found: Mapping[tuple[str, str], Gain]) -> Table:
    names = list(results["acquisition"].unique())
    last = min(int(learning_curve(results, name, "mae").columns[-1]) for name in names)
    means = results[results["judgements"] == last].groupby(["acquisition", "measure"])["value"].mean()

    def cell(name: str, measure: str) -> str:
        own = write_number(float(means[name, measure]), _DIGITS[measure])
        gain = found.get((name, measure))
        return own if gain is None else f"{own} ({_write(gain.final, measure)})"

    rows = [[name, *(cell(name, measure) for measure in MEASURES), f"{means[name, IMAGES]:.0f}"] for name in names]
    return Table(f"After {last} judgements (minus random's [95 %])", [*_HEADER, "images asked about"], rows)


def _write_needed(gain: Gain) -> str:
    needed, low, high = (
        f"{'≥ ' if number >= gain.most else ''}{number:.0f}" for number in (gain.needed, gain.low, gain.high)
    )
    return f"{needed} [{low}, {high}]"


def _write(difference: PairedDifference, measure: str) -> str:
    def signed(value: float | None) -> str:
        text = write_number(value, _DIGITS[measure])
        return text if text.startswith(("−", "–")) else f"+{text}"

    return f"{signed(difference.mean)} [{signed(difference.low)}, {signed(difference.high)}]"


def _write_p(p: float | None) -> str:
    return "" if p is None else f", p {'< .001' if p < 0.001 else f'{p:.3f}'.removeprefix('0')}"
