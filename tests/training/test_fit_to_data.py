"""Networks and checkpoints follow the data's classes, image size and channels, or are rejected before training."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from hml.cli import main
from hml.data import DemoImages, DemoMixes, HMixDataModule
from hml.data.images import CIFAR10_NORMALIZATION
from hml.errors import InputError
from hml.evaluation.callbacks import Calibration
from hml.files.sealed import write_sealed
from hml.labels import NoMixed
from hml.models import PreActResNet18
from hml.training.checkpoints import read_checkpoint
from hml.training.classifier import Classifier
from tests.three_classes import NAMES, FixedSize, Linear, ThreeClasses
from tests.training.fitting import make_trainer

HERE = "tests.three_classes"
FIT = [
    *("--config", "regular", "--config", "demo", "--data.images", f"{HERE}.ThreeClasses"),
    *("--trainer.max_epochs", "1", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"),
    *("--calibration.bin_size", "10", "--data.batch_size", "16", "--data.mixed.images_per_pair", "1", "--threads", "1"),
]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch, without_drawing):
    monkeypatch.chdir(tmp_path)


def fit(*flags):
    return main(["fit", *FIT, *flags])


def rejected(capsys, *args):
    """Return what `hml fit` says to standard error, having made no run folder."""
    capsys.readouterr()
    assert fit(*args) == 2
    assert not Path("lightning_logs").exists()
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said[said.index("hml: ") :]


def recipe_of(folder):
    return json.loads((Path(folder) / "metrics.json").read_text())["recipe"]["model"]["network"]


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        (["hml.models.PreActResNet18", "--model.network.width", "2"], "init_args"),
        ([f"{HERE}.Linear"], "init_args"),
        (["torchvision.models.squeezenet1_1", "--model.network.weights", "null"], "init_args"),
        ([f"{HERE}.create_model", "--model.network.model_name", "linear"], "dict_kwargs"),
    ],
    ids=["PreAct", "required argument", "torchvision's function", "function with **kwargs"],
)
def test_outputs_of_any_network_follow_the_data(flags, place):
    assert fit("--run_folder", "run", "--model.network", *flags) == 0
    assert recipe_of("run")[place]["num_classes"] == 3
    saved = yaml.safe_load(Path("run/config.yaml").read_text())["model"]["network"]
    assert saved[place]["num_classes"] == 3
    assert fit("--run_folder", "again", "--config", "run/config.yaml", "--run_folder", "again") == 0
    assert recipe_of("again") == recipe_of("run")


def test_print_config_has_the_number_of_outputs(capsys):
    with pytest.raises(SystemExit):
        fit("--model.network.width", "2", "--print_config")
    assert yaml.safe_load(capsys.readouterr().out)["model"]["network"]["init_args"]["num_classes"] == 3


def test_print_config_needs_no_data(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--print_config"])  # without the strategy, which is required
    assert stop.value.code == 0
    assert "num_classes: 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("network", "remedy"),
    [
        (["--model.network.num_classes", "10"], "set --model.network.num_classes 3"),
        (
            [
                *(f"--model.network={HERE}.create_model", "--model.network.model_name=linear"),
                "--model.network.dict_kwargs.num_classes=10",
            ],
            "set --model.network.dict_kwargs.num_classes 3",
        ),
        ([f"--model.network={HERE}.TenLogits"], "use a --model.network with 3 outputs"),
    ],
)
def test_another_number_of_outputs_is_rejected_with_the_remedy(capsys, network, remedy):
    assert f"returns 10 logits, but the data have 3 classes: {remedy}." in rejected(capsys, *network)


def test_an_image_size_that_a_network_cannot_take_is_rejected(capsys):
    said = rejected(capsys, f"--model.network={HERE}.FixedSize")
    assert "FixedSize can't process images of 24 × 24 pixels: torch: mat1 and mat2 shapes cannot be multiplied" in said


def test_outputs_that_are_no_logits_are_rejected(capsys):
    assert "returns tuple, not one tensor of logits" in rejected(capsys, f"--model.network={HERE}.TwoOutputs")


def test_weights_for_other_classes_are_rejected_in_torchvisions_words(capsys):
    said = rejected(capsys, "--model.network=torchvision.models.resnet18", "--model.network.weights=DEFAULT")
    assert "expected value 1000 but got 3 instead. Omit the weights" in said


def test_the_check_moves_no_weights_modes_or_random_numbers():
    bank = ThreeClasses().load(Path())
    classifier = Classifier(PreActResNet18(3, width=2))
    classifier.network.stages.eval()
    modes = [module.training for module in classifier.modules()]
    before = {name: value.clone() for name, value in classifier.network.state_dict().items()}
    random = torch.get_rng_state()
    classifier.adapt(bank)
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in classifier.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in classifier.network.state_dict().items())


def test_pixels_are_normalised_by_the_training_images():
    bank = ThreeClasses().load(Path())
    classifier = Classifier(Linear(3))
    classifier.adapt(bank)
    pixels = bank.images[bank.train_ids].double() / 255
    torch.testing.assert_close(classifier.normalise.mean.flatten().double(), pixels.mean((0, 2, 3)), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        classifier.normalise.std.flatten().double(), pixels.std((0, 2, 3), correction=0), atol=1e-6, rtol=0
    )
    image = torch.rand(2, 3, 24, 24)
    by_hand = torch.stack(
        [(image[:, i] - classifier.normalise.mean[0, i]) / classifier.normalise.std[0, i] for i in range(3)], dim=1
    )
    torch.testing.assert_close(classifier.eval()(image), classifier.network(by_hand))


def test_the_demo_is_normalised_as_cifar10():
    classifier = Classifier(FixedSize(10))
    classifier.adapt(DemoImages(60, 33).load(Path()))
    assert (classifier.normalise.mean.flatten().tolist(), classifier.normalise.std.flatten().tolist()) == tuple(
        torch.tensor(part).tolist() for part in CIFAR10_NORMALIZATION
    )


def test_a_given_mean_and_std_take_precedence_and_are_saved():
    flags = ["--model.mean", "[0.5, 0.4, 0.3]", "--model.network.width", "2", "--run_folder", "run"]
    assert fit(*flags) == 0
    state = read_checkpoint(Path("run/checkpoints/last.ckpt"))["state_dict"]
    assert state["normalise.mean"].flatten().tolist() == pytest.approx([0.5, 0.4, 0.3])
    assert state["normalise.std"].shape == (1, 3, 1, 1)
    assert float(state["normalise.std"][0, 0]) != 1


@pytest.mark.parametrize("options", [{"mean": [0.5]}, {"std": [1, 0, 1]}, {"std": [1, 1, float("nan")]}])
def test_a_mean_or_std_that_cannot_be_is_rejected(options):
    with pytest.raises(InputError, match=f"model.{next(iter(options))}="):
        Classifier(Linear(3), **options)


def test_a_checkpoint_keeps_what_it_was_trained_with(tmp_path):
    data = HMixDataModule(NoMixed(), ThreeClasses(), DemoMixes(images_per_pair=0), batch_size=16)
    trained = Classifier(Linear(3), mean=[0.1, 0.2, 0.3])
    trainer = make_trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    trainer.fit(trained, datamodule=data)
    trainer.save_checkpoint("own.ckpt")
    assert torch.load("own.ckpt", weights_only=True)["hml"]["classes"] == list(NAMES)
    loaded = Classifier.load_from_checkpoint("own.ckpt", network=Linear(3), weights_only=True)
    make_trainer(tmp_path, Calibration(10)).test(loaded, datamodule=data, verbose=False)
    assert torch.equal(loaded.normalise.mean, trained.normalise.mean)


@pytest.fixture
def checkpoint():
    assert fit("--model.network.width", "2", "--run_folder", "run", "--scheme", "regular") == 0
    return "run/checkpoints/last.ckpt"


def test_a_checkpoint_of_other_classes_is_rejected_by_every_verb(checkpoint, capsys):
    others = ["benign", "ankle_boot 2", "T-shirt/top"]
    flags = [*FIT, "--model.network.width", "2", "--data.val_size", "4", "--ckpt_path", checkpoint]
    told = "class 1 is 'T-shirt/top' for the network and 'ankle_boot 2' in the data"
    for verb in ("test", "validate", "predict", "fit"):
        capsys.readouterr()
        assert main([verb, *flags, "--data.images.names", json.dumps(others)]) == 2
        assert told in capsys.readouterr().err
    assert main(["test", *flags, "--data.images.names", json.dumps(others[:2])]) == 2
    assert "trained on 3 classes, the data have 2" in capsys.readouterr().err
    assert main(["test", *flags]) == 0


def test_a_checkpoint_without_its_classes_is_rejected_in_a_sentence(checkpoint, capsys):
    old = read_checkpoint(Path(checkpoint))
    del old["hml"]["classes"], old["state_dict"]["normalise.mean"], old["state_dict"]["normalise.std"]
    write_sealed(Path("old.ckpt"), old)
    assert main(["test", *FIT, "--model.network.width", "2", "--ckpt_path", "old.ckpt"]) == 2
    said = capsys.readouterr().err
    assert "lacks the class names, or the mean and std of the pixels" in said


def test_table1_runs_on_three_classes_and_names_the_truth(capsys):
    flags = [*FIT[2:], "--model.network.width", "2"]
    assert main(["table1", "--schemes", "regular", "mixup", "--seeds", "0", "--root", "table", *flags]) == 0
    assert recipe_of("table/mixup/seed_0")["init_args"]["num_classes"] == 3
    told = capsys.readouterr().out
    assert "Predictions are compared: CE, Calib, FGSM, accuracy with true class." in told
    assert "Calibration errors are in bins of 10 images." in told
    saved = json.loads(Path("table/mixup/seed_0/metrics.json").read_text())
    assert set(saved["truth"].values()) == {"true class"}
    assert saved["bin_size"]["test/rms_calibration"] == 10
