"""Acquisitions find planted images, by ensembles whose weights are set by hand."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import hml.relabel
from hml.errors import InputError
from hml.judgements.curves import Curve
from hml.labels import MixedBatch
from hml.relabel.acquisition import (
    Coverage,
    ExpectedErrorReduction,
    ExpectedInformation,
    PairUncertainty,
    Pool,
    Random,
    choose,
)
from hml.relabel.acquisition.curves import condition, derivative
from hml.relabel.acquisition.information import Ensemble, information
from hml.relabel.acquisition.pool import opinion_noise
from hml.relabel.encoding import ImageTable
from hml.relabel.network import AnswerNetwork, Shape
from hml.relabel.relabeller import Relabeller

ALL = [ExpectedInformation(), ExpectedInformation(omega=True), ExpectedErrorReduction(), PairUncertainty(), Coverage()]
ALL = [*ALL, Random()]
BY_MEMBERS = ALL[:3]
FIRST_FEATURE = 3 + 10 + 5  # of the first endpoint, in what `encode` makes


def mix(first, second, lambda_f=0.5):
    """Mix images whose classes are their ids' last digits."""
    first, second = torch.tensor(first), torch.tensor(second)
    weights = torch.as_tensor(lambda_f, dtype=torch.float32).expand(len(first)).clone()
    return MixedBatch(first, second, first % 10, second % 10, weights, 10)


def make_member(width, slopes):
    """Make a network that moves its answer by each feature of the first endpoint, and is sure of it."""
    network = AnswerNetwork(Shape(width, people=1, hidden=len(slopes)))
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        network.first.weight[:, FIRST_FEATURE : FIRST_FEATURE + len(slopes)] = torch.eye(len(slopes))
        network.lambda_head.weight[7:10] = torch.tensor(slopes)  # the logistics' locations
        network.lambda_head.bias[:4] = -20.0  # no atoms, nothing uniform
        network.lambda_head.bias[10:] = -10.0  # the smallest scale
    return network.eval()


@pytest.fixture
def make_pool(images, simulate):
    """Make a pool in which some originals have features that the members disagree about."""

    def said(lambda_f, class_1, class_2, person, rng):
        return lambda_f, 0.5

    judged = simulate(said, repeats=1)
    judged["image"] = np.arange(len(judged))

    def make(batch, features, slopes, opinions=None, table=judged):
        columns = torch.zeros(40, 2)
        for image, feature in features.items():
            columns[image, feature] = 1
        known = ImageTable(images.labels, images.human, images.network, columns)
        relabeller = Relabeller([make_member(known.width, each) for each in slopes], known)
        counts = np.zeros(len(batch.id_1), np.int64) if opinions is None else np.array(opinions)
        return Pool(relabeller, batch, counts, table, batch)

    return make


TWO = [(1.0, 1.0), (-1.0, 1.0)]  # members that disagree about the first feature


@pytest.mark.parametrize("acquisition", [*BY_MEMBERS, Coverage()])
def test_planted_images_are_asked_about_first(acquisition, make_pool):
    # Rows 4 and 6 show them, and nobody has judged a mix of their originals.
    pool = make_pool(mix(range(20, 29), range(31, 40)), {24: 0, 37: 0}, TWO)
    assert set(choose(acquisition, pool, 2).rows.tolist()) == {4, 6}


def test_the_curve_that_nobody_judged_is_asked_about_first(make_pool, simulate):
    def said(lambda_f, class_1, class_2, person, rng):
        return float(np.clip(lambda_f + (class_2 - 5) * 0.05, 0, 1)), 0.5  # so that pairs' curves differ

    judged = simulate(said, repeats=3)
    judged = judged[(judged["class_1"] != 2) | (judged["class_2"] != 3)].reset_index(drop=True)
    judged["image"] = np.arange(len(judged))
    pool = make_pool(mix([0, 1, 2, 12, 13, 5], [11, 12, 13, 3, 22, 16]), {}, TWO, table=judged)
    choice = choose(PairUncertainty(), pool, 3)
    assert set(choice.rows.tolist()) == {2, 3, 4}  # the three of classes 2 and 3, in either order
    assert (np.diff(choice.scores) < 0).all()  # the second tells less than the first


@pytest.mark.parametrize("acquisition", BY_MEMBERS)
def test_a_batch_is_not_all_of_one_kind(acquisition, make_pool):
    slopes = [(1.0, 0.9), (-1.0, 0.9), (1.0, -0.9), (-1.0, -0.9)]
    pool = make_pool(mix(range(10), range(11, 21)), {1: 0, 2: 0, 3: 0, 6: 1}, slopes)
    alone = next(acquisition.gains(pool))
    assert set(np.argsort(alone)[-3:].tolist()) == {1, 2, 3}  # those of the first kind teach more
    assert 6 in choose(acquisition, pool, 3).rows


