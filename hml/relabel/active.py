"""Compares acquisitions on answers that exist, asked for in batches; the relabeller is fitted again after each."""

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
from hml.relabel.encoding import ImageTable
from hml.relabel.fitting import FitOptions, fit_relabeller
from hml.relabel.folds import group_by_pair
from hml.relabel.relabeller import Relabeller
from hml.statistics.estimates import Index

RANDOM = "Random"
IMAGES = "images"
"""How many different images were asked about: fewer than judgements where images are asked about again."""
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
"""What is compared with random."""

_HELD_OUT = 0.2


@dataclass(frozen=True)
class Schedule:
    """How acquisitions are compared.

    Args:
        start: Judgements, each of another image, that all begin with.
        batch: Judgements that are asked for before the relabeller is fitted again.
        rounds: Batches.
        repetitions: How often all of it is done, with other pairs and people held out.
        seed: Decides everything that is drawn.

    Raises:
        InputError: a number is too small.
    """

    start: int = 60
    batch: int = 60
    rounds: int = 8
    repetitions: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("start", 2), ("batch", 1), ("rounds", 1), ("repetitions", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"--{name} {getattr(self, name)} must be {least} or more.")

    @property
    def rounds_of_random(self) -> int:
        """Random is asked half as often again, to see how many judgements it needs to reach the others."""
        return self.rounds + -(-self.rounds // 2)


@dataclass(frozen=True)
class Questions:
    """What one repetition may ask, and what it predicts.

    Args:
        queue: By image of the pool, the rows of its judgements in the order in which they are given.
        pair: Rows of held-out image pairs.
        person: Rows by held-out people, of other image pairs.
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


def draw_repetitions(table: pd.DataFrame, schedule: Schedule) -> list[Questions]:
    """Draw what each repetition may ask.

    Args:
        table: Judgements without repeats, with a fresh index.
        schedule: How much is asked.

    Raises:
        InputError: a repetition has fewer judgements than are asked for, or holds out none.
    """
    repetitions = [Questions.draw(table, schedule.seed, number) for number in range(schedule.repetitions)]
    wanted = schedule.start + schedule.batch * schedule.rounds_of_random
    for questions in repetitions:
        images, answers = len(questions.queue), sum(map(len, questions.queue.values()))
        if images < max(schedule.start, schedule.batch) or answers < wanted or not len(questions.person):
            raise InputError(
                f"--active asks for {wanted:,} judgements, {schedule.batch} at a time, and without the image pairs and "
                f"people that are held out there are {answers:,} of {images:,} images: lower --start, --batch or "
                "--rounds, or collect more."
            )
    return repetitions


@dataclass(frozen=True)
class Comparison:
    """Asks, fits and scores.

    Args:
        table: Judgements without repeats, with a fresh index.
        images: What is known of the images.
        targets: Mixed images whose predictions matter.
        fitting: How each relabeller is fitted.
        schedule: How much is asked.
    """

    table: pd.DataFrame
    images: ImageTable
    targets: MixedBatch
    fitting: FitOptions
    schedule: Schedule

    def run(self, acquisitions: Mapping[str, Acquisition], repetitions: Sequence[Questions]) -> pd.DataFrame:
        """Run all repetitions, and print each that is done.

        Args:
            acquisitions: By name; random is always added.
            repetitions: What `draw_repetitions` drew.

        Returns:
            One row per repetition, acquisition, number of judgements and measure, with its value.
        """
        rows = []
        for repetition, questions in enumerate(repetitions):
            first = list(questions.queue)[: self.schedule.start]
            asked = [questions.queue[image][0] for image in first]
            begun = self.fit(asked, repetition)
            for name, acquisition in ({RANDOM: Random()} | dict(acquisitions)).items():
                rounds = self.schedule.rounds_of_random if name == RANDOM else self.schedule.rounds
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
        """Ask for batches, fit again after each, and score."""
        found = self._score(relabeller, questions, asked)
        for number in range(rounds):
            drawn = Draws(self.schedule.seed, repetition, np.array([number])).uniform("pool")
            asked = [*asked, *self._choose(acquisition, questions, asked, relabeller, int(drawn[0] * LARGEST_SEED))]
            relabeller = self.fit(asked, repetition)
            found += self._score(relabeller, questions, asked)
        return found

    def _choose(
        self,
        acquisition: Acquisition,
        questions: Questions,
        asked: Sequence[int],
        relabeller: Relabeller,
        seed: int,
    ) -> list[int]:
        """Choose a batch of images, and return the row of the next judgement of each."""
        given = self.table.iloc[list(asked)]
        opinions = given.groupby("image").size()
        left = {image: queue for image, queue in questions.queue.items() if len(queue) > opinions.get(image, 0)}
        batch = Answers.of(self.table.iloc[[queue[0] for queue in left.values()]], self.images.num_classes).batch
        counts = np.array([opinions.get(image, 0) for image in left], dtype=np.int64)
        pool = Pool(relabeller, batch, counts, given, self.targets, seed)
        chosen = choose(acquisition, pool, self.schedule.batch).rows
        if len(chosen) < self.schedule.batch:
            raise InputError(
                f"--batch {self.schedule.batch}: only {len(chosen)} images that differ are left to ask about. "
                "Lower --batch or --rounds."
            )
        queues = list(left.values())
        return [queues[place][int(counts[place])] for place in chosen.tolist()]

    def fit(self, rows: Sequence[int], repetition: int) -> Relabeller:
        """Fit a relabeller to some of the judgements."""
        options = replace(self.fitting, seed=self.fitting.seed * self.schedule.repetitions + repetition)
        people = int(self.table["person"].max()) + 1
        return fit_relabeller(self.table.iloc[list(rows)], self.images, people, options)

    def _score(
        self, relabeller: Relabeller, questions: Questions, asked: Sequence[int]
    ) -> list[dict[str, float | str]]:
        """Score predictions of what is held out, and class pairs' curves fitted to what was asked."""
        values = {}
        for name, rows in (("bits_pair", questions.pair), ("bits_person", questions.person)):
            held_out = self.table.iloc[rows]
            # Predictions are of anybody's answers, so all judgements of an image share one.
            _, first, place = np.unique(held_out["image"].to_numpy(), return_index=True, return_inverse=True)
            batch = Answers.of(held_out.iloc[first], self.images.num_classes).batch
            mass = relabeller.mass(batch).double().numpy()[place]
            answer = per_cent(held_out["lambda_h"]).long().numpy()
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
