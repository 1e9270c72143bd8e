import math

import numpy as np
import pytest
from scipy import stats

from hml.statistics.crossed import CrossedMean, clustered_half_width, crossed_mean
from hml.statistics.paired import paired_difference


def test_seeds_and_images_by_hand():
    # Seeds' means 2 and 4: their variance 2 over 2 seeds is 1. Images' means 1 and 5: variance 8 over 2 images is 4.
    # What is left of [[0, 4], [2, 6]] is 0. t(.975, 1) = 12.7062 for each part.
    found = crossed_mean(np.array([[0.0, 4.0], [2.0, 6.0]]))
    assert (found.seeds, found.images, found.mean, found.random) == (2, 2, 3.0, "seeds and images")
    assert found.high - 3 == pytest.approx(12.7062 * math.sqrt(1 + 4), rel=1e-5)
    assert found.low + found.high == pytest.approx(6)


def test_what_seeds_and_images_do_together_counts_once():
    # Means by seed 4 and 2: V_seeds = 2 / 2 = 1. By image 1, 5, 3: V_images = 4 / 3. What is left of
    # [[1, 7, 4], [1, 3, 2]] is ±[1, −1, 0]: V_both = 4 / (1 · 2) / (2 · 3) = 1/3. So 1 is the images' own.
    found = crossed_mean(np.array([[1.0, 7.0, 4.0], [1.0, 3.0, 2.0]]))
    assert found.high - 3 == pytest.approx(math.sqrt(12.7062**2 * 1 + 4.30265**2 * 1), rel=1e-5)


def test_it_is_never_narrower_than_either_interval_by_itself():
    # Means by seed 2 and 2, by image 3, 2, 1: V_seeds = 0, V_images = 1/3, V_both = 28 / (1 · 2) / (2 · 3) = 7/3.
    found = crossed_mean(np.array([[5.0, -1.0, 2.0], [1.0, 5.0, 0.0]]))
    assert found.high - 2 == pytest.approx(4.30265 * math.sqrt(1 / 3), rel=1e-5)


def test_variances_are_those_of_a_two_way_analysis_of_variance():
    values = np.random.default_rng(0).normal(size=(4, 30)) + np.random.default_rng(1).normal(size=30)
    found = crossed_mean(values)
    # Expected mean squares of the two-way layout (Scheffe, 1959): images' component is (MS_images − MS_both) / S.
    rows, columns = np.indices(values.shape)
    dummies = [*(rows.ravel() == k for k in range(1, 4)), *(columns.ravel() == k for k in range(1, 30))]
    matrix = np.array([np.ones(values.size), *dummies], float).T
    left = values.ravel() - matrix @ np.linalg.lstsq(matrix, values.ravel(), rcond=None)[0]
    ms_both = (left**2).sum() / (3 * 29)
    ms_images = 4 * values.mean(0).var(ddof=1)
    of_images = (ms_images - ms_both) / 4 / 30
    of_seeds = values.mean(1).var(ddof=1) / 4
    half = math.sqrt(stats.t(3).ppf(0.975) ** 2 * of_seeds + stats.t(29).ppf(0.975) ** 2 * of_images)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_one_seed_has_scipys_t_interval_over_images():
    values = np.random.default_rng(0).normal(0.3, 1, size=50)
    found, theirs = crossed_mean(values[None]), stats.ttest_1samp(values, 0)
    assert found.random == "images"
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert found.p == pytest.approx(theirs.pvalue)


def test_without_images_own_part_it_is_the_interval_over_seeds():
    by_seed = np.array([0.3, 0.5, 0.1])
    found = crossed_mean(np.repeat(by_seed[:, None], 40, axis=1))
    seeds = paired_difference(dict(enumerate(by_seed)), dict.fromkeys(range(3), 0.0))
    assert (found.low, found.high, found.p) == pytest.approx((seeds.low, seeds.high, seeds.p))


def test_p_is_that_of_the_interval_that_ends_at_zero():
    values = np.random.default_rng(0).normal(size=(3, 40)) + np.random.default_rng(3).normal(size=40)
    assert crossed_mean(values - crossed_mean(values).low).p == pytest.approx(0.05, rel=1e-6)


def test_a_mean_far_from_zero_has_a_tiny_p():
    assert crossed_mean(1e6 + np.random.default_rng(0).normal(size=(8, 40))).p <= 1e-12


def test_one_image_has_no_interval():
    assert crossed_mean(np.array([[1.0], [2.0]])) == CrossedMean(2, 1, 1.5)


def test_what_never_varies_has_a_width_of_zero_and_no_p():
    assert crossed_mean(np.full((3, 5), 0.25)) == CrossedMean(3, 5, 0.25, 0.25, 0.25)
    assert crossed_mean(np.full((3, 5), 0.1)).p is None, "a mean of tenths is off by rounding"


@pytest.mark.parametrize(
    ("seeds", "parts"), [(2, (0.2, 0.1, 1)), (3, (0.05, 1, 1)), (3, (0, 0, 1)), (5, (0.1, 0.5, 0.5))]
)
def test_intervals_hold_the_mean_of_other_seeds_and_images(seeds, parts):
    """Their coverage of .95 has a standard error of .018 here. The t interval over seeds has .82 in the second case."""
    rng, (of_seeds, of_images, of_both) = np.random.default_rng(0), parts
    held = []
    for _ in range(150):
        values = of_seeds * rng.normal(size=(seeds, 1)) + of_images * (rng.exponential(size=60) - 1)
        found = crossed_mean(values + of_both * rng.normal(size=(seeds, 60)))
        held.append(found.low <= 0 <= found.high)
    assert np.mean(held) >= 0.9


def test_unequal_groups_by_hand():
    # Values 0, 3, 3, 6 (mean 3) of people 0, 0, 1, 2 and pairs 0, 1, 1, 2.
    # Left out one after the other, people change the mean by −(−3)/2, 0/3, −3/3: V = (2.25 + 0 + 1) · 2/3.
    # Pairs: −(−3)/3, 0/2, −3/3: V = (1 + 0 + 1) · 2/3. Cells are single judgements: (1 + 0 + 0 + 1) · 3/4.
    found = clustered_half_width(np.array([0.0, 3, 3, 6]), np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]))
    t = stats.t(2).ppf(0.975)
    assert found == pytest.approx(t * math.sqrt(3.25 * 2 / 3))  # 2 · 2/3 − 1.5 is below 0: people's own is the wider


def test_groups_of_one_judgement_have_the_usual_t_interval():
    values = np.random.default_rng(0).normal(size=50)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    own = np.arange(50)
    assert clustered_half_width(values, own, own) == pytest.approx((high - low) / 2)


def test_two_people_or_two_pairs_have_no_interval():
    values, few = np.arange(12.0), np.arange(12) % 2
    assert clustered_half_width(values, few, np.arange(12)) is None
    assert clustered_half_width(values, np.arange(12), few) is None


@pytest.mark.parametrize("people", [10, 33])
def test_intervals_hold_the_mean_of_other_people_and_pairs(people):
    """On H-Mix's design: 270 pairs at three lambda_f, two judgements each. Over people only, .85 are right."""
    rng, pair = np.random.default_rng(0), np.arange(1620) // 6
    held = []
    for _ in range(100):
        person = rng.choice(people, 1620, p=rng.dirichlet(np.full(people, 5)))
        values = 0.05 * rng.normal(size=people)[person] + 0.5 * rng.exponential(size=270)[pair] + rng.normal(size=1620)
        held.append(abs(values.mean() - 0.5) <= clustered_half_width(values, person, pair))
    assert np.mean(held) >= 0.9
