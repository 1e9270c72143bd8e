import json

import numpy as np
import pytest

from hml.errors import InputError
from hml.judgements import CIFAR10, SoftCategories, Stimulus, parse_soft_categories
from hml.judgements.hmix_format import Categories
from hml.judgements.schema import Endpoint
from hml.judgements.soft_categories import spread

ANSWER = {
    "classSelect": "mostProbTruck",
    "prob": "70",
    "classSelect2": "secondProbAutomobile",
    "prob2": "20",
    **{f"improbClassSelect{name}": "1" for name in ("Cat", "Frog", "Bird", "Deer", "Dog")},
}


def make_csv(*answers, **changes):
    row = {
        "trial_type": "survey-html-form",
        "subject": "ann",
        "filename": "mixed_0.5_Ship_7502_Truck_9060.png",
        "task": "spec_conf",
    } | changes
    lines = [[*row, "response"], *([*row.values(), json.dumps(answer)] for answer in answers)]
    return "\n".join(",".join('"' + v.replace('"', '""') + '"' for v in line) for line in lines).encode()


def test_an_answers_rest_goes_to_the_classes_not_ruled_out():
    (found,) = parse_soft_categories(make_csv(ANSWER), "mine.csv")
    expected = dict.fromkeys(CIFAR10, 0.0) | {"Truck": 0.7, "Automobile": 0.2}
    expected |= dict.fromkeys(("Airplane", "Horse", "Ship"), 0.1 / 3)
    assert found.probabilities == pytest.approx(tuple(expected[name] for name in CIFAR10))
    assert found.stimulus.endpoints[0].label == CIFAR10.index("Ship")


def test_other_trials_are_left_out():
    assert parse_soft_categories(make_csv(ANSWER, trial_type="instructions"), "mine.csv") == []


def test_a_certain_answer_leaves_a_tenth_for_what_was_not_ruled_out():
    others = frozenset(range(2, 10))
    assert spread(Categories(0, 1.0, None, 0.0, others), 10)[:2] == pytest.approx((1 / 1.1, 0.1 / 1.1))
    assert spread(Categories(0, 1.0, None, 0.0, frozenset(range(1, 10))), 10)[0] == 1
    assert spread(Categories(0, 0.0, None, 0.0, frozenset(range(1, 10))), 10) == (0.1,) * 10


@pytest.mark.parametrize(
    "change",
    [
        {"prob": "101"},
        {"prob": "many"},
        {"prob": 70},
        {"prob2": "-1"},
        {"classSelect": "mostProbTruk"},
        {"classSelect2": None},
        {"improbClassSelectZebra": "1"},
    ],
)
def test_bad_answers_are_rejected_by_file_row_and_field(change):
    with pytest.raises(InputError, match=r"^response=.* in mine\.csv, row 3: "):
        parse_soft_categories(make_csv(ANSWER, ANSWER | change), "mine.csv")


@pytest.mark.parametrize("change", [{"task": "rate_mixture"}, {"subject": " "}, {"filename": "cat.png"}])
def test_bad_fields_are_rejected(change):
    with pytest.raises(InputError, match=rf"^{next(iter(change))}=.* in mine\.csv, row 2: "):
        parse_soft_categories(make_csv(ANSWER, **change), "mine.csv")


def test_probabilities_must_sum_to_one():
    stimulus = Stimulus("x.png", 0.5, (Endpoint(0, 0), Endpoint(1, 1)))
    with pytest.raises(InputError, match="sum to 1"):
        SoftCategories(stimulus, "ann", (0.2,) * 10)


def test_distributions_equal_the_authors_own_where_the_answer_is_one(other_tasks, authors_summary):
    """Theirs differ for 10 of 100 images: where two classes get more than all, and in three more."""
    answers = parse_soft_categories((other_tasks / "hmix_categorical_soft_labels.csv").read_bytes(), "soft")
    theirs = json.loads(authors_summary("hmix_individ_soft_labels.json").read_text())
    assert len(answers) == 216
    assert {a.stimulus.filename for a in answers} == theirs.keys()
    far = []
    for name, rows in theirs.items():
        ours = sorted(a.probabilities for a in answers if a.stimulus.filename == name)
        far.append(float(np.abs(np.array(ours) - np.array(sorted(map(tuple, rows)))).max()))
    assert sum(distance > 1e-9 for distance in far) == 10
