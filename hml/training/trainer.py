"""`RunTrainer`: Lightning's Trainer with a folder for the run's own files."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from typing_extensions import override

GRADIENT_CLIP_VAL = 1.0
"""The maximum norm of the gradients in the paper's recipe."""


class RunTrainer(Trainer):
    """Lightning's Trainer with a folder for the run's own files, independent of its loggers.

    `folder` is set once the run has a folder, in the first process only. `parent` is the parent of new run folders.
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
        """Redeclare arguments that are a number of batches (int) or a fraction of them (float).

        jsonargparse tries the types of a union in order, and `typing` caches `Union[int, float]` and
        `Union[float, int]` as one object, in the order first used in the process. With Lightning's annotations 1 batch
        could be parsed as 1.0, which is all batches. `int | float` keeps its order.
        """
        super().__init__(
            limit_train_batches=limit_train_batches,
            limit_val_batches=limit_val_batches,
            limit_test_batches=limit_test_batches,
            limit_predict_batches=limit_predict_batches,
            overfit_batches=overfit_batches,
            gradient_clip_val=gradient_clip_val or 0.0,  # None would select that of Classifier
            val_check_interval=val_check_interval,
            **kwargs,
        )

    @property
    @override
    def log_dir(self) -> str | None:
        """The run's folder, or None for a run without files. A broadcast: every rank must take part."""
        folder = self.strategy.broadcast(self.folder)
        return None if folder is None else str(folder)

    @property
    @override
    def default_root_dir(self) -> str:
        """The default folder of callbacks and loggers: the run's.

        It can't be the working directory: under SLURM, Lightning loads `hpc_ckpt_*.ckpt` from it in every stage.
        """
        folder = self.folder or self.parent
        return super().default_root_dir if folder is None else str(folder)
