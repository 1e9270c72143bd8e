import dataclasses
import subprocess
import sys

import pytest

from hml.errors import InputError
from hml.judgements import Endpoint, Judgement, Stimulus, group_by_stimulus

CAT, DOG = Endpoint(7, 3), Endpoint(9, 5)
MIX = Stimulus("mixed.png", 0.25, (CAT, DOG))


def test_records_are_frozen_and_have_value_equality():
    judgement = Judgement(MIX, "ann", 0.4, 1.0)
    for record, field in ((CAT, "label"), (MIX, "lambda_f"), (judgement, "omega")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field, 0)
    assert judgement == Judgement(Stimulus("mixed.png", 0.25, (Endpoint(7, 3), Endpoint(9, 5))), "ann", 0.4, 1.0)
    assert judgement.reaction_ms is None
    assert not judgement.is_repeat


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 1, 1.0])
def test_the_unit_interval_is_closed(value):
    assert Judgement(Stimulus("m", value, (CAT, DOG)), "ann", value, value).omega == value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Endpoint(-1, 0), "image id -1 is negative"),
        (lambda: Endpoint(0, -1), "label -1 is negative"),
        (lambda: Stimulus("m", 1.5, (CAT, DOG)), "lambda_f=1.5"),
        (lambda: Stimulus("m", float("nan"), (CAT, DOG)), "lambda_f=nan"),
        (lambda: Stimulus("m", 0.5, (Endpoint(7, 3), Endpoint(7, 5))), "image 7 can't be of two classes, 3 and 5"),
        (lambda: Judgement(MIX, "ann", float("nan"), 0.5), "lambda_h=nan"),
        (lambda: Judgement(MIX, "ann", -0.01, 0.5), "lambda_h=-0.01"),
        (lambda: Judgement(MIX, "ann", 0.5, 1.4), "omega=1.4 is outside .* divide by 100"),
        (lambda: Judgement(MIX, "ann", 0.5, 0.5, -1.0), "reaction_ms=-1.0"),
        (lambda: Judgement(MIX, "ann", 0.5, 0.5, float("inf")), "reaction_ms=inf"),
        (lambda: Judgement(MIX, "ann", 0.5, 0.5, float("nan")), "reaction_ms=nan"),
    ],
)
def test_wrong_values_are_rejected_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_ids_must_be_whole_numbers():
    with pytest.raises(TypeError, match="integer"):
        Endpoint(1.5, 0)


def test_groups_keep_the_order_of_first_appearance():
    other = Stimulus("other.png", 0.5, (CAT, DOG))
    a, b, c = Judgement(other, "ann", 0.1, 1), Judgement(MIX, "ann", 0.2, 1), Judgement(other, "bob", 0.3, 1)
    groups = group_by_stimulus([a, b, c])
    assert list(groups.items()) == [(other, [a, c]), (MIX, [b])]


def test_judgements_need_neither_torch_nor_lightning():
    code = (
        "import sys, hml.judgements; print([m for m in ('torch', 'lightning', 'torchvision', 'numpy')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
