import numpy as np
import pytest

from hml.errors import InputError
from hml.judgements.annotators import fit_crowd

PEOPLE, IMAGES = 33, 810


@pytest.fixture(scope="module")
def simulated():
    """People of known bias, scale and noise who judge images of known shares, three an image, as in H-Mix."""
    rng = np.random.default_rng(0)
    truth = {
        "bias": rng.normal(0, 0.05, PEOPLE),
        "scale": rng.normal(1, 0.15, PEOPLE),
        "noise": rng.uniform(0.05, 0.3, PEOPLE),
        "expected": rng.choice([0.15, 0.25, 0.5, 0.75, 0.85], IMAGES),
    }
    truth["image"] = truth["expected"] + rng.normal(0, 0.1, IMAGES)
    image = np.repeat(np.arange(IMAGES), 3)
    person = np.concatenate([rng.choice(PEOPLE, 3, replace=False) for _ in range(IMAGES)])
    shown = truth["image"][image] - 0.5
    lambda_h = 0.5 + truth["bias"][person] + truth["scale"][person] * shown + rng.normal(0, truth["noise"][person])
    return truth, lambda_h, image, person


def rmse(found, truth):
    return float(np.sqrt(np.mean((found - truth) ** 2)))


def test_simulated_people_are_recovered(simulated):
    truth, lambda_h, image, person = simulated
    crowd = fit_crowd(lambda_h, image, person, truth["expected"])
    for name, least in (("bias", 0.75), ("scale", 0.75), ("noise", 0.9)):
        assert np.corrcoef(getattr(crowd, name), truth[name])[0, 1] > least
    assert rmse(crowd.noise, truth["noise"]) < 0.03
    assert crowd.image_variance**0.5 == pytest.approx(0.1, abs=0.02)
    assert crowd.image_sd.mean() == pytest.approx(rmse(crowd.image, truth["image"]), rel=0.1)


def test_images_are_recovered_best_where_people_may_differ(simulated):
    truth, lambda_h, image, person = simulated
    mean = np.bincount(image, lambda_h) / 3
    shrunk = fit_crowd(lambda_h, image, person, truth["expected"], individual=False).image
    reliable = fit_crowd(lambda_h, image, person, truth["expected"]).image
    errors = [rmse(found, truth["image"]) for found in (reliable, shrunk, mean)]
    assert errors[0] < 0.95 * errors[1] < 0.95 * 0.8 * errors[2]


def test_people_who_are_alike_give_the_mean_drawn_to_what_is_expected(simulated):
    truth, lambda_h, image, person = simulated
    crowd = fit_crowd(lambda_h, image, person, truth["expected"], individual=False)
    tau, sigma = crowd.image_variance, crowd.noise[0] ** 2
    share = 3 * tau / (3 * tau + sigma)
    mean = np.bincount(image, lambda_h) / 3
    np.testing.assert_allclose(crowd.image, share * mean + (1 - share) * truth["expected"], atol=1e-4)
    assert set(crowd.bias) == {0.0}
    assert set(crowd.scale) == {1.0}


def test_seen_from_the_other_endpoint_all_is_mirrored(simulated):
    truth, lambda_h, image, person = simulated
    one = fit_crowd(lambda_h, image, person, truth["expected"])
    other = fit_crowd(1 - lambda_h, image, person, 1 - truth["expected"])
    np.testing.assert_allclose(one.image, 1 - other.image, atol=1e-6)
    np.testing.assert_allclose(one.bias, -other.bias, atol=1e-6)
    np.testing.assert_allclose(one.noise, other.noise, atol=1e-6)


def test_a_noisy_person_moves_an_image_less(simulated):
    truth, lambda_h, image, person = simulated
    noise = fit_crowd(lambda_h, image, person, truth["expected"]).noise
    effects = []
    for who in (int(noise.argmin()), int(noise.argmax())):
        at = int(np.flatnonzero(person == who)[0])
        moved = lambda_h.copy()
        moved[at] += 0.1
        change = (
            fit_crowd(moved, image, person, truth["expected"]).image
            - fit_crowd(lambda_h, image, person, truth["expected"]).image
        )
        effects.append(change[image[at]])
    assert effects[0] > 3 * effects[1] > 0


def test_identical_answers_and_a_single_one_have_finite_estimates():
    for count in (1, 6):
        crowd = fit_crowd(np.full(count, 0.5), np.zeros(count, np.int64), np.arange(count), np.array([0.5]))
        for values in (crowd.image, crowd.image_sd, crowd.bias, crowd.scale, crowd.noise):
            assert np.isfinite(values).all()
        assert crowd.image == pytest.approx([0.5])


def test_judgements_that_do_not_fit_each_other_are_rejected():
    with pytest.raises(InputError, match="at least 1"):
        fit_crowd(np.array([]), np.array([], np.int64), np.array([], np.int64), np.array([]))
    with pytest.raises(InputError, match="arrays of the same length"):
        fit_crowd(np.array([0.5]), np.zeros(2, np.int64), np.zeros(2, np.int64), np.array([0.5]))
