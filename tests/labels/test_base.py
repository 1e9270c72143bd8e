import dataclasses

import numpy as np
import pytest
import torch

from hml.errors import InputError
from hml.labels import (
    AggregateLabels,
    ConfidenceOnlyLabels,
    ConfidenceWeightedLabels,
    LabelStrategy,
    MixedBatch,
    SeparateLabels,
    label_checked,
)
from hml.randomness import Draws


class Custom(LabelStrategy):
    def __init__(self, soft_label):
        self.soft_label = soft_label

    def label(self, example):
        if isinstance(self.soft_label, Exception):
            raise self.soft_label
        return self.soft_label


ONE_HOT = torch.eye(10)[:2]


def test_an_example_shows_its_stimulus_and_its_judgements(make_example):
    example = make_example((0.25, 1.0), (0.5, 0.75), lambda_f=0.1)
    assert (example.lambda_f, example.classes) == (0.1, (3, 5))
    assert (example.lambda_h.tolist(), example.omega.tolist()) == ([0.25, 0.5], [1.0, 0.75])
    with pytest.raises(dataclasses.FrozenInstanceError):
        example.image = None


@pytest.mark.parametrize("soft_label", [ONE_HOT, ONE_HOT[:0], ONE_HOT.double()])
def test_rows_of_probabilities_pass_the_check_unchanged(make_example, soft_label):
    assert label_checked(Custom(soft_label), make_example()) is soft_label


@pytest.mark.parametrize(
    ("soft_label", "message"),
    [
        (ONE_HOT[0], r"shape \(10,\)"),
        (ONE_HOT[:, :9], r"shape \(2, 9\), expected \(K, 10\)"),
        (ONE_HOT.long(), "torch.int64"),
        (ONE_HOT * 1.5 - 0.05, "row 0 of the soft labels has the entry -0.05"),
        (ONE_HOT * 0.5, "row 0 of the soft labels sums to 0.5"),
        (ONE_HOT.numpy(), r"a ndarray: return a tensor of shape \(K, 10\)"),
        (None, "a NoneType"),
    ],
)
def test_an_error_about_labels_names_the_strategy_and_the_image(make_example, soft_label, message):
    with pytest.raises(InputError, match=message) as caught:
        label_checked(Custom(soft_label), make_example())
    assert "Custom labelled mixed_0.5_Cat_1_Dog_2.png" in str(caught.value)


def test_a_strategys_own_error_says_which_image_it_came_up_with(make_example):
    with pytest.raises(KeyError) as caught:
        label_checked(Custom(KeyError("oops")), make_example())
    assert caught.value.__notes__ == ["This was raised when Custom labelled mixed_0.5_Cat_1_Dog_2.png."]


def test_a_strategy_of_judgements_rejects_freshly_mixed_images():
    ids = torch.zeros(1, dtype=torch.int64)
    batch = MixedBatch(ids, ids, ids, ids, torch.ones(1), num_classes=10)
    with pytest.raises(InputError, match="SeparateLabels needs people's judgements"):
        SeparateLabels().label_batch(batch, Draws(0, 0, np.arange(1)))


def test_a_strategy_must_say_how_it_labels():
    with pytest.raises(TypeError, match="abstract"):
        LabelStrategy()


def test_confidence_that_is_missing_is_an_error_only_where_it_is_used(make_example):
    example = make_example((0.25, 1.0), (0.75, None))
    assert AggregateLabels(order="mean_then_smooth").label(example)[0, 3] == 0.5
    assert SeparateLabels().label(example)[:, 3].tolist() == [0.25, 0.75]
    for strategy in (SeparateLabels(0.1), AggregateLabels(0.1), ConfidenceWeightedLabels(), ConfidenceOnlyLabels()):
        with pytest.raises(InputError, match=r"mixed_0.5_Cat_1_Dog_2.png .* without omega .* without gamma"):
            strategy.label(example)


def test_two_hot_takes_a_number_for_one_label(make_example):
    example = make_example()
    torch.testing.assert_close(example.two_hot(0.25), example.two_hot(torch.tensor([0.25])))
