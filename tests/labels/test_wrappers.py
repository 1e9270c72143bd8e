from types import MappingProxyType

import numpy as np
import pytest
import torch

from hml.data import FreshMixes
from hml.errors import InputError
from hml.judgements import Classes
from hml.labels import (
    AggregateLabels,
    ConfidenceOnlyLabels,
    LabelStrategy,
    LastJudgement,
    MixupLabels,
    NoMixed,
    Reversed,
    Rounded,
    SeparateLabels,
    ShrunkLabels,
    ShuffledJudgements,
    UniformLabels,
)
from hml.randomness import Draws


def row(cat, dog, others=0.0):
    """Ten classes, of which Cat is the fourth and Dog the sixth."""
    return pytest.approx([others] * 3 + [cat, others, dog] + [others] * 4, abs=1e-6)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (MixupLabels(), [row(0, 1)]),
        (SeparateLabels(), [row(1, 0), row(0, 1), row(0, 1)]),
        # The mean of .9, .4 and .4 is .567, although most people saw more of the second image.
        (AggregateLabels(), [row(1, 0)]),
        # s is .25^.5 = .5 for the first person, .25 for the second and 1 for the third.
        (SeparateLabels(0.25), [row(0.55, 0.05, 0.05), row(0.025, 0.775, 0.025), row(0.1, 0.1, 0.1)]),
        (SeparateLabels(0.25, "endpoints"), [row(0.75, 0.25), row(0.125, 0.875), row(0.5, 0.5)]),
        # The mean confidence is .5.
        (AggregateLabels(0.25, order="mean_then_smooth"), [row(0.55, 0.05, 0.05)]),
        # The mean of the smoothed labels has .25 of the first image and .167 of the second. The mean s is 1.75 / 3.
        (AggregateLabels(0.25), [row(1.25 / 3 + 1.75 / 30, 1.75 / 30, 1.75 / 30)]),
        (ConfidenceOnlyLabels(0.25), [row(0.05, 0.55, 0.05), row(0.025, 0.775, 0.025), row(0.1, 0.1, 0.1)]),
        (UniformLabels(), [row(0.1, 0.1, 0.1)]),
        (NoMixed(), []),
    ],
)
def test_labels_are_rounded_before_they_are_smoothed(make_example, strategy, expected):
    example = make_example((0.9, 0.5), (0.4, 1.0), (0.4, 0.0), lambda_f=0.25)
    assert Rounded(strategy).label(example).tolist() == expected


def test_two_classes_are_rounded_too(make_example):
    example = make_example((0.9, 0.5), classes=(1, 0), num_classes=2)
    assert Rounded(SeparateLabels(0.25)).label(example).tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("answers", [[0.5], [0.3, 0.7], [0.2, 0.4, 0.9]])  # the last mean is below .5 by rounding
def test_a_tie_is_rounded_to_the_first_class(make_example, answers):
    example = make_example(*((answer, 1.0) for answer in answers))
    assert Rounded(AggregateLabels()).label(example).tolist() == [row(1, 0)]


def test_a_model_of_people_is_fitted_before_its_labels_are_rounded(tiny):
    examples = tiny().examples
    own, rounded = ShrunkLabels(), Rounded(ShrunkLabels())
    for strategy in (own, rounded):
        strategy.prepare(examples, Draws(0, 0, np.arange(len(examples))))
    for example in examples:
        expected = torch.nn.functional.one_hot(own.label(example).argmax(1), 10)
        assert torch.equal(rounded.label(example), expected.float())


def test_rounding_rejects_labels_that_are_not_from_two_hot(make_example):
    class Own(LabelStrategy):
        def label(self, example):
            return torch.tensor([[0, 0, 0, 0.75, 0, 0.25, 0, 0, 0, 0]])

    with pytest.raises(InputError, match="can't round the labels of Own"):
        Rounded(Own()).label(make_example())


def test_reversed_labels_have_one_minus_each_weight(make_example):
    example = make_example((0.9, 0.5), (0.4, 1.0), lambda_f=0.25)
    assert Reversed(MixupLabels()).label(example).tolist() == [row(0.75, 0.25)]
    assert Reversed(SeparateLabels()).label(example).tolist() == [row(0.1, 0.9), row(0.6, 0.4)]
    twice = Reversed(Reversed(SeparateLabels(0.25))).label(example)
    torch.testing.assert_close(twice, SeparateLabels(0.25).label(example))


def test_the_last_judgement_labels_every_copy(make_example):
    example = make_example((0.9, 0.5), (0.4, 1.0), (0.2, 0.0))
    assert LastJudgement(SeparateLabels()).label(example).tolist() == [row(0.2, 0.8)] * 3
    assert LastJudgement(MixupLabels()).label(make_example()).shape == (1, 10)


def test_wrappers_can_wrap_one_another(tiny):
    examples = tiny().examples
    strategy = Rounded(Reversed(ShuffledJudgements(SeparateLabels(0.25))))
    strategy.prepare(examples, Draws(0, 0, np.arange(len(examples))))
    for example in examples:
        label = strategy.label(example)
        assert label.shape == (len(example.judgements), 10)
        torch.testing.assert_close(label.sum(1), torch.ones(len(label)))


def test_a_wrapper_has_the_files_and_classes_of_its_strategy():
    class Fitted(MixupLabels):
        files = MappingProxyType({"model.pt": "abc"})
        classes = Classes(("Cat", "Dog"))

    for wrapper in (Rounded, Reversed, LastJudgement, ShuffledJudgements):
        assert (wrapper(Fitted()).files, wrapper(Fitted()).classes) == (Fitted.files, Fitted.classes)


def test_freshly_mixed_images_are_wrapped_too(tiny):
    fresh = FreshMixes(lambdas=[0.75])
    batch = next(iter(tiny(MixupLabels(), mixed=fresh, wrap=Rounded).train_dataloader()))
    assert torch.equal(batch["target"], torch.eye(10)[batch["label"]])
    batch = next(iter(tiny(MixupLabels(), mixed=fresh, wrap=Reversed).train_dataloader()))
    of_first = batch["target"].gather(1, batch["label"].unsqueeze(1))
    assert set(of_first.flatten().tolist()) == {0.25, 1.0}  # 1 where both images are of one class
