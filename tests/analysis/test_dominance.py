import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from hml.analysis.dominance import dominance, fit_strengths
from hml.analysis.pairs import CurveFits
from hml.judgements.curves import Cells
from hml.statistics.jackknife import Jackknife, Weights

STRENGTHS = np.array([0.1, 0.06, 0.03, 0.0, 0.0, 0.0, -0.01, -0.03, -0.05, -0.1])


def fit(table, lapse=0.0):
    fits = CurveFits.of(table)
    count, total = fits.cell_sums(Weights.ones(len(table)))
    return fit_strengths(fits.cells, count, total, lapse, 0.15, 10)[0]


@pytest.fixture(scope="module")
def judged(simulate):
    """People for whom class c can do without STRENGTHS[c] of the pixels."""
    return simulate(people=60, images=900, bias=lambda pair: -(STRENGTHS[pair[0]] - STRENGTHS[pair[1]]))


def test_intervals_cover_known_strengths(judged):
    classes, position = dominance(judged, Jackknife.of(judged), 10)
    found = classes.sort_values("class")
    assert found["value"].to_numpy(float) == pytest.approx(STRENGTHS, abs=0.03)
    assert np.corrcoef(found["value"].astype(float), STRENGTHS)[0, 1] > 0.95
    assert ((found["low"] < STRENGTHS) & (found["high"] > STRENGTHS)).sum() >= 8
    assert position.low < 0 < position.high
    assert classes["value"].is_monotonic_decreasing


def test_strengths_sum_to_zero_and_are_antisymmetric(judged):
    found = fit(judged)
    assert found[2:].sum() == pytest.approx(0, abs=1e-8)
    # Every answer the other way round, for the same endpoints: who dominated is dominated.
    opposite = fit(judged.assign(lambda_f=1 - judged["lambda_f"], lambda_h=1 - judged["lambda_h"]))
    assert opposite[1:] == pytest.approx(-found[1:], abs=1e-7)
    assert opposite[0] == pytest.approx(found[0])


def test_renaming_the_classes_renames_the_strengths(judged):
    renamed = judged.assign(class_1=9 - judged["class_2"], class_2=9 - judged["class_1"])
    renamed = renamed.assign(lambda_f=1 - judged["lambda_f"], lambda_h=1 - judged["lambda_h"])
    assert fit(renamed)[2:] == pytest.approx(fit(judged)[2:][::-1], abs=1e-7)


def test_a_lean_to_the_first_class_is_no_strength(simulate):
    found = fit(simulate(people=60, images=900, bias=lambda pair: -0.08, lapse=0.0))
    assert found[1] / found[0] == pytest.approx(0.08, abs=0.02)
    assert np.abs(found[2:]).max() < 0.25


def test_without_lapse_it_is_logistic_regression_with_a_ridge():
    rng = np.random.default_rng(0)
    pairs = np.array([(a, b) for a in range(10) for b in range(a + 1, 10)])
    a, b = pairs[rng.integers(0, 45, 2000)].T
    x = rng.choice([0.25, 0.5, 0.75], 2000)
    y = (rng.random(2000) < expit(5 * (x - 0.5) + 4 * (STRENGTHS[a] - STRENGTHS[b]))).astype(float)
    cells = Cells.gather(x, y, a, b)
    found = fit_strengths(cells, cells.sum(np.ones(2000))[None], cells.sum(y)[None], 0.0, 1.0, 10)[0]
    classes = np.eye(10)
    # The slope's prior, mean 5 and deviation 5, can't be said here: its weight is 1/25 of the others'.
    design = np.column_stack([5 * (x - 0.5), np.ones(2000), classes[a] - classes[b]])
    reference = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=2000).fit(design, y)
    assert found[2:] == pytest.approx(reference.coef_[0, 2:], abs=0.01)


def test_classes_that_nobody_judged_change_nothing(judged):
    fits = CurveFits.of(judged)
    sums = fits.cell_sums(Weights.ones(len(judged)))
    few, many = (fit_strengths(fits.cells, *sums, 0.1, 0.15, num_classes)[0] for num_classes in (10, 40))
    assert many[:12] == pytest.approx(few, abs=1e-7)
    assert many[12:] == pytest.approx(np.zeros(30), abs=1e-12)


def test_the_papers_cohort_sees_more_of_automobiles_than_of_deer(paper):
    classes, _ = dominance(*paper, 10)
    assert len(classes) == 10
    rows = classes.set_index("class")
    assert rows.loc[1, "low"] > 0 > rows.loc[4, "high"]
    assert (classes["n"] > 300).all()
