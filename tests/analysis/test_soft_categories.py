import numpy as np
import pytest

from hml.analysis.reliability import agreement
from hml.analysis.soft_categories import endpoint_share, summarise_soft_categories
from hml.judgements import Endpoint, SoftCategories, Stimulus
from hml.judgements.tables import soft_category_table
from hml.statistics.jackknife import Jackknife

EVEN = Stimulus("a.png", 0.5, (Endpoint(1, 0), Endpoint(2, 1)))


def make(*rows):
    return soft_category_table([SoftCategories(EVEN, who, (*p, *[0.0] * (10 - len(p)))) for who, p in rows])


def test_mass_is_averaged_over_answers():
    table = make(("a", (0.6, 0.2, 0.2)), ("b", (0.0, 0.0, 1.0)))
    found = summarise_soft_categories(table, Jackknife.of(table)).set_index(["lambda_f", "measure"])["value"]
    for level in ("all", 0.5):
        expected = {"outside": 0.6, "neither": 0.5, "mass_1": 0.3, "mass_2": 0.1}
        assert found[level].to_dict() == pytest.approx(expected)


def test_answers_that_give_neither_endpoint_anything_have_no_share():
    share = endpoint_share(make(("a", (0.6, 0.2, 0.2)), ("b", (0.0, 0.0, 1.0))))
    assert share["share"].tolist() == pytest.approx([0.75, np.nan], nan_ok=True)


def test_of_the_released_answers_much_falls_on_neither_endpoint(tasks, everything):
    soft = tasks[2]
    found = summarise_soft_categories(soft, Jackknife.of(soft)).set_index(["lambda_f", "measure"])
    assert found.loc[("all", "outside"), "n"] == 216
    assert found.loc[("all", "outside"), "value"] == pytest.approx(soft["outside"].mean())
    assert 0.2 < found.loc[("all", "outside"), "low"] < found.loc[("all", "outside"), "high"] < 0.55
    parts = found.loc["all", "value"]
    assert parts["outside"] + parts["mass_1"] + parts["mass_2"] == pytest.approx(1)
    agreed = agreement((endpoint_share(soft), everything[0]), "filename", ("share", "lambda_h"))
    assert agreed.n == 100
    assert agreed.low > 0.4
