import pandas as pd
import pytest
from scipy import stats

from hml.statistics.estimates import Estimate, adjust_p, with_adjusted_p


def test_an_estimate_comes_back_out_of_a_tables_row():
    whole, none = Estimate(0.5, 0.4, 0.7, 9, 3), Estimate(0.5, None, None, 2, 1)
    table = pd.DataFrame([whole.as_dict(), none.as_dict() | {"value": None}, none.as_dict()])
    assert table["low"].isna().sum() == 2  # NaN by now
    found = [Estimate.from_row(row) for row in table.to_dict("records")]
    assert found == [whole, Estimate(None, None, None, 2, 1), none]
    renamed = table.rename(columns={"value": "change", "low": "change_low", "high": "change_high"})
    names = ("change", "change_low", "change_high")
    assert Estimate.from_row(renamed.iloc[0].to_dict(), names) == whole


def test_adjusted_p_values_follow_from_the_intervals_ends():
    # Half-widths of 1.96 standard errors: z = 3, 1.96 and 1; ranked p times 3/rank.
    estimates = [Estimate(z, z - 1.959964, z + 1.959964, 9, 9) for z in (3.0, 1.959964, 1.0)]
    p = [2 * stats.norm.sf(z) for z in (3.0, 1.959964, 1.0)]
    assert adjust_p(estimates, [0] * 3) == pytest.approx([3 * p[0], 1.5 * p[1], p[2]])
    assert adjust_p(estimates[1:2], [0]) == pytest.approx([0.05])  # the interval ends at no effect
    skewed = Estimate(2.0, 1.0, 8.0, 9, 9)
    assert adjust_p([skewed, Estimate(1, None, None, 1, 1)], [1, 0]) == [pytest.approx(0.05), None]


def test_a_table_names_the_adjustment_beside_the_adjusted_p():
    table = with_adjusted_p(pd.DataFrame([Estimate(2.0, 1.0, 3.0, 9, 9).as_dict()]), [1.0])
    assert table.loc[0, "p_adjusted"] == pytest.approx(0.05)
    assert table.loc[0, "adjustment"] == "Benjamini–Hochberg"
