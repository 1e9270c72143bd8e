import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hml.relabel.slider import Mixture, logistic_log_mass, truncated_logistic_mean


def make_mixture(seed=0, rows=5, logistics=2):
    generator = torch.Generator().manual_seed(seed)
    return Mixture(
        torch.log_softmax(torch.randn(rows, 4 + logistics, generator=generator, dtype=torch.float64), 1),
        100 * torch.rand(rows, logistics, generator=generator, dtype=torch.float64),
        1 + 20 * torch.rand(rows, logistics, generator=generator, dtype=torch.float64),
    )


@given(st.floats(0, 100), st.floats(1, 200))
@settings(max_examples=30, deadline=None)
def test_a_rounded_logistic_is_scipys_cut_to_the_slider(location, scale):
    every = torch.arange(101, dtype=torch.float64)
    found = logistic_log_mass(every, torch.tensor(location).double(), torch.tensor(scale).double()).exp().numpy()
    of = stats.logistic(location, scale)
    expected = (of.cdf(every + 0.5) - of.cdf(every - 0.5)) / (of.cdf(100.5) - of.cdf(-0.5))
    np.testing.assert_allclose(found, expected, rtol=5e-6, atol=1e-9)
    assert found.sum() == pytest.approx(1)


def test_masses_sum_to_one_and_atoms_stand_out():
    mass = make_mixture().mass()
    torch.testing.assert_close(mass.sum(1), torch.ones(5, dtype=torch.float64))
    sure = Mixture(
        torch.log_softmax(torch.tensor([[5.0, 5.0, 5.0, 0.0, 0.0]]), 1), torch.tensor([[30.0]]), torch.ones(1, 1)
    )
    assert sorted(sure.mass()[0].topk(3).indices.tolist()) == [0, 50, 100]


def test_the_mean_is_that_of_the_masses():
    mixture = make_mixture(rows=200)
    torch.testing.assert_close(mixture.mean(), mixture.mass() @ torch.arange(101.0).double(), atol=0.01, rtol=0)
    assert float(truncated_logistic_mean(torch.tensor(50.0), torch.tensor(3.0))) == pytest.approx(50, abs=1e-4)


def test_shares_are_the_masses_of_stretches():
    mixture = make_mixture(rows=50)
    edges = (0, 1, 30, 50, 51, 101)
    expected = torch.stack([part.sum(1) for part in mixture.mass().split([1, 29, 20, 1, 50], dim=1)], dim=1)
    torch.testing.assert_close(mixture.shares(edges), expected, atol=1e-6, rtol=0)


def test_draws_match_the_masses():
    (one,) = [make_mixture(rows=1, seed=3)]
    uniform = torch.from_numpy(np.random.default_rng(0).random((20_000, 2)))
    many = Mixture(one.log_weight.expand(20_000, -1), one.location.expand(20_000, -1), one.scale.expand(20_000, -1))
    drawn = many.at(uniform)
    counts = torch.bincount(drawn.long(), minlength=101).numpy()
    expected = one.mass()[0].numpy() * 20_000
    assert stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 0.01
