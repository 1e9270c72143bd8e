import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import hml.transforms
from hml.data.demo import TEXTURES
from hml.errors import InputError
from hml.judgements import CIFAR10
from hml.labels import MixedBatch
from hml.relabel import RelabellerPerceiver
from hml.relabel.checkpoint import Checkpoint
from hml.transforms import HumanMixUp

LAMBDA_F = torch.tensor([0.3, 0.5, 0.7, 0.2])
CLASS_1, CLASS_2 = torch.tensor([0, 1, 2, 2]), torch.tensor([1, 2, 0, 1])
ORDER = [7, 2, 4]  # the relabeller's labels of three classes, in the user's order
NAMES = [TEXTURES[label].upper() for label in ORDER]


@pytest.fixture
def path(learned):
    return learned / "relabeller.pt"


@pytest.fixture
def perceiver(path):
    return RelabellerPerceiver(NAMES, path, images=3)


def test_mean_is_the_relabellers_over_images_of_the_classes(perceiver, path):
    relabeller = Checkpoint.load(path).relabeller
    ids = [(relabeller.table.labels == label).nonzero().flatten() for label in ORDER]
    middle = [[int(of_class[0]), int(of_class[round((len(of_class) - 1) / 2)]), int(of_class[-1])] for of_class in ids]
    expected = torch.zeros(4)
    for pair in range(3):
        first, second = (torch.tensor([middle[label][pair] for label in of]) for of in (CLASS_1, CLASS_2))
        classes = torch.tensor(ORDER)[CLASS_1], torch.tensor(ORDER)[CLASS_2]
        expected += relabeller.mean(MixedBatch(first, second, *classes, LAMBDA_F, 10)) / 3
    torch.testing.assert_close(perceiver.mean(LAMBDA_F, CLASS_1, CLASS_2), expected)


def test_swapped_endpoints_mirror_the_mean_and_plain_images_are_certain(perceiver):
    mean = perceiver.mean(LAMBDA_F, CLASS_1, CLASS_2)
    torch.testing.assert_close(perceiver.mean(1 - LAMBDA_F, CLASS_2, CLASS_1), 1 - mean)
    plain = torch.tensor([0.0, 1.0, 0.0, 1.0])
    assert perceiver.mean(plain, CLASS_1, CLASS_2).tolist() == plain.tolist()
    lambda_h, omega = perceiver.sample(plain, CLASS_1, CLASS_2)
    assert (lambda_h.tolist(), omega.tolist()) == (plain.tolist(), [1.0] * 4)


def test_samples_follow_torchs_generator_and_average_to_the_mean(perceiver):
    many = [column.repeat(2000) for column in (LAMBDA_F, CLASS_1, CLASS_2)]
    samples = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        samples.append(perceiver.sample(*many))
    assert torch.equal(samples[0][0], samples[1][0])
    assert not torch.equal(samples[0][0], samples[2][0])
    lambda_h, omega = samples[0]
    means = lambda_h.view(2000, 4).mean(0)
    torch.testing.assert_close(means, perceiver.mean(LAMBDA_F, CLASS_1, CLASS_2), atol=0.03, rtol=0)
    assert 0 <= omega.min() < omega.max() <= 1


def test_the_guides_example_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    replace(Checkpoint.load(path), classes=CIFAR10).save(Path("lightning_logs/relabel/relabeller.pt"))
    guide = Path(hml.transforms.__file__).with_name("README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from hml.relabel.*?)```", guide, re.DOTALL)
    names = {"HumanMixUp": HumanMixUp}
    exec(code, names)
    _, soft_label = names["mixup"](torch.rand(8, 3, 32, 32), torch.arange(8))
    torch.testing.assert_close(soft_label.sum(1), torch.ones(8))


def test_class_that_the_relabeller_does_not_know_is_an_error(path):
    with pytest.raises(InputError, match="does not know the class 'zebra': it learned Vertical stripes"):
        RelabellerPerceiver([NAMES[0], "zebra"], path)


def test_label_without_a_name_is_an_error(perceiver):
    mixup = HumanMixUp(5, labels="mean", perceiver=perceiver)
    with pytest.raises(InputError, match="label 4 has no name: classes="):
        mixup(torch.zeros(2, 3, 8, 8), torch.tensor([0, 4]))


def test_relabeller_without_images_of_a_class_is_an_error(path, tmp_path):
    loaded = Checkpoint.load(path)
    table = loaded.relabeller.table
    table = replace(table, labels=table.labels.where(table.labels != 2, 1))
    replace(loaded, relabeller=replace(loaded.relabeller, table=table)).save(tmp_path / "other.pt")
    with pytest.raises(InputError, match=f"no images of {NAMES[1]}: fit it"):
        RelabellerPerceiver(NAMES, tmp_path / "other.pt")
