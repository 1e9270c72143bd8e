"""Fixtures for all tests: the real data where it is, and a tiny made-up data set."""

import gc
import os
import shutil
from pathlib import Path

import pytest

# Tests run in one process per core: what they start takes a thread each, or all would wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What is imported stays until the end: looking it through for garbage takes a fifth of importing, and of many tests.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers():
    """One process more than cores, since a third of the time is spent on waiting for servers, browsers and runs."""
    return (os.cpu_count() or 1) + 1


REAL_FILES = (
    "cifar10h-counts.npy",
    "hmix_infer_mixing_factor.csv",
    "test_indices.npy",
    "train_indices.npy",
)


@pytest.fixture(scope="session")
def data_dir():
    """The folder of the real data, or a skip that says why."""
    if not (folder := os.environ.get("HML_DATA_DIR")):
        pytest.skip("HML_DATA_DIR is not set: the real data are needed, which `hml download` fetches")
    if missing := [name for name in REAL_FILES if not (Path(folder) / name).exists()]:
        pytest.skip(f"HML_DATA_DIR={folder} lacks {', '.join(missing)}, which `hml download` fetches")
    if not any((Path(folder) / name).exists() for name in ("cifar10_test.npz", "cifar-10-python.tar.gz")):
        pytest.skip(f"HML_DATA_DIR={folder} lacks CIFAR-10's images, which `hml download` fetches")
    return Path(folder)


@pytest.fixture(scope="session")
def other_tasks(data_dir):
    """The folder of the real data, where it has H-Mix's other tasks."""
    names = (
        "hmix_construct_midpoint.csv",
        "hmix_select_shuffled_midpoint.csv",
        "hmix_categorical_soft_labels.csv",
    )
    if missing := [name for name in names if not (data_dir / name).exists()]:
        pytest.skip(f"HML_DATA_DIR={data_dir} lacks {', '.join(missing)}, which `hml download` fetches")
    return data_dir


@pytest.fixture(scope="session")
def authors_summary(data_dir):
    """Find the authors' own summary of some of their data, by its name, to check hml's reading of them against."""

    def find(name):
        if not (path := data_dir / name).exists():
            pytest.skip(f"{path} is missing: hml doesn't need it; it is in cambridge-mlg/hill-mixup, folder h_mix")
        return path

    return find


@pytest.fixture
def tiny():
    """Make data modules of 60 textures to train on, 33 to evaluate on, and 45 mixed ones."""
    from hml.data import DemoImages, DemoMixes, HMixDataModule
    from hml.labels import MixupLabels

    def make(strategy=None, **options):
        options = {"images": DemoImages(60, 33), "mixed": DemoMixes(images_per_pair=1), "batch_size": 16} | options
        module = HMixDataModule(strategy or MixupLabels(), **options)
        module.setup("fit")
        return module

    return make


@pytest.fixture(scope="session")
def make_example():
    """Make an image of Cat (3) and Dog (5) that people answered (lambda_h, omega) about."""
    import torch

    from hml.judgements import Endpoint, Judgement, Stimulus
    from hml.labels import MixedExample

    def make(*answers, lambda_f=0.5, classes=(3, 5), num_classes=10):
        stimulus = Stimulus("mixed_0.5_Cat_1_Dog_2.png", lambda_f, (Endpoint(1, classes[0]), Endpoint(2, classes[1])))
        judgements = [Judgement(stimulus, f"person{i}", *answer) for i, answer in enumerate(answers)]
        return MixedExample(stimulus, judgements, torch.zeros(3, 32, 32), num_classes)

    return make


@pytest.fixture(scope="session")
def chromium():
    """The path of a browser, to look at pages with; where there is none tests skip, which CI must not."""
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        assert not os.environ.get("CI"), "CI has no chromium: .ci/run installs it"
        pytest.skip("there is no chromium to look at the page with (Debian: apt-get install chromium)")
    return path


@pytest.fixture
def without_drawing(monkeypatch):
    """Make every figure a single pixel, in files and in TensorBoard."""
    from tests.drawing import skip_drawing

    skip_drawing(monkeypatch)


@pytest.fixture
def classifier():
    """A linear classifier of 32 × 32 images."""
    import torch
    from torch import nn

    from hml.training.classifier import Classifier

    torch.manual_seed(0)
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)))


@pytest.fixture
def make_trainer(tmp_path):
    """Make a Trainer on the CPU that prints and saves nothing."""
    from lightning.pytorch.loggers import TensorBoardLogger

    from tests.training import fitting

    def make(*callbacks, tensorboard=False, **kwargs):
        logger = TensorBoardLogger(tmp_path, name="run", default_hp_metric=False) if tensorboard else False
        return fitting.make_trainer(tmp_path, *callbacks, logger=logger, **kwargs)

    return make
