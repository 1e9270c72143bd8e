"""Callbacks that evaluate: they gather predictions, log what their metrics say, and draw pictures.

They work in `test` and in `validate`, whose numbers are called `val/…`; a validation in the middle of `fit` only logs
loss and accuracy. Each is a flag group of its own on the command line.
"""

import math
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.trainer.states import TrainerFn
from matplotlib.figure import Figure
from torch import Tensor
from typing_extensions import override

from hml.data import Batch
from hml.errors import InputError
from hml.evaluation.attack import fgsm, full_precision
from hml.evaluation.figures import attack_grid, reliability_diagram
from hml.evaluation.metrics import AttackedMetrics, CalibrationMetrics, GatheredPredictions, HumanAlignmentMetrics


class EvaluationCallback(Callback):
    """Feeds a metric in test and validate, and logs its scalars at the end.

    Args:
        metric: What gathers the predictions and computes scalars by name.
    """

    def __init__(self, metric: GatheredPredictions) -> None:
        self.metric = metric

    def observe(self, module: LightningModule, batch: Batch, logits: Tensor) -> None:
        """Take up a batch and the model's logits, shape (B, C)."""
        self.metric.update(logits, batch["target"], batch["label"], batch["index"])

    def draw(self) -> dict[str, Figure]:
        """Draw figures by name, once everything is gathered."""
        return {}

    def _start(self) -> None:
        self.metric.reset()

    def _finish(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        self.metric.to(module.device)
        # All ranks computed the same numbers from the same predictions: averaging them changes nothing.
        values = {f"{stage}/{name}": value.to(module.device) for name, value in self.metric.compute().items()}
        module.log_dict(values, sync_dist=True)
        if tensorboards := find_tensorboards(trainer):
            for name, figure in self.draw().items():
                for tensorboard in tensorboards:
                    tensorboard.experiment.add_figure(f"{stage}/{name}", figure, global_step=trainer.global_step)

    @override
    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._start()

    @override
    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any, **kwargs: Any
    ) -> None:
        self.observe(pl_module, batch, outputs["logits"])

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._finish(trainer, pl_module, "test")

    @override
    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._start()

    @override
    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any, **kwargs: Any
    ) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.observe(pl_module, batch, outputs["logits"])

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._finish(trainer, pl_module, "val")


class HumanAlignment(EvaluationCallback):
    """How close predictions come to what people say: cross entropy, KL, Brier, total variation, accuracies."""

    def __init__(self) -> None:
        super().__init__(HumanAlignmentMetrics())


class Calibration(EvaluationCallback):
    """RMS calibration error with adaptive bins, as the paper's table has it and with all bins, and ECE.

    Args:
        bin_size: Predictions in an adaptive bin.
        num_bins: Equal-width bins of ECE and of the reliability diagram.
    """

    def __init__(self, bin_size: int = 100, num_bins: int = 15) -> None:
        if bin_size < 1 or num_bins < 1:
            raise InputError(f"calibration.bin_size={bin_size} and num_bins={num_bins} must be 1 or more.")
        self.calibration = CalibrationMetrics(bin_size, num_bins)
        super().__init__(self.calibration)

    @override
    def draw(self) -> dict[str, Figure]:
        return {"reliability": reliability_diagram(*self.calibration.predictions, self.calibration.num_bins)}


class FGSM(EvaluationCallback):
    """Cross entropy and accuracy under the fast gradient sign method, in full precision.

    Args:
        epsilon: Size of the step, in pixels of [0, 1].
        num_images: How many images are attacked, the first ones; null takes all.
        num_pictures: How many of them are drawn before and after.
    """

    def __init__(self, epsilon: float = 4 / 255, num_images: int | None = None, num_pictures: int = 8) -> None:
        if not 0 <= epsilon < math.inf:
            raise InputError(f"fgsm.epsilon={epsilon} must be 0 or more: it is a step in [0, 1], 4/255 = 0.0157 say.")
        if num_images is not None and num_images < 1:
            raise InputError(f"fgsm.num_images={num_images} must be 1 or more, or null for all.")
        super().__init__(AttackedMetrics())
        self.epsilon = epsilon
        self.num_images = num_images
        self.num_pictures = num_pictures
        self._pictures: tuple[Tensor, ...] | None = None

    @override
    def _start(self) -> None:
        super()._start()
        self._pictures = None

    @override
    def observe(self, module: LightningModule, batch: Batch, logits: Tensor) -> None:
        chosen = slice(None) if self.num_images is None else batch["index"] < self.num_images
        image, target = batch["image"][chosen], batch["target"][chosen]
        attacked_logits = logits[:0]
        if len(image):
            attacked = fgsm(module, image, target, self.epsilon)
            with full_precision(image.device):
                attacked_logits = module(attacked)
            if self._pictures is None and self.num_pictures > 0:
                drawn = (image, attacked, logits[chosen], attacked_logits)
                self._pictures = tuple(tensor[: self.num_pictures].float().cpu() for tensor in drawn)
        self.metric.update(attacked_logits, target, batch["label"][chosen], batch["index"][chosen])

    @override
    def draw(self) -> dict[str, Figure]:
        return {} if self._pictures is None else {"fgsm": attack_grid(*self._pictures)}


def find_tensorboards(trainer: Trainer) -> list[TensorBoardLogger]:
    """List the TensorBoard loggers that this process draws figures for: on other ranks than the first, none."""
    if not trainer.is_global_zero:
        return []
    return [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
