import math
import warnings

import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from hml.errors import InputError
from hml.evaluation.alignment import soft_cross_entropy, top_k_accuracy
from hml.evaluation.temperature import cross_fit_temperature, fit_temperature, scale


def over_confident(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, 10, generator=generator, dtype=torch.float64)
    target = (logits / 2 + torch.randn(n, 10, generator=generator, dtype=torch.float64)).softmax(1)
    return 5 * logits, target


@pytest.mark.parametrize("temperature", [0.02, 0.7, 1.0, 40.0])
def test_logits_that_are_log_probabilities_times_t_give_t(temperature):
    _, target = over_confident(50)
    fitted = fit_temperature(temperature * target.log() + torch.arange(50.0)[:, None], target)
    assert fitted == pytest.approx(temperature, rel=1e-9)


def test_the_temperature_is_the_minimum_that_scipy_finds():
    logits, target = over_confident(200)
    found = minimize_scalar(
        lambda t: float(soft_cross_entropy(logits / t, target)),
        bounds=(0.1, 100),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit_temperature(logits.float(), target.float()) == pytest.approx(found.x, rel=1e-5)


def test_two_classes_equal_sklearns_logistic_regression():
    generator = torch.Generator().manual_seed(1)
    logits = 4 * torch.randn(300, 2, generator=generator, dtype=torch.float64)
    label = (torch.rand(300, generator=generator) < (0.2 * (logits[:, 1] - logits[:, 0])).sigmoid()).long()
    theirs = LogisticRegression(C=math.inf, fit_intercept=False, tol=1e-10)
    theirs.fit((logits[:, 1] - logits[:, 0])[:, None].numpy(), label.numpy())
    target = torch.nn.functional.one_hot(label, 2).double()
    assert fit_temperature(logits, target) == pytest.approx(1 / float(theirs.coef_[0, 0]), rel=1e-5)


def test_scaling_lowers_cross_entropy_and_keeps_accuracy():
    for seed in range(10):
        logits, target = over_confident(60, seed)
        after = scale(logits, torch.full((60,), fit_temperature(logits, target)))
        assert soft_cross_entropy(after, target) < soft_cross_entropy(logits, target)
        for k in (1, 2):
            assert top_k_accuracy(after, target.argmax(1), k) == top_k_accuracy(logits, target.argmax(1), k)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_multiplied_logits_give_the_same_scaled_logits(factor):
    logits, target = over_confident(60)
    one_hot = torch.nn.functional.one_hot(logits.argmax(1), 10).double()
    for truth in (target, one_hot, one_hot.flip(1)):
        assert fit_temperature(factor * logits, truth) == pytest.approx(factor * fit_temperature(logits, truth))


def test_limits_hold_where_no_temperature_is_best():
    logits = torch.tensor([[0.0, 3.0], [4.0, 0.0]])
    right = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    spread = math.sqrt((9 + 16) / 4)
    assert fit_temperature(logits, right) == pytest.approx(spread / 1000)
    assert fit_temperature(logits, 1 - right) == pytest.approx(spread * 1000)
    assert fit_temperature(torch.full((3, 4), 0.1), torch.eye(4)[:3]) == 1
    assert math.isnan(fit_temperature(torch.empty(0, 4), torch.empty(0, 4)))
    assert math.isnan(fit_temperature(logits * math.inf, right))
    with pytest.raises(InputError, match=r"logits \(2, 2\) and target \(2,\)"):
        fit_temperature(logits, torch.tensor([0, 1]))


def test_each_half_has_the_temperature_of_the_other():
    logits, target = over_confident(101)
    index = torch.arange(101) * 3
    temperature = cross_fit_temperature(logits, target, index)
    one, other = temperature.unique().tolist()
    is_one = temperature == one
    assert abs(int(is_one.sum()) - 50.5) == 0.5
    assert fit_temperature(logits[~is_one], target[~is_one]) == one
    assert fit_temperature(logits[is_one], target[is_one]) == other


def test_halves_depend_on_indices_not_on_their_order():
    logits, target = over_confident(40)
    shuffled = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    whole = cross_fit_temperature(logits, target, torch.arange(40))
    assert torch.allclose(
        cross_fit_temperature(logits[shuffled], target[shuffled], shuffled), whole[shuffled], rtol=1e-9
    )


def test_one_image_has_no_temperature_of_others():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cross_fit_temperature(torch.ones(1, 3), torch.ones(1, 3) / 3, torch.tensor([0])).isnan().all()
