import pytest

from hml.analysis.generating import STATISTICS, error_by_image, error_by_judgement, summarise_levels
from hml.judgements import Endpoint, Judgement, Stimulus
from hml.judgements.tables import judgement_table
from hml.statistics.jackknife import Jackknife, Weights

# lambda_f, images, then mean, median, q25, q75, error, omega: worked out from the file beforehand, by other code.
IMAGES = [
    (0.10, 139, 0.165384, 0.125000, 0.060000, 0.242500, 0.106259, 0.739516),
    (0.25, 131, 0.220803, 0.173333, 0.090000, 0.345000, 0.136869, 0.688496),
    (0.50, 270, 0.478883, 0.490000, 0.366250, 0.572500, 0.144241, 0.601502),
    (0.75, 142, 0.723218, 0.730000, 0.596250, 0.873750, 0.147244, 0.662425),
    (0.90, 128, 0.794382, 0.848333, 0.680000, 0.921250, 0.138743, 0.728477),
]


@pytest.fixture(scope="module")
def levels(paper):
    return summarise_levels(*paper).set_index(["unit", "lambda_f", "statistic"])


@pytest.mark.parametrize("row", IMAGES, ids=lambda row: row[0])
def test_the_papers_images_have_the_known_numbers_to_six_digits(levels, row):
    level, n, *expected = row
    found = levels.loc["image"].loc[level]
    assert found.loc[list(STATISTICS), "value"].tolist() == pytest.approx(expected, abs=6e-7)
    assert (found["n"] == n).all()
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()


def test_the_papers_judgements_have_the_known_medians(levels):
    medians = levels.loc["judgement"].xs("median", level="statistic")
    assert medians["value"].tolist() == pytest.approx([0.11, 0.155, 0.50, 0.76, 0.86])
    assert medians["n"].sum() == 1974


def test_units_differ_as_a_hand_calculation_says():
    one, two = (Stimulus(f"{i}.png", 0.5, (Endpoint(i, 0), Endpoint(9, 1))) for i in range(2))
    said = [(one, 0.2), (one, 0.4), (two, 0.9)]
    table = judgement_table([Judgement(s, f"p{i}", h, 0.5) for i, (s, h) in enumerate(said)])
    found = summarise_levels(table, Jackknife.of(table)).set_index(["unit", "statistic"])["value"]
    assert found["image", "mean"] == pytest.approx(0.6)
    assert found["judgement", "mean"] == pytest.approx(0.5)
    assert found["judgement", "median"] == pytest.approx(0.4)
    assert found["image", "error"] == pytest.approx(0.3)
    everyone = Weights.ones(len(table))
    assert error_by_image(table, everyone) == pytest.approx([0.3])
    assert error_by_judgement(table, everyone) == pytest.approx([(0.3 + 0.1 + 0.4) / 3])


def test_a_judgement_lies_farther_from_lambda_f_than_an_images_mean(everything):
    table, jackknife = everything
    once = table[~table["is_repeat"]]
    assert jackknife.value(lambda weights: error_by_judgement(once, weights)) == pytest.approx(0.171, abs=5e-4)
    assert jackknife.value(lambda weights: error_by_image(once, weights)) < 0.15
