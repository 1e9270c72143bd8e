import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from hml.judgements.curve_fitting import Prior, estimate_dispersion, fit_groups, respond

LAMBDA_F = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


def fit_one(count, total, prior, dispersion=1.0):
    group = np.zeros(len(LAMBDA_F), int)
    parameters, covariance = fit_groups(LAMBDA_F, group, count, total, prior, dispersion, 1)
    return parameters[:, 0], covariance[:, 0]


def test_without_prior_and_lapse_it_is_logistic_regression():
    count = np.array([20.0, 30, 40, 30, 20])
    total = np.array([2.0, 5, 22, 26, 19])
    flat = Prior(np.array([0.0, np.log(5), -12.0]), np.array([100.0, 100.0, 0.0]))
    found, _ = fit_one(count[None], total[None], flat)
    x = np.repeat(LAMBDA_F, 2)[:, None]
    y, weight = np.tile([1, 0], 5), np.stack([total, count - total], 1).ravel()
    reference = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(x, y, sample_weight=weight)
    slope = reference.coef_[0, 0]
    assert np.exp(found[0, 1]) == pytest.approx(slope, rel=1e-4)
    assert 0.5 + found[0, 0] == pytest.approx(-reference.intercept_[0] / slope, abs=1e-5)


def test_resamples_and_groups_are_fitted_each_for_itself():
    rng = np.random.default_rng(0)
    count = rng.integers(1, 20, (4, 5)).astype(float)
    total = count * rng.uniform(0.05, 0.95, (4, 5))
    prior = Prior(np.array([0.0, 1.5, -3.0]), np.array([0.2, 0.5, 0.5]))
    together, _ = fit_one(count, total, prior, 0.3)
    alone = [fit_one(count[[r]], total[[r]], prior, 0.3)[0][0] for r in range(4)]
    assert together == pytest.approx(np.array(alone), abs=1e-6)
    group = np.repeat(np.arange(4), 5)
    grouped, _ = fit_groups(np.tile(LAMBDA_F, 4), group, count.reshape(1, -1), total.reshape(1, -1), prior, 0.3, 4)
    assert grouped[0] == pytest.approx(together, abs=1e-6)


def test_a_group_without_judgements_is_the_prior():
    prior = Prior(np.array([0.1, 1.5, -3.0]), np.array([0.2, 0.5, 0.0]))
    found, covariance = fit_one(np.zeros((1, 5)), np.zeros((1, 5)), prior)
    assert found[0] == pytest.approx(prior.mean)
    assert np.sqrt(np.diag(covariance[0]))[:2] == pytest.approx(prior.sd[:2])


def test_dispersion_is_the_residual_variance_over_a_coin_flips():
    flips = np.array([0.0, 1, 1, 0, 1, 0, 0, 1])
    found = estimate_dispersion(np.array([0.5]), np.array([8.0]), flips.sum()[None], (flips**2).sum()[None], 0)
    assert found == 1
    shares = np.array([0.4, 0.6] * 4)
    found = estimate_dispersion(np.array([0.5]), np.array([8.0]), shares.sum()[None], (shares**2).sum()[None], 0)
    assert found == pytest.approx(0.01 / 0.25)


def test_responses_stay_between_the_lapses():
    curve = respond(np.array([0.0, np.log(50), 0.0]), np.array([0.0, 0.5, 1.0]))
    assert curve == pytest.approx([0.25, 0.5, 0.75])


def test_many_groups_are_fitted_as_few_are():
    rng = np.random.default_rng(0)
    count = rng.integers(1, 20, (3, 400)).astype(float)
    total = count * rng.uniform(0.05, 0.95, count.shape)
    prior = Prior(np.array([0.0, 1.5, -3.0]), np.array([0.2, 0.5, 0.5]))
    many, _ = fit_groups(np.tile(LAMBDA_F, 80), np.repeat(np.arange(80), 5), count, total, prior, 0.3, 80)
    part = np.tile(LAMBDA_F, 40), np.repeat(np.arange(40), 5)
    halves = [fit_groups(*part, count[:, s], total[:, s], prior, 0.3, 40)[0] for s in (slice(200), slice(200, 400))]
    assert many == pytest.approx(np.concatenate(halves, axis=1), abs=1e-5)
