"""Simulated people, whose curves, strengths and habits are known, and the real judgements as tables."""

import itertools

import numpy as np
import pytest

from hml.analysis.confidence import add_variables
from hml.judgements import (
    CIFAR10,
    Endpoint,
    Judgement,
    name_stimulus,
    parse_construct,
    parse_select,
    parse_soft_categories,
    read_hmix,
)
from hml.judgements.curves import Curve
from hml.judgements.tables import judgement_table, midpoint_table, soft_category_table
from hml.statistics.jackknife import Jackknife

PAIRS = list(itertools.combinations(range(10), 2))


def make_stimulus(rng, pair, lambda_f):
    first, second = (Endpoint(int(rng.integers(10_000)), label) for label in pair)
    return name_stimulus(CIFAR10, lambda_f, first, second)


@pytest.fixture(scope="session")
def simulate():
    """Make judgements by people who answer Curve(bias of the pair, slope, lapse) with beta noise and own habits."""

    def make(
        seed=0,
        people=30,
        each=60,
        images=300,
        repeats=0,
        bias=lambda pair: 0.0,
        slope=6.0,
        lapse=0.1,
        concentration=6.0,
        habit=0.0,
        levels=(0.1, 0.25, 0.5, 0.75, 0.9),
        omega=None,
    ):
        rng = np.random.default_rng(seed)
        stimuli = [make_stimulus(rng, PAIRS[i % 45], float(rng.choice(levels))) for i in range(images)]
        judgements = []
        for person in range(people):
            lean = rng.normal(0, habit)
            seen = rng.choice(images, each, replace=False)
            for place, i in enumerate([*seen, *seen[:repeats]]):
                stimulus = stimuli[i]
                ends = tuple(end.label for end in stimulus.endpoints)
                mean = Curve(bias(ends) + lean, slope, lapse)(stimulus.lambda_f)
                lambda_h = float(rng.beta(mean * concentration, (1 - mean) * concentration))
                sure = rng.uniform() if omega is None else omega(rng, stimulus, lambda_h)
                judgements.append(
                    Judgement(
                        stimulus,
                        f"p{person:03d}",
                        lambda_h,
                        float(np.clip(sure, 0, 1)),
                        5000.0,
                        is_repeat=place >= each,
                    )
                )
        return judgement_table(judgements)

    return make


@pytest.fixture(scope="session")
def human(data_dir):
    """CIFAR-10H's probabilities."""
    counts = np.load(data_dir / "cifar10h-counts.npy").astype(float)
    return counts / counts.sum(1, keepdims=True)


@pytest.fixture(scope="session")
def paper(data_dir, human):
    """The paper's cohort, with what confidence may go with, and resamples of its people."""
    table = add_variables(judgement_table(read_hmix(data_dir / "hmix_infer_mixing_factor.csv")), human)
    return table, Jackknife.of(table)


@pytest.fixture(scope="session")
def everything(data_dir, human):
    """Both collections, likewise."""
    table = add_variables(judgement_table(read_hmix(data_dir / "hmix_infer_mixing_factor.csv", "all")), human)
    return table, Jackknife.of(table)


@pytest.fixture(scope="session")
def tasks(other_tasks):
    """The tables of the other tasks: construct, select, soft."""
    return (
        midpoint_table(parse_construct((other_tasks / "hmix_construct_midpoint.csv").read_bytes(), "construct")),
        midpoint_table(parse_select((other_tasks / "hmix_select_shuffled_midpoint.csv").read_bytes(), "select")),
        soft_category_table(
            parse_soft_categories((other_tasks / "hmix_categorical_soft_labels.csv").read_bytes(), "soft")
        ),
    )
