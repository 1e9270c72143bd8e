import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision.transforms import v2

import hml.transforms
from hml.errors import InputError
from hml.judgements.curves import Curve
from hml.transforms import CurvePerceiver, HumanMixUp, shared_perception

IMAGES = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 3, 0])
SOFT = torch.rand(6, 4, generator=torch.Generator().manual_seed(1)).softmax(1)


def call(transform, *batch, seed=3):
    torch.manual_seed(seed)
    return transform(*batch)


@pytest.mark.parametrize("labels", [LABELS, SOFT])
@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_labels_are_torchvisions_to_the_bit(labels, alpha):
    expected = call(v2.MixUp(num_classes=4, alpha=alpha), IMAGES, labels)
    found = call(HumanMixUp(4, alpha, labels="mixup"), IMAGES, labels)
    assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("kind", ["mean", "sample", "confidence"])
def test_pixels_are_torchvisions_whatever_the_labels(kind):
    expected, _ = call(v2.MixUp(num_classes=4), IMAGES, LABELS)
    mixed, soft_label = call(HumanMixUp(4, labels=kind), IMAGES, LABELS)
    assert torch.equal(mixed, expected)
    assert soft_label.shape == (6, 4)
    torch.testing.assert_close(soft_label.sum(1), torch.ones(6))
    assert bool((soft_label >= 0).all())


def test_mean_labels_are_the_mean_of_what_people_said():
    torch.manual_seed(3)
    lambda_f = torch.distributions.Beta(torch.ones(1), torch.ones(1)).sample()
    mean = shared_perception().mean(lambda_f, LABELS[:1], LABELS[:1]).item()
    _, soft_label = call(HumanMixUp(4, labels="mean"), IMAGES, LABELS)
    one_hot = torch.eye(4)[LABELS]
    torch.testing.assert_close(soft_label, mean * one_hot + (1 - mean) * one_hot.roll(1, 0))


def test_soft_labels_of_the_endpoints_are_what_is_shared_out():
    _, soft_label = call(HumanMixUp(4, labels="mean"), IMAGES, SOFT)
    _, of_one_hot = call(HumanMixUp(4, labels="mean"), IMAGES, torch.arange(6) % 4)
    share = of_one_hot[0, 0]  # of the first image's own class
    torch.testing.assert_close(soft_label[0], share * SOFT[0] + (1 - share) * SOFT[-1])


def test_people_differ_from_image_to_image_but_not_from_seed_to_seed():
    many = torch.arange(400) % 4
    _, first = call(HumanMixUp(4, labels="sample"), torch.zeros(400, 3, 2, 2), many)
    _, again = call(HumanMixUp(4, labels="sample"), torch.zeros(400, 3, 2, 2), many)
    assert torch.equal(first, again)
    assert len(first[many == 0][:, 0].unique()) > 20


def test_a_curve_of_your_own_gives_the_mean_and_no_samples():
    perceiver = CurvePerceiver(Curve(bias=-0.1, slope=8.0))
    none = torch.zeros(3, dtype=torch.int64)
    seen = perceiver.mean(torch.tensor([0.0, 0.4, 1.0]), none, none)
    torch.testing.assert_close(seen, torch.tensor([0.0, 0.5, 1.0]))
    with pytest.raises(InputError, match='labels="mean"'):
        call(HumanMixUp(4, labels="sample", perceiver=perceiver), IMAGES, LABELS)


def test_it_works_in_a_collate_function_and_on_a_pair_in_a_tuple():
    mixup = HumanMixUp(4)
    loader = DataLoader(
        TensorDataset(IMAGES, LABELS), batch_size=3, collate_fn=lambda rows: mixup(*default_collate(rows))
    )
    for images, soft_label in loader:
        assert images.shape == (3, 3, 8, 8)
        assert soft_label.shape == (3, 4)
    assert len(call(mixup, (IMAGES, LABELS))) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [({"alpha": 0}, "alpha=0"), ({"labels": "human"}, "labels='human'"), ({"gamma": 2.0}, "gamma=2.0")],
)
def test_options_out_of_range_are_rejected(options, said):
    with pytest.raises(InputError, match=said):
        HumanMixUp(4, **options)
    assert np.isfinite(HumanMixUp(4).alpha)


def test_the_guides_examples_run():
    guide = Path(hml.transforms.__file__).with_name("README.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", guide, re.DOTALL):
        if "hml.relabel" not in code:  # tests/relabel runs what needs a relabeller
            exec(code, names)
    assert names["target"].shape == names["soft_labels"].shape == (8, 10)
