"""Callbacks for evaluation: they gather predictions, log metrics, and draw figures.

They run in `test` and in `validate`, which logs as `val/…`. Validation during `fit` only logs loss and accuracy.
`Classifier` adds the callbacks that a Trainer lacks, by `missing_evaluations`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from matplotlib.figure import Figure
from torch import Tensor
from typing_extensions import override

from hml.data import Batch, HMixDataModule, ImageBank
from hml.errors import InputError
from hml.evaluation.attack import check_epsilon, fgsm, full_precision
from hml.evaluation.calibration import PAPER_BIN_SIZE
from hml.evaluation.figures import attack_grid, reliability_diagram
from hml.evaluation.metrics import (
    PEOPLES_LABELS,
    SCALED,
    TRUE_CLASS,
    AttackedMetrics,
    CalibrationMetrics,
    GatheredPredictions,
    HumanAlignmentMetrics,
    TemperatureMetrics,
)
from hml.evaluation.trackers import log_figure, takes_figures
from hml.judgements import Classes
from hml.notices import notice
from hml.randomness import Draws


class EvaluationCallback(Callback):
    """Updates a metric in test and validate, and logs its scalars at the end.

    These attributes are dictionaries by logged name. `truth` has what each scalar compares predictions with.
    `undefined` has the reason why a scalar is NaN. `bin_size` has the number of predictions per bin, for scalars
    computed in bins. `per_image` has the indices of the images in the data set and their values, whose mean is the
    scalar, both (N,). If the data set has no people's labels, predictions are compared with the true classes.

    Args:
        metric: Gathers the predictions and computes scalars by name.
    """

    def __init__(self, metric: GatheredPredictions) -> None:
        self.metric = metric
        self.truth: dict[str, str] = {}
        self.undefined: dict[str, str] = {}
        self.bin_size: dict[str, int] = {}
        self.per_image: dict[str, tuple[Tensor, Tensor]] = {}
        self.has_people = True

    def truth_of(self, name: str) -> str:
        """Return what a scalar of the metric compares predictions with."""
        return self.metric.truth[name.removesuffix(SCALED)] if self.has_people else TRUE_CLASS

    def describe_truth(self, name: str) -> str:
        """Return the same as a phrase."""
        truth = self.truth_of(name)
        return f"the {truth}" if truth == TRUE_CLASS else truth

    def legend(self) -> dict[str, str]:
        """Describe the scalars of the paper's table, by name. Runs print these descriptions below their row."""
        return {}

    def observe(self, module: LightningModule, batch: Batch, logits: Tensor) -> None:
        """Add a batch and the model's logits, shape (B, C)."""
        self.metric.update(logits, batch["target"], batch["label"], batch["index"])

    def draw(self, classes: Classes) -> dict[str, Figure]:
        """Draw figures of all predictions, by name."""
        return {}

    def _start(self, trainer: Trainer, module: LightningModule) -> None:
        self.metric.reset()

    def _finish(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        self.metric.to(module.device)
        scaling = _find_scaling(trainer)
        self.metric.temperature = None if scaling is None else scaling.compute(module)
        # All ranks computed the same values from the same predictions, so no reduction over ranks is needed.
        values = {f"{stage}/{name}": value.to(module.device) for name, value in self.metric.compute().items()}
        module.log_dict(values, sync_dist=True)
        self.per_image |= {f"{stage}/{name}": (self.metric.images, own) for name, own in self.metric.per_image.items()}
        bank: ImageBank = trainer.datamodule.bank  # type: ignore[attr-defined]
        self.has_people = bank.human is not None
        scaled = () if scaling is None else [f"{name}{SCALED}" for name in self.metric.scaled]
        self.truth |= {f"{stage}/{name}": self.truth_of(name) for name in (*self.metric.truth, *scaled)}
        unfitted = {} if scaling is None else scaling.metric.nan_reasons()
        self._explain_nans(values, stage, unfitted, warn=not trainer.fast_dev_run)  # type: ignore[attr-defined]
        for name, figure in self.draw(bank.classes).items() if takes_figures(trainer) else ():
            log_figure(trainer, f"{stage}/{name}", figure)

    def _explain_nans(self, values: dict[str, Tensor], stage: str, unfitted: Mapping[str, str], warn: bool) -> None:
        own = self.metric.nan_reasons()
        for name in self.metric.scaled:
            if reason := own.get(name, unfitted.get("temperature")):
                own[f"{name}{SCALED}"] = reason
        reasons = {f"{stage}/{name}": reason for name, reason in own.items()}
        missing = [name for name, value in values.items() if bool(value.isnan())]
        if not reasons.keys() >= set(missing):  # training has diverged, which is reported as an error elsewhere
            reasons, warn = dict.fromkeys(missing, "the predictions aren't finite"), False
        found = {name: reasons[name] for name in missing}
        if not self.has_people:
            found = {name: reason.replace(PEOPLES_LABELS, f"the {TRUE_CLASS}") for name, reason in found.items()}
        self.undefined = {name: reason for name, reason in self.undefined.items() if name not in values} | found
        # `metrics.json` has the reasons for the others, such as people who agree about every image of the demo.
        serious = [found[name] for name in found if warn and name.removeprefix(f"{stage}/") in self.legend()]
        for reason in dict.fromkeys(serious):
            names = [name for name in found if found[name] == reason]
            notice(f"{', '.join(names)} can't be computed: {reason}.")

    @override
    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            self._start(trainer, pl_module)

    @override
    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, *args: Any, **kwargs: Any
    ) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            self.observe(pl_module, batch, outputs["logits"])

    @override
    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            self._finish(trainer, pl_module, "val" if trainer.state.fn == TrainerFn.VALIDATING else "test")

    on_validation_epoch_start = on_test_epoch_start
    on_validation_batch_end = on_test_batch_end
    on_validation_epoch_end = on_test_epoch_end


