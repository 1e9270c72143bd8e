import numpy as np
import pytest
from scipy import stats

from hml.analysis.confidence import add_variables, binned_confidence, correlate, correlations, entropies
from hml.statistics.jackknife import Jackknife, Weights


def test_entropy_of_a_certain_label_is_0_and_of_an_even_one_log_c():
    assert entropies(np.array([[1.0, 0, 0, 0], [0.25] * 4])) == pytest.approx([0, np.log(4)])


def test_entropies_equal_scipys(human):
    assert entropies(human[:500]) == pytest.approx(stats.entropy(human[:500], axis=1))


def test_the_papers_confidence_has_the_known_correlations(paper):
    table, _ = paper
    everyone = Weights.ones(len(table))
    assert correlate(table, "distance", "image", everyone) == pytest.approx([0.281069], abs=6e-7)
    assert correlate(table, "distance", "judgement", everyone) == pytest.approx([0.203306], abs=6e-7)


def test_confidence_tracks_the_endpoints_ambiguity_somewhat(paper):
    found = correlations(*paper)
    for unit in ("judgement", "within_person", "image"):
        estimate = found["ambiguity", unit]
        assert -0.35 < estimate.low < estimate.value < estimate.high < 0
    table, _ = paper
    images = table.groupby("image")[["ambiguity", "omega"]].mean()
    assert found["ambiguity", "image"].value == pytest.approx(stats.pearsonr(images["ambiguity"], images["omega"])[0])


def test_a_known_correlation_is_recovered(simulate):
    def omega(rng, stimulus, lambda_h):
        return 0.5 + 0.3 * abs(lambda_h - 0.5) / 0.25 * 0.5 + rng.normal(0, 0.06)

    table = add_variables(simulate(people=40, omega=omega), None)
    found = correlations(table, Jackknife.of(table))
    assert "ambiguity" not in {variable for variable, _ in found}
    spread = 0.6 * table["extremeness"].std()
    true = spread / np.hypot(spread, 0.06)
    estimate = found["extremeness", "judgement"]
    assert estimate.value == pytest.approx(true, abs=0.03)
    assert estimate.low < true < estimate.high


def test_within_people_habits_of_using_the_slider_cancel(simulate):
    table = add_variables(simulate(people=20, each=50), None)
    rng = np.random.default_rng(0)
    level = rng.permutation(np.linspace(0.2, 0.6, 20))[table["person"]]
    table = table.assign(omega=level + 0.3 * table["extremeness"])
    everyone = Weights.ones(len(table))
    assert correlate(table, "extremeness", "within_person", everyone) == pytest.approx([1])
    assert correlate(table, "extremeness", "judgement", everyone)[0] < 0.6


def test_bins_hold_all_judgements_and_keep_their_mean(paper):
    table, jackknife = paper
    for _, part in binned_confidence(table, jackknife).groupby("variable"):
        assert part["n"].sum() == len(table)
        assert 2 <= len(part) <= 5
        assert np.average(part["value"].astype(float), weights=part["n"]) == pytest.approx(table["omega"].mean())


def test_one_level_of_lambda_f_has_no_correlation_with_it(simulate):
    table = add_variables(simulate(people=5, each=20, images=40, levels=(0.5,)), None)
    assert correlations(table, Jackknife.of(table))["distance", "image"].value is None
    assert len(binned_confidence(table, Jackknife.of(table)).query("variable == 'distance'")) == 1
