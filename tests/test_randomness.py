import numpy as np
import pytest
import torch

from hml.randomness import Draws

EVERYTHING = np.arange(200)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_a_number_depends_on_its_index_and_not_on_which_others_are_drawn(shape):
    whole = Draws(1, 2, EVERYTHING).uniform("coin", shape)
    assert whole.shape == (200, *shape)
    for index in (np.array([7]), np.array([199, 0, 3, 3]), EVERYTHING[::-1], EVERYTHING[:0]):
        assert np.array_equal(Draws(1, 2, index).uniform("coin", shape), whole[index])


def test_seeds_epochs_and_purposes_draw_different_numbers():
    draws = [
        Draws(seed, epoch, EVERYTHING).uniform(purpose)
        for seed in (0, 1)
        for epoch in (0, 1)
        for purpose in ("order", "label")
    ]
    correlation = np.corrcoef(draws) - np.eye(8)
    assert abs(correlation).max() < 0.3


def test_numbers_are_uniform():
    draws = Draws(0, 0, np.arange(100_000)).uniform("coin")
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    assert counts.sum() == 100_000
    assert abs(counts - 5000).max() < 5 * np.sqrt(5000 * 0.95)


def test_order_is_a_permutation_that_changes_with_the_epoch():
    index = np.array([3, 9, 4, 12, 40])
    orders = [Draws(0, epoch, index).order("order").tolist() for epoch in range(20)]
    assert all(sorted(order) == sorted(index) for order in orders)
    assert len({tuple(order) for order in orders}) > 10
    assert orders[3] == Draws(0, 3, index).order("order").tolist()


def test_global_generators_are_neither_read_nor_moved():
    def draw_with(seed):
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = np.random.get_state()[1].copy(), torch.get_rng_state()
        drawn = Draws(0, 0, EVERYTHING).uniform("coin")
        assert np.array_equal(before[0], np.random.get_state()[1])
        assert torch.equal(before[1], torch.get_rng_state())
        return drawn

    assert np.array_equal(draw_with(1), draw_with(2))