class HumanAlignment(EvaluationCallback):
    """Compares predictions with people's labels: cross entropy, KL, Brier score, total variation, accuracies.

    `accuracy` and `top2_accuracy` are against the true class, `human_accuracy` is against people's majority.
    """

    def __init__(self) -> None:
        super().__init__(HumanAlignmentMetrics())

    @override
    def legend(self) -> dict[str, str]:
        return {
            "cross_entropy": f"cross entropy to {self.describe_truth('cross_entropy')}",
            "accuracy": f"against {self.describe_truth('accuracy')}",
        }


class Calibration(EvaluationCallback):
    """RMS calibration error with adaptive bins, as in the paper's table and with all bins, and ECE.

    A prediction is correct if it is people's most frequent label. In `rms_calibration_true`,
    `rms_calibration_full_true` and `ece_true`, it is correct if it is the true class.

    Args:
        bin_size: Number of predictions per adaptive bin. By default 100, as in the paper. With fewer than 200
            predictions, a tenth of them.
        num_bins: Number of equal-width bins of ECE and of the reliability diagram.
    """

    def __init__(self, bin_size: int | None = None, num_bins: int = 15) -> None:
        if (bin_size is not None and bin_size < 1) or num_bins < 1:
            raise InputError(f"calibration.bin_size={bin_size} and num_bins={num_bins} must be 1 or more.")
        self.calibration = CalibrationMetrics(bin_size, num_bins)
        super().__init__(self.calibration)

    @override
    def legend(self) -> dict[str, str]:
        truth = self.describe_truth("rms_calibration")
        return {
            "rms_calibration": f"RMS calibration error against {truth}, in bins of {self.calibration.used_bin_size}"
        }

    @override
    def _finish(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        super()._finish(trainer, module, stage)
        used, count = self.calibration.used_bin_size, len(self.calibration.predictions[0])
        self.bin_size |= {name: used for name in self.truth if name.startswith(f"{stage}/rms_")}
        chosen = self.calibration.bin_size
        if chosen is None and used != PAPER_BIN_SIZE and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            notice(
                f"{count} images are too few for bins of {PAPER_BIN_SIZE}, the paper's size: RMS calibration errors "
                f"use bins of {used}. Do not compare them with errors in other bins (set by --calibration.bin_size)."
            )

    @override
    def draw(self, classes: Classes) -> dict[str, Figure]:
        truth = self.describe_truth("ece")
        return {"reliability": reliability_diagram(*self.calibration.predictions, truth, self.calibration.num_bins)}


class FGSM(EvaluationCallback):
    """Cross entropy to people's labels, and accuracy, under the fast gradient sign method. Runs in full precision.

    Args:
        epsilon: Step size, in pixels of [0, 1].
        num_images: Number of images to attack. They are drawn from all, the same ones in every run. null attacks all.
        num_pictures: Number of attacked images to draw, each before and after the attack.
    """

    def __init__(self, epsilon: float = 4 / 255, num_images: int | None = None, num_pictures: int = 8) -> None:
        check_epsilon(epsilon, "fgsm.epsilon")
        if num_images is not None and num_images < 1:
            raise InputError(f"fgsm.num_images={num_images} must be 1 or more, or null for all.")
        super().__init__(AttackedMetrics())
        self.epsilon = epsilon
        self.num_images = num_images
        self.num_pictures = num_pictures
        self._drawn: Tensor | None = None
        self._pictures: tuple[Tensor, ...] | None = None

    @override
    def _start(self, trainer: Trainer, module: LightningModule) -> None:
        super()._start(trainer, module)
        self._drawn = None if self.num_images is None else draw_images(trainer, self.num_images).to(module.device)
        self._pictures = None

    @override
    def observe(self, module: LightningModule, batch: Batch, logits: Tensor) -> None:
        chosen = slice(None) if self._drawn is None else torch.isin(batch["index"], self._drawn)
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
    def legend(self) -> dict[str, str]:
        attacked = "" if self._drawn is None else f", {len(self._drawn)} images"
        return {"fgsm_cross_entropy": f"CE under attack, epsilon = {255 * self.epsilon:g}/255{attacked}"}

    @override
    def draw(self, classes: Classes) -> dict[str, Figure]:
        return {} if self._pictures is None else {"fgsm": attack_grid(classes, *self._pictures)}


def draw_images(trainer: Trainer, number: int) -> Tensor:
    """Draw evaluated images, the same ones in every run, so that runs can be compared image by image.

    Returns:
        Indices in the data set, shape (n,).
    """
    data: HMixDataModule = trainer.datamodule  # type: ignore[attr-defined]
    ids = data.val_ids if trainer.state.fn == TrainerFn.VALIDATING else data.bank.test_ids
    return torch.from_numpy(Draws(0, 0, np.arange(len(ids))).order("attacked images")[:number])


class TemperatureScaling(EvaluationCallback):
    """Fits the temperature with which the other evaluations score predictions again, under names in `_scaled`.

    It is fitted to the cross entropy that `HumanAlignment` reports. In `test`, it is fitted on the held-out training
    images if there are any and their labels are people's, as those of the test images. Otherwise it is cross-fitted
    over two halves of the evaluated images.
    """

    def __init__(self) -> None:
        self.temperature = TemperatureMetrics()
        super().__init__(self.temperature)

    def compute(self, module: LightningModule) -> Tensor:
        """Return the temperatures of all images by their index, from the predictions of all ranks."""
        self.temperature.to(module.device)
        self.temperature.compute()
        return self.temperature.by_index

    @override
    def _start(self, trainer: Trainer, module: LightningModule) -> None:
        super()._start(trainer, module)
        data: HMixDataModule = trainer.datamodule  # type: ignore[attr-defined]
        held_out = self.temperature.held_out
        held_out.reset()
        self.temperature.uses_held_out = trainer.state.fn != TrainerFn.VALIDATING and _are_comparable(data)
        for given in data.val_dataloader() if self.temperature.uses_held_out else ():
            batch = trainer.precision_plugin.convert_input(given)
            held_out.update(module(batch["image"]), batch["target"], batch["label"], batch["index"])


def _are_comparable(data: HMixDataModule) -> bool:
    """Return whether there are held-out images, and they are labelled by people if the test images are."""
    ids, bank = data.val_ids, data.bank
    asked = bank.human is None or not torch.equal(bank.human[ids], bank.hard_labels[ids])
    return len(ids) > 0 and asked


def _find_scaling(trainer: Trainer) -> TemperatureScaling | None:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback for callback in callbacks if isinstance(callback, TemperatureScaling)), None)


def missing_evaluations(callbacks: Iterable[Callback]) -> list[EvaluationCallback]:
    """Return the default evaluations that are not among the callbacks, subclasses included."""
    there = list(callbacks)
    kinds = (HumanAlignment, Calibration, FGSM, TemperatureScaling)
    return [kind() for kind in kinds if not any(isinstance(callback, kind) for callback in there)]
