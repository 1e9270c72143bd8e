"""`Report`: collects a run's result, writes it to metrics.json and TensorBoard, and prints its row."""

import dataclasses
import math
import platform
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import numpy
import torch
import torchmetrics
import torchvision
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from typing_extensions import override

import hml
from hml.choices import flatten
from hml.data import HMixDataModule
from hml.errors import NonFiniteLossError
from hml.evaluation.callbacks import find_tensorboards
from hml.evaluation.figures import mixed_grid
from hml.evaluation.paper import COLUMNS, PAPER_MIXED_IMAGES, PAPER_TABLE, is_on_hmix
from hml.evaluation.result import TRAINING, RunResult, Training, measure_training, write_result

_PICTURES = 18


class Report(Callback):
    """Writes `metrics.json` last and whole, so that a run which has one is done.

    Args:
        scheme: What the run is called.
        seed: Its seed.
        recipe: Every choice that made it.
    """

    def __init__(self, scheme: str, seed: int, recipe: Mapping[str, Any]) -> None:
        self.scheme = scheme
        self.seed = seed
        self.recipe = recipe
        self._started = 0.0
        self._before = 0.0  # seconds that a run which goes on has trained already
        self._seconds: dict[str, float | None] = {"fit": None, "test": None}
        self._validation: dict[str, float] = {}
        self._training: Training | None = None  # of the weights that are tested

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._started = time.perf_counter()
        data: HMixDataModule = trainer.datamodule  # type: ignore[attr-defined]
        for tensorboard in find_tensorboards(trainer) if data.examples else []:
            # Spread over the set, so that more than one class pair and lambda_f is seen.
            chosen = numpy.linspace(0, len(data.examples) - 1, _PICTURES).astype(int).tolist()
            figure = mixed_grid([data.examples[i] for i in dict.fromkeys(chosen)])
            tensorboard.experiment.add_figure("mixed images", figure)

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

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seconds["test"] = round(time.perf_counter() - self._started, 3)
        folder = trainer.log_dir  # every rank must ask, since the first one tells the others
        metrics = _metrics(trainer) | self._validation
        if not math.isfinite(metrics.get("test/cross_entropy", 0.0)):  # the same on every rank
            raise NonFiniteLossError(
                f"test/cross_entropy is {metrics['test/cross_entropy']}, though the training loss was finite: training "
                "has diverged. Try a lower --model.optimizer.lr."
            )
        if not trainer.is_global_zero or trainer.fast_dev_run or folder is None:  # type: ignore[attr-defined]
            return
        for tensorboard in find_tensorboards(trainer):
            choices = flatten({"scheme": self.scheme, "seed": self.seed, **self.recipe})
            tensorboard.log_hyperparams(choices, metrics, step=trainer.global_step)
        data = trainer.datamodule.provenance  # type: ignore[attr-defined]
        result = RunResult(
            scheme=self.scheme,
            seed=self.seed,
            metrics=metrics,
            training=self._training,
            recipe=self.recipe,
            data=data,
            versions=_versions(pl_module.device),
            compiled=bool(pl_module.compiled),
            processes=trainer.world_size,
            threads=torch.get_num_threads(),
            seconds=self._seconds,
        )
        for logger in trainer.loggers:
            logger.save()  # a run with metrics.json is done: what it logged is on disk by then
        path = write_result(Path(folder), result)
        # The paper's figures belong beside its own data only.
        is_papers = is_on_hmix(data) and data["mixed_images"] == PAPER_MIXED_IMAGES
        print(_table(_name_row(result), self.scheme, metrics, is_papers), f"\n{path}")


def _metrics(trainer: Trainer) -> dict[str, float]:
    """Return what was logged last, by name."""
    return {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}


def _name_row(result: RunResult) -> str:
    trained = f", {result.training}" if result.training else ""
    return f"{result.scheme}, seed {result.seed}{trained}"


def _table(name: str, scheme: str, metrics: Mapping[str, float], beside_paper: bool) -> str:
    """Lay the run's row out, beside the paper's where there is one."""
    rows = [("", *COLUMNS), (name, *(f"{metrics[column]:.3f}" for column in COLUMNS.values()))]
    if beside_paper and (paper := PAPER_TABLE.get(scheme)):
        theirs = (f"{paper[column]:.2f}" if column in paper else "–" for column in COLUMNS)
        rows.append(("paper, 65 epochs, mean of 5 seeds", *theirs))
    first = max(len(row[0]) for row in rows)
    return "\n" + "\n".join(row[0].ljust(first) + "".join(cell.rjust(10) for cell in row[1:]) for row in rows) + "\n"


def _versions(device: torch.device) -> dict[str, str]:
    is_cuda = device.type == "cuda"
    return {
        "hml": hml.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "lightning": lightning.__version__,
        "torchmetrics": torchmetrics.__version__,
        "numpy": numpy.__version__,
        "device": torch.cuda.get_device_name(device) if is_cuda else _cpu(),
    }


def _commit() -> str:
    """Name the commit that hml was run from, where it is a checkout, with `-dirty` if it was changed since."""
    checkout = Path(hml.__file__).parent.parent
    if not (checkout / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, or a checkout of another user's
        return "unknown"


def _cpu() -> str:
    """Name the processor and its widest instructions."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return f"{names[0] if names else platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"
