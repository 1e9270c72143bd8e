"""How often 95 % intervals cover what they are for, on simulated judgements: `hml percepts` and `hml relabel evaluate`.

    python -m tests.benchmarks.coverage --sets 60

The people, images and noise are those of `hml.judgements.simulation.shared_population`, in the design of H-Mix's first
collection (33 people), or with its images judged by 10 or 5. A statistic's truth is its mean estimate over independent
data sets of the same design:

- people: other people, the same images;
- both: other people and other images of the same classes. Every data set draws both again.

Class pairs' curves are shrunk to the overall curve, so their truth is the curves fitted to all data sets together.
`hml relabel evaluate` compares models that are fixed: they were fitted to one other data set of the same design. So no
network is trained, and intervals are for these models.

The ratio of widths is an interval's mean width over 2·1.96 times the estimates' standard deviation.
"""

import argparse
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from hml.analysis.confidence import add_variables, binned_confidence, correlations
from hml.analysis.dominance import dominance
from hml.analysis.generating import summarise_levels
from hml.analysis.headlines import headlines
from hml.analysis.pairs import estimate_curves, summarise_cells
from hml.analysis.reliability import ceilings, score_relabellers
from hml.judgements import CIFAR10, Endpoint, Stimulus, name_stimulus
from hml.judgements.curves import fit_pair_curves
from hml.judgements.simulation import Design, shared_population
from hml.judgements.tables import first_judgements, judgement_table
from hml.relabel import scores
from hml.relabel.answers import per_cent
from hml.relabel.baselines import BASELINES, level_histogram
from hml.relabel.encoding import ImageTable
from hml.relabel.evaluation import PEOPLE, PEOPLE_AND_PAIRS, RELABELLER, Predictions, score, summarise
from hml.statistics.jackknife import Jackknife

DESIGNS = ("people", "both")


def make_stimuli(pairs_each: int = 6, seed: int = 0) -> list[Stimulus]:
    """Make images as H-Mix's first collection has them: three lambda_f of each pair of endpoints."""
    rng = np.random.default_rng(seed)
    stimuli = []
    for number, (a, b) in enumerate(pair for pair in CIFAR10.pairs for _ in range(pairs_each)):
        first, second = Endpoint(2 * number, a), Endpoint(2 * number + 1, b)
        for lambda_f in (rng.choice([0.1, 0.25]), 0.5, rng.choice([0.75, 0.9])):
            stimuli.append(name_stimulus(CIFAR10, float(lambda_f), first, second))
    return stimuli


def make_design(people: int, pairs_each: int = 6, seed: int = 0) -> Design:
    """Lay judgements out as H-Mix's: two or three of every image, and two repeats per person."""
    stimuli = make_stimuli(pairs_each, seed)
    thirds = len(stimuli) // 3
    two, three = Design.balanced(stimuli, people, 2, 2, seed), Design.balanced(stimuli[:thirds], people, 1, 0, seed + 1)
    # A third person for some images; where it is one of the two, it is left out.
    known = set(zip(two.person, two.image, strict=True))
    kept = np.array([(p, i) not in known for p, i in zip(three.person, three.image, strict=True)])
    return Design(
        stimuli,
        np.concatenate([three.person[kept], two.person]),
        np.concatenate([three.image[kept], two.image]),
        np.concatenate([three.is_repeat[kept], two.is_repeat]),
    )


class Laboratory:
    """Simulates data sets of one design, and measures them."""

    def __init__(self, people: int) -> None:
        self.design = make_design(people)
        self.table = judgement_table(shared_population().judge(self.design, 0))
        self.human = np.random.default_rng(3).dirichlet(np.full(10, 0.05), 2 * 270)
        self.jackknife = Jackknife.of(self.table)
        learn, self.once = self.simulate("both", 1_000_000), first_judgements(self.table)
        images = ImageTable(*[torch.zeros(1, 1)] * 4)  # these models don't use the images
        models = ("lambda_f", "histogram", "pair_curves")
        self.masses = {name: BASELINES[name](learn, self.once, images) for name in models}
        self.omega = level_histogram(learn, self.once, "omega", mirrored=False)

    def simulate(self, design: str, number: int) -> pd.DataFrame:
        """Draw a data set: people number `number`, and for "both" their own images."""
        images = 0 if design == "people" else number + 1
        lambda_h, omega = shared_population().answer(self.design, number + 1, images)
        error = np.abs(lambda_h - self.table["lambda_f"])
        return add_variables(self.table.assign(lambda_h=lambda_h, omega=omega, error=error), self.human)


