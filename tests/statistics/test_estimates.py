import pandas as pd

from hml.statistics.estimates import Estimate


def test_an_estimate_comes_back_out_of_a_tables_row():
    whole, none = Estimate(0.5, 0.4, 0.7, 9, 3), Estimate(0.5, None, None, 2, 1)
    table = pd.DataFrame([whole.as_dict(), none.as_dict() | {"value": None}, none.as_dict()])
    assert table["low"].isna().sum() == 2  # NaN by now
    found = [Estimate.from_row(row) for row in table.to_dict("records")]
    assert found == [whole, Estimate(None, None, None, 2, 1), none]
    renamed = table.rename(columns={"value": "change", "low": "change_low", "high": "change_high"})
    names = ("change", "change_low", "change_high")
    assert Estimate.from_row(renamed.iloc[0].to_dict(), names) == whole
