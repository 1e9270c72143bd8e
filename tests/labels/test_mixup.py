import numpy as np
import pytest
import torch

from hml.labels import MixedBatch, MixupLabels, NoMixed, UniformLabels
from hml.randomness import Draws

BATCH = MixedBatch(
    id_1=torch.tensor([1, 2]),
    id_2=torch.tensor([2, 1]),
    class_1=torch.tensor([3, 5]),
    class_2=torch.tensor([5, 5]),
    lambda_f=torch.tensor([0.75, 0.25]),
    num_classes=10,
)
DRAWS = Draws(0, 0, np.arange(2))


def test_no_mixed_gives_no_label(make_example):
    assert NoMixed().label(make_example((0.2, 1.0))).shape == (0, 10)


def test_mixup_labels_are_the_pixels_weights_whatever_people_said(make_example):
    label = MixupLabels().label(make_example((0.2, 1.0), (0.1, 0.4), lambda_f=0.75))
    assert label.tolist() == [[0, 0, 0, 0.75, 0, 0.25, 0, 0, 0, 0]]


def test_uniform_labels_are_uniform(make_example):
    assert UniformLabels().label(make_example((0.2, 1.0))).tolist() == [pytest.approx([0.1] * 10)]
    assert UniformLabels().label_batch(BATCH, DRAWS).tolist() == [pytest.approx([0.1] * 10)] * 2


def test_mixup_labels_a_batch_as_it_labels_each_image(make_example):
    found = MixupLabels().label_batch(BATCH, DRAWS)
    examples = [make_example(lambda_f=0.75), make_example(lambda_f=0.25, classes=(5, 5))]
    torch.testing.assert_close(found, torch.cat([MixupLabels().label(example) for example in examples]))
