"""Rejects callbacks that change a run's recorded choices, or that can't be resumed."""

from collections.abc import Sequence

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import (
    BatchSizeFinder,
    GradientAccumulationScheduler,
    LearningRateFinder,
    StochasticWeightAveraging,
    Timer,
    WeightAveraging,
)

from hml.errors import InputError

_DURING = "during the run, so metrics.json would record another value than was used"
_COMPARE = "instead: hml table1 --data.val_size 500 --metric val/cross_entropy, with a --root for each"
_REJECTED: dict[type[Callback], str] = {
    LearningRateFinder: f"changes the learning rate {_DURING}. Compare a few values of --model.optimizer.lr {_COMPARE}",
    BatchSizeFinder: f"changes the batch size {_DURING}. Compare a few values of --data.batch_size {_COMPARE}",
    GradientAccumulationScheduler: f"changes the number of batches per step {_DURING}, and a run that is resumed "
    "within an epoch would not accumulate batches until the next one. Use --trainer.accumulate_grad_batches instead",
    StochasticWeightAveraging: f"changes the schedule and the number of epochs {_DURING}, and trains one epoch "
    "too many. Use --model.lr_scheduler instead",
    WeightAveraging: "gives a resumed run other weights than an uninterrupted run. Use --model.lr_scheduler instead",
    Timer: "counts the interrupted epoch as complete. Use --trainer.max_time instead",
}
"""The effect of each callback, and what to use instead."""


def reject_callbacks(callbacks: Sequence[object]) -> None:
    """Reject callbacks that change a run's choices after they are recorded, or that can't be resumed.

    Raises:
        InputError: there is such a callback. The error names what to use instead.
    """
    for callback in callbacks:
        for kind, reason in _REJECTED.items():
            if isinstance(callback, kind):
                raise InputError(f"{type(callback).__name__} in --trainer.callbacks is rejected: it {reason}.")
