import numpy as np
import pandas as pd
import pytest

from hml.relabel import baselines, scores
from hml.relabel.baselines import BASELINES, histogram, lambda_f_with_noise, level_histogram, pair_curves
from hml.relabel.evaluation import RELABELLER, summarise
from hml.relabel.presentation import verdict
from hml.statistics.jackknife import Jackknife


def noisy(lambda_f, class_1, class_2, person, rng):
    lambda_h = float(np.clip(rng.normal(lambda_f, 0.05), 0, 1))
    return round(lambda_h, 2), 0.5


@pytest.mark.parametrize("name", BASELINES)
def test_masses_sum_to_one_and_beat_guessing(name, simulate, images):
    learn, predict = simulate(noisy), simulate(noisy, seed=1, repeats=1)
    mass = BASELINES[name](learn, predict, images)
    assert mass.shape == (len(predict), 101)
    np.testing.assert_allclose(mass.sum(1), 1, rtol=1e-6)
    answer = (100 * predict["lambda_h"]).round().astype(int).to_numpy()
    assert scores.bits(mass, answer).mean() < np.log2(101) - 1


def test_noise_around_lambda_f_is_as_wide_as_answers_scatter(simulate, images):
    learn = simulate(noisy, repeats=12)
    mass = lambda_f_with_noise(learn, learn, images)
    middle = mass[(learn["lambda_f"] == 0.5).to_numpy()][0]
    mean = middle @ np.arange(101)
    assert mean == pytest.approx(50, abs=1)
    assert np.sqrt(middle @ (np.arange(101) - mean) ** 2) == pytest.approx(5, abs=2.5)


def test_curves_follow_the_pair(simulate, images):
    def favours(lambda_f, class_1, class_2, person, rng):
        return round(float(np.clip(lambda_f + (0.2 if class_2 == 9 else -0.1) + rng.normal(0, 0.03), 0, 1)), 2), 0.5

    learn = simulate(favours, repeats=6)
    mean = pair_curves(learn, learn, images) @ np.arange(101) / 100
    half = (learn["lambda_f"] == 0.5).to_numpy()
    last = (learn["class_2"] == 9).to_numpy()
    assert mean[half & last].mean() > mean[half & ~last].mean() + 0.2


def test_the_histogram_is_counted_by_hand(images):
    learn = pd.DataFrame({"lambda_f": [0.25] * 200, "lambda_h": [0.1] * 100 + [0.3] * 100, "omega": [0.7] * 200})
    mass = histogram(learn, learn.iloc[:1], images)[0]
    overall = (np.bincount([10, 30, 90, 70], minlength=101) * 100 + 1) / 501
    # The judgements at .75 are the same ones, mirrored; the least strength predicts best here.
    expected = (np.bincount([10, 30], minlength=101) * 100 + 5 * overall) / 205
    np.testing.assert_allclose(mass, expected)
    assert level_histogram(learn, learn.iloc[:1], "omega", mirrored=False)[0].argmax() == 70


@pytest.mark.parametrize(("column", "mirrored"), [("lambda_h", True), ("omega", False)])
def test_the_histograms_strength_is_what_predicts_a_judgement_best_that_is_left_out(column, mirrored, monkeypatch):
    rng = np.random.default_rng(0)
    learn = pd.DataFrame({"lambda_f": rng.choice([0.25, 0.5, 0.75], 80, p=[0.1, 0.8, 0.1])})
    learn[column] = np.where(rng.random(80) < 0.3, 0.5, rng.integers(101, size=80) / 100)  # whatever lambda_f
    chosen = level_histogram(learn, learn, column, mirrored)
    answer = (100 * learn[column]).round().astype(int).to_numpy()
    bits, masses = [], []
    for strength in baselines._STRENGTHS:
        monkeypatch.setattr(baselines, "_STRENGTHS", (strength,))
        unseen = [level_histogram(learn.drop(i), learn.loc[[i]], column, mirrored)[0] for i in learn.index]
        bits.append(scores.bits(np.array(unseen), answer).mean())
        masses.append(level_histogram(learn, learn, column, mirrored))
    np.testing.assert_array_equal(chosen, masses[int(np.argmin(bits))])


def test_the_histogram_is_that_of_all_answers_if_lambda_f_is_irrelevant():
    rng = np.random.default_rng(0)
    learn = pd.DataFrame({"lambda_f": rng.choice([0.1, 0.25, 0.5, 0.75, 0.9], 1500), "omega": rng.beta(4, 2, 1500)})
    mass = level_histogram(learn, learn, "omega", mirrored=False)
    everywhere = (np.bincount((100 * learn["omega"]).round().astype(int), minlength=101) + 0.5) / 1550.5
    np.testing.assert_allclose(mass, np.broadcast_to(everywhere, mass.shape), atol=0.003)


def test_a_verdict_names_what_the_relabeller_does_not_beat():
    table = pd.DataFrame({"person": np.arange(40) % 8, "id_1": np.arange(40) // 4, "id_2": 10 + np.arange(40) // 4})
    table = table.assign(judgement=np.arange(40), image=table["id_1"], endpoints=table["id_1"])
    worse = {"bits": np.full(40, 6.0), "crps": np.full(40, 0.2), "mae": np.full(40, 0.2)}
    same = {"bits": np.full(40, 5.0), "crps": np.full(40, 0.1), "mae": np.full(40, 0.1)}
    jackknife = Jackknife.of(table)
    found = summarise(table, {"histogram": worse, RELABELLER: same}, jackknife)
    assert "better than every baseline" in verdict(found, "pair")
    found = summarise(table, {"histogram": worse, "boosting": same, RELABELLER: same}, jackknife)
    assert "isn't clearly better than: gradient boosting" in verdict(found, "annotator")
    difference = found[(found["model"] == "histogram") & (found["compared"] == RELABELLER)]
    assert difference["random"].tolist() == ["people", "people and image pairs"] * 3
    difference = difference[difference["random"] == "people"].set_index("measure")
    assert difference.loc["bits", "value"] == pytest.approx(1)


def test_six_people_are_too_few_for_a_verdict():
    table = pd.DataFrame({"person": np.arange(40) % 6, "id_1": np.arange(40) // 4, "id_2": 10 + np.arange(40) // 4})
    table = table.assign(judgement=np.arange(40), image=table["id_1"], endpoints=table["id_1"])
    scored = {RELABELLER: {"bits": np.full(40, 5.0)}, "histogram": {"bits": 6.0 + np.arange(40) % 7 / 100}}
    found = summarise(table, scored, Jackknife.of(table))
    assert found["low"].isna().all()
    assert "differences have no intervals, which need 7 people" in verdict(found, "pair")
