import numpy as np
import pytest
import torch

from hml.data import DemoImages, DemoMixes, HMixDataModule
from hml.errors import InputError
from hml.labels import AggregateLabels, MixedExample, ReliableLabels, ShrunkLabels, label_checked, smooth_by_confidence
from hml.randomness import Draws

DRAWS = Draws(0, 0, np.arange(1))


@pytest.fixture(scope="module")
def examples():
    data = HMixDataModule(ShrunkLabels(), images=DemoImages(60, 33), mixed=DemoMixes(images_per_pair=4), batch_size=16)
    data.setup("fit")
    return data.examples


def shares(strategy, examples):
    strategy.prepare(examples, DRAWS)
    return torch.stack([strategy.label(example)[0, example.classes[0]] for example in examples]).numpy()


@pytest.mark.parametrize("strategy", [ShrunkLabels(), ReliableLabels(), ShrunkLabels(0.005), ReliableLabels(0.005)])
def test_every_image_gets_one_label(strategy, examples):
    strategy.prepare(examples, DRAWS)
    for example in examples:
        assert label_checked(strategy, example).shape == (1, example.num_classes)


def test_shrunk_labels_lie_between_the_mean_answer_and_the_rest(examples):
    mean = torch.stack([AggregateLabels().label(example)[0, example.classes[0]] for example in examples]).numpy()
    shrunk = shares(ShrunkLabels(), examples)
    assert np.corrcoef(shrunk, mean)[0, 1] > 0.9
    by_level = [np.std(values[[e.lambda_f == 0.5 for e in examples]]) for values in (shrunk, mean)]
    assert 0 < by_level[0] < by_level[1]


def test_reliable_labels_know_which_people_are_steady(examples):
    strategy = ReliableLabels()
    strategy.prepare(examples, DRAWS)
    # The demo's people have noise of their own, drawn as DemoMixes draws it, and are numbered by name.
    noise = np.random.default_rng(1).uniform(0.02, 0.2, 12)
    assert np.corrcoef(strategy.crowd.noise, noise)[0, 1] > 0.8


def test_labels_are_smoothed_by_the_mean_confidence(examples):
    plain, smoothed = ReliableLabels(), ReliableLabels(gamma=0.25)
    for strategy in (plain, smoothed):
        strategy.prepare(examples, DRAWS)
    example = examples[0]
    expected = smooth_by_confidence(plain.label(example), example.omega.mean(0, keepdim=True), 0.25)
    torch.testing.assert_close(smoothed.label(example), expected)


def test_an_image_that_was_not_prepared_is_rejected(make_example):
    with pytest.raises(InputError, match="ReliableLabels must see all judged images first"):
        ReliableLabels().label(make_example((0.5, 0.5)))
    strategy = ShrunkLabels()
    strategy.prepare([], DRAWS)
    assert strategy.crowd is None
    nobody = make_example()
    assert isinstance(nobody, MixedExample)
    strategy.prepare([nobody], DRAWS)
    assert strategy.crowd is None