def measure(laboratory: Laboratory, table: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    """Estimate what both commands print: by name the value and the ends of both intervals."""
    found, jackknife = measure_relabel(laboratory, table), laboratory.jackknife
    curves, (worth, position) = estimate_curves(table, jackknife), dominance(table, jackknife, 10)
    keys = {
        "level": (summarise_levels(table, jackknife), ("statistic", "unit", "lambda_f")),
        "relabeller": (score_relabellers(table, jackknife), ("measure", "relabeller")),
        "confidence bin": (binned_confidence(table, jackknife).round({"x": 2}), ("variable",)),
        "cell": (summarise_cells(table, jackknife, CIFAR10.pairs), ("class_1", "class_2", "lambda_f")),
        "worth of a class": (worth.sort_values("class"), ("class",)),
        "curve at a λ_f": (curves.bands, ("lambda_f",)),
    }
    for kind, (frame, names) in keys.items():
        for place, row in enumerate(frame.to_dict("records")):
            label = ", ".join(str(row[name]) for name in names)
            found[f"{kind}: {label}" + (f" {place}" if kind == "confidence bin" else "")] = row
    estimates = {
        **{f"correlation of ω: {', '.join(key)}": one for key, one in correlations(table, jackknife).items()},
        **{f"agreement: {name}": one for name, one in ceilings(table, jackknife).items()},
        **{f"overall curve: {name}": one for name, one in curves.overall.items()},
        **{f"class pair's {name}: {pair}": one for pair, both in curves.pairs.items() for name, one in both.items()},
        "preference for the first class": position,
    }
    for one in headlines(table)[:3]:
        estimates[f"headline: {one.name}"] = jackknife.estimate(one.statistic, one.n, one.people, one.kind)
    found |= {name: estimate.as_dict() for name, estimate in estimates.items()}
    names = ("value", "low", "high", "low_people", "high_people")
    return {
        key: tuple(float(row.get(name) if row.get(name) is not None else "nan") for name in names)
        for key, row in found.items()
    }


def measure_relabel(laboratory: Laboratory, table: pd.DataFrame) -> dict[str, dict[str, object]]:
    """Score fixed models as `hml relabel evaluate` does. Pair curves take the relabeller's part in comparisons."""
    once = laboratory.once.assign(**{name: table.loc[laboratory.once.index, name] for name in ("lambda_h", "omega")})
    masses, omega = laboratory.masses, scores.bits(laboratory.omega, per_cent(once["omega"]))
    answer = per_cent(once["lambda_h"])
    joint = {name: scores.bits(masses[name], answer) + omega for name in ("histogram", "pair_curves")}
    predictions = Predictions(
        {name: masses[name] for name in ("lambda_f", "histogram")} | {RELABELLER: masses["pair_curves"]},
        {"histogram": joint["histogram"], RELABELLER: joint["pair_curves"]},
    )
    frame = summarise(once, score(once, predictions), laboratory.jackknife)
    found: dict[str, dict[str, object]] = {}
    for (model, name, compared), rows in frame.groupby(["model", "measure", "compared"], sort=False):
        people, both = (rows[rows["random"] == random].iloc[0] for random in (PEOPLE, PEOPLE_AND_PAIRS))
        key = f"relabel evaluate: {name}{' less the relabeller' if compared else ''}, {model}"
        found[key] = {**both.to_dict(), "low_people": people["low"], "high_people": people["high"]}
    return found


def group(name: str) -> str:
    """Name the line of the table that a statistic is in: class pairs, classes, cells and bins are averaged."""
    kind, _, rest = name.partition(": ")
    if kind == "level":
        statistic, unit, _ = rest.split(", ")
        return f"{statistic} at a λ_f, {unit}s"
    if kind == "relabel evaluate":
        return name.rpartition(", ")[0]
    return kind if kind.startswith(("class", "cell", "worth", "confidence", "curve")) else name


def run_one(arguments: tuple[int, str, int]) -> dict[str, tuple[float, ...]]:
    """Measure one data set."""
    people, design, number = arguments
    laboratory = _laboratory(people)
    return measure(laboratory, laboratory.simulate(design, number))


_KEPT: dict[int, Laboratory] = {}


def _laboratory(people: int) -> Laboratory:
    if people not in _KEPT:
        _KEPT[people] = Laboratory(people)
    return _KEPT[people]


def pool_curves(people: int, design: str, sets: int) -> dict[str, float]:
    """Fit class pairs' curves to all data sets together: what an estimate that is drawn to the overall curve is for."""
    laboratory = _laboratory(people)
    pooled = pd.concat([laboratory.simulate(design, number) for number in range(sets)])
    found = fit_pair_curves(*(pooled[name].to_numpy() for name in ("lambda_f", "lambda_h", "class_1", "class_2")))
    return {
        f"class pair's {name}: {pair}": getattr(curve, name)
        for pair, curve in found.curves.items()
        for name in ("bias", "slope")
    }


def cover(people: int, design: str, sets: int, jobs: int) -> pd.DataFrame:
    """Measure many data sets: coverage and widths of every line, with the Monte Carlo error of the coverage."""
    tasks = [(people, design, number) for number in range(sets)]
    if jobs > 1:
        with multiprocessing.Pool(jobs) as pool:
            found = pool.map(run_one, tasks)
    else:
        found = [run_one(task) for task in tasks]
    ends = slice(1, 3) if design == "both" else slice(3, 5)
    rows, shrunk = [], pool_curves(people, design, sets)
    for name in found[0]:
        values = np.array([one[name] for one in found if name in one])  # (S, 5)
        # The truth of the estimate that is tested is the mean of the others.
        truth = (np.nansum(values[:, 0]) - values[:, 0]) / (np.isfinite(values[:, 0]).sum() - 1)
        truth = np.full_like(truth, shrunk[name]) if name in shrunk else truth
        low, high = values[:, ends].T
        known = np.isfinite(low) & np.isfinite(values[:, 0])
        covered = ((low <= truth) & (truth <= high))[known]
        right = 2 * 1.96 * np.nanstd(values[:, 0], ddof=1)
        rows.append(
            {
                "line": group(name),
                "coverage": covered.mean() if len(covered) else np.nan,
                "above": (high < truth)[known].mean() if len(covered) else np.nan,
                "width": (high - low)[known].mean() / right if len(covered) and right > 0 else np.nan,
                "with an interval": known.mean(),
            }
        )
    table = pd.DataFrame(rows).groupby("line", sort=False)
    frame = table.mean()
    frame["statistics"] = table.size()
    return frame.reset_index()


def main() -> None:
    """Write the table for 33, 10 and 5 people, under both designs, as CSV and as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200, help="simulated data sets of each design")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--people", type=int, nargs="+", default=[33, 10, 5])
    parser.add_argument("--out", type=Path, default=None, help="a CSV file")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    frames = []
    for people in options.people:
        for design in DESIGNS:
            frame = cover(people, design, options.sets, options.jobs).assign(people=people, random=design)
            frames.append(frame)
            print(f"{people} people, {design}:\n{frame.round(3).to_string()}\n", flush=True)
            if options.out:
                pd.concat(frames).to_csv(options.out, index=False)
    print(write_markdown(pd.concat(frames)))


def write_markdown(found: pd.DataFrame) -> str:
    """Write the table of RESULTS.md: a line for each statistic, and coverage and width for each design."""
    columns = list(dict.fromkeys(zip(found["people"], found["random"], strict=True)))
    cells = {(row.line, row.people, row.random): f"{row.coverage:.2f}; {row.width:.2f}" for row in found.itertuples()}
    images = {"people": "same images", "both": "other images"}
    header = ["statistic", *(f"{people} people, {images[random]}" for people, random in columns)]
    rows = [header, ["---"] * len(header)]
    for line in found["line"].unique():
        rows.append([line, *(cells.get((line, *column), "nan; nan").replace("nan; nan", "–") for column in columns)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    main()
