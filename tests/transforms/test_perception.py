import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from hml.data.download import HMIX_INFERENCES
from hml.errors import InputError
from hml.judgements import read_hmix
from hml.transforms import Perception, fit_perception, shared_perception

weights = st.floats(0, 1).map(lambda weight: round(weight, 6))


def mean(*lambda_f):
    none = torch.zeros(len(lambda_f), dtype=torch.int64)
    return shared_perception().mean(torch.tensor(lambda_f, dtype=torch.float64), none, none)


def sample(lambda_f, count=20_000):
    torch.manual_seed(0)
    none = torch.zeros(count, dtype=torch.int64)
    return shared_perception().sample(torch.full((count,), lambda_f), none, none)


@given(weights, weights)
def test_the_mean_rises_with_lambda_f(one, other):
    low, high = mean(*sorted((one, other))).tolist()
    assert low <= high
    assert low < high or abs(other - one) < 1e-3


@given(weights)
def test_swapping_the_endpoints_mirrors_the_mean(weight):
    torch.testing.assert_close(mean(weight), 1 - mean(1 - weight), atol=1e-3, rtol=0)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_images_that_are_not_mixed_are_certain(weight):
    lambda_h, omega = sample(weight, 50)
    assert lambda_h.tolist() == [weight] * 50
    assert omega.tolist() == [1.0] * 50
    assert mean(weight).tolist() == [weight]


@pytest.fixture(scope="module")
def released(data_dir):
    return read_hmix(data_dir / HMIX_INFERENCES.name, "all")


def test_what_hml_ships_is_the_fit_to_the_released_judgements(released):
    shipped = shared_perception()
    assert shipped.provenance["sha256"] == HMIX_INFERENCES.sha256
    assert json.loads(fit_perception(released, shipped.provenance).to_json()) == json.loads(shipped.to_json())


@pytest.mark.parametrize("lambda_f", [0.1, 0.25, 0.5])
def test_samples_are_distributed_as_what_people_said(released, lambda_f):
    said = [
        (j.lambda_h if j.stimulus.lambda_f == lambda_f else 1 - j.lambda_h, j.omega)
        for j in released
        if min(abs(j.stimulus.lambda_f - lambda_f), abs(1 - j.stimulus.lambda_f - lambda_f)) < 1e-9
    ]
    lambda_h, omega = (np.array(values) for values in zip(*said, strict=True))
    if lambda_f == 0.5:
        lambda_h = np.concatenate([lambda_h, 1 - lambda_h])
    found_h, found_omega = (values.numpy() for values in sample(lambda_f))
    assert found_h.mean() == pytest.approx(lambda_h.mean(), abs=0.01)
    assert found_h.std() == pytest.approx(lambda_h.std(), abs=0.01)
    assert found_omega.mean() == pytest.approx(omega.mean(), abs=0.02)
    assert ks_2samp(found_h, lambda_h).statistic < 0.06
    assert ks_2samp(found_omega, omega).statistic < 0.08


def test_people_who_see_a_half_are_less_sure():
    lambda_h, omega = sample(0.5)
    extreme = (2 * lambda_h - 1).abs()
    assert omega[extreme > 0.9].mean() > omega[extreme < 0.1].mean() + 0.3


def test_a_perception_whose_parts_do_not_fit_is_rejected():
    parts = asdict(shared_perception())
    for wrong in ({"lambda_f": [0.0, 1.0]}, {"lambda_f": [0.0, 0.5, 0.25, 0.75, 0.9, 0.1, 1.0]}, {"omega": []}):
        with pytest.raises(InputError, match="ascending lambda_f from 0 to 1"):
            Perception(**parts | wrong)
    with pytest.raises(InputError, match="fitted to judgements"):
        fit_perception([])
