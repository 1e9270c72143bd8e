import subprocess
import sys

import numpy as np
import pytest

from hml.analysis.confidence import add_variables
from hml.analysis.headlines import headlines
from hml.statistics.jackknife import Jackknife


def test_every_headline_of_the_papers_cohort_can_be_computed(paper):
    table, jackknife = paper
    found = {h.name: float(h.of(jackknife.value(h.statistic))) for h in headlines(table)}
    assert found["omega_distance_by_image"] == pytest.approx(0.281069, abs=6e-7)
    assert found["omega_distance"] == pytest.approx(0.203306, abs=6e-7)
    assert found["retest"] == pytest.approx(0.107, abs=5e-4)
    assert found["omega_ambiguity_by_image"] < 0
    assert len(found) == len(headlines(table)) == 15


def test_headlines_that_need_more_are_left_out(simulate):
    table = add_variables(simulate(people=3, each=10, images=30, levels=(0.5,)), None)
    names = [h.name for h in headlines(table)]
    assert "slope" not in names
    assert "retest" not in names
    assert "omega_ambiguity" not in names
    assert "bias" in names
    jackknife = Jackknife.of(table)
    found = [
        jackknife.conclude(h.of(jackknife.value(h.statistic)), h.of(jackknife.replicate(h.statistic)), h.n, h.people)
        for h in headlines(table)
    ]
    assert all(e.value is None or np.isfinite(e.value) for e in found)
    assert headlines(table[:0]) == []


def test_the_measurements_need_no_torch():
    modules = "dominance, generating, headlines, midpoints, quality, soft_categories; import hml.reporting.page"
    code = f"import sys; from hml.analysis import {modules}; print(sorted({{'torch', 'lightning'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
