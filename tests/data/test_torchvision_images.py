from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import datasets

from hml.data import TorchvisionImages
from hml.errors import DataError, InputError
from tests.data.pictures import draw


def write_idx(path, array):
    """Write MNIST's format: two zeros, the type, the number of dimensions, the shape, the bytes."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.tobytes())


def write_fashion(folder):
    """Write 20 training and 12 test images as FashionMNIST's files, each of its label's colour."""
    for prefix, count in (("train", 20), ("t10k", 12)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        pixels = np.repeat(labels[:, None], 28 * 28, axis=1).reshape(count, 28, 28)
        write_idx(folder / f"FashionMNIST/raw/{prefix}-images-idx3-ubyte", pixels)
        write_idx(folder / f"FashionMNIST/raw/{prefix}-labels-idx1-ubyte", labels)


@pytest.fixture
def fashion(tmp_path):
    write_fashion(tmp_path)
    return tmp_path


class Splits:
    """Works as SVHN: it takes a split, and doesn't name its classes."""

    def __init__(self, root, split="train"):
        self.count = {"train": 6, "test": 3}[split]

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return draw(index % 3, index), torch.tensor(index % 3)


class Whole(Splits):
    """Works as EuroSAT, with names as ImageNet's: it is one set, which may have to be downloaded."""

    classes = (("crane", "bird"), "drake", "kite")

    def __init__(self, root, download=False):
        super().__init__(root)
        if download:
            (Path(root) / "there").touch()
        if not (Path(root) / "there").exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it.")


SPLITS, WHOLE = f"{__name__}.Splits", f"{__name__}.Whole"
NAMES = ["a", "b", "c"]


def test_the_training_and_the_test_set_are_read_with_their_classes(fashion):
    source = TorchvisionImages("FashionMNIST")
    bank = source.load(fashion)
    assert bank.images.shape == (32, 3, 28, 28)
    assert bank.labels.tolist() == [*range(10), *range(10), *range(10), 0, 1]
    assert torch.equal(bank.images[:, 2, 9, 9].long(), bank.labels)
    assert (len(bank.train_ids), bank.test_ids.tolist()) == (20, list(range(20, 32)))
    assert bank.classes.names == tuple(datasets.FashionMNIST.classes) == source.classes(fashion).names
    assert bank.human is None
    resized = TorchvisionImages("torchvision.datasets.FashionMNIST", size=32).load(fashion)
    assert resized.images.shape[2:] == (32, 32)
    assert list(bank.files) == ["FashionMNIST"]
    assert list(bank.files.values()) != list(resized.files.values())


def test_human_labels_of_the_test_set_are_given_by_row(fashion):
    np.save(fashion / "counts.npy", np.full((12, 10), 3))
    bank = TorchvisionImages("FashionMNIST", human_labels=fashion / "counts.npy").load(fashion)
    assert torch.equal(bank.human[20:], torch.full((12, 10), 0.1))
    assert torch.equal(bank.human[:20], bank.hard_labels[:20])


def test_splits_and_names_of_classes_can_be_given(tmp_path):
    bank = TorchvisionImages(SPLITS, NAMES).load(tmp_path)
    assert (len(bank.train_ids), len(bank.test_ids), bank.classes.names) == (6, 3, ("a", "b", "c"))
    swapped = TorchvisionImages(SPLITS, NAMES, train={"split": "test"}, test={"split": "train"}).load(tmp_path)
    assert (len(swapped.train_ids), len(swapped.test_ids)) == (3, 6)


def test_what_the_data_folder_lacks_is_downloaded_only_if_asked(tmp_path):
    with pytest.raises(DataError, match=r"Whole can't be read from .*Dataset not found.*`download: true`"):
        TorchvisionImages(WHOLE).load(tmp_path)
    bank = TorchvisionImages(WHOLE, download=True).load(tmp_path)
    assert bank.classes.names == ("crane", "drake", "kite")
    assert len(TorchvisionImages(WHOLE).load(tmp_path).train_ids) == 3  # of six, one of two of each class


@pytest.mark.parametrize(
    ("dataset", "options", "said"),
    [
        ("FashionMnist", {}, "no data set 'FashionMnist': did you mean FashionMNIST"),
        ("nowhere.Images", {}, "no data set 'nowhere.Images'"),
        (SPLITS, {}, "Splits doesn't name its classes: list them in `class_names`"),
        (SPLITS, {"class_names": ["a", "A", "b"]}, "'a' and 'A' differ in case at most"),
        (SPLITS, {"class_names": ["a", "b"]}, "Splits has label 2, and 2 classes: labels are 0 to 1"),
        (SPLITS, {"class_names": [*NAMES, "d"]}, "Splits has no training images of d"),
        (SPLITS, {"class_names": NAMES, "train": {"part": "x"}}, r"Splits rejects its arguments \{'part': 'x'\}"),
    ],
)
def test_what_can_not_be_read_is_named(tmp_path, dataset, options, said):
    with pytest.raises(InputError, match=said):
        TorchvisionImages(dataset, **options).load(tmp_path)
