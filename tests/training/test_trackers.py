import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from matplotlib.image import imread

from hml.cli import main
from hml.training.result import read_result

QUICK = ["--config", "sep_conf", "--config", "demo", "--trainer.max_epochs", "1", "--data.images.num_train", "60"]
QUICK += ["--data.images.num_test", "33", "--data.mixed.images_per_pair", "1", "--calibration.bin_size", "10"]
FIGURES = ["mixed images", "test/fgsm", "test/reliability"]
CHOICES = {"scheme": "sep_conf", "seed": 3, "data/strategy/init_args/gamma": 0.005, "trainer/max_epochs": 1}


def fit(tmp_path, monkeypatch, *flags):
    """Run `hml fit` with a tracker, and return the run's result."""
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *QUICK, "--seed", "3", *flags]) == 0
    return read_result(tmp_path / "lightning_logs/sep_conf/version_0")


def test_csv_files_hold_recipe_metrics_and_figures(tmp_path, monkeypatch):
    result = fit(tmp_path, monkeypatch, "--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "csv")
    (folder,) = Path("csv/lightning_logs").iterdir()
    choices = yaml.safe_load((folder / "hparams.yaml").read_text())
    assert {name: choices[name] for name in CHOICES} == CHOICES
    header, *rows = (line.split(",") for line in (folder / "metrics.csv").read_text().splitlines())
    last = dict(zip(header, rows[-1], strict=True))
    assert float(last["test/cross_entropy"]) == pytest.approx(result.metrics["test/cross_entropy"], rel=1e-6)
    for name in FIGURES:
        assert imread(folder / "figures" / f"{name}.png").shape[1] > 200


@pytest.mark.filterwarnings("default")  # of its database
def test_mlflow_holds_recipe_metrics_and_figures(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="MLflow isn't installed: pip install 'hml[trackers]'")
    address = "sqlite:///mlflow.db"
    result = fit(tmp_path, monkeypatch, "--trainer.logger", "MLFlowLogger", "--trainer.logger.tracking_uri", address)
    database = sqlite3.connect("mlflow.db")
    choices = dict(database.execute("select key, value from params"))
    assert {name: choices[name] for name in CHOICES} == {name: str(value) for name, value in CHOICES.items()}
    metrics = dict(database.execute("select key, value from metrics"))
    assert metrics["test/cross_entropy"] == pytest.approx(result.metrics["test/cross_entropy"], rel=1e-6)
    (artifacts,) = Path("mlruns").glob("*/*/artifacts")
    for name in FIGURES:
        assert imread(artifacts / f"{name}.png").shape[1] > 200
    database.close()


@pytest.mark.filterwarnings("default")
def test_weights_and_biases_holds_recipe_metrics_and_figures(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="Weights & Biases isn't installed: pip install 'hml[trackers]'")
    monkeypatch.setenv("WANDB_SILENT", "true")
    flags = ["--trainer.logger", "WandbLogger", "--trainer.logger.offline", "true", "--trainer.logger.save_dir", "wb"]
    monkeypatch.chdir(tmp_path)
    # In a process of its own: the record is whole when that ends.
    subprocess.run([sys.executable, "-m", "hml", "fit", *QUICK, *flags], check=True, capture_output=True)
    (run,) = Path("wb/wandb").glob("offline-run-*")
    (record,) = run.glob("*.wandb")
    content = record.read_bytes()
    for word in ("sep_conf", "data/strategy/init_args/gamma", "test/cross_entropy"):
        assert word.encode() in content
    pictures = [str(path.relative_to(run / "files/media/images")) for path in run.rglob("*.png")]
    for name in FIGURES:
        assert any(picture.startswith(f"{name}_") for picture in pictures)
