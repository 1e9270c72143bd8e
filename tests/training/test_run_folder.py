import inspect
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from jsonargparse import ArgumentParser
from lightning.pytorch import Trainer

from hml.training.run_folder import make_folder
from hml.training.trainer import RunTrainer


def test_folders_are_numbered_after_the_last(tmp_path):
    parent = tmp_path / "lightning_logs" / "sep"
    assert make_folder(parent) == parent / "version_0"
    for name in ("version_7", "version_x", "version_9x", "other_8"):
        (parent / name).mkdir()
    assert make_folder(parent) == parent / "version_8"


def test_no_two_runs_get_the_same_folder(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        folders = list(threads.map(make_folder, [tmp_path] * 40))
    assert sorted(folders) == sorted(tmp_path / f"version_{number}" for number in range(40))


def test_a_trainer_writes_into_its_folder_and_never_into_the_working_directory(tmp_path):
    trainer = RunTrainer(accelerator="cpu", logger=False)
    trainer.parent = tmp_path
    assert trainer.log_dir is None
    assert trainer.default_root_dir == str(tmp_path)
    trainer.folder = tmp_path / "version_0"
    assert trainer.log_dir == trainer.default_root_dir == str(tmp_path / "version_0")


SILENT = dict.fromkeys(("logger", "enable_progress_bar", "enable_checkpointing", "enable_model_summary"), False)
AMOUNTS = [
    name
    for name, parameter in inspect.signature(Trainer).parameters.items()
    if {"int", "float"} <= set(re.findall(r"\w+", str(parameter.annotation)))
    and name != "gradient_clip_val"  # where 1 and 1.0 are the same
]


@pytest.fixture(scope="module")
def trainers_parser():
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(RunTrainer, "trainer")
    return parser


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("written", ["1", "2", "1.0", "0.5"])
def test_a_number_of_batches_is_an_integer_and_a_share_a_fraction(name, written, trainers_parser):
    parsed = trainers_parser.parse_args([f"--trainer.{name}={written}"]).trainer[name]
    assert str(parsed) == written


def test_one_batch_is_what_the_trainer_trains_on(tiny, classifier):
    trainer = RunTrainer(accelerator="cpu", limit_train_batches=1, limit_val_batches=0, max_epochs=1, **SILENT)
    trainer.fit(classifier, datamodule=tiny())
    assert trainer.global_step == 1
