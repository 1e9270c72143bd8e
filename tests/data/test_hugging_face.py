import sys

import numpy as np
import pytest
import torch

from hml.data import HuggingFaceImages
from hml.errors import InputError
from tests.data.pictures import draw

NAMES = ["benign", "T-shirt/top", "Ünklar"]


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face's datasets: pip install 'hml[hf]'")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return datasets


@pytest.fixture
def make(datasets):
    def make(count, label=None, columns=("image", "label"), names=NAMES):
        label = label or datasets.ClassLabel(names=names)
        labels = [number % 3 for number in range(count)]
        labels = [NAMES[each] for each in labels] if label.dtype == "string" else labels
        pictures = [draw(number % 3, number) for number in range(count)]
        features = datasets.Features(dict(zip(columns, (datasets.Image(), label), strict=True)))
        return datasets.Dataset.from_dict(dict(zip(columns, (pictures, labels), strict=True)), features)

    return make


def check(bank, num_train, num_test):
    assert bank.images.shape == (num_train + num_test, 3, 12, 16)
    order = [*range(num_train), *range(num_test)]
    assert bank.labels.tolist() == [number % 3 for number in order]
    assert bank.images[:, :2, 3, 3].tolist() == [[80 * (number % 3) + 10, number] for number in order]
    assert bank.classes.names == tuple(NAMES)


def test_a_saved_data_set_is_read(datasets, make, tmp_path):
    datasets.DatasetDict({"train": make(9), "test": make(6)}).save_to_disk(tmp_path / "saved")
    source = HuggingFaceImages(tmp_path / "saved")
    bank = source.load(tmp_path)
    check(bank, 9, 6)
    assert bank.test_ids.tolist() == list(range(9, 15))
    assert source.classes(tmp_path) == bank.classes
    assert list(bank.files) == ["saved"]
    assert bank.human is None
    np.save(tmp_path / "counts.npy", np.ones((6, 3)))
    people = HuggingFaceImages(tmp_path / "saved", human_labels=tmp_path / "counts.npy").load(tmp_path)
    assert torch.equal(people.human[9:], torch.full((6, 3), 1 / 3))


def test_a_data_set_without_a_test_split_is_split(make, tmp_path):
    make(15).save_to_disk(tmp_path / "saved")
    bank = HuggingFaceImages(tmp_path / "saved").load(tmp_path)
    check(bank, 15, 0)
    assert bank.labels[bank.test_ids].bincount().tolist() == [1, 1, 1]


def test_parquet_files_are_read_as_the_hub_has_them(make, tmp_path):
    (tmp_path / "hub/data").mkdir(parents=True)
    columns = ("img", "fine_label")
    make(9, columns=columns).to_parquet(tmp_path / "hub/data/train-00000-of-00001.parquet")
    make(6, columns=columns).to_parquet(tmp_path / "hub/data/validation-00000-of-00001.parquet")
    options = {"image": "img", "label": "fine_label"}
    bank = HuggingFaceImages(tmp_path / "hub", test="validation", **options).load(tmp_path)
    check(bank, 9, 6)
    assert len(bank.test_ids) == 6
    check(HuggingFaceImages(tmp_path / "hub/data/train-00000-of-00001.parquet", **options).load(tmp_path), 9, 0)


def test_labels_may_be_words_or_named_numbers(datasets, make, tmp_path):
    make(9, label=datasets.Value("string")).save_to_disk(tmp_path / "words")
    bank = HuggingFaceImages(tmp_path / "words").load(tmp_path)
    assert bank.classes.names == ("T-shirt/top", "benign", "Ünklar")
    assert bank.labels[:3].tolist() == [1, 0, 2]
    make(9, label=datasets.Value("int64")).save_to_disk(tmp_path / "numbers")
    check(HuggingFaceImages(tmp_path / "numbers", class_names=NAMES).load(tmp_path), 9, 0)
    with pytest.raises(InputError, match=r"column 'label' of .* doesn't name its classes"):
        HuggingFaceImages(tmp_path / "numbers").load(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"train": "training"}, "has no split 'training', but train, test: choose by `train` and `test`"),
        ({"image": "picture"}, "has no column 'picture', but image, label: choose by `image`"),
        ({"label": "image", "image": "label", "class_names": NAMES}, "15 of 15 images can't be used: image 0"),
        ({"class_names": NAMES[:2]}, "saved has label 2, and 2 classes"),
    ],
)
def test_splits_and_columns_that_do_not_exist_are_named(datasets, make, tmp_path, options, said):
    datasets.DatasetDict({"train": make(9), "test": make(6)}).save_to_disk(tmp_path / "saved")
    with pytest.raises(InputError, match=said):
        HuggingFaceImages(tmp_path / "saved", **options).load(tmp_path)


def test_a_folder_without_a_data_set_is_named(datasets, tmp_path):
    with pytest.raises(InputError, match=r"There is no data set .*none.*hf download"):
        HuggingFaceImages(tmp_path / "none").load(tmp_path)
    (tmp_path / "own").mkdir()
    with pytest.raises(InputError, match="own can't be read as a data set"):
        HuggingFaceImages(tmp_path / "own").load(tmp_path)


def test_a_missing_package_is_named_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r"needs Hugging Face's datasets: pip install 'hml\[hf\]'"):
        HuggingFaceImages(tmp_path).load(tmp_path)
