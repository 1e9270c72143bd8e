import dataclasses

import numpy as np
import pytest
import torch

from hml.errors import InputError
from hml.labels import ConfidenceOnlyLabels, ConstantSmoothingLabels, MixupLabels, SeparateLabels, ShuffledJudgements
from hml.randomness import Draws


@pytest.fixture
def make_set(make_example):
    """Make one image for each (lambda_f, answers), each of its own name."""

    def make(*images):
        examples = []
        for i, (lambda_f, *answers) in enumerate(images):
            example = make_example(*answers, lambda_f=lambda_f)
            stimulus = dataclasses.replace(example.stimulus, filename=f"mixed_{lambda_f}_Cat_{i}_Dog_{i + 99}.png")
            examples.append(dataclasses.replace(example, stimulus=stimulus))
        return examples

    return make


def prepared(strategy, examples, seed=0):
    strategy.prepare(examples, Draws(seed, 0, np.arange(len(examples))))
    return strategy


def test_confidence_only_keeps_lambda_f_and_each_persons_confidence(make_example):
    label = ConfidenceOnlyLabels(gamma=0.25).label(make_example((0.2, 0.5), (0.9, 1.0), lambda_f=0.75))
    # s = .25^.5 = .5 and .25^1 = .25; classes 3 and 5 share the rest as .75 to .25.
    expected = [[0.05] * 10, [0.025] * 10]
    expected[0][3], expected[0][5] = 0.5 * 0.75 + 0.05, 0.5 * 0.25 + 0.05
    expected[1][3], expected[1][5] = 0.75 * 0.75 + 0.025, 0.75 * 0.25 + 0.025
    torch.testing.assert_close(label, torch.tensor(expected))


def test_confidence_only_is_sep_conf_where_people_answer_lambda_f(make_example):
    example = make_example((0.75, 0.3), (0.75, 0.8), lambda_f=0.75)
    torch.testing.assert_close(ConfidenceOnlyLabels().label(example), SeparateLabels(gamma=0.005).label(example))


def test_constant_smoothing_spreads_the_mean_over_images_of_what_confidence_would(make_set):
    # Uniform shares: (.25 + .0625) / 2 = .15625 on the first image, 1 on the second; their mean is .578125.
    examples = make_set((0.5, (0.1, 0.5), (0.2, 1.0)), (0.25, (0.3, 0.0)))
    strategy = prepared(ConstantSmoothingLabels(gamma=0.0625), examples)
    for example in examples:
        label = strategy.label(example)
        assert label.shape == (1, 10)
        assert label[0, 0].item() == pytest.approx(0.0578125)
        assert label[0, 3].item() == pytest.approx((1 - 0.578125) * example.lambda_f + 0.0578125)


def test_constant_smoothing_leaves_as_much_certain_as_confidence_does_on_average(tiny):
    examples = tiny().examples
    constant = prepared(ConstantSmoothingLabels(), examples)
    own = ConfidenceOnlyLabels()
    mean = torch.stack([own.label(example).mean(0) for example in examples]).mean(0)
    torch.testing.assert_close(torch.cat([constant.label(example) for example in examples]).mean(0).sum(), mean.sum())
    smallest = torch.stack([own.label(example).amin(1).mean() for example in examples]).mean()
    assert constant.label(examples[0]).amin().item() == pytest.approx(smallest.item(), rel=1e-5)


def test_shuffling_keeps_lambda_f_and_every_answer_but_moves_them(tiny):
    examples = tiny().examples
    seen = []

    class Remember(SeparateLabels):
        def label(self, example):
            seen.append(example)
            return super().label(example)

    strategy = prepared(ShuffledJudgements(Remember()), examples)
    for example in examples:
        strategy.label(example)
    givers = {j.stimulus.filename for example in seen for j in example.judgements}
    assert givers == {example.stimulus.filename for example in examples}
    assert sum(len(example.judgements) for example in seen) == sum(len(example.judgements) for example in examples)
    for example in seen:
        assert {judgement.stimulus.lambda_f for judgement in example.judgements} == {example.lambda_f}
    assert not any(example.judgements[0].stimulus == example.stimulus for example in seen)


def test_each_seed_shuffles_differently_and_the_same_seed_equally(make_set):
    examples = make_set(*[(0.5, (i / 20, 1.0)) for i in range(20)])

    def labels(seed):
        strategy = prepared(ShuffledJudgements(SeparateLabels()), examples, seed)
        return torch.cat([strategy.label(example) for example in examples])

    torch.testing.assert_close(labels(3), labels(3))
    assert not torch.equal(labels(3), labels(4))
    torch.testing.assert_close(labels(3).sum(0), labels(4).sum(0))


def test_shuffling_changes_nothing_for_a_strategy_that_looks_at_nobody(tiny):
    examples = tiny().examples
    strategy = prepared(ShuffledJudgements(MixupLabels()), examples)
    for example in examples:
        torch.testing.assert_close(strategy.label(example), MixupLabels().label(example))


def test_shuffling_prepares_what_it_wraps(make_set):
    examples = make_set((0.5, (0.1, 0.5)), (0.5, (0.3, 0.1)))
    label = prepared(ShuffledJudgements(ConstantSmoothingLabels()), examples).label(examples[0])
    assert label.sum().item() == pytest.approx(1)


def test_shuffling_rejects_images_that_have_nothing_to_exchange(make_set):
    with pytest.raises(InputError, match="same lambda_f"):
        prepared(ShuffledJudgements(SeparateLabels()), make_set((0.5, (0.1, 0.5)), (0.6, (0.3, 0.1))))


@pytest.mark.parametrize("strategy", [ConstantSmoothingLabels(), ShuffledJudgements(SeparateLabels())])
def test_labelling_before_prepare_is_an_error(strategy, make_example):
    with pytest.raises(InputError, match="prepare"):
        strategy.label(make_example((0.2, 1.0)))


@pytest.mark.parametrize("strategy", [ConfidenceOnlyLabels, ConstantSmoothingLabels])
@pytest.mark.parametrize("options", [{"gamma": 0.0}, {"gamma": 1.1}, {"smooth_over": "some"}, {"additive": 0.0}])
def test_smoothing_out_of_range_is_an_error(strategy, options):
    with pytest.raises(InputError):
        strategy(**options)
