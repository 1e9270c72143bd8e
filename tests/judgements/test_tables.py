import numpy as np
import pytest

from hml.judgements import Endpoint, Judgement, Midpoint, SoftCategories, Stimulus
from hml.judgements.tables import image_table, judgement_table, midpoint_table, soft_category_table

CAT_DOG = Stimulus("a.png", 0.25, (Endpoint(1, 3), Endpoint(2, 5)))
CAT_CAR = Stimulus("b.png", 0.5, (Endpoint(3, 1), Endpoint(1, 3)))


def test_a_judgement_is_a_row_with_codes():
    table = judgement_table(
        [
            Judgement(CAT_DOG, "bob", 0.5, 1.0),
            Judgement(CAT_CAR, "ann", 0.4, 0.2, 900.0),
            Judgement(CAT_DOG, "ann", 0, 0),
        ]
    )
    assert table["image"].tolist() == [0, 1, 0]
    assert table["person"].tolist() == [1, 0, 0]
    assert table["error"].tolist() == pytest.approx([0.25, 0.1, 0.25])
    assert table["level"].tolist() == [0.25, 0.5, 0.25]
    assert table[["class_1", "class_2", "id_1", "id_2"]].iloc[1].tolist() == [1, 3, 3, 1]
    assert np.isnan(table["reaction_ms"][0])


def test_an_image_is_a_row_with_its_mean():
    images = image_table(judgement_table([Judgement(CAT_DOG, "a", 0.5, 1.0), Judgement(CAT_DOG, "b", 0.1, 0.2)]))
    (row,) = images.to_dict("records")
    assert (row["n"], row["people"], row["lambda_h"], row["omega"]) == (2, 2, pytest.approx(0.3), pytest.approx(0.6))
    assert (row["spread"], row["error"]) == (pytest.approx(0.2), pytest.approx(0.05))


def test_many_mixing_coefficients_are_gathered_into_levels():
    stimuli = [Stimulus(f"{i}.png", i / 100, CAT_DOG.endpoints) for i in range(101)]
    table = judgement_table([Judgement(stimulus, "a", 0.5, 0.5) for stimulus in stimuli])
    assert table["level"].nunique() == 21
    assert (table["level"] - table["lambda_f"]).abs().max() <= 0.025 + 1e-9


def test_midpoints_name_their_pair():
    table = midpoint_table([Midpoint(CAT_DOG.endpoints, "a", 0.4, start=0.1), Midpoint(CAT_CAR.endpoints, "b", 0.6)])
    assert table["pair"].tolist() == ["1_2", "3_1"]
    assert np.isnan(table["start"][1])


def test_mass_outside_the_endpoints_is_what_they_leave():
    probabilities = (0.0, 0.1, 0.0, 0.6, 0.0, 0.3, 0.0, 0.0, 0.0, 0.0)
    (row,) = soft_category_table([SoftCategories(CAT_DOG, "a", probabilities)]).to_dict("records")
    assert (row["mass_1"], row["mass_2"], row["outside"], row["top"]) == (0.6, 0.3, pytest.approx(0.1), 3)


def test_confidence_that_is_not_known_is_nan():
    table = judgement_table([Judgement(CAT_DOG, "ann", 0.4, 0.75), Judgement(CAT_DOG, "bob", 0.4)])
    assert table["omega"].isna().tolist() == [False, True]
