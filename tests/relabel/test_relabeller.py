import numpy as np
import pytest
import torch
from scipy import stats

from hml.errors import InputError
from hml.labels import MixedBatch
from hml.randomness import Draws
from hml.relabel.answers import Answers
from hml.relabel.encoding import swap
from hml.relabel.fitting import FitOptions, fit_networks
from hml.relabel.relabeller import Relabeller

QUICK = FitOptions(steps=120, members=1)


def known(lambda_f, class_1, class_2, person, rng):
    """Answer 0, 50 or 100 in 10 % each, else about .3 + .4·lambda_f; even people are sure, and odd ones aren't."""
    lambda_h = rng.choice([0, 0.5, 1]) if rng.random() < 0.3 else rng.normal(0.3 + 0.4 * lambda_f, 0.08)
    return round(float(np.clip(lambda_h, 0, 1)), 2), 0.9 if person % 2 == 0 else 0.2


@pytest.fixture(scope="module")
def relabeller(simulate, images):
    table = simulate(known, repeats=8)
    return Relabeller(fit_networks(Answers.of(table, 10), images, 8, QUICK), images, [f"p{i}" for i in range(8)])


def test_a_simulated_annotators_distribution_is_recovered(relabeller, make_batch):
    for lambda_f in (0.25, 0.5, 0.75):
        mass = relabeller.mass(make_batch([lambda_f]))[0].numpy()
        rng = np.random.default_rng(0)
        said = np.array([known(lambda_f, 3, 5, 0, rng)[0] for _ in range(20_000)])
        expected = np.bincount((100 * said).round().astype(int), minlength=101) / 20_000
        for atom in (0, 50, 100):
            assert mass[atom] == pytest.approx(expected[atom], abs=0.05)
        # The largest distance between the distributions, as Kolmogorov and Smirnov measure it.
        assert np.abs(mass.cumsum() - expected.cumsum()).max() < 0.08
        assert (mass @ np.arange(101)) / 100 == pytest.approx(said.mean(), abs=0.03)


def test_a_persons_own_confidence_is_learned(relabeller, make_batch):
    batch = make_batch([0.25, 0.5, 0.75])
    even, odd = (relabeller.mean_omega(batch, torch.full((3,), relabeller.number_of(name))) for name in ("p2", "p3"))
    anybody = relabeller.mean_omega(batch)
    assert bool((even > anybody + 0.1).all())
    assert bool((odd < anybody - 0.1).all())


def test_swapped_endpoints_mirror_the_distribution(relabeller, make_batch):
    batch = make_batch([0.0, 0.03, 0.3, 0.5, 0.93, 1.0])
    torch.testing.assert_close(relabeller.mass(swap(batch)), relabeller.mass(batch).flip(1))
    torch.testing.assert_close(relabeller.mean(swap(batch)), 1 - relabeller.mean(batch))
    torch.testing.assert_close(relabeller.mean_omega(swap(batch)), relabeller.mean_omega(batch))


def test_masses_sum_to_one_and_plain_images_are_certain(relabeller, make_batch):
    mass = relabeller.mass(make_batch([0.0, 0.05, 0.5, 0.95, 1.0]))
    torch.testing.assert_close(mass.sum(1), torch.ones(5))
    assert mass[0, 0] == 1
    assert mass[4, 100] == 1
    assert relabeller.mean(make_batch([0.0, 1.0])).tolist() == [0, 1]
    assert relabeller.mean_omega(make_batch([0.0, 1.0])).tolist() == [1, 1]
    assert relabeller.sample(make_batch([1.0]), Draws(0, 0, np.arange(1))) == (1, 1)


def test_draws_match_the_distribution(relabeller, make_batch):
    batch = make_batch([0.25] * 20_000)
    lambda_h, omega = relabeller.sample(batch, Draws(0, 0, np.arange(20_000)))
    mass = relabeller.mass(make_batch([0.25]))[0].double().numpy()
    counts = np.bincount((100 * lambda_h).round().long().numpy(), minlength=101)
    # Cells of few expected draws are put together.
    order = np.argsort(mass)
    cell = np.minimum(np.cumsum(mass[order]) * 40, 39).astype(int)
    observed, expected = (np.bincount(cell, values[order], 40) for values in (counts, mass))
    full = expected > 0
    assert stats.chisquare(observed[full], expected[full] / expected.sum() * observed.sum()).pvalue > 0.001
    assert float(lambda_h.mean()) == pytest.approx(float(relabeller.mean(make_batch([0.25]))), abs=0.01)
    assert float(omega.mean()) == pytest.approx(float(relabeller.mean_omega(make_batch([0.25]))), abs=0.01)


def test_the_mean_confidence_is_that_of_all_answers_not_of_the_mean_answer(simulate, images, make_batch):
    def divided(lambda_f, class_1, class_2, person, rng):
        """See one endpoint alone, for sure, or both alike, without being sure: on average as the latter."""
        lambda_h = float(rng.choice([0, 0.5, 1]))
        return lambda_h, 0.2 if lambda_h == 0.5 else 0.9

    answers = Answers.of(simulate(divided), 10)
    relabeller = Relabeller(fit_networks(answers, images, 8, QUICK), images)
    mean_omega = float(relabeller.mean_omega(make_batch([0.5])))
    assert mean_omega == pytest.approx(2 / 3, abs=0.1)
    _, omega = relabeller.sample(make_batch([0.5] * 20_000), Draws(0, 0, np.arange(20_000)))
    assert mean_omega == pytest.approx(float(omega.mean()), abs=0.01)


def test_the_joint_probability_sums_to_the_mass_of_lambda_h(relabeller, make_batch):
    confidence = torch.arange(101.0)
    batch = make_batch([0.4] * 101)
    joint = relabeller.joint_log_mass(batch, torch.full((101,), 37.0), confidence).exp().sum()
    torch.testing.assert_close(joint, relabeller.mass(make_batch([0.4]))[0, 37])


def test_draws_are_a_function_of_seed_epoch_and_index(relabeller, make_batch):
    some = relabeller.sample(make_batch([0.3, 0.6]), Draws(1, 2, np.array([9, 4])))
    other = relabeller.sample(make_batch([0.6, 0.1]), Draws(1, 2, np.array([4, 0])))
    assert some[0][1] == other[0][0]
    assert some[1][1] == other[1][0]


def test_fitting_keeps_the_global_generator_and_is_repeatable(simulate, images, make_batch):
    answers = Answers.of(simulate(known, repeats=1), 10)
    before = torch.get_rng_state()
    options = FitOptions(steps=3, members=1, seed=7)
    a, b = (Relabeller(fit_networks(answers, images, 8, options), images).mass(make_batch([0.3])) for _ in range(2))
    assert torch.equal(a, b)
    assert torch.equal(before, torch.get_rng_state())


def test_other_images_and_unknown_people_are_rejected(relabeller, make_batch):
    right = make_batch([0.5])
    with pytest.raises(InputError, match="other images"):
        relabeller.mass(MixedBatch(right.id_1 + 1, right.id_2, right.class_1, right.class_2, right.lambda_f, 10))
    with pytest.raises(InputError, match="other images"):
        relabeller.mass(MixedBatch(right.id_1 + 100, right.id_2, right.class_1, right.class_2, right.lambda_f, 10))
    with pytest.raises(InputError, match="annotator='nobody'"):
        relabeller.number_of("nobody")
