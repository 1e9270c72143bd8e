import numpy as np
import pytest

from hml.analysis.confidence import add_variables
from hml.analysis.headlines import headlines
from hml.analysis.quality import count_rules, effects, people_table, rules
from hml.judgements import Endpoint, Judgement, Stimulus
from hml.judgements.tables import judgement_table
from hml.statistics.jackknife import Jackknife

STIMULI = [Stimulus(f"{i}.png", (i % 5 + 0.5) / 5, (Endpoint(i, i % 9), Endpoint(99, 9))) for i in range(10)]


@pytest.fixture(scope="module")
def mixed():
    """A careful person, one who always says the same, one who never moves a slider, one in a hurry."""
    rng = np.random.default_rng(0)
    people = {
        "careful": lambda s: (s.lambda_f, rng.uniform(), 6000.0),
        "alike": lambda s: (0.9, rng.uniform(), 6000.0),
        "idle": lambda s: (0.5, 0.5, 6000.0),
        "hasty": lambda s: (float(rng.uniform()), rng.uniform(), 900.0),
        "silent": lambda s: (0.37 + s.lambda_f / 10, 0.6, None),
    }
    return judgement_table([Judgement(s, who, *answer(s)) for who, answer in people.items() for s in STIMULI])


def test_careless_people_are_distinguished_from_careful_ones(mixed):
    people = people_table(mixed).set_index("annotator")
    assert people.index[people["alike"]].tolist() == ["alike", "idle"]
    assert people.index[people["careless"]].tolist() == ["hasty", "idle"]
    assert people.loc["careful", "correlation"] == pytest.approx(1)
    assert np.isnan(people.loc["idle", "correlation"])


def test_few_answers_make_nobody_careless(mixed):
    few = mixed.groupby("person").head(4)
    assert not people_table(few)[["alike", "careless"]].to_numpy().any()


def test_rules_count_what_they_would_leave_out(mixed):
    counts = count_rules(mixed).set_index("rule")
    assert counts["judgements"].to_dict() == {
        "repeats": 0,
        "untouched": 10,
        "fast": 10,
        "alike": 20,
        "careless": 20,
        "all": 30,
    }
    assert counts.loc["fast", "people"] == 1
    assert (counts["images_lost"] == 0).all()


def test_a_repeat_is_left_out_only_where_the_first_answer_is_there():
    said = (("a", True), ("b", False), ("b", True))
    table = judgement_table([Judgement(STIMULI[0], who, 0.3, 0.6, is_repeat=again) for who, again in said])
    assert rules(table)["repeats"][1].tolist() == [False, False, True]


def test_the_papers_cohort_has_no_one_who_always_answers_alike(paper):
    table, _ = paper
    counts = count_rules(table).set_index("rule")["judgements"]
    assert counts["repeats"] == 66
    assert counts["alike"] == 0
    _, untouched = rules(table)["untouched"]
    assert counts["untouched"] == ((table["lambda_h"] == 0.5) & (table["omega"] == 0.5)).sum() == untouched.sum()


def test_effects_equal_headlines_recomputed_on_what_is_left(paper):
    table, jackknife = paper
    found = effects(table, jackknife).set_index(["headline", "rule"])
    kept = table[~table["is_repeat"]]
    for headline in headlines(kept):
        value = float(headline.of(jackknife.value(headline.statistic)))
        assert found.loc[(headline.name, "repeats"), "value"] == pytest.approx(value)
        change = value - found.loc[(headline.name, "none"), "value"]
        assert found.loc[(headline.name, "repeats"), "change"] == pytest.approx(change, abs=1e-9)
    assert ("retest", "repeats") not in found.index
    assert found.loc[("omega_distance_by_image", "none"), "value"] == pytest.approx(0.281069, abs=6e-7)
    assert (found.xs("none", level="rule")["change"] == 0).all()


def test_leaving_careless_people_out_brings_a_known_number_back(mixed):
    found = effects(add_variables(mixed, None), Jackknife.of(mixed)).set_index(["headline", "rule"])["value"]
    careful = mixed[mixed["annotator"].isin(["careful", "silent"])]
    assert found["error", "all"] == pytest.approx(careful["error"].mean())
    assert found["mixup_correlation", "all"] > found["mixup_correlation", "none"]


def test_nothing_left_is_not_an_error():
    table = judgement_table([Judgement(s, who, 0.5, 0.5, 5000.0) for who in "abc" for s in STIMULI])
    found = effects(add_variables(table, None), Jackknife.of(table))
    assert set(found["rule"]) == {"none", "repeats", "fast"}
