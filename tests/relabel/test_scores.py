import numpy as np
import pytest
from scipy import integrate

from hml.relabel import scores


def point(at):
    mass = np.zeros((1, 101))
    mass[0, at] = 1
    return mass


def test_guessing_costs_the_log_of_the_positions():
    mass = np.full((3, 101), 1 / 101)
    np.testing.assert_allclose(scores.bits(mass, np.array([0, 50, 100])), np.log2(101))


def test_without_doubt_crps_and_the_means_error_are_the_absolute_error():
    for answer in (0, 30, 100):
        assert scores.crps(point(40), np.array([answer])) == pytest.approx(abs(40 - answer) / 100)
        assert scores.mean_error(point(40), np.array([answer])) == pytest.approx(abs(40 - answer) / 100)


def test_crps_is_the_integral_of_the_squared_distance():
    mass = np.random.default_rng(0).dirichlet(np.ones(101), 1)
    reached = mass.cumsum()
    expected = sum(integrate.quad(lambda x, k=k: (reached[k] - (x >= 37)) ** 2, k, k + 1)[0] for k in range(100))
    assert scores.crps(mass, np.array([37]))[0] == pytest.approx(expected / 100)


def test_a_coin_by_hand():
    mass = (point(0) + point(100)) / 2
    assert scores.bits(mass, np.array([100])) == pytest.approx(1)
    assert scores.crps(mass, np.array([100])) == pytest.approx(0.25)
    assert scores.mean_error(mass, np.array([100])) == pytest.approx(0.5)
    # The answer takes up 0.5 … 1 of the distribution, of which the central half holds 0.5 … 0.75.
    assert scores.coverage(mass, np.array([100]), 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("level", scores.COVERAGES)
def test_a_correct_model_has_the_nominal_coverage(level):
    mass = np.random.default_rng(1).dirichlet(np.full(101, 0.1), 1)
    every = np.arange(101)
    each = scores.coverage(np.repeat(mass, 101, axis=0), every, level)
    assert (each * mass[0]).sum() == pytest.approx(level)
