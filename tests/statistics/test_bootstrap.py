import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hml.errors import InputError
from hml.statistics.bootstrap import Bootstrap, Estimate, make_estimate


def mean_of(person, values):
    """The mean as a statistic of people's weights."""
    return lambda weights: (weights[:, person] * values).sum(1) / weights[:, person].sum(1)


def test_resamples_are_a_pure_function_of_their_arguments():
    weights = Bootstrap.over(12, 50, seed=3).weights
    assert (weights == Bootstrap.over(12, 50, seed=3).weights).all()
    for other in (Bootstrap.over(12, 50, seed=4), Bootstrap.over(12, 50, seed=3, purpose="other")):
        assert (weights != other.weights).any()
    assert (weights[:20] == Bootstrap.over(12, 20, seed=3).weights).all()


def test_a_resample_draws_as_many_people_as_there_are():
    weights = Bootstrap.over(12, 500).weights
    assert (weights.sum(1) == 12).all()
    assert weights.mean(0) == pytest.approx(np.ones(12), abs=0.15)
    assert weights.var() == pytest.approx(11 / 12, rel=0.05)  # a multinomial's


def test_impossible_resamples_are_refused():
    for replicates, seed in ((1, 0), (100, -1)):
        with pytest.raises(InputError, match="must be"):
            Bootstrap.over(5, replicates, seed)


def test_the_interval_of_a_mean_agrees_with_scipys_percentiles():
    values = np.random.default_rng(0).gamma(2, size=400)
    ours = Bootstrap.over(400, 4000).estimate(mean_of(np.arange(400), values), 400, 400)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=1, n_resamples=4000).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def simulate_answers(rng, people, each, between, within):
    person = np.repeat(np.arange(people), each)
    return person, rng.normal(0, between, people)[person] + rng.normal(0, within, people * each)


@pytest.mark.parametrize(("people", "each"), [(5, 20), (33, 10)])
def test_intervals_over_people_cover_a_known_truth(people, each):
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(200):
        person, values = simulate_answers(rng, people, each, 1.0, 1.0)
        found = Bootstrap.over(people, 300, seed=trial).estimate(mean_of(person, values), len(values), people)
        covered += found.low <= 0 <= found.high
    assert 178 <= covered <= 200  # 95 % of 200, give or take three standard deviations and a little


def test_resampling_people_is_wider_than_resampling_rows_where_people_differ():
    rng = np.random.default_rng(6)
    widths = []
    for between in (1.0, 0.0):
        person, values = simulate_answers(rng, 40, 25, between, 1.0)
        people = Bootstrap.over(40).estimate(mean_of(person, values), 1000, 40)
        rows = Bootstrap.over(1000).estimate(mean_of(np.arange(1000), values), 1000, 1000)
        widths.append((people.high - people.low) / (rows.high - rows.low))
    assert widths[0] > 2.5
    assert widths[1] == pytest.approx(1, abs=0.3)


def test_a_resamples_own_bias_does_not_move_the_interval():
    """The spread of five people's answers is smaller in a resample, which repeats some of them."""
    values = np.arange(5.0)

    def spread(weights):
        mean = (weights * values).sum(1) / 5
        return (weights * (values - mean[:, None]) ** 2).sum(1) / 5

    found = Bootstrap.over(5, 2000).estimate(spread, 5, 5)
    assert found.low < found.value < found.high


def test_too_few_people_get_no_interval_and_nothing_gives_no_number():
    replicates = np.random.default_rng(0).normal(size=100)
    assert make_estimate(1.0, replicates, 9, 2).low is None
    assert make_estimate(1.0, replicates, 9, 3).low is not None
    assert make_estimate(np.nan, replicates, 0, 9).value is None
    assert make_estimate(1.0, np.full(100, np.nan), 9, 9).low is None


def test_an_estimate_comes_back_out_of_a_tables_row():
    whole, none = Estimate(0.5, 0.4, 0.7, 9, 3), Estimate(0.5, None, None, 2, 1)
    table = pd.DataFrame([whole.as_dict(), none.as_dict() | {"value": None}, none.as_dict()])
    assert table["low"].isna().sum() == 2  # NaN by now
    found = [Estimate.from_row(row) for row in table.to_dict("records")]
    assert found == [whole, Estimate(None, None, None, 2, 1), none]
    renamed = table.rename(columns={"value": "change", "low": "change_low", "high": "change_high"})
    names = ("change", "change_low", "change_high")
    assert Estimate.from_row(renamed.iloc[0].to_dict(), names) == whole


def test_intervals_stay_within_bounds():
    found = make_estimate(0.98, 0.98 + np.linspace(-0.1, 0.1, 100), 9, 9, (0.0, 1.0))
    assert found.high == 1
    assert found.low > 0.8


def test_two_groups_are_resampled_each_for_itself():
    joined = Bootstrap.over(3, 50, purpose="a").joined(Bootstrap.over(4, 50, purpose="b"))
    assert (joined.weights[:, :3].sum(1) == 3).all()
    assert (joined.weights[:, 3:].sum(1) == 4).all()
