"""When a learning rate's schedule is stepped, and what is rejected because it would not do what it says."""

from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch.optim import lr_scheduler

from hml.errors import InputError

Interval = Literal["step", "epoch"]

_BY_STEP = (lr_scheduler.OneCycleLR, lr_scheduler.CyclicLR)
"""PyTorch documents of these two only that the rate changes after every batch. `CosineAnnealingWarmRestarts` may be
stepped by fractions of an epoch, but counts `T_0` in whatever it is stepped by."""
_LOGGED = ("loss", "accuracy")
_PLATEAU = "lightning.pytorch.cli.ReduceLROnPlateau"


def plan_steps(scheduler: Any, interval: Interval | None, module: LightningModule) -> LRSchedulerConfigType:
    """Plan when Lightning steps a schedule, for `LightningModule.configure_optimizers`.

    Args:
        scheduler: One of PyTorch's, or `lightning.pytorch.cli.ReduceLROnPlateau`.
        interval: When it is stepped; None chooses by its class.
        module: The module that is trained.

    Raises:
        InputError: the schedule would watch a metric that isn't logged.
    """
    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        if interval == "step":
            raise InputError("--model.lr_interval step: ReduceLROnPlateau needs metrics, which are logged each epoch.")
        return _watch(scheduler, module.trainer)
    default = "step" if isinstance(scheduler, _BY_STEP) else "epoch"
    return {"scheduler": scheduler, "interval": interval or default}


def _watch(scheduler: lr_scheduler.ReduceLROnPlateau, trainer: Trainer) -> LRSchedulerConfigType:
    stages = ["train", "val"] if trainer.enable_validation else ["train"]
    logged = [f"{stage}/{name}" for stage in stages for name in _LOGGED]
    monitor = getattr(scheduler, "monitor", None)
    if monitor is None:
        raise InputError(
            f"ReduceLROnPlateau doesn't know which metric to watch: use --model.lr_scheduler {_PLATEAU} with "
            f"--model.lr_scheduler.monitor {logged[0]}, for example."
        )
    # Another callback of the user's may log what hml doesn't know.
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    may_log = any(type(callback).__module__.partition(".")[0] not in ("hml", "lightning") for callback in callbacks)
    if monitor not in logged and (monitor.startswith("val/") or not may_log):
        hint = "" if trainer.enable_validation else " (val/… with --data.val_size 500)"
        raise InputError(
            f"ReduceLROnPlateau can't watch {monitor!r}, which isn't logged during training: choose "
            f"--model.lr_scheduler.monitor from {', '.join(logged)}{hint}."
        )
    frequency = (trainer.check_val_every_n_epoch or 1) if monitor.startswith("val/") else 1
    return {"scheduler": scheduler, "interval": "epoch", "monitor": monitor, "frequency": frequency}


def check_totals(trainer: Trainer) -> None:
    """Reject a schedule that is made for another number of steps than training takes.

    It is called once training starts, since a Trainer that is asked for its steps earlier makes the loader before a
    resumed run's state is there, and would begin the epoch again.

    Raises:
        InputError: the numbers differ.
    """
    for config in trainer.lr_scheduler_configs:
        if not isinstance(config.scheduler, lr_scheduler.OneCycleLR):
            continue
        by_step, total = config.interval == "step", config.scheduler.total_steps
        steps = trainer.estimated_stepping_batches if by_step else trainer.max_epochs
        if total != steps and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            raise InputError(
                f"OneCycleLR has total_steps={total}, but the run steps it {steps} times, once "
                f"{'a batch' if by_step else 'an epoch'}: give --model.lr_scheduler.total_steps {steps}."
            )


def step_plateaus_of_resumed_epoch(module: LightningModule) -> None:
    """Step schedules that watch a metric at the end of an epoch that was resumed, where Lightning 2.6.6 doesn't.

    It leaves that out because its checkpoints hold no metrics of the epoch so far; hml's do.
    """
    trainer = module.trainer
    if not trainer.fit_loop.restarting:
        return
    for config in trainer.lr_scheduler_configs:
        metric = trainer.callback_metrics.get(config.monitor or "")
        if config.reduce_on_plateau and metric is not None and (trainer.current_epoch + 1) % config.frequency == 0:
            module.lr_scheduler_step(config.scheduler, metric)
