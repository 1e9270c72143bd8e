import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit, xlogy

from hml.errors import InputError
from hml.judgements import read_hmix
from hml.judgements.curve_fitting import WEAK
from hml.judgements.curves import Curve, PairCurves, fit_curve, fit_pair_curves

LEVELS = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
BIASES, SLOPES = st.floats(-0.4, 0.4), st.floats(0.5, 20)


def answer(rng, curve, lambda_f, concentration=6.0):
    """Answers whose mean is the curve, between 0 and 1."""
    mean = np.clip(curve(lambda_f), 0.01, 0.99)
    return rng.beta(mean * concentration, (1 - mean) * concentration)


@given(BIASES, SLOPES, st.floats(0, 0.9), st.floats(0, 1))
def test_a_curve_and_its_mirror_image_say_the_same(bias, slope, lapse, lambda_f):
    curve = Curve(bias, slope, lapse)
    assert curve.mirrored()(1 - lambda_f) == pytest.approx(1 - curve(lambda_f))
    assert lapse / 2 <= curve(lambda_f) <= 1 - lapse / 2
    assert curve(0.5 + bias) == pytest.approx(0.5)
    assert curve.mirrored().mirrored() == curve


def test_impossible_curves_are_rejected():
    for parameters in ((0.0, 0.0), (np.nan, 1.0), (0.0, 1.0, 1.0)):
        with pytest.raises(InputError, match="is not a curve"):
            Curve(*parameters)


@pytest.mark.parametrize(
    ("lambda_f", "lambda_h", "said"),
    [
        ([], [], "lengths"),
        ([0.1, 0.9], [0.2], "lengths"),
        ([0.1, 0.9], [0.2, np.nan], "lambda_h is not all in"),
        ([0.1, 0.9], [20, 80], "lambda_h is not all in .* divide percentages by 100"),
        ([-0.1, 0.9], [0.2, 0.8], "lambda_f is not all in"),
    ],
)
def test_what_no_curve_can_be_fitted_to_is_rejected(lambda_f, lambda_h, said):
    with pytest.raises(InputError, match=said):
        fit_curve(lambda_f, lambda_h)
    with pytest.raises(InputError, match=said):
        fit_pair_curves(lambda_f, lambda_h, np.zeros(len(lambda_f)), np.ones(len(lambda_f)))


def test_a_known_curve_is_recovered():
    rng = np.random.default_rng(0)
    true = Curve(bias=0.08, slope=9.0, lapse=0.12)
    lambda_f = rng.uniform(0, 1, 20_000)
    found = fit_curve(lambda_f, answer(rng, true, lambda_f))
    assert found.bias == pytest.approx(true.bias, abs=0.01)
    assert found.slope == pytest.approx(true.slope, rel=0.06)
    assert found.lapse == pytest.approx(true.lapse, abs=0.02)


def test_the_fit_is_what_a_general_optimiser_finds():
    rng = np.random.default_rng(1)
    lambda_f = rng.choice(LEVELS, 300)
    lambda_h = answer(rng, Curve(-0.1, 6.0, 0.1), lambda_f)
    found = fit_pair_curves(lambda_f, lambda_h, np.zeros(300, int), np.ones(300, int))

    def loss(parameters):
        lapse = expit(parameters[2])
        p = lapse / 2 + (1 - lapse) * expit(np.exp(parameters[1]) * (lambda_f - 0.5 - parameters[0]))
        fit = (xlogy(lambda_h, p) + xlogy(1 - lambda_h, 1 - p)).sum() / found.dispersion
        return -fit + (((parameters - WEAK.mean) / WEAK.sd) ** 2).sum() / 2

    best = minimize(loss, WEAK.mean, method="BFGS").x
    ours = (found.overall.bias, np.log(found.overall.slope), logit(found.overall.lapse))
    # The dispersion that goes into the fit is the one before the last.
    assert ours == pytest.approx(best, abs=2e-3)


def test_whole_answers_and_one_answer_can_be_fitted():
    steep = fit_curve([0.1, 0.25, 0.75, 0.9] * 20, [0, 0, 1, 1] * 20)
    assert steep(0.9) > 0.9
    assert steep.bias == pytest.approx(0, abs=1e-3)
    alone = fit_curve([0.5], [0.9])
    assert alone.bias < 0
    assert np.isfinite(alone([0, 0.5, 1])).all()


