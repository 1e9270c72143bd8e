import math

import numpy as np
import pytest
from scipy import stats

from hml.statistics.paired import (
    PairedDifference,
    Summary,
    adjust_by_holm,
    compare_order,
    equivalence_p,
    paired_difference,
    seeds_needed,
    summarise,
)


def test_mean_and_standard_error_by_hand():
    # 2, 4, 4, 6: mean 4, squares 4 + 0 + 0 + 4 = 8, over 3, root 1.633, over √4 .8165.
    assert summarise([2, 4, 4, 6]) == Summary(4, 4.0, pytest.approx(math.sqrt(8 / 3) / 2))


def test_one_value_has_no_standard_error():
    assert summarise([2.5]) == Summary(1, 2.5, None)


def test_paired_difference_by_hand():
    # Differences 1, 2, 3: mean 2, standard error 1/√3; t(.975, 2) = 4.3027.
    found = paired_difference({0: 2.0, 1: 4.0, 2: 6.0}, {2: 3.0, 1: 2.0, 0: 1.0})
    assert (found.n, found.mean) == (3, 2.0)
    assert found.low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-6)
    assert found.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-6)


def test_paired_difference_follows_students_formula():
    ours, baseline = np.random.default_rng(0).normal(size=(2, 7))
    found = paired_difference(dict(enumerate(ours)), dict(enumerate(baseline)))
    difference = ours - baseline
    error = difference.std(ddof=1) / math.sqrt(7)
    half = stats.t(6).ppf(0.975) * error
    assert found.p == pytest.approx(2 * stats.t(6).sf(abs(difference.mean()) / error))
    assert (found.low, found.high) == pytest.approx((difference.mean() - half, difference.mean() + half))


def test_only_common_seeds_are_paired():
    assert paired_difference({0: 5.0, 1: 7.0}, {1: 4.0, 2: 0.0}) == PairedDifference(1, 3.0)
    assert paired_difference({0: 5.0}, {1: 4.0}) is None


def test_a_difference_that_never_varies_has_a_width_of_zero_and_no_p():
    assert paired_difference({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0}) == PairedDifference(
        2, 0.0, 0.0, 0.0, standard_error=0.0
    )
    # .3 − .1 and .5 − .3 differ in their last bit alone.
    assert paired_difference({0: 0.3, 1: 0.5}, {0: 0.1, 1: 0.3}).p is None


def test_holm_is_rs_p_adjust():
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") gives 0.03 0.06 0.06 0.02.
    found = adjust_by_holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == {
        "a": pytest.approx(0.03),
        "b": pytest.approx(0.06),
        "c": pytest.approx(0.06),
        "d": pytest.approx(0.02),
    }


def test_holm_is_at_most_one_and_keeps_a_single_p():
    assert adjust_by_holm({"a": 0.7, "b": 0.6}) == {"b": 1.0, "a": 1.0}
    assert adjust_by_holm({"a": 0.2}) == {"a": 0.2}
    assert adjust_by_holm({}) == {}


def test_order_counts_pairs_and_names_the_reversed():
    found = compare_order({"a": 1.0, "b": 3.0, "c": 2.0}, {"a": 10, "b": 20, "c": 30, "elsewhere": 0})
    assert (found.agreeing, found.pairs, found.reversed, found.holds) == (2, 3, (("b", "c"),), False)


def test_tied_pairs_do_not_count_in_an_order():
    found = compare_order({"a": 1.0, "b": 2.0, "c": 2.0}, {"a": 5, "b": 5, "c": 7})
    assert (found.agreeing, found.pairs, found.holds) == (1, 1, True)


def test_equivalence_is_the_larger_p_of_two_one_sided_tests():
    ours, baseline = np.random.default_rng(1).normal(size=(2, 9))
    found = paired_difference(dict(enumerate(ours)), dict(enumerate(baseline)))
    for margin in (0.3, 1.0, 3.0):
        above = stats.ttest_1samp(ours - baseline, -margin, alternative="greater").pvalue
        below = stats.ttest_1samp(ours - baseline, margin, alternative="less").pvalue
        assert equivalence_p(found, margin) == pytest.approx(max(above, below))


def test_seeds_needed_have_the_power_by_simulation():
    # The observed standard deviation is 1. G*Power gives 34 pairs for d = .5, and 15 for d = .8 (power .8, alpha .05).
    observed = PairedDifference(4, 0.0, standard_error=0.5)
    assert seeds_needed(observed, 0.5) == 34
    assert seeds_needed(observed, -0.8) == 15
    pairs = np.random.default_rng(0).normal(0.8, 1, (20_000, 15))
    assert (stats.ttest_1samp(pairs, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.02)


def test_without_spread_there_is_no_equivalence_and_no_power():
    for found in (PairedDifference(1, 0.2), PairedDifference(3, 0.2, 0.2, 0.2, standard_error=0.0)):
        assert equivalence_p(found, 0.5) is None
        assert seeds_needed(found, 0.5) is None
    assert seeds_needed(PairedDifference(4, 0.0, standard_error=0.5), 0.001) is None
