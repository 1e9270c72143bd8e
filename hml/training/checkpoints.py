"""Atomic checkpoints: written to a temporary file, synced, hashed and renamed. The last two are kept."""

import time
from pathlib import Path
from typing import Any

from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from typing_extensions import override

from hml.errors import InputError, TimeLimitError
from hml.files.atomic import clear_leftovers
from hml.files.sealed import read_sealed, write_sealed
from hml.notices import notice

LAST = "last.ckpt"
PREVIOUS = "previous.ckpt"
FOLDER = "checkpoints"
"""The subfolder of a run that holds its checkpoints."""


class WholeCheckpointIO(CheckpointIO):
    """Writes and reads Lightning's checkpoints atomically. They may contain plain data only."""

    @override
    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint.

        Raises:
            InputError: the checkpoint contains more than plain data, so it could not be read safely.
            StorageError: the file can't be written. An existing file is left unchanged.
        """
        path = Path(path)
        try:
            write_sealed(path, checkpoint, path.with_name(PREVIOUS) if path.name == LAST else None)
        except ValueError as error:
            raise InputError(f"A callback's or network's state is more than plain data: {error}.") from error

    @override
    def load_checkpoint(
        self, path: str | Path, map_location: object = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint by `read_checkpoint`. The other arguments are ignored."""
        return read_checkpoint(Path(path))

    @override
    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


class LatestCheckpoint(Checkpoint):
    """Keeps `checkpoints/last.ckpt` and `previous.ckpt`.

    Checkpoints are saved every few minutes, at the end of training, at SIGTERM and when the time limit is reached.

    Args:
        minutes: Minutes between two saves.
        steps: Steps between two checks of the time. Each check is a broadcast to all ranks, which costs time.

    Raises:
        InputError: an argument is out of range.
    """

    def __init__(self, minutes: float = 2.0, steps: int = 20) -> None:
        if not minutes >= 0 or steps < 1:
            raise InputError(f"checkpoint.minutes={minutes} must be 0 or more, and checkpoint.steps={steps} 1 or more.")
        self.minutes = minutes
        self.steps = steps
        self._saved_at = 0.0
        self._steps_since = 0

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._saved_at = time.monotonic()
        path = self._path(trainer)
        if trainer.is_global_zero:
            clear_leftovers(path)

    @override
    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        self._steps_since += 1
        # Resumed from an epoch's last batch, Lightning 2.6.6 skips the end of that epoch.
        if self._steps_since < self.steps or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return
        self._steps_since = 0
        is_due = time.monotonic() - self._saved_at >= 60 * self.minutes
        if trainer.strategy.broadcast(is_due):
            self._save(trainer)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    @override
    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        # Unlike SIGTERM, Ctrl-C may interrupt a step, where the state is inconsistent.
        if isinstance(exception, SIGTERMException | TimeLimitError) and trainer.training:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        progress = trainer.fit_loop.epoch_loop.batch_progress
        has_stepped = progress.current.ready % trainer.accumulate_grad_batches == 0 or progress.is_last_batch
        # Checkpoints do not contain partly accumulated gradients.
        if trainer.fast_dev_run or not has_stepped:  # type: ignore[attr-defined]
            return
        path = self._path(trainer)
        for logger in trainer.loggers:
            logger.save()  # a resumed run logs only what follows this step
        trainer.save_checkpoint(path, weights_only=False)
        self._saved_at = time.monotonic()

    def _path(self, trainer: Trainer) -> Path:
        folder = trainer.log_dir  # a broadcast: every rank must take part
        return Path(folder or trainer.default_root_dir) / FOLDER / LAST


def find_whole(run_folder: Path) -> tuple[Path, int] | None:
    """Find a run's newest undamaged checkpoint and its step. Warn if it isn't the last one written.

    Raises:
        InputError: there are checkpoints, and all are damaged.
    """
    complaints: list[str] = []
    for path in (run_folder / FOLDER / LAST, run_folder / FOLDER / PREVIOUS):
        if not path.exists():
            continue
        try:
            step = int(read_checkpoint(path)["global_step"])
        except InputError as error:
            complaints.append(str(error))
            continue
        if complaints:
            notice(f"{' '.join(complaints)} Resuming from the previous one, {path}, of step {step}.")
        return path, step
    if complaints:
        raise InputError(f"No checkpoint to resume from. {' '.join(complaints)} Start a new run: --resume never.")
    return None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a Lightning checkpoint, after checking that it is undamaged and contains plain data only.

    Raises:
        InputError: the file can't be read, is damaged, or isn't such a checkpoint.
    """
    try:
        checkpoint: dict[str, Any] = read_sealed(path)
        if not isinstance(checkpoint, dict) or not {"state_dict", "global_step"} <= checkpoint.keys():
            raise ValueError("it isn't a Lightning checkpoint")
    except OSError as error:
        raise InputError(f"Can't read the checkpoint {path}: {error.strerror}.") from error
    except ValueError as error:
        previous = path.with_name(PREVIOUS)
        hint = f" The previous one is {previous}." if path.name == LAST and previous.exists() else ""
        raise InputError(f"Can't use the checkpoint {path}: {error}.{hint}") from error
    return checkpoint
