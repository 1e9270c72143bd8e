import numpy as np
import pytest

from hml.analysis.pairs import CurveFits, choose_pairs, estimate_curves, summarise_cells
from hml.judgements import CIFAR10, Classes, Endpoint, Judgement, Stimulus
from hml.judgements.curves import fit_pair_curves
from hml.judgements.tables import judgement_table
from hml.statistics.jackknife import Jackknife, Weights


def test_the_papers_pairs_leave_six_of_225_cells_empty(paper):
    cells = summarise_cells(*paper, CIFAR10.pairs)
    assert len(cells) == 225
    empty = cells[cells["n"] == 0]
    assert len(empty) == 6
    assert empty["value"].isna().all()
    assert cells["n"].sum() == 1974
    assert cells["images"].sum() == 810


def test_cells_hold_the_means_of_their_judgements(paper):
    table, jackknife = paper
    cells = summarise_cells(table, jackknife, CIFAR10.pairs).set_index(["class_1", "class_2", "lambda_f"])
    means = table.groupby(["class_1", "class_2", "lambda_f"])["lambda_h"].agg(["mean", "size"])
    for key, (mean, n) in zip(means.index, means.to_numpy(), strict=True):
        assert cells.loc[key, "value"] == pytest.approx(mean)
        assert cells.loc[key, "n"] == n
    few = cells[(cells["n"] > 0) & (cells["people"] < 3)]
    assert few["low"].isna().all()
    assert len(few) > 0


def test_pairs_the_other_way_round_are_turned():
    forward = Stimulus("a.png", 0.25, (Endpoint(1, 3), Endpoint(2, 5)))
    backward = Stimulus("b.png", 0.75, (Endpoint(2, 5), Endpoint(1, 3)))
    table = judgement_table([Judgement(forward, "a", 0.3, 1), Judgement(backward, "b", 0.5, 1)])
    (cell,) = summarise_cells(table, Jackknife.of(table), CIFAR10.pairs).query("n > 0").to_dict("records")
    assert (cell["class_1"], cell["class_2"], cell["lambda_f"], cell["n"]) == (3, 5, 0.25, 2)
    assert cell["value"] == pytest.approx(0.4)


def test_fits_on_everyone_equal_the_curves(paper):
    table, _ = paper
    fits = CurveFits.of(table)
    everyone = Weights.ones(len(table))
    overall, pairs = fits.overall(everyone)[0], fits.pairs(everyone)[0]
    assert overall[0] == pytest.approx(fits.curves.overall.bias, abs=1e-4)
    for g, pair in enumerate(fits.cells.pairs):
        assert pairs[g, 0] == pytest.approx(fits.curves.curves[pair].bias, abs=1e-4)


def test_fits_on_a_resample_equal_those_of_rows_repeated(simulate):
    table = simulate(people=8, each=40, images=100)
    fits = CurveFits.of(table)
    drawn = np.random.default_rng(0).integers(0, 3, (2, len(table)))
    weights = Weights(drawn.astype(float), np.ones(drawn.shape))
    rows = table.loc[np.repeat(table.index, drawn[1])]
    again = fit_pair_curves(rows["lambda_f"], rows["lambda_h"], rows["class_1"], rows["class_2"])
    # The dispersion is the resample's own there, which moves the weak prior's pull a little.
    assert fits.overall(weights)[1, 0] == pytest.approx(again.overall.bias, abs=2e-3)


def test_intervals_of_known_curves_cover_them(simulate):
    covered = 0
    for seed in range(3):
        biases = np.random.default_rng(seed).normal(0, 0.07, (10, 10))
        table = simulate(seed=seed, people=40, bias=lambda pair, b=biases: b[pair], slope=7.0, lapse=0.15)
        found = estimate_curves(table, Jackknife.of(table))
        assert found.overall["lapse"].low is None  # it and the slope trade off: their gain has an interval
        gain = 7.0 * (1 - 0.15) / 4
        assert found.overall["gain"].low < gain * 1.1
        assert found.overall["gain"].high > gain * 0.9
        assert (found.bands["low"] <= found.bands["value"]).all()
        covered += sum(e["bias"].low < biases[p] < e["bias"].high for p, e in found.pairs.items())
    assert 120 <= covered <= 135  # 95 % of 135 is 128


def test_pairs_with_different_biases_are_distinguished(simulate):
    table = simulate(people=40, bias=lambda pair: 0.1 if 1 in pair else 0.0)
    found = estimate_curves(table, Jackknife.of(table)).curves
    assert found.of(1, 4).bias > 0.05 > abs(found.of(3, 5).bias)


def test_too_few_levels_give_no_slope(simulate):
    table = simulate(people=5, each=20, images=40, levels=(0.25, 0.5))
    found = estimate_curves(table, Jackknife.of(table))
    assert list(found.overall) == ["bias"]
    assert all(list(pair) == ["bias"] for pair in found.pairs.values())


def test_of_many_classes_the_pairs_judged_most_are_chosen():
    pairs = [(a, a + 1 + i) for a in range(10) for i in range(9)]
    stimuli = [Stimulus(f"{i}.png", 0.5, (Endpoint(i, b), Endpoint(i + 1, a))) for i, (a, b) in enumerate(pairs)]
    judgements = [Judgement(s, f"p{k}", 0.5, 1) for i, s in enumerate(stimuli) for k in range(1 + (i >= 30))]
    table = judgement_table(judgements)
    many = Classes(tuple(f"Kind {i}" for i in range(100)))
    assert choose_pairs(table, CIFAR10) == CIFAR10.pairs
    assert choose_pairs(table, many) == pairs[:6] + pairs[30:]  # twice judged, and the first of those judged once
    assert choose_pairs(table, many, [(98, 99)]) == [*pairs[:6], *pairs[30:], (98, 99)]
    cells = summarise_cells(table, Jackknife.of(table), [(0, 2), (98, 99)])
    assert cells["n"].tolist() == [1, 0]


def test_intervals_of_chosen_pairs_are_those_among_all(simulate):
    table = simulate(people=8, each=40, images=100)
    few, every = (estimate_curves(table, Jackknife.of(table), shown) for shown in ([(0, 1), (3, 5)], None))
    assert list(few.pairs) == [(0, 1), (3, 5)]
    assert few.curves.curves.keys() == every.pairs.keys()
    for pair, estimates in few.pairs.items():
        for name, found in estimates.items():
            expected = every.pairs[pair][name]
            assert [found.value, found.low, found.high] == pytest.approx(
                [expected.value, expected.low, expected.high], abs=1e-5
            )
            assert found.n == expected.n
