import pytest

from hml.errors import InputError
from hml.judgements import CIFAR10, Classes, Endpoint, name_stimulus
from hml.judgements.stimulus_names import parse_endpoints, parse_stimulus

AWKWARD = Classes(("T-shirt/top", "ankle_boot", "ankle_boot_2", "猫", "great white shark"))


def test_pairs_are_read_in_either_order():
    assert CIFAR10.parse_pair("Dog/Airplane") == CIFAR10.parse_pair("airplane/dog") == (0, 5)
    for text in ("Dog", "Dog/Dog", "Dog/Cat/Bird", "Dog/Zebra"):
        with pytest.raises(InputError, match="not a pair of classes"):
            CIFAR10.parse_pair(text)


@pytest.mark.parametrize("classes", [CIFAR10, AWKWARD])
def test_every_pair_that_is_named_is_read_as_the_same(classes):
    assert len(classes.pairs) == len(classes) * (len(classes) - 1) // 2
    assert [classes.parse_pair(classes.name_pair(*pair)) for pair in classes.pairs] == classes.pairs
    assert [classes.index(name) for name in classes] == list(range(len(classes)))


def test_names_of_mixed_images_may_hold_any_class():
    for first, second in AWKWARD.pairs:
        stimulus = name_stimulus(AWKWARD, 0.25, Endpoint(2, first), Endpoint(31_000, second))
        assert parse_stimulus(AWKWARD, stimulus.filename, "here") == stimulus


def test_an_unknown_class_is_rejected_with_the_most_similar_one():
    with pytest.raises(InputError, match="unknown class 'aeroplane': did you mean Airplane"):
        CIFAR10.index("aeroplane")
    with pytest.raises(InputError, match="unknown class 'Ankle boot': did you mean ankle_boot"):
        parse_endpoints(AWKWARD, "Ankle boot_1_猫_2", "row 2")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("Cat",), "two classes or more, and there is Cat"),
        ((), "there is none"),
        (("Cat", ""), "'' can't name a class"),
        (("Cat", " Dog"), "' Dog' can't name a class"),
        (("Cat", "D\nog"), "can't name a class"),
        (("Cat", "Dog", "cat"), "'Cat' and 'cat' differ in case at most"),
        (("Cat", "Cat"), "'Cat' and 'Cat' differ in case at most"),
    ],
)
def test_names_that_can_not_be_told_apart_are_rejected(names, said):
    with pytest.raises(InputError, match=said):
        Classes(names)
