"""Which callbacks a run rejects, since its record would not name the choices that it trained with."""

from collections.abc import Sequence

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import (
    BatchSizeFinder,
    GradientAccumulationScheduler,
    LearningRateFinder,
    StochasticWeightAveraging,
    Timer,
)

from hml.errors import InputError

_COMPARE = "instead: hml table1 --data.val_size 500 --metric val/cross_entropy, with a --root for each"
_REJECTED: dict[type[Callback], tuple[str, str]] = {
    LearningRateFinder: ("the learning rate", f"Compare a few values of --model.optimizer.lr {_COMPARE}"),
    BatchSizeFinder: ("the batch size", f"Compare a few values of --data.batch_size {_COMPARE}"),
    # A run that is resumed within an epoch would also accumulate no batches until the next.
    GradientAccumulationScheduler: ("the batches of a step", "Use --trainer.accumulate_grad_batches instead"),
    # It also trains an epoch more than it was told to.
    StochasticWeightAveraging: ("the schedule and the number of epochs", "Use --model.lr_scheduler instead"),
    # It counts the epoch that it interrupts as a whole one.
    Timer: ("the images of the last epoch", "Use --trainer.max_time instead"),
}


def reject_callbacks(callbacks: Sequence[object]) -> None:
    """Reject callbacks that change a run's choices after they were recorded.

    Raises:
        InputError: there is one; names what to use instead.
    """
    for callback in callbacks:
        for kind, (choice, remedy) in _REJECTED.items():
            if isinstance(callback, kind):
                raise InputError(
                    f"{kind.__name__} in --trainer.callbacks is rejected: it changes {choice} during the run, so "
                    f"metrics.json would name others than were used. {remedy}."
                )
