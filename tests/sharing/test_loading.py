import json
import pickle
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch

import hml
from hml.cli import main
from hml.errors import InputError
from hml.models import PreActResNet18
from hml.sharing.folder import ModelConfig
from hml.sharing.loading import make_model
from hml.training.checkpoints import read_checkpoint

IMAGES = torch.rand(7, 3, 32, 32, generator=torch.Generator().manual_seed(0))
CONFIG = ModelConfig(
    network={"class_path": "hml.models.PreActResNet18", "init_args": {"num_classes": 2, "width": 1}},
    classes=["cat", "dog"],
    image_size=[8, 8],
    mean=[0.5, 0.5, 0.5],
    std=[0.25, 0.25, 0.25],
)


def test_loaded_model_is_the_classifier_to_the_bit(run, exported):
    checkpoint = read_checkpoint(run / "checkpoints/last.ckpt")
    classifier = hml.Classifier(PreActResNet18(10, width=2))
    classifier.load_state_dict(checkpoint["state_dict"])
    model = hml.load(exported)
    with torch.no_grad():
        assert torch.equal(model(IMAGES), classifier.eval()(IMAGES))
    assert list(model.classes) == checkpoint["hml"]["classes"]
    assert not model.training


def test_weights_in_half_precision_are_computed_in_it():
    config = ModelConfig(**vars(CONFIG) | {"dtype": "bfloat16"})
    model = make_model(config, "a test names").eval()
    assert model(torch.rand(2, 3, 8, 8)).dtype == torch.bfloat16
    assert model.network.head.weight.dtype == torch.bfloat16


def test_the_guides_examples_run(run, exported, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(exported, "shared/sep_conf")
    flags = ["--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints/last.ckpt"), "--format", "npz"]
    assert main(["predict", *flags, "--run_folder", "lightning_logs/sep_conf/version_0/predict/version_0"]) == 0
    guides = (Path(hml.__file__).with_name(folder) / "README.md" for folder in ("training", "sharing"))
    text = "".join(guide.read_text(encoding="utf-8") for guide in guides)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        if "shared/sep_conf" in code or "predict/version_0" in code:
            exec(code, names)
    assert names["predicted"].shape == (33,)
    torch.testing.assert_close(names["logits"].softmax(1), names["probabilities"])


@pytest.fixture
def shared(exported, tmp_path):
    return Path(shutil.copytree(exported, tmp_path / "shared"))


def change(**parts):
    def edit(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | parts))

    return edit


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), r"config\.json is missing: hml\.load reads a folder"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json is damaged"),
        (change(format=2), "has format 2, but this hml reads format 1"),
        (change(extra=1), "has other keys"),
        (change(std=[0.2, 0.2, 0.0]), "three means and stds"),
        (change(dtype="int8"), "dtype='int8' is not one of"),
        (change(network={"class_path": "nobodys.Net"}), "the network nobodys.Net, which can't be created: .*'nobodys'"),
        (
            change(network={"class_path": "os.mkdir", "init_args": {"path": "exploded"}}),
            "the network os.mkdir, which can't be created: .*not correspond to a subclass of Module",
        ),
        (
            change(network={"class_path": "own_network.Net", "init_args": {"width": 3}}),
            r"model\.safetensors doesn't fit the network own_network\.Net: its code has changed",
        ),
        (lambda folder: (folder / "model.safetensors").unlink(), r"model\.safetensors is missing"),
        (lambda folder: (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb())), "is damaged"),
    ],
)
def test_folder_that_is_wrong_is_an_error_and_runs_no_code(spoil, said, shared, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spoil(shared)
    with pytest.raises(InputError, match=said):
        hml.load(shared)
    assert not Path("exploded").exists()


def test_network_whose_code_is_gone_names_it_and_the_program(shared, module_folder, monkeypatch):
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(module_folder)])
    monkeypatch.delitem(sys.modules, "own_network")
    with pytest.raises(
        InputError, match=r"own_network\.Net, which can't be created.*PYTHONPATH\. model\.pt2 needs no code"
    ):
        hml.load(str(shared))
