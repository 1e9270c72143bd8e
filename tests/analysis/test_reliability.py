import itertools

import numpy as np
import pytest

from hml.analysis.reliability import (
    ceilings,
    compare_with_curves,
    count_pairs,
    disagreement,
    retests,
    score_relabellers,
)
from hml.judgements import Endpoint, Judgement, Stimulus
from hml.judgements.curves import fit_pair_curves
from hml.judgements.tables import first_judgements, judgement_table
from hml.statistics.jackknife import Jackknife, Weights

ONE, TWO = (Stimulus(f"{i}.png", 0.5, (Endpoint(i, 0), Endpoint(9, 1))) for i in range(2))


def make(*answers):
    return judgement_table([Judgement(s, who, h, 0.5, is_repeat=again) for s, who, h, again in answers])


SMALL = make((ONE, "a", 0.2, False), (ONE, "b", 0.6, False), (ONE, "c", 0.7, False), (TWO, "a", 0.4, False))
EVERYONE = Weights.ones(4)


def test_disagreement_is_over_pairs_of_people_on_one_image():
    assert disagreement(SMALL, 1)(EVERYONE) == pytest.approx([(0.4 + 0.5 + 0.1) / 3])
    assert disagreement(SMALL, 2)(EVERYONE) == pytest.approx([(0.16 + 0.25 + 0.01) / 3])
    assert count_pairs(SMALL) == (3, 3)


def test_two_answers_count_as_often_as_both_of_them_do():
    weights = Weights(np.array([[2.0, 1.0, 1.0, 2.0]]), np.ones((1, 4)))
    assert disagreement(SMALL, 1)(weights) == pytest.approx([(2 * 0.4 + 2 * 0.5 + 0.1) / 5])
    halved = Weights(np.full((1, 4), 0.5), np.full((1, 4), 0.5))  # a pair of endpoints counts once, not for each answer
    assert halved.of_dyads(np.array([0]), np.array([1])) == pytest.approx(np.array([[0.5]]))


def test_retests_pair_a_repeat_with_the_first_answer():
    table = make((ONE, "a", 0.2, False), (ONE, "b", 0.9, False), (ONE, "a", 0.5, True), (TWO, "b", 0.1, False))
    (row,) = retests(table).to_dict("records")
    assert (row["person"], row["first"], row["again"]) == (0, 0.2, 0.5)


def test_a_second_answer_is_a_repeat_even_if_it_is_not_marked():
    table = make((ONE, "a", 0.2, False), (ONE, "a", 0.5, False), (ONE, "b", 0.4, False))
    assert len(retests(table)) == 1
    found = ceilings(table, Jackknife.of(table))
    assert found["disagreement"].value == pytest.approx(0.2)


def test_a_repeat_without_its_first_answer_is_the_answer():
    table = make((ONE, "a", 0.2, True), (ONE, "b", 0.6, True), (ONE, "b", 0.5, False), (TWO, "a", 0.4, False))
    assert first_judgements(table)["lambda_h"].tolist() == [0.2, 0.5, 0.4]
    assert retests(table).to_dict("records") == [{"judgement": 1, "person": 1, "first": 0.5, "again": 0.6}]
    found = ceilings(table, Jackknife.of(table))
    assert found["disagreement"].value == pytest.approx(0.3)


def test_the_papers_cohort_has_the_known_agreement(paper):
    found = ceilings(*paper)
    assert found["retest"].value == pytest.approx(0.107, abs=5e-4)
    assert found["retest"].n == 66
    assert found["disagreement"].value == pytest.approx(0.196, abs=5e-4)


def test_everyone_has_the_known_agreement(everything):
    found = ceilings(*everything)
    assert found["retest"].value == pytest.approx(0.107, abs=5e-4)
    assert found["retest_correlation"].value == pytest.approx(0.85, abs=0.006)
    assert found["retest"].n == 162
    table, jackknife = everything
    scores = score_relabellers(table, jackknife).query("measure == 'mae'").set_index("relabeller")
    assert scores.loc["mixup", "value"] == pytest.approx(0.171, abs=5e-4)
    assert scores.loc["others", "value"] == pytest.approx(0.178, abs=5e-4)
    assert scores.loc["others", "n"] == 4788


