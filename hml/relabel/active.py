"""Compares acquisitions on existing answers: asks for batches of them, and fits the relabeller again after each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from hml.errors import InputError
from hml.judgements.curves import PairCurves
from hml.labels import MixedBatch
from hml.randomness import LARGEST_SEED, Draws
from hml.relabel import scores
from hml.relabel.acquisition import (
    Acquisition,
    Coverage,
    ExpectedErrorReduction,
    ExpectedInformation,
    PairUncertainty,
    Pool,
    Random,
    choose,
)
from hml.relabel.acquisition.curves import GRID, fit_curves
from hml.relabel.answers import Answers, per_cent
from hml.relabel.command import Evaluate
from hml.relabel.encoding import ImageTable
from hml.relabel.fitting import FitOptions, fit_relabeller
from hml.relabel.folds import group_by_pair
from hml.relabel.relabeller import Relabeller
from hml.statistics.estimates import Index

RANDOM = "Random"
IMAGES = "images"
"""The number of different images that were asked about."""
MEASURES = {
    "bits_pair": "bits, image pairs held out",
    "bits_person": "bits, people held out",
    "mae": "MAE of the mean",
    "curve_error": "error of class pairs' curves",
}
ACQUISITIONS: dict[str, Acquisition] = {
    "ExpectedInformation": ExpectedInformation(),
    "ExpectedInformation, omega": ExpectedInformation(omega=True),
    "ExpectedErrorReduction": ExpectedErrorReduction(),
    "PairUncertainty": PairUncertainty(),
    "Coverage": Coverage(),
}
"""The acquisitions that are compared with random."""

_HELD_OUT = 0.2


@dataclass(frozen=True)
class Questions:
    """The judgements that one repetition may ask for, and those that it predicts.

    Args:
        queue: By image of the pool, the rows of its judgements in the order in which they are given.
        pair: Rows of held-out image pairs.
        person: Rows of held-out people and of the other image pairs.
    """

    queue: Mapping[int, Sequence[int]]
    pair: Index
    person: Index

    @classmethod
    def draw(cls, table: pd.DataFrame, seed: int, repetition: int) -> "Questions":
        """Hold out a fifth of the image pairs and a fifth of the people, and shuffle the other judgements."""
        group, person = group_by_pair(table), table["person"].to_numpy(np.int64)
        is_held_out = []
        for values, purpose in ((group, "held-out pairs"), (person, "held-out people")):
            shuffled = Draws(seed, repetition, np.unique(values)).order(purpose)
            is_held_out.append(np.isin(values, shuffled[: max(1, round(_HELD_OUT * len(shuffled)))]))
        pair, people = is_held_out
        order = Draws(seed, repetition, np.flatnonzero(~pair & ~people)).order("opinions")
        queue: dict[int, list[int]] = {}
        for row, image in zip(order.tolist(), table["image"].to_numpy()[order].tolist(), strict=True):
            queue.setdefault(image, []).append(row)
        return cls(queue, np.flatnonzero(pair), np.flatnonzero(people & ~pair))


def draw_repetitions(table: pd.DataFrame, options: Evaluate) -> list[Questions]:
    """Draw the judgements that each repetition may ask for, and those that it predicts.

    Args:
        table: Judgements without repeats, with a new index.
        options: How many judgements are asked for.

    Raises:
        InputError: a repetition has fewer judgements than are asked for, or holds out none.
    """
    repetitions = [Questions.draw(table, options.seed, number) for number in range(options.repetitions)]
    wanted = options.start + options.batch * options.rounds_of_random
    for questions in repetitions:
        images, answers = len(questions.queue), sum(map(len, questions.queue.values()))
        if images < max(options.start, options.batch) or answers < wanted or not len(questions.person):
            raise InputError(
                f"--active asks for {wanted:,} judgements, {options.batch} at a time. Without the held-out image pairs "
                f"and people, there are {answers:,} of {images:,} images: lower --start, --batch or --rounds, or "
                "collect more."
            )
    return repetitions


@dataclass(frozen=True)
class Comparison:
    """Asks for judgements, fits relabellers and scores them.

    Args:
        table: Judgements without repeats, with a new index.
        images: What is known of the images.
        targets: Mixed images whose predictions matter.
        fitting: How each relabeller is fitted.
        options: How many judgements are asked for.
    """

    table: pd.DataFrame
    images: ImageTable
    targets: MixedBatch
    fitting: FitOptions
    options: Evaluate

    def run(self, acquisitions: Mapping[str, Acquisition], repetitions: Sequence[Questions]) -> pd.DataFrame:
        """Run all repetitions, and print a line after each.

        Args:
            acquisitions: Acquisitions by name. Random is always added.
            repetitions: As `draw_repetitions` returns them.

        Returns:
            One row per repetition, acquisition, number of judgements and measure, with its value.
        """
        rows = []
        for repetition, questions in enumerate(repetitions):
            first = list(questions.queue)[: self.options.start]
            asked = [questions.queue[image][0] for image in first]
            begun = self.fit(asked, repetition)
            for name, acquisition in ({RANDOM: Random()} | dict(acquisitions)).items():
                rounds = self.options.rounds_of_random if name == RANDOM else self.options.rounds
                for row in self._ask(acquisition, questions, asked, begun, repetition, rounds):
                    rows.append({"repetition": repetition, "acquisition": name} | row)
            print(f"Repetition {repetition + 1} of {len(repetitions)} done", flush=True)
        return pd.DataFrame(rows)

    def _ask(
        self,
        acquisition: Acquisition,
        questions: Questions,
        asked: Sequence[int],
        relabeller: Relabeller,
        repetition: int,
        rounds: int,
    ) -> list[dict[str, float | str]]:
        """Ask for batches. Fit and score a relabeller after each."""
        found = self._score(relabeller, questions, asked)
        for number in range(rounds):
            drawn = Draws(self.options.seed, repetition, np.array([number])).uniform("pool")
            asked = [*asked, *self._choose(acquisition, questions, asked, relabeller, int(drawn[0] * LARGEST_SEED))]
            relabeller = self.fit(asked, repetition)
            found += self._score(relabeller, questions, asked)
        return found

    def _choose(
        self, acquisition: Acquisition, questions: Questions, asked: Sequence[int], relabeller: Relabeller, seed: int
    ) -> list[int]:
        """Choose a batch of images, and return the row of the next judgement of each."""
        given = self.table.iloc[list(asked)]
        opinions = given.groupby("image").size()
        left = {image: queue for image, queue in questions.queue.items() if len(queue) > opinions.get(image, 0)}
        batch = Answers.of(self.table.iloc[[queue[0] for queue in left.values()]], self.images.num_classes).batch
        counts = np.array([opinions.get(image, 0) for image in left], dtype=np.int64)
        pool = Pool(relabeller, batch, counts, given, self.targets, seed)
        chosen = choose(acquisition, pool, self.options.batch).rows
        if len(chosen) < self.options.batch:
            raise InputError(
                f"--batch {self.options.batch}: only {len(chosen)} different images are left to ask about. "
                "Lower --batch or --rounds."
            )
        queues = list(left.values())
        return [queues[place][int(counts[place])] for place in chosen.tolist()]

    def fit(self, rows: Sequence[int], repetition: int) -> Relabeller:
        """Fit a relabeller to some of the judgements."""
        options = replace(self.fitting, seed=self.fitting.seed * self.options.repetitions + repetition)
        people = int(self.table["person"].max()) + 1
        return fit_relabeller(self.table.iloc[list(rows)], self.images, people, options)

    def _score(
        self, relabeller: Relabeller, questions: Questions, asked: Sequence[int]
    ) -> list[dict[str, float | str]]:
        """Score the predictions of held-out judgements, and class pairs' curves fitted to the judgements so far."""
        values = {}
        for name, rows in (("bits_pair", questions.pair), ("bits_person", questions.person)):
            held_out = self.table.iloc[rows]
            # The prediction does not depend on the person, so it is computed once per image.
            _, first, place = np.unique(held_out["image"].to_numpy(), return_index=True, return_inverse=True)
            batch = Answers.of(held_out.iloc[first], self.images.num_classes).batch
            mass = relabeller.mass(batch).double().numpy()[place]
            answer = per_cent(held_out["lambda_h"])
            values[name] = float(scores.bits(mass, answer).mean())
            if name == "bits_pair":
                values["mae"] = float(scores.mean_error(mass, answer).mean())
        curves = fit_curves(self.table.iloc[list(asked)])
        pairs = self._reference.curves
        errors = [np.abs(curves.of(*pair)(GRID) - curve(GRID)).mean() for pair, curve in pairs.items()]
        values["curve_error"] = float(np.mean(errors))
        values[IMAGES] = float(self.table["image"].iloc[list(asked)].nunique())
        return [{"judgements": len(asked), "measure": name, "value": value} for name, value in values.items()]

    @cached_property
    def _reference(self) -> PairCurves:
        """The class pairs' curves of all judgements."""
        return fit_curves(self.table)
