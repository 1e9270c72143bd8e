"""`RunResult`: the result of a finished run, stored in `metrics.json`. Reads and writes that file."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping

from hml.errors import InputError
from hml.files.atomic import write_atomically
from hml.files.strict_json import read_json_object
from hml.training.recipe import Recipe

RESULT = "metrics.json"
TRAINING = "hml_training"
"""A checkpoint's key for a `Training`, as a mapping."""
_DECIMALS = 3  # of epochs, which max_steps can make fractional


@dataclass(frozen=True)
class Training:
    """How long a network was trained."""

    epochs: float  # passes over the training images; the last may be partial
    steps: int  # of the optimiser
    stopped_by: str | None = None  # what ended training before `max_epochs`, or `max_steps` if that is the limit

    def __str__(self) -> str:
        """Format the epochs, such as `65 epochs` or `1.5 epochs`."""
        return f"{self.epochs:g} {'epoch' if self.epochs == 1 else 'epochs'}"


@dataclass(frozen=True)
class RunResult:
    """The result of a finished run."""

    scheme: str
    seed: int
    metrics: Mapping[str, float | None]  # as last logged, by name; None for a figure that isn't finite
    training: Training | None  # None for weights that hml didn't train
    recipe: Recipe
    data: Mapping[str, Any]  # the data module's `provenance`
    versions: Mapping[str, str]  # of the packages, and the device
    compiled: bool
    processes: int
    threads: int  # of each process, for operators on the CPU
    seconds: Mapping[str, float | None]  # by stage, fit or test
    truth: Mapping[str, str] = field(default_factory=dict)  # what each metric compares predictions with
    undefined: Mapping[str, str] = field(default_factory=dict)  # why a metric isn't finite
    bin_size: Mapping[str, int] = field(default_factory=dict)  # predictions in a bin, of metrics computed in bins


def measure_training(trainer: Trainer) -> Training:
    """Count what a Trainer has trained so far, including before a resume."""
    loop = trainer.fit_loop
    begun, batches = loop.epoch_progress.current.ready, loop.epoch_loop.batch_progress.current.ready
    share = batches / trainer.num_training_batches if begun and trainer.num_training_batches else 0.0
    epochs = round(max(0, begun - 1) + share, _DECIMALS)
    return Training(epochs, trainer.global_step, _name_stop(trainer, epochs))


def _name_stop(trainer: Trainer, epochs: float) -> str | None:
    limit = trainer.max_epochs if trainer.max_epochs is not None else -1  # Lightning's "no limit"
    if 0 <= limit <= epochs:
        return None
    if 0 <= trainer.max_steps <= trainer.global_step:
        return f"max_steps {trainer.max_steps}" if limit >= 0 else None
    if not trainer.should_stop:
        return None
    stopping = [
        f"{type(callback).__name__} ({callback.monitor})"
        for callback in trainer.callbacks  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and callback.stopping_reason_message
    ]
    return " and ".join(stopping) or "a callback"


def write_result(folder: Path, result: RunResult) -> Path:
    """Write a run's `metrics.json` atomically, and return its path."""
    content = dataclasses.asdict(result) | {"recipe": result.recipe.to_json()}
    content["metrics"] = {
        name: value if value is not None and math.isfinite(value) else None for name, value in result.metrics.items()
    }
    write_atomically(folder / RESULT, json.dumps(content, indent=2, allow_nan=False) + "\n")
    return folder / RESULT


def read_result(folder: Path) -> RunResult | None:
    """Read a run's `metrics.json`; None if it is missing or damaged.

    Raises:
        InputError: the file is readable, but an entry is missing or invalid.
    """
    path = folder / RESULT
    if (content := read_json_object(path)) is None:
        return None
    kinds: dict[str, type | UnionType] = {
        **dict.fromkeys(("metrics", "recipe", "data", "versions", "seconds"), dict),
        **{"scheme": str, "seed": int, "compiled": bool, "processes": int, "threads": int, "training": dict | None},
        **dict.fromkeys({"truth", "undefined", "bin_size"} & content.keys(), dict),  # older files lack them
    }
    if wrong := [key for key, kind in kinds.items() if key not in content or not isinstance(content[key], kind)]:
        raise InputError(f"{path} lacks {', '.join(wrong)}: another version wrote it. Move it away.")
    if (training := content["training"]) is not None:
        training = _read_training(path, training)
    for key in ("metrics", "seconds"):
        for name, value in content[key].items():
            if value is not None:
                _check_number(path, f"{key}.{name[:100]}", value)
    if (recipe := Recipe.from_json(content["recipe"])) is None:
        raise InputError(f"{path} has a recipe of another version. Move it away.")
    own = {part.name: content[part.name] for part in dataclasses.fields(RunResult) if part.name in content}
    return RunResult(**own | {"training": training, "recipe": recipe})


def _read_training(path: Path, content: Mapping[str, Any]) -> Training:
    for key in ("epochs", "steps"):
        _check_number(path, f"training.{key}", content.get(key))
    stopped_by = content.get("stopped_by")
    return Training(content["epochs"], int(content["steps"]), None if stopped_by is None else str(stopped_by))


def _check_number(path: Path, name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name}={repr(value)[:100]} in {path} is not a number. Move it away.")