@pytest.mark.parametrize("acquisition", ALL, ids=lambda acquisition: type(acquisition).__name__)
def test_a_batch_has_no_near_duplicates_and_repeats(acquisition, make_pool):
    first, second = [1, 1, 12, 1, 3, 3], [12, 12, 1, 12, 14, 14]
    pool = make_pool(mix(first, second, [0.5, 0.55, 0.5, 0.7, 0.5, 0.45]), {1: 0}, TWO)
    choice = choose(acquisition, pool, 6)
    assert len(choice.rows) == 3
    assert len({0, 1, 2} & set(choice.rows)) == 1  # the third is the first with its endpoints swapped
    assert 3 in choice.rows
    again = choose(acquisition, pool, 6)
    np.testing.assert_array_equal(again.rows, choice.rows)
    np.testing.assert_array_equal(again.scores, choice.scores)


def test_information_is_one_bit_where_two_members_exclude_each_other(make_pool):
    pool = make_pool(mix([0, 1], [11, 12]), {0: 0}, [(8.0, 0.0), (-8.0, 0.0)])
    # From the other side, where the feature isn't the first endpoint's, both predict the same: half of the time.
    np.testing.assert_allclose(information(pool), [0.5, 0], atol=0.01)


def test_conditioning_is_the_dense_gaussians():
    rng = np.random.default_rng(0)
    features, noise = rng.normal(size=(6, 3)), rng.uniform(0.5, 2, 6)
    ensemble, asked = Ensemble(features, noise), [2, 4, 2]
    for row in asked:
        ensemble.condition(row)
    kernel = features @ features.T
    own = kernel[np.ix_(asked, asked)] + np.diag(noise[asked])
    expected = kernel - kernel[:, asked] @ np.linalg.solve(own, kernel[asked])
    np.testing.assert_allclose(ensemble.variance(), np.diag(expected))


def test_another_opinion_adds_what_the_mean_of_all_gains():
    for share in (0.0, 0.2, 0.7):

        def precision(opinions, share=share):
            return 0 if opinions == 0 else 1 / (share + (1 - share) / opinions)

        gained = [precision(n + 1) - precision(n) for n in range(4)]
        np.testing.assert_allclose(1 / opinion_noise(np.arange(4), share), gained)


@pytest.mark.parametrize("acquisition", BY_MEMBERS)
def test_another_opinion_is_worth_less_than_a_new_image(acquisition, make_pool):
    pool = make_pool(mix([0, 1, 2], [11, 12, 13]), {0: 0, 1: 0}, TWO, opinions=[2, 0, 0])
    new = choose(acquisition, pool, 3)
    assert new.rows.tolist() == [1, 0, 2]  # but more than one that tells nothing


def test_a_curves_derivative_and_its_posterior_are_right():
    curve, step = Curve(bias=0.05, slope=6.0, lapse=0.1), 1e-6
    steeper = Curve(curve.bias, curve.slope * np.exp(step), curve.lapse)
    moved = Curve(curve.bias + step, curve.slope, curve.lapse)
    numeric = [(moved(0.3) - curve(0.3)) / step, (steeper(0.3) - curve(0.3)) / step]
    np.testing.assert_allclose(derivative(curve, 0.3), numeric, rtol=1e-4)
    prior, direction = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, -2.0])
    expected = np.linalg.inv(np.linalg.inv(prior) + np.outer(direction, direction) / 0.3)
    np.testing.assert_allclose(condition(prior, direction, 0.3), expected)


def test_the_image_share_is_what_images_were_simulated_with(make_pool):
    rng = np.random.default_rng(0)
    image = np.repeat(np.arange(300), 4)
    shown = 0.5 + rng.normal(0, 0.06, 300)
    pool = make_pool(mix([0], [11]), {}, TWO)
    table = pool.table.iloc[np.zeros(1200, int)].assign(id_1=image % 10, id_2=image % 9 + 11, image=image, lambda_f=0.5)
    table["lambda_h"] = shown[image] + rng.normal(0, 0.08, 1200)
    table["class_1"], table["class_2"] = table["id_1"] % 10, table["id_2"] % 10
    found = make_pool(mix([0], [11]), {}, TWO, table=table).image_share
    assert found == pytest.approx(0.06**2 / (0.06**2 + 0.08**2), abs=0.05)


def test_random_is_another_with_another_seed(make_pool):
    batch = mix(range(10), range(11, 21))
    one, other = (choose(Random(), Pool(*vars_of(make_pool(batch, {}, TWO)), seed), 10).rows for seed in (0, 1))
    assert sorted(one) == sorted(other)
    assert one.tolist() != other.tolist()


def vars_of(pool):
    return pool.relabeller, pool.batch, pool.opinions, pool.table, pool.targets


def test_one_member_cannot_disagree(make_pool):
    with pytest.raises(InputError, match="--members 8"):
        make_pool(mix([0], [11]), {}, TWO[:1])


def test_the_guides_own_acquisition_ranks_images(make_pool):
    guide = Path(hml.relabel.__file__).with_name("README.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "Acquisition" in block]
    names = {}
    exec(code, names)
    pool = make_pool(mix([20, 21, 22], [31, 32, 33]), {22: 0}, [(1.0, 0.0), (3.0, 0.0)])
    assert choose(names["Ambiguous"](), pool, 1).rows.tolist() == [2]  # its two sides differ
