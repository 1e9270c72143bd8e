"""`RunTrainer`: Lightning's Trainer with a folder for the run's own files."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from typing_extensions import override

GRADIENT_CLIP_VAL = 1.0
"""The largest norm of gradients in the paper's recipe."""


class RunTrainer(Trainer):
    """Lightning's Trainer with a folder for the run's own files, which doesn't depend on its loggers.

    `folder` is set once the run has a folder, in the first process only; `parent` is the folder of its scheme.
    """

    folder: Path | None = None
    parent: Path | None = None

    def __init__(
        self,
        *,
        limit_train_batches: int | float | None = None,
        limit_val_batches: int | float | None = None,
        limit_test_batches: int | float | None = None,
        limit_predict_batches: int | float | None = None,
        overfit_batches: int | float = 0.0,
        gradient_clip_val: float | None = GRADIENT_CLIP_VAL,
        val_check_interval: int | float | str | timedelta | dict[str, int] | None = None,
        **kwargs: Any,
    ) -> None:
        """Declare again what is a number of batches as an integer and a share of them as a fraction.

        jsonargparse tries the types of a union in order, and `typing` has one object for `Union[int, float]` and
        `Union[float, int]`, whichever was written first in the process. With Lightning's own annotations 1 batch
        would be read as 1.0, all of them. `int | float` keeps its order.
        """
        super().__init__(
            limit_train_batches=limit_train_batches,
            limit_val_batches=limit_val_batches,
            limit_test_batches=limit_test_batches,
            limit_predict_batches=limit_predict_batches,
            overfit_batches=overfit_batches,
            gradient_clip_val=gradient_clip_val or 0.0,  # of None, Classifier would use its own
            val_check_interval=val_check_interval,
            **kwargs,
        )

    @property
    @override
    def log_dir(self) -> str | None:
        """The run's folder, the same on every rank; None for a run that leaves nothing. Every rank must ask."""
        folder = self.strategy.broadcast(self.folder)
        return None if folder is None else str(folder)

    @property
    @override
    def default_root_dir(self) -> str:
        """Where callbacks and loggers write that were given no folder: the run's own.

        Under SLURM Lightning loads `hpc_ckpt_*.ckpt` from here in every stage, so it can't be the working directory.
        """
        folder = self.folder or self.parent
        return super().default_root_dir if folder is None else str(folder)
