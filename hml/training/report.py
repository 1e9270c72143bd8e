"""`Report`: collects a run's result, writes it to metrics.json and TensorBoard, and prints its row."""

import dataclasses
import json
import math
import platform
import re
import sys
import textwrap
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import lightning
import numpy
import torch
import torchmetrics
import torchvision
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn
from typing_extensions import override

import hml
from hml.data import HMixDataModule
from hml.errors import NonFiniteLossError
from hml.evaluation.callbacks import EvaluationCallback
from hml.evaluation.figures import mixed_grid
from hml.evaluation.paper import COLUMNS
from hml.evaluation.per_image import PerImage, write_per_image
from hml.evaluation.trackers import log_choices, log_figure, takes_figures
from hml.reporting.versions import find_commit
from hml.training.choices import flatten
from hml.training.recipe import Recipe
from hml.training.result import TRAINING, RunResult, Training, measure_training, write_result
from hml.training.row import format_row

T = TypeVar("T")
_PICTURES = 18
_SETTINGS = {
    "strategy": "data/strategy/class_path",
    "gamma": "data/strategy/init_args/gamma",
    "epochs": "trainer/max_epochs",
    "batch_size": "data/batch_size",
    "lr": "model/optimizer/init_args/lr",
    "network": "model/network/class_path",
    "width": "model/network/init_args/width",
}
"""The settings shown in TensorBoard's table of hyperparameters: the column's name, and the key in the recipe."""


class Report(Callback):
    """Writes `metrics.json` last and atomically, so a run that has one is finished."""

    def __init__(self, scheme: str, seed: int, recipe: Recipe) -> None:
        self.scheme = scheme
        self.seed = seed
        self.recipe = recipe
        self._started = 0.0
        self._before = 0.0  # seconds trained before a resumed run was interrupted
        self._seconds: dict[str, float | None] = {"fit": None, "test": None}
        self._validation: dict[str, float] = {}
        self._training: Training | None = None  # of the tested weights

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.perf_counter()
        data: HMixDataModule = trainer.datamodule  # type: ignore[attr-defined]
        self._log_recipe(trainer)
        if data.examples and takes_figures(trainer):
            # Spread over the set, to show several class pairs and values of lambda_f.
            chosen = numpy.linspace(0, len(data.examples) - 1, _PICTURES).astype(int).tolist()
            figure = mixed_grid(data.bank.classes, [data.examples[i] for i in dict.fromkeys(chosen)])
            log_figure(trainer, "mixed images", figure)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seconds["fit"] = self.state_dict()["seconds"]
        self._training = measure_training(trainer)

    @override
    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        checkpoint[TRAINING] = dataclasses.asdict(measure_training(trainer))

    @override
    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._training = Training(**checkpoint[TRAINING]) if TRAINING in checkpoint else None

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"seconds": round(self._before + time.perf_counter() - self._started, 3)}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before = state_dict["seconds"]

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._validation = _metrics(trainer)

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.perf_counter()
        if trainer.state.fn == TrainerFn.TESTING and self._training is None:
            self._log_recipe(trainer)

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seconds["test"] = round(time.perf_counter() - self._started, 3)
        folder = trainer.log_dir  # a broadcast: every rank must take part
        metrics = _metrics(trainer) | self._validation
        if not math.isfinite(metrics.get("test/cross_entropy", 0.0)):  # equal on all ranks
            raise NonFiniteLossError(
                f"test/cross_entropy is {metrics['test/cross_entropy']}, though the training loss was finite: training "
                "has diverged. Try a lower --model.optimizer.lr."
            )
        if not trainer.is_global_zero or trainer.fast_dev_run or folder is None:  # type: ignore[attr-defined]
            return
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                self._log_choices(logger, metrics, trainer.global_step)
        data: HMixDataModule = trainer.datamodule  # type: ignore[attr-defined]
        evaluations = [part for part in trainer.callbacks if isinstance(part, EvaluationCallback)]  # type: ignore[attr-defined]
        result = RunResult(
            scheme=self.scheme,
            seed=self.seed,
            metrics=metrics,
            training=self._training,
            recipe=self.recipe,
            data=data.provenance,
            versions=_versions(pl_module.device),
            compiled=bool(pl_module.compiled),
            processes=trainer.world_size,
            threads=torch.get_num_threads(),
            seconds=self._seconds,
            truth=_join(part.truth for part in evaluations),
            undefined=_join(part.undefined for part in evaluations),
            bin_size=_join(part.bin_size for part in evaluations),
        )
        for logger in trainer.loggers:
            logger.save()  # before metrics.json, which marks the run as finished
        images = {"test": data.bank.test_ids, "val": data.val_ids}
        write_per_image(Path(folder), PerImage.of(images, _join(part.per_image for part in evaluations)))
        path = write_result(Path(folder), result)
        legend = {f"test/{name}": text for name, text in _join(part.legend() for part in evaluations).items()}
        row = format_row(result, legend, len(data.bank.classes), getattr(sys.stdout, "encoding", None) or "utf-8")
        print(f"\n{row}\n\n{path}")

    def _log_recipe(self, trainer: Trainer) -> None:
        choices = {"scheme": self.scheme, "seed": self.seed, **flatten(self.recipe.to_json())}
        for logger in trainer.loggers:
            log_choices(logger, choices)

    def _log_choices(self, tensorboard: TensorBoardLogger, metrics: Mapping[str, float], step: int) -> None:
        """Log the main settings as hyperparameters, and the whole recipe as text."""
        figures = {name: metrics[name] for name in COLUMNS.values() if name in metrics}
        tensorboard.log_hyperparams(choose_hyperparameters(self.scheme, self.seed, self.recipe), figures, step=step)
        recipe = json.dumps(self.recipe.to_json(), indent=2)
        tensorboard.experiment.add_text("recipe", textwrap.indent(recipe, " " * 4))  # a code block in Markdown


def choose_hyperparameters(scheme: str, seed: int, recipe: Recipe) -> dict[str, str | int | float | bool]:
    """Choose the columns of TensorBoard's table of hyperparameters.

    TensorBoard sorts columns by name. The prefix of the settings puts them after scheme and seed.
    """
    choices = flatten(recipe.to_json())
    settings = {f"setting/{name}": choices[key] for name, key in _SETTINGS.items() if key in choices}
    return {"scheme": scheme, "seed": seed, **settings}


def _join(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    return {name: text for part in parts for name, text in part.items()}


def _metrics(trainer: Trainer) -> dict[str, float]:
    """Return the last logged metrics, by name."""
    return {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}


def _versions(device: torch.device) -> dict[str, str]:
    is_cuda = device.type == "cuda"
    return {
        "hml": hml.__version__,
        "commit": find_commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "lightning": lightning.__version__,
        "torchmetrics": torchmetrics.__version__,
        "numpy": numpy.__version__,
        "device": torch.cuda.get_device_name(device) if is_cuda else _cpu(),
    }


def _cpu() -> str:
    """Return the name of the CPU and its widest instruction set."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return f"{names[0] if names else platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"
