"""`hml relabel evaluate --active`."""

import json

import numpy as np
import pandas as pd
import pytest

from hml.cli import main
from hml.errors import InputError
from hml.relabel.acquisition import ExpectedInformation
from hml.relabel.active import IMAGES, MEASURES, Questions, draw_repetitions
from hml.relabel.active_report import compare, decompose, find_needed, learning_curves, verdict
from hml.relabel.command import Evaluate
from hml.relabel.folds import group_by_pair
from tests.relabel.conftest import QUICK

SMALL = ["--start", "12", "--batch", "6", "--rounds", "1", "--repetitions", "2", "--members", "2", "--steps", "2"]
OWN = ["--acquisition", "hml.relabel.acquisition.Coverage"]


@pytest.mark.usefixtures("without_drawing")
def test_acquisitions_are_compared_on_the_demo(learned, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("hml.relabel.workflow.ACQUISITIONS", {"ExpectedInformation": ExpectedInformation()})
    for path in learned.glob("features-*.pt"):
        (tmp_path / path.name).symlink_to(path)
    assert main(["relabel", "evaluate", "--active", *QUICK[:3], *SMALL, *OWN, "--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "active.json").read_text())
    gains = pd.DataFrame(result["gains"])
    assert set(gains["acquisition"]) == {"ExpectedInformation", "Coverage"}
    assert set(gains["measure"]) == set(MEASURES)
    results = pd.DataFrame(result["results"])
    assert np.isfinite(results["value"]).all()
    asked = results[(results["acquisition"] == "Coverage") & (results["repetition"] == 0)]
    assert asked.groupby("judgements")["measure"].nunique().to_dict() == {12: 5, 18: 5}
    start = results[(results["judgements"] == 12) & (results["measure"] != IMAGES)]
    assert (start.groupby(["repetition", "measure"])["value"].nunique() == 1).all()  # all begin alike
    printed = capsys.readouterr().out
    assert "How many judgements random needs" in printed
    assert "Of the variance of λ_h" in printed
    assert "Which images to ask about" in (tmp_path / "active.html").read_text()
    assert (tmp_path / "figures" / "learning_curves.csv").exists()


def make_table(people=10, seed=0):
    rng = np.random.default_rng(seed)
    pair, person = np.divmod(np.arange(40 * people), people)
    table = pd.DataFrame({"image": pair, "id_1": pair, "id_2": pair + 50, "person": person, "lambda_f": 0.5})
    table["class_1"], table["class_2"] = 0, 1
    table["lambda_h"] = np.clip(0.5 + rng.normal(0, 0.06, 40)[pair] + rng.normal(0, 0.12, len(table)), 0, 1)
    return table


def test_nothing_that_is_held_out_is_asked():
    table = make_table()
    questions = Questions.draw(table, 0, 0)
    asked = table.iloc[[row for rows in questions.queue.values() for row in rows]]
    pair = group_by_pair(table)
    assert len(np.unique(pair[questions.pair])) == 8
    assert not set(pair[asked.index]) & set(pair[questions.pair])
    assert not set(asked["person"]) & set(table["person"].iloc[questions.person])
    assert len(asked) == 32 * 8
    assert questions.queue != Questions.draw(table, 0, 1).queue


def test_more_than_there_is_cannot_be_asked():
    draw_repetitions(make_table(), Evaluate(start=10, batch=20, rounds=4, repetitions=2))
    with pytest.raises(InputError, match=r"asks for 310 judgements, 20 at a time. .* 256 of 32 images"):
        draw_repetitions(make_table(), Evaluate(start=10, batch=20, rounds=10, repetitions=2))
    with pytest.raises(InputError, match="--repetitions 1"):
        Evaluate(repetitions=1)


def simulate_results(better):
    """Learning curves of random and of one other, which is lower by `better`, with noise."""
    rng = np.random.default_rng(0)
    rows = [
        {"repetition": r, "acquisition": name, "judgements": 60 * k, "measure": measure, "value": value}
        for r in range(10)
        for name, rounds, less in (("Random", 6, 0.0), ("Mine", 4, better))
        for k in range(1, rounds + 1)
        for measure, value in [(m, 6 - k - less * (k > 1) + rng.normal(0, 0.02)) for m in MEASURES] + [(IMAGES, 60 * k)]
    ]
    return pd.DataFrame(rows)


def test_a_better_acquisition_is_named_with_what_random_needs():
    gains = compare(simulate_results(better=0.5))
    first = gains[0]
    assert first.area.mean == pytest.approx(-0.5, abs=0.02)
    assert first.needed == pytest.approx(270, abs=3)  # half a round more than 240
    assert first.low < first.needed < first.high
    assert "better than random: Mine (−0.5" in verdict(gains, "bits_pair")


def test_the_verdict_reports_that_nothing_is_better():
    assert "no acquisition differs clearly from random" in verdict(compare(simulate_results(better=0.0)), "mae")


def test_the_figure_holds_every_curve():
    exhibit = learning_curves(simulate_results(better=0.5))
    assert set(exhibit.data["acquisition"]) == {"Random", "Mine"}
    assert [axes.get_ylabel() for axes in exhibit.figure.axes] == list(MEASURES.values())


def test_a_value_that_random_never_reaches_needs_all():
    judgements = np.array([60.0, 120.0, 180.0])
    rising = np.array([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0]])
    assert find_needed(rising, judgements, np.array([1.0, 0.5])).tolist() == [120.0, 180.0]


def test_spread_is_divided_as_it_was_simulated():
    spread = decompose(make_table(people=200))
    assert spread.image / spread.people == pytest.approx(0.06**2 / 0.12**2, rel=0.35)
    assert spread.blend == pytest.approx(0, abs=0.01)