def make_pairs(rng, per_cell, spread=0.08):
    pairs = [(a, b) for a in range(10) for b in range(a + 1, 10)]
    biases = dict(zip(pairs, rng.normal(0.03, spread, 45), strict=True))
    rows = [(x, *pair) for pair in pairs for x in LEVELS for _ in range(per_cell)]
    lambda_f, a, b = np.array(rows).T
    lambda_h = np.array(
        [answer(rng, Curve(biases[int(i), int(j)], 6.0, 0.1), x) for x, i, j in zip(lambda_f, a, b, strict=True)]
    )
    return lambda_f, lambda_h, a.astype(int), b.astype(int), biases


def test_pairs_biases_and_their_spread_are_recovered():
    lambda_f, lambda_h, a, b, biases = make_pairs(np.random.default_rng(2), per_cell=40)
    found = fit_pair_curves(lambda_f, lambda_h, a, b)
    errors = [found.curves[pair].bias - bias for pair, bias in biases.items()]
    assert np.sqrt(np.mean(np.square(errors))) < 0.025
    assert found.spread[0] == pytest.approx(0.08, rel=0.3)
    assert found.dispersion == pytest.approx(1 / 7, rel=0.15)  # a beta's variance is mean·(1 − mean)/(6 + 1)


def test_thin_pairs_are_drawn_to_the_overall_curve_and_closer_to_the_truth_for_it():
    lambda_f, lambda_h, a, b, biases = make_pairs(np.random.default_rng(3), per_cell=1, spread=0.05)
    found = fit_pair_curves(lambda_f, lambda_h, a, b)
    alone = {p: fit_curve(lambda_f[(a == p[0]) & (b == p[1])], lambda_h[(a == p[0]) & (b == p[1])]) for p in biases}
    shrunk_error, own_error = (
        np.mean([(curves[p].bias - biases[p]) ** 2 for p in biases]) for curves in (found.curves, alone)
    )
    assert shrunk_error < 0.7 * own_error
    scatter = [np.std([curve.bias for curve in curves.values()]) for curves in (found.curves, alone)]
    assert scatter[0] < scatter[1]


def test_pairs_that_do_not_differ_share_one_curve():
    lambda_f, lambda_h, a, b, _ = make_pairs(np.random.default_rng(4), per_cell=4, spread=0.0)
    found = fit_pair_curves(lambda_f, lambda_h, a, b)
    assert found.spread[0] < 0.02
    assert max(abs(curve.bias - found.overall.bias) for curve in found.curves.values()) < 0.04


def test_swapping_the_endpoints_changes_no_curve():
    lambda_f, lambda_h, a, b, _ = make_pairs(np.random.default_rng(5), per_cell=2)
    swap = np.random.default_rng(6).random(len(a)) < 0.5
    swapped = fit_pair_curves(
        np.where(swap, 1 - lambda_f, lambda_f),
        np.where(swap, 1 - lambda_h, lambda_h),
        np.where(swap, b, a),
        np.where(swap, a, b),
    )
    found = fit_pair_curves(lambda_f, lambda_h, a, b)
    for pair, curve in found.curves.items():
        assert swapped.curves[pair].bias == pytest.approx(curve.bias, abs=1e-6)
        assert swapped.of(*pair[::-1])(0.3) == pytest.approx(1 - curve(0.7), abs=1e-6)


def test_answering_the_other_way_round_mirrors_every_curve():
    lambda_f, lambda_h, a, b, _ = make_pairs(np.random.default_rng(7), per_cell=2)
    found, mirrored = fit_pair_curves(lambda_f, lambda_h, a, b), fit_pair_curves(1 - lambda_f, 1 - lambda_h, a, b)
    for pair, curve in found.curves.items():
        assert mirrored.curves[pair].bias == pytest.approx(-curve.bias, abs=1e-6)
        assert mirrored.curves[pair].slope == pytest.approx(curve.slope, rel=1e-5)


def test_an_unknown_pair_has_the_overall_curve():
    curves = PairCurves(Curve(0.1, 5.0))
    assert curves.of(2, 7) == Curve(0.1, 5.0)
    assert curves.of(7, 2) == Curve(-0.1, 5.0)


def test_the_papers_cohort_passes_through_its_cells_means(data_dir):
    judgements = read_hmix(data_dir / "hmix_infer_mixing_factor.csv")
    x, y = np.array([(j.stimulus.lambda_f, j.lambda_h) for j in judgements]).T
    a, b = np.array([[end.label for end in j.stimulus.endpoints] for j in judgements]).T
    found = fit_pair_curves(x, y, a, b)
    assert len(found.curves) == 45
    for level in LEVELS:
        assert found.overall(level) == pytest.approx(y[x == level].mean(), abs=0.022)
    assert 0.15 < found.dispersion < 0.35
