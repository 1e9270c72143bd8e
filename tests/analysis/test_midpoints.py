import numpy as np
import pytest

from hml.analysis.midpoints import implied_midpoints, pair_midpoints, summarise_midpoints
from hml.analysis.reliability import agreement
from hml.judgements import Endpoint, Judgement, Midpoint, Stimulus
from hml.judgements.tables import judgement_table, midpoint_table
from hml.statistics.jackknife import Jackknife

ENDS = [(Endpoint(i, 0), Endpoint(i + 100, 1)) for i in range(40)]


def test_a_tasks_summary_is_what_a_hand_calculation_gives():
    table = midpoint_table(
        [
            Midpoint(ENDS[0], "a", 0.5, start=0.1),
            Midpoint(ENDS[0], "b", 0.7, start=0.9),
            Midpoint(ENDS[1], "a", 0.4, start=0.1),
            Midpoint(ENDS[0], "a", 0.8, start=0.9, is_repeat=True),
        ]
    )
    found = summarise_midpoints(table, Jackknife.of(table))
    # b's only answer is always the same.
    expected = {"mean": 0.6, "distance": 0.15, "exact": 0.25, "disagreement": 0.2, "varied": 1.7 / 3}
    expected |= {"retest": 0.3, "pull": 0.3}
    assert {name: estimate.value for name, estimate in found.items()} == pytest.approx(expected)


def test_a_repeat_whose_first_answer_was_struck_out_is_the_persons_answer():
    table = midpoint_table([Midpoint(ENDS[0], "a", 0.5, is_repeat=True), Midpoint(ENDS[0], "b", 0.7)])
    found = summarise_midpoints(table, Jackknife.of(table))
    assert found["disagreement"].value == pytest.approx(0.2)
    assert found["retest"].n == 0


def test_without_starts_or_repeats_they_have_no_estimates():
    table = midpoint_table([Midpoint(ENDS[0], "a", 0.5)])
    found = summarise_midpoints(table, Jackknife.of(table))
    assert [name for name, estimate in found.items() if estimate.value is None] == [
        "disagreement",
        "varied",
        "retest",
        "pull",
    ]


def simulate_tasks(rng, weight):
    """Three tasks of 40 pairs whose middles are known, answered by 20 people with noise."""
    middle = rng.normal(0.5, 0.1, 40).clip(0.1, 0.9)
    built, picked = (
        midpoint_table(
            [
                Midpoint(ENDS[i], f"{task}{who}", float(np.clip(middle[i] + rng.normal(0, 0.05), 0, 1)))
                for who in range(20)
                for i in range(40)
            ]
        )
        for task in "bp"
    )
    judged = judgement_table(
        [
            Judgement(
                Stimulus(f"{i}.png", 0.5, ENDS[i]),
                f"j{who}",
                float(np.clip(0.5 - weight * (middle[i] - 0.5) + rng.normal(0, 0.05), 0, 1)),
                0.5,
            )
            for who in range(20)
            for i in range(40)
        ]
    )
    return built, picked, judged


def test_tasks_that_show_the_same_middles_agree():
    built, picked, judged = simulate_tasks(np.random.default_rng(0), weight=2.0)
    for other, column in ((picked, "lambda_m"), (implied_midpoints(judged), "implied")):
        found = agreement((built, other), "pair", ("lambda_m", column))
        assert found.value > 0.95
        assert found.low > 0.9
        assert (found.n, found.people) == (40, 40)


def test_tasks_without_shared_pairs_cannot_be_compared():
    built = midpoint_table([Midpoint(ENDS[0], "a", 0.5)])
    other = midpoint_table([Midpoint(ENDS[1], "a", 0.5)])
    assert agreement((built, other), "pair", ("lambda_m", "lambda_m")).n == 0


def test_the_released_tasks_share_249_pairs_and_lean_the_same_way(tasks, everything):
    construct, select, _ = tasks
    table, _ = everything
    shared = pair_midpoints(construct, select, table)
    assert len(shared) == 149  # those judged at .5 too
    both = agreement((construct, select), "pair", ("lambda_m", "lambda_m"))
    assert both.n == 249
    assert both.value == pytest.approx(np.corrcoef(*_means(construct, select))[0, 1])
    for task in (construct, select):
        found = agreement((task, implied_midpoints(table)), "pair", ("lambda_m", "implied"))
        assert found.low > 0.1
        assert found.n == 149


def _means(*tables):
    means = [table.groupby("pair")["lambda_m"].mean() for table in tables]
    return [mean.loc[means[0].index] for mean in means]