def test_scores_against_others_equal_a_plain_loop(simulate):
    table = simulate(people=8, each=30, images=60)
    differences = []
    for _, part in table.groupby("image"):
        for i, own in part.iterrows():
            if len(part) > 1:
                differences.append(own["lambda_h"] - part.drop(index=i)["lambda_h"].mean())
    scores = score_relabellers(table, Jackknife.of(table)).set_index(["relabeller", "measure"])
    assert scores.loc[("others", "mae"), "value"] == pytest.approx(np.mean(np.abs(differences)))
    assert scores.loc[("others", "rmse"), "value"] == pytest.approx(np.sqrt(np.mean(np.square(differences))))
    pairs = [
        abs(x - y) for _, p in table.groupby("image") for x, y in itertools.combinations(p["lambda_h"].tolist(), 2)
    ]
    assert scores.loc[("another", "mae"), "value"] == pytest.approx(np.mean(pairs))


def test_curves_are_scored_without_the_persons_own_answers(simulate):
    table = simulate(people=6, each=40, images=60)
    _, error = compare_with_curves(table)["overall_curve"](Weights.ones(len(table)))
    rest = table[table["person"] != 2]
    curve = fit_pair_curves(*(rest[name] for name in ("lambda_f", "lambda_h", "class_1", "class_2"))).overall
    own = table["person"] == 2
    expected = table.loc[own, "lambda_h"] - curve(table.loc[own, "lambda_f"])
    assert error[0, own.to_numpy()] == pytest.approx(expected.to_numpy(), abs=2e-3)


def test_weights_shift_the_curves_that_answers_are_compared_with(simulate):
    table = simulate(people=6, each=40, images=60)
    compare = compare_with_curves(table)["overall_curve"]
    without = (table["person"] != 2).to_numpy(float)[None]
    (_, before), (_, after) = compare(Weights.ones(len(table))), compare(Weights(without, np.ones_like(without)))
    all_of_them, rest = (
        fit_pair_curves(*(some[name] for name in ("lambda_f", "lambda_h", "class_1", "class_2"))).overall
        for some in (table, table[table["person"] != 2])
    )
    shift = rest(table["lambda_f"]) - all_of_them(table["lambda_f"])
    assert np.abs(shift).max() > 0.005
    assert before[0] - after[0] == pytest.approx(shift, abs=2e-3)


def test_an_image_counts_against_others_as_much_as_all_its_answers():
    # Image ONE is judged by a, b and c: without c's answer, none of its comparisons counts as it was.
    weights = Weights(np.array([[1.0, 1.0, 0.25, 1.0], [0.5, 0.5, 0.5, 0.5]]), np.array([[1.0] * 4, [0.5] * 4]))
    assert weights.of_company(SMALL) == pytest.approx(np.array([[0.25, 0.25, 0.25, 1.0], [0.5] * 4]))


def test_known_ceilings_are_recovered(simulate):
    """People whose answers to an image are independent draws around its curve."""
    table = simulate(seed=1, people=60, each=60, images=300, concentration=5.0, lapse=0.0)
    found = ceilings(table, Jackknife.of(table))
    mean = 1 / (1 + np.exp(-6 * (table["lambda_f"] - 0.5)))
    within = (mean * (1 - mean) / 6).mean()
    assert found["floor_rmse"].value == pytest.approx(np.sqrt(within), rel=0.04)
    assert found["floor_rmse"].low < np.sqrt(within) < found["floor_rmse"].high
    ceiling = np.sqrt(1 - within / (within + mean.var()))
    assert found["ceiling_correlation"].value == pytest.approx(ceiling, abs=0.02)
    scores = score_relabellers(table, Jackknife.of(table)).set_index(["relabeller", "measure"])["value"]
    assert scores["overall_curve", "rmse"] == pytest.approx(np.sqrt(within), rel=0.05)
    assert scores["another", "rmse"] == pytest.approx(np.sqrt(2 * within), rel=0.05)
    assert found["floor_mae"].value < scores["overall_curve", "mae"] < scores["another", "mae"]


def test_one_person_has_no_agreement():
    table = make((ONE, "a", 0.2, False), (TWO, "a", 0.4, False))
    found = ceilings(table, Jackknife.of(table))
    assert found["disagreement"].value is None
    assert found["retest"].value is None
    assert set(score_relabellers(table, Jackknife.of(table))["relabeller"]) == {"mixup"}
