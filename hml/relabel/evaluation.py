"""Scores the relabeller and baselines on held-out image pairs and on held-out people."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hml.analysis.reliability import score_relabellers
from hml.relabel import scores
from hml.relabel.answers import Answers, per_cent
from hml.relabel.baselines import BASELINES, level_histogram
from hml.relabel.encoding import ImageTable
from hml.relabel.fitting import FitOptions, fit_relabeller
from hml.relabel.folds import SPLITS, group_by_pair, grouped_folds, groups_of
from hml.statistics import weighted
from hml.statistics.crossed import clustered_half_width
from hml.statistics.estimates import FEWEST_PEOPLE, Array, Estimate
from hml.statistics.jackknife import Jackknife

RELABELLER, KNOWN_PERSON, POINT = "relabeller", "relabeller_person", "lambda_f_point"
MODELS = {
    POINT: "mixup: λ_f, without doubt",
    "lambda_f": "λ_f with noise as people scatter",
    "histogram": "histogram of answers at λ_f",
    "pair_curves": "class pairs' curves with noise",
    "boosting": "gradient boosting with noise",
    RELABELLER: "relabeller",
    KNOWN_PERSON: "relabeller that knows the person",
}
MEASURES = ("bits", "bits_joint", "crps", "mae", *(f"coverage_{round(100 * level)}" for level in scores.COVERAGES))
COMPARED = ("bits", "bits_joint", "crps", "mae")
PEOPLE, PEOPLE_AND_PAIRS = "people", "people and image pairs"
"""What intervals take as random: the people who judge these images, or also the pairs of endpoints."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of held-out judgements.

    Args:
        masses: By model, the mass of each per cent of lambda_h, shape (N, 101).
        joint_bits: By model that also predicts omega, −log2 p(lambda_h, omega), shape (N,).
    """

    masses: dict[str, Array]
    joint_bits: dict[str, Array]


def predict_held_out(
    table: pd.DataFrame, images: ImageTable, split: str, folds: int, options: FitOptions
) -> Predictions:
    """Predict every judgement from judgements of other image pairs, or of other people. Print a line after each fold.

    Args:
        table: Judgements without repeats, with a new index.
        images: What is known of the images.
        split: "pair" or "annotator".
        folds: Number of folds.
        options: How the relabeller is fitted.
    """
    group = groups_of(table, split)
    answers = Answers.of(table, images.num_classes)
    names = [*BASELINES, RELABELLER, *([KNOWN_PERSON] if split == "pair" else [])]
    masses = {name: np.zeros((len(table), 101)) for name in names}
    joint = {name: np.zeros(len(table)) for name in ("histogram", RELABELLER)}
    people = int(answers.person.max())
    for number, (learn, test) in enumerate(grouped_folds(group, folds, options.seed), start=1):
        some, others = table.iloc[learn], table.iloc[test]
        for name, baseline in BASELINES.items():
            masses[name][test] = baseline(some, others, images)
        relabeller = fit_relabeller(some, images, people, options)
        unseen = answers[test]
        masses[RELABELLER][test] = relabeller.mass(unseen.batch).double().numpy()
        if split == "pair":
            masses[KNOWN_PERSON][test] = relabeller.mass(unseen.batch, unseen.person).double().numpy()
        log_mass = relabeller.joint_log_mass(unseen.batch, unseen.slider, unseen.confidence)
        joint[RELABELLER][test] = -log_mass.double().numpy() / np.log(2)
        omega = level_histogram(some, others, "omega", mirrored=False)
        joint["histogram"][test] = scores.bits(omega, unseen.confidence.long().numpy())
        print(f"{SPLITS[split]}: fold {number} of {folds} done")
    joint["histogram"] += scores.bits(masses["histogram"], answers.slider.long().numpy())
    return Predictions({name: mass / mass.sum(1, keepdims=True) for name, mass in masses.items()}, joint)


def score(table: pd.DataFrame, predictions: Predictions) -> dict[str, dict[str, Array]]:
    """Return the score of each judgement, by model and measure, shape (N,)."""
    answer = per_cent(table["lambda_h"])
    found: dict[str, dict[str, Array]] = {
        POINT: dict.fromkeys(("crps", "mae"), (table["lambda_h"] - table["lambda_f"]).abs().to_numpy(float))
    }
    for name, mass in predictions.masses.items():
        found[name] = {
            "bits": scores.bits(mass, answer),
            "crps": scores.crps(mass, answer),
            "mae": scores.mean_error(mass, answer),
        } | {f"coverage_{round(100 * level)}": scores.coverage(mass, answer, level) for level in scores.COVERAGES}
        if name in predictions.joint_bits:
            found[name]["bits_joint"] = predictions.joint_bits[name]
    return found


def summarise(table: pd.DataFrame, found: dict[str, dict[str, Array]], jackknife: Jackknife) -> pd.DataFrame:
    """Average scores over judgements, and compare each model's with the relabeller's.

    Returns:
        Two rows per model and measure, one for each value of `random`. The columns are model, measure, compared,
        random, value, low, high, n and people. `compared` is "" for the score, and "relabeller" for the score minus
        the relabeller's. Above 0, the relabeller is better.
    """
    rows = []
    person, pair = table["person"].to_numpy(np.int64), group_by_pair(table)
    enough = table["person"].nunique() >= FEWEST_PEOPLE

    def add(model: str, measure: str, compared: str, values: Array) -> None:
        over_people = weighted.estimate_mean(jackknife, table, values).on_same_images
        mean, half = float(values.mean()), clustered_half_width(values, person, pair) if enough else None
        low, high = (None, None) if half is None else (mean - half, mean + half)
        over_both = Estimate(mean, low, high, over_people.n, over_people.people)
        for random, estimate in ((PEOPLE, over_people), (PEOPLE_AND_PAIRS, over_both)):
            named = {"model": model, "measure": measure, "compared": compared, "random": random}
            rows.append({**named, **estimate.as_dict(), "random": random})

    for model in (name for name in MODELS if name in found):
        for measure in (name for name in MEASURES if name in found[model]):
            add(model, measure, "", found[model][measure])
            if model != RELABELLER and measure in COMPARED:
                add(model, measure, RELABELLER, found[model][measure] - found[RELABELLER][measure])
    return pd.DataFrame(rows)


def human_ceilings(table: pd.DataFrame, jackknife: Jackknife) -> dict[str, Estimate]:
    """Return the MAE of the same person's second answer, of the others' mean and of one other, from all judgements."""
    rows = score_relabellers(table, jackknife)
    return {
        str(row["relabeller"]): Estimate.from_row(row)
        for row in rows[rows["measure"] == "mae"].to_dict("records")
        if row["relabeller"] in ("self", "others", "another")
    }
