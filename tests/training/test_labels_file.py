import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import hml.labels
from hml.cli import main
from hml.data import DemoImages, DemoMixes, HMixDataModule
from hml.files.sealed import hash_file
from hml.labels import SeparateLabels, label_checked

DATA = ["--data.images", "DemoImages", "--data.images.num_train", "60", "--data.images.num_test", "33"]
DATA += ["--data.mixed", "DemoMixes", "--data.mixed.images_per_pair", "1"]


@pytest.fixture(scope="module")
def data():
    module = HMixDataModule(SeparateLabels(0.005), images=DemoImages(60, 33), mixed=DemoMixes(1))
    module.setup("fit")
    return module


def test_every_label_is_written_as_the_strategy_gives_it(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    assert main(["labels", "--config", "sep_conf", *DATA, "--out", "labels.npz"]) == 0
    assert main(["labels", "--strategy", "SeparateLabels", "--strategy.gamma", "0.005", *DATA, "--out", "a.csv"]) == 0
    expected = torch.cat([label_checked(data.strategy, example).float() for example in data.examples]).numpy()
    arrays, table = np.load("labels.npz"), pd.read_csv("a.csv")
    assert np.array_equal(arrays["soft_labels"], expected)
    np.testing.assert_allclose(table.iloc[:, 6:].to_numpy(), expected, rtol=1e-6)
    assert [f"p_{name}" for name in data.bank.classes] == list(table.columns[6:])
    assert arrays["classes"].tolist() == list(data.bank.classes)
    example = data.examples[int(arrays["image"][-1])]
    of_last = {name: arrays[name][arrays["image"][-1]] for name in ("filename", "id_1", "id_2", "lambda_f", "class_1")}
    first, second = example.stimulus.endpoints
    known = (example.stimulus.filename, first.image_id, second.image_id, example.lambda_f)
    assert tuple(of_last[name] for name in ("filename", "id_1", "id_2", "lambda_f")) == known
    assert of_last["class_1"] == data.bank.classes[first.label] == table["class_1"].iloc[-1]
    provenance = json.loads(Path("labels.npz.provenance.json").read_text())
    assert provenance["scheme"] == "sep_conf"
    assert provenance["sha256"] == hash_file(Path("labels.npz"))
    assert (provenance["images"], provenance["labels"]) == (len(data.examples), len(expected))
    assert provenance["data"]["mixed_images"] == len(data.examples)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--config", "sep", "--out", "labels.txt"], "--out labels.txt: give a file that ends in .csv, .npz"),
        (["--config", "sep"], "--out is missing: give a file"),
        (["--config", "mixup_fly", *DATA[:6], "--out", "labels.csv"], "no mixed images to label"),
        (["--strategy", "SeparateLabel", "--out", "labels.csv"], "Did you mean SeparateLabels"),
        (["--config", "sep", "--out", "labels.csv", "--outt", "x"], "outt"),
    ],
)
def test_mistakes_are_rejected_and_nothing_is_written(tmp_path, monkeypatch, capsys, flags, said):
    monkeypatch.chdir(tmp_path)
    assert main(["labels", *flags]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_error_in_a_users_strategy_names_its_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "from hml.labels import MixupLabels\nclass Mine(MixupLabels):\n"
    Path("hasty.py").write_text(code + "    def label(self, example):\n        return open('no.txt')\n")
    assert main(["labels", "--strategy", "hasty.Mine", *DATA, "--out", "labels.csv"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("hml: FileNotFoundError: [Errno 2] No such file or directory: 'no.txt'\n")
    assert said.endswith("hasty.py, line 4, in label: return open('no.txt')\n")
    assert not Path("labels.csv").exists()


def test_the_guides_loader_trains_plain_pytorch_on_the_file(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    assert main(["labels", "--config", "sep_conf", *DATA, "--out", "labels.npz"]) == 0
    guide = Path(hml.labels.__file__).with_name("README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import numpy.*?)```", guide, re.DOTALL)
    names = {}
    exec(code, names)
    dataset = names["MixedImages"]("labels.npz", data.bank.images)
    image, soft_label = dataset[7]
    example = data.examples[int(np.load("labels.npz")["image"][7])]
    torch.testing.assert_close(image, example.image)
    assert len(dataset) == 3 * len(data.examples)
    assert soft_label.sum().item() == pytest.approx(1, abs=1e-5)
