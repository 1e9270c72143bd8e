"""When a learning rate schedule is stepped. Rejects schedules that would have no effect or a wrong length."""

from typing import Any, Literal

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch.optim import lr_scheduler

from hml.errors import InputError
from hml.notices import notice

Interval = Literal["step", "epoch"]

_BY_STEP = (lr_scheduler.OneCycleLR, lr_scheduler.CyclicLR)
"""The schedules that PyTorch documents to change the rate after every batch. `CosineAnnealingWarmRestarts` may be
stepped by fractions of an epoch, but its `T_0` counts steps of either kind."""
_LOGGED = ("loss", "accuracy")
_PLATEAU = "lightning.pytorch.cli.ReduceLROnPlateau"


def plan_steps(scheduler: Any, interval: Interval | None, module: LightningModule) -> LRSchedulerConfigType:
    """Plan when Lightning steps a schedule, for `LightningModule.configure_optimizers`.

    Args:
        scheduler: A schedule of PyTorch's, or `lightning.pytorch.cli.ReduceLROnPlateau`.
        interval: When the schedule is stepped; None chooses by its class.
        module: The module to train.

    Raises:
        InputError: the schedule monitors a metric that isn't logged, or would be stepped without it.
    """
    if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
        if interval == "step":
            raise InputError(
                "--model.lr_interval step: ReduceLROnPlateau needs metrics, which are logged every epoch. Omit it."
            )
        return _watch(scheduler, module.trainer)
    default = "step" if isinstance(scheduler, _BY_STEP) else "epoch"
    return {"scheduler": scheduler, "interval": interval or default}


def _watch(scheduler: lr_scheduler.ReduceLROnPlateau, trainer: Trainer) -> LRSchedulerConfigType:
    stages = ["train", "val"] if trainer.enable_validation else ["train"]
    logged = [f"{stage}/{name}" for stage in stages for name in _LOGGED]
    monitor = getattr(scheduler, "monitor", None)
    if monitor is None:
        raise InputError(
            f"ReduceLROnPlateau has no metric to monitor: use --model.lr_scheduler {_PLATEAU} with "
            f"--model.lr_scheduler.monitor {logged[0]}, for example."
        )
    # A user's callback may log other metrics.
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    may_log = any(type(callback).__module__.partition(".")[0] not in ("hml", "lightning") for callback in callbacks)
    if monitor not in logged and (monitor.startswith("val/") or not may_log):
        hint = "" if trainer.enable_validation else " (val/… with --data.val_size 500)"
        raise InputError(
            f"ReduceLROnPlateau can't monitor {monitor!r}, which isn't logged during training: choose "
            f"--model.lr_scheduler.monitor from {', '.join(logged)}{hint}."
        )
    frequency = (trainer.check_val_every_n_epoch or 1) if monitor.startswith("val/") else 1
    return {"scheduler": scheduler, "interval": "epoch", "monitor": monitor, "frequency": frequency}


def check_totals(trainer: Trainer) -> None:
    """Reject a schedule whose number of steps differs from that of training, and report one that never takes effect.

    Call this once training starts. Earlier, `estimated_stepping_batches` would create the loader before a resumed
    run's state is restored, and the epoch would start again.

    Raises:
        InputError: the numbers of steps differ.
    """
    if trainer.fast_dev_run:  # type: ignore[attr-defined]
        return
    for config in trainer.lr_scheduler_configs:
        by_step, scheduler = config.interval == "step", config.scheduler
        steps = trainer.estimated_stepping_batches if by_step else trainer.max_epochs
        unit = "batch" if by_step else "epoch"
        if isinstance(scheduler, lr_scheduler.OneCycleLR) and scheduler.total_steps != steps:
            raise InputError(
                f"OneCycleLR has total_steps={scheduler.total_steps}, but the run steps it {steps} times, once "
                f"per {unit}: set --model.lr_scheduler.total_steps {steps}."
            )
        if isinstance(scheduler, lr_scheduler.MultiStepLR) and steps is not None and steps > 0:
            milestones = sorted(scheduler.milestones)
            if milestones and milestones[0] >= steps:
                notice(
                    f"The learning rate stays the same: training ends at step {steps:g} of the schedule, which has one "
                    f"per {unit}, and --model.lr_scheduler.milestones are {milestones}."
                )


def step_plateaus_of_resumed_epoch(module: LightningModule) -> None:
    """Step schedules that monitor a metric at the end of a resumed epoch, which Lightning 2.6.6 skips.

    Lightning skips the step because its checkpoints lack the epoch's metrics so far. Those of hml have them.
    """
    trainer = module.trainer
    if not trainer.fit_loop.restarting:
        return
    for config in trainer.lr_scheduler_configs:
        metric = trainer.callback_metrics.get(config.monitor or "")
        if config.reduce_on_plateau and metric is not None and (trainer.current_epoch + 1) % config.frequency == 0:
            module.lr_scheduler_step(config.scheduler, metric)
