import pytest

from hml.elicit.tasks import TASKS
from hml.elicit.web.quiz import make_quiz
from hml.errors import InputError
from hml.judgements import CIFAR10, Classes
from tests.elicit.conftest import make_images
from tests.elicit.people import ANSWERS

STIMULUS = make_images()[0]  # starts at .1


@pytest.mark.parametrize("name", TASKS)
def test_an_answer_is_kept_as_it_was_sent_but_for_what_was_moved(name):
    kept = TASKS[name].check(ANSWERS[name], STIMULUS, CIFAR10)
    assert kept == {key: value for key, value in ANSWERS[name].items() if key != "moved"}


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("rate_mixture", []),
        ("rate_mixture", ["confidence"]),
        ("rate_mixture", ["mixingcoeff"]),
        ("rate_mixture", "mixingcoeff, confidence"),
        ("rate_mixture", None),
        ("construct", []),
    ],
)
def test_an_untouched_control_is_no_answer(name, moved):
    with pytest.raises(InputError, match="was not moved"):
        TASKS[name].check(ANSWERS[name] | {"moved": moved}, STIMULUS, CIFAR10)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("rate_mixture", {"mixingcoeff": 101}),
        ("rate_mixture", {"mixingcoeff": -1}),
        ("rate_mixture", {"mixingcoeff": 50.5}),
        ("rate_mixture", {"mixingcoeff": True}),
        ("rate_mixture", {"mixingcoeff": "50"}),
        ("rate_mixture", {"confidence": None}),
        ("rate_mixture", {"comment": "me@example.org"}),
        ("construct", {"final_value": 0.55}),
        ("construct", {"final_value": "0.5"}),
        ("construct", {"final_value": [0.5]}),
        ("construct", {"final_value": True}),
        ("construct", {"starting_value": 0.9}),
        ("select", {"select": "select0.55"}),
        ("select", {"select": 0.5}),
        ("select", {"select": ["select0.5"]}),
        ("categorical", {"classSelect": "mostProbZebra"}),
        ("categorical", {"classSelect": "Cat"}),
        ("categorical", {"classSelect2": "secondProbCat"}),
        ("categorical", {"prob": "70", "prob2": "31"}),
        ("categorical", {"prob": "30", "prob2": "31"}),
        ("categorical", {"prob": "101", "prob2": "0"}),
        ("categorical", {"prob": ""}),
        ("categorical", {"prob": 60}),
        ("categorical", {"prob2": ""}),
        ("categorical", {"classSelect2": "secondProbNo"}),
        ("categorical", {"improbClassSelectDog": "1"}),
        ("categorical", {"improbClassSelectShip": "0"}),
        ("categorical", {"improbClassSelectZebra": "1"}),
    ],
)
def test_an_invalid_answer_is_rejected(name, changes):
    with pytest.raises(InputError):
        TASKS[name].check(ANSWERS[name] | changes, STIMULUS, CIFAR10)


@pytest.mark.parametrize("name", TASKS)
def test_an_answer_to_swapped_sides_is_kept_in_hmix_s_terms(name):
    expected = {key: value for key, value in ANSWERS[name].items() if key != "moved"}
    if name == "rate_mixture":
        expected["mixingcoeff"] = 63  # 37 from the left end, which was "100 % class 2"
    kept = TASKS[name].check(ANSWERS[name], STIMULUS, CIFAR10, swapped=True)
    assert kept == expected
    assert TASKS[name].mirror(kept) == TASKS[name].check(ANSWERS[name], STIMULUS, CIFAR10)


def test_a_missing_part_is_rejected():
    with pytest.raises(InputError, match="An answer must have mixingcoeff, confidence"):
        TASKS["rate_mixture"].check({"mixingcoeff": 3, "moved": ["mixingcoeff", "confidence"]}, STIMULUS, CIFAR10)


def test_one_class_only_may_be_named():
    only = {"classSelect": "mostProbCat", "prob": "100", "classSelect2": "secondProbNo", "prob2": ""}
    assert TASKS["categorical"].check(only, STIMULUS, CIFAR10) == only


@pytest.mark.parametrize(
    ("name", "one", "other", "difference"),
    [
        ("rate_mixture", {"mixingcoeff": 20, "confidence": 0}, {"mixingcoeff": 65, "confidence": 9}, 0.45),
        ("construct", {"final_value": 0.4}, {"final_value": 0.7}, 0.3),
        ("select", {"select": "select1.0"}, {"select": "select0.0"}, 1.0),
        ("categorical", {"classSelect": "mostProbCat"}, {"classSelect": "mostProbDog"}, 1.0),
        ("categorical", {"classSelect": "mostProbCat"}, {"classSelect": "mostProbCat"}, 0.0),
    ],
)
def test_two_answers_are_as_far_apart_as_the_first_images_share(name, one, other, difference):
    assert TASKS[name].difference(one, other) == pytest.approx(difference)
    assert TASKS[name].difference(other, one) == pytest.approx(difference)


@pytest.mark.parametrize("name", TASKS)
def test_each_task_has_a_quiz_whose_right_answers_are_not_all_in_one_place(name):
    for classes in (CIFAR10, Classes(("benign", "T-shirt/top"))):
        quiz = make_quiz(name, classes)
        assert len(quiz) >= 2
        assert all(0 <= question.right < len(question.options) for question in quiz)
        assert len({question.right for question in quiz}) > 1
        assert len({question.id for question in quiz}) == len(quiz)
