import numpy as np
import pandas as pd
import pytest

from hml.judgements.simulation import shared_population
from hml.statistics import weighted
from hml.statistics.estimates import COMPARISON, CORRELATION, FEWEST_COMPARED, SIZE, WITHOUT_INTERVAL
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


def test_noise_without_people_has_the_t_interval_over_pairs():
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


def test_intervals_for_other_images_cover_as_they_should():
    """People's habits, images' own effects and noise, all of which differ in every data set."""

    def values(rng, table):
        habit, own = rng.normal(0, 0.7, 20)[table["person"]], rng.normal(0, 1, 60)[table["image"]]
        return habit + own + rng.normal(0, 1, len(table))

    both, people = cover(150, values, estimate)
    assert 0.88 <= both <= 1  # four standard deviations below .95
    assert people < both  # images that are drawn again aren't in it


def test_intervals_for_the_same_images_cover_as_they_should():
    fixed = np.random.default_rng(9).normal(0, 1, 60)
    fixed -= fixed.mean()

    def values(rng, table):
        return rng.normal(0, 0.7, 20)[table["person"]] + fixed[table["image"]] + rng.normal(0, 1, len(table))

    both, people = cover(150, values, estimate)
    assert 0.88 <= people <= both


def test_an_images_weight_is_that_of_its_endpoints():
    weights = Weights(np.array([[0.5, 1.0, 0.5]]), np.array([[1.0, 1.0, 0.5]]))
    table = pd.DataFrame({"judgement": [0, 1, 2], "image": [0, 0, 1]})
    assert weights.of_images(table).tolist() == [[1.0, 0.5]]
    assert weights.of(table.iloc[1:]).tolist() == [[1.0, 0.5]]


def test_a_correlations_interval_stays_within_its_bounds():
    table = make(people=7, pairs=8)
    x = np.random.default_rng(2).normal(size=24)
    found = Jackknife.of(table).estimate(
        weighted.correlation_of(table, x, x + 0.1 * np.random.default_rng(3).normal(size=24)), 24, 7, CORRELATION
    )
    assert found.value > 0.98
    assert found.low < found.value < found.high < 1
    assert found.value - found.low > found.high - found.value


def test_too_few_people_or_pairs_get_no_interval():
    table = make(people=6, each=2)
    assert estimate(table, np.arange(120.0)).low is None
    table = make(pairs=2, people=7, each=7)
    found = estimate(table, np.arange(14.0))
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


def test_a_size_has_its_interval_on_the_log_scale():
    # Half-widths on the linear scale are kept to first order: .5·exp(±.1/.5).
    assert SIZE.ends(0.5, 0.1) == pytest.approx((0.409365, 0.610701), abs=1e-6)
    assert SIZE.ends(0.0, 0.0) == (0.0, 0.0)


def test_a_comparison_of_people_needs_more_people_than_a_mean():
    table, few = make(people=FEWEST_COMPARED - 1), make(people=FEWEST_COMPARED)
    values = np.random.default_rng(0).uniform(0.2, 0.3, 180)
    for each, known in ((table, False), (few, True)):
        found = weighted.estimate_mean(Jackknife.of(each), each, values, COMPARISON)
        assert (found.low is not None) == known
        assert found.low_people is None
        assert estimate(each, values).low is not None
    assert weighted.estimate_mean(Jackknife.of(few), few, values, WITHOUT_INTERVAL).low is None


@pytest.mark.parametrize("people", [8, 20])
def test_removing_a_person_removes_their_part_in_all_comparisons(people):
    """The mean difference of every two people, against the mean without one of them."""
    a, b = np.triu_indices(people, 1)
    image = np.arange(len(a)).repeat(2)
    effect = np.random.default_rng(0).normal(size=people)
    table = pd.DataFrame({"judgement": np.arange(2 * len(a)), "person": np.stack([a, b], 1).ravel(), "image": image})
    first, second = np.arange(0, 2 * len(a), 2), np.arange(1, 2 * len(a), 2)
    apart = np.abs(effect[a] - effect[b])
    jackknife = Jackknife.of(table.assign(endpoints=image))
    changes = jackknife.replicate(lambda w: weighted.mean(w.of_dyads(first, second), apart)) - apart.mean()
    without = np.array([apart[(a != k) & (b != k)].mean() for k in range(people)])
    assert changes[-people:] / 0.98 == pytest.approx(without - apart.mean(), rel=0.05)
