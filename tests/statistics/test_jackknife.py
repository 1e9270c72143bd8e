import numpy as np
import pandas as pd
import pytest

from hml.judgements.simulation import shared_population
from hml.statistics import weighted
from hml.statistics.estimates import CORRELATION
from hml.statistics.jackknife import BOTH, Jackknife, Weights
from tests.benchmarks.coverage import make_design


def make(people=20, pairs=60, each=3, seed=0):
    """Judgements of one image per pair, by `each` of the people."""
    rng = np.random.default_rng(seed)
    image = np.repeat(np.arange(pairs), each)
    person = np.concatenate([rng.choice(people, each, replace=False) for _ in range(pairs)])
    return pd.DataFrame({"judgement": np.arange(len(image)), "person": person, "image": image, "endpoints": image})


def estimate(table, values):
    return weighted.estimate_mean(Jackknife.of(table), table, values)


def test_noise_of_judgements_alone_has_the_t_interval_over_pairs():
    table = make(people=200, each=1)
    values = np.random.default_rng(1).normal(size=60)
    found = estimate(table, values)
    half = 2.001 * values.std(ddof=1) / np.sqrt(60)  # t(.975, 59)
    assert found.random == BOTH
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(half, rel=0.15)


def cover(count, make_values, of):
    """How often the interval for people and images, and that for people, holds 0."""
    both, people = [], []
    for seed in range(count):
        table = make(seed=0)
        found = of(table, make_values(np.random.default_rng(seed), table))
        both.append(found.low <= 0 <= found.high)
        people.append(found.low_people <= 0 <= found.high_people)
    return np.mean(both), np.mean(people)


def test_intervals_cover_zero_as_often_as_they_should():
    """People's habits, images' own effects and noise, all of which differ in every data set."""

    def values(rng, table):
        habit, own = rng.normal(0, 0.7, 20)[table["person"]], rng.normal(0, 1, 60)[table["image"]]
        return habit + own + rng.normal(0, 1, len(table))

    both, people = cover(150, values, estimate)
    assert 0.88 <= both <= 1  # four standard deviations below .95
    assert people < both  # images that are drawn again aren't in it


def test_intervals_for_the_same_images_cover_zero_as_often_as_they_should():
    fixed = np.random.default_rng(9).normal(0, 1, 60)
    fixed -= fixed.mean()

    def values(rng, table):
        return rng.normal(0, 0.7, 20)[table["person"]] + fixed[table["image"]] + rng.normal(0, 1, len(table))

    both, people = cover(150, values, estimate)
    assert 0.88 <= people <= both


def test_an_images_weight_is_its_pairs_whoever_judges_it():
    weights = Weights(np.array([[0.5, 1.0, 0.5]]), np.array([[1.0, 1.0, 0.5]]))
    table = pd.DataFrame({"judgement": [0, 1, 2], "image": [0, 0, 1]})
    assert weights.of_images(table).tolist() == [[1.0, 0.5]]
    assert weights.of(table.iloc[1:]).tolist() == [[1.0, 0.5]]


def test_a_correlations_interval_stays_within_its_bounds():
    table = make(people=5, pairs=8)
    x = np.random.default_rng(2).normal(size=24)
    found = Jackknife.of(table).estimate(
        weighted.correlation_of(table, x, x + 0.1 * np.random.default_rng(3).normal(size=24)), 24, 5, CORRELATION
    )
    assert found.value > 0.98
    assert found.low < found.value < found.high < 1
    assert found.value - found.low > found.high - found.value


def test_too_few_people_or_pairs_get_no_interval():
    table = make(people=2, each=2)
    assert estimate(table, np.arange(120.0)).low is None
    table = make(pairs=2, people=3)
    found = estimate(table, np.arange(6.0))
    assert found.low is None
    assert found.low_people is not None


def test_a_medians_interval_covers_that_of_the_population():
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        table = make(each=2)
        values = rng.normal(0, 0.5, 20)[table["person"]] + rng.normal(size=120)
        found = Jackknife.of(table).quantile(lambda w, v=values: (v, w.judgements), 0.5, 120, 20, (0.05, 0.05))
        assert found.value == np.quantile(values, 0.5)
        hits += found.low <= 0 <= found.high
    assert hits >= 87


def test_intervals_cover_means_of_simulated_people():
    """The fast version of tests/benchmarks/coverage.py: the errors of ten people's answers."""
    design = make_design(10, pairs_each=2)
    lambda_f = np.array([stimulus.lambda_f for stimulus in design.stimuli])[design.image]
    ends = np.unique([[end.image_id for end in s.endpoints] for s in design.stimuli], axis=0, return_inverse=True)[1]
    columns = {"judgement": np.arange(len(lambda_f)), "person": design.person, "image": design.image}
    table = pd.DataFrame(columns | {"endpoints": ends.reshape(-1)[design.image]})
    errors = [np.abs(shared_population().answer(design, n, n)[0] - lambda_f) for n in range(60)]
    truth = np.mean(errors)
    found = [estimate(table, values) for values in errors]
    assert sum(one.low <= truth <= one.high for one in found) >= 51  # 57 expected, standard deviation 1.7


def test_too_few_people_get_no_interval():
    table = make(people=2, each=1)
    found = estimate(table, np.arange(60.0))
    assert (found.value, found.people) == (29.5, 2)
    assert found.low is found.high is found.low_people is found.high_people is None
