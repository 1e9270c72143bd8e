"""Metrics that gather the predictions of all batches and ranks, and then compute from all of them at once.

Predictions are gathered instead of sums, so results do not depend on the batch size or the number of ranks, not even in
the last digit. Calibration errors need all predictions anyway, since they sort them.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from hml.evaluation.alignment import (
    Reduction,
    brier_score,
    entropy_correlation,
    kl_divergence,
    soft_cross_entropy,
    top_k_accuracy,
    total_variation,
)
from hml.evaluation.calibration import choose_bin_size, expected_calibration_error, rms_calibration_error
from hml.evaluation.temperature import cross_fit_temperature, fit_temperature, scale

SCALED = "_scaled"
"""The end of a metric's name after temperature scaling."""
PEOPLES_LABELS = "people's labels"
PEOPLES_MAJORITY = "people's majority"
TRUE_CLASS = "true class"


class GatheredPredictions(Metric):
    """Base class of metrics that are computed from the predictions of all images, in the order of the data set.

    `gathered` returns `logits` (N, C), `target` (N, C), `label` (N,) and `index` (N,). `truth` names, for each metric,
    what predictions are compared with: the distribution of people's labels, their most frequent label (the first class
    if several are equally frequent), or the class in the data set.

    After `compute`, `per_image` has the values of each metric for the images, shape (N,), whose mean is the metric, and
    `images` has the indices of the images in the data set, (N,). A metric without such values has no interval over
    images.
    """

    truth: ClassVar[Mapping[str, str]] = {}
    scaled: ClassVar[Sequence[str]] = ()
    """The metrics that are also computed after temperature scaling. Their names then end in `_scaled`."""

    columns: ClassVar[Sequence[str]] = ("logits", "target", "label", "index")
    """The attributes that have the batches of what `gathered` returns."""

    full_state_update = False
    is_differentiable = False
    logits: list[Tensor]
    target: list[Tensor]
    label: list[Tensor]
    index: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.per_image: dict[str, Tensor] = {}
        self.images = torch.empty(0, dtype=torch.int64)
        self.temperature: Tensor | None = None  # of each image in the data set, by its index
        for state in self.columns:
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, target: Tensor, label: Tensor, index: Tensor) -> None:
        """Add a batch: logits and people's labels, (B, C), true classes and indices in the data set, (B,)."""
        self.logits.append(logits.float())
        self.target.append(target.float())
        self.label.append(label)
        self.index.append(index)

    def gathered(self) -> dict[str, Tensor]:
        """Join all batches, in the order of the data set."""
        order = torch.argsort(dim_zero_cat(self.index))
        gathered = {name: dim_zero_cat(getattr(self, name))[order].cpu() for name in self.columns}
        self.images = gathered["index"]
        return gathered

    def compute(self) -> dict[str, Tensor]:
        """Return the predictions."""
        return self.gathered()

    def nan_reasons(self) -> dict[str, str]:
        """Return, for each metric that may be NaN, the reason. Other metrics are NaN only if predictions are."""
        return {}


class TemperatureMetrics(GatheredPredictions):
    """The temperature of each image, for temperature scaling, and their mean.

    The temperature is fitted to the predictions of held-out images if `uses_held_out` is set. `held_out` then gathers
    them. Otherwise it is cross-fitted: the images are divided into halves, and each has the temperature of the other.

    After `compute`, `by_index` has the temperatures of the images in the data set by their indices, NaN for others.
    """

    truth: ClassVar[Mapping[str, str]] = {"temperature": PEOPLES_LABELS}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.held_out = GatheredPredictions()
        self.uses_held_out = False
        self.by_index = torch.empty(0)

    def compute(self) -> dict[str, Tensor]:
        """Return the mean temperature over images."""
        gathered = self.gathered()
        index = gathered["index"]
        if self.uses_held_out:
            others = self.held_out.compute()
            fitted = fit_temperature(others["logits"], others["target"])
            temperature = torch.full((len(index),), fitted, dtype=torch.float64)
        else:
            temperature = cross_fit_temperature(gathered["logits"], gathered["target"], index)
        self.by_index = temperature.new_full((int(index.max()) + 1 if len(index) else 0,), torch.nan)
        self.by_index[index] = temperature
        return {"temperature": temperature.mean()}

    def nan_reasons(self) -> dict[str, str]:
        """Explain a NaN temperature, which needs images to be fitted to."""
        if self.uses_held_out or len(self.images) > 1:
            return {}
        return {"temperature": "a temperature is fitted to other images, and there are none. Test two or more images"}


class ScoredPredictions(GatheredPredictions):
    """Base class of metrics that `_measure` computes from logits: as they are, and after temperature scaling.

    The metrics named in `scaled` are computed again if `temperature` is set.
    """

    def compute(self) -> dict[str, Tensor]:
        """Return scalars by name."""
        gathered = self.gathered()
        self.per_image = self._score(gathered, "none")
        return self._score(gathered, "mean")

    def _score(self, gathered: dict[str, Tensor], reduction: Reduction) -> dict[str, Tensor]:
        logits, target, label = gathered["logits"].double(), gathered["target"].double(), gathered["label"]
        values = self._measure(logits, target, label, reduction)
        if self.temperature is None:
            return values
        logits = scale(logits, self.temperature[gathered["index"]])
        after = self._measure(logits, target, label, reduction)
        return values | {f"{name}{SCALED}": after[name] for name in self.scaled}

    @abstractmethod
    def _measure(self, logits: Tensor, target: Tensor, label: Tensor, reduction: Reduction) -> dict[str, Tensor]:
        """Compute scalars, or values of images, by name. Logits and targets are (N, C), true classes (N,)."""


class HumanAlignmentMetrics(ScoredPredictions):
    """Every measure of `hml.evaluation.alignment`, and accuracy against the true class and people's majority."""

    truth: ClassVar[Mapping[str, str]] = {
        "cross_entropy": PEOPLES_LABELS,
        "kl_divergence": PEOPLES_LABELS,
        "brier_score": PEOPLES_LABELS,
        "total_variation": PEOPLES_LABELS,
        "entropy_correlation": PEOPLES_LABELS,
        "accuracy": TRUE_CLASS,
        "top2_accuracy": TRUE_CLASS,
        "human_accuracy": PEOPLES_MAJORITY,
    }
    scaled = ("cross_entropy",)

    def _measure(self, logits: Tensor, target: Tensor, label: Tensor, reduction: Reduction) -> dict[str, Tensor]:
        return {
            "cross_entropy": soft_cross_entropy(logits, target, reduction),
            "kl_divergence": kl_divergence(logits, target, reduction),
            "brier_score": brier_score(logits, target, reduction),
            "total_variation": total_variation(logits, target, reduction),
            "entropy_correlation": entropy_correlation(logits, target, reduction),
            "accuracy": top_k_accuracy(logits, label, 1, reduction),
            "top2_accuracy": top_k_accuracy(logits, label, 2, reduction),
            "human_accuracy": top_k_accuracy(logits, target.argmax(1), 1, reduction),
        }

    def nan_reasons(self) -> dict[str, str]:
        """Explain a NaN correlation, which needs images with different entropies."""
        reason = "the entropy of the predictions, or of people's labels, is the same for all images"
        return {"entropy_correlation": reason}


class CalibrationMetrics(ScoredPredictions):
    """RMS calibration error in both modes and expected calibration error, each against both truths.

    By default a prediction is correct if it is people's most frequent label, as in the paper. For names that end in
    `_true`, it is correct if it is the true class, the usual meaning of calibration.

    Args:
        bin_size: Number of predictions per adaptive bin, for the RMS errors. By default that of `choose_bin_size`.
        num_bins: Number of equal-width bins, for the expected calibration error.
    """

    truth: ClassVar[Mapping[str, str]] = {
        "rms_calibration": PEOPLES_MAJORITY,
        "rms_calibration_full": PEOPLES_MAJORITY,
        "ece": PEOPLES_MAJORITY,
        "rms_calibration_true": TRUE_CLASS,
        "rms_calibration_full_true": TRUE_CLASS,
        "ece_true": TRUE_CLASS,
    }
    scaled = ("rms_calibration", "rms_calibration_full", "ece")

    def __init__(self, bin_size: int | None = None, num_bins: int = 15, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bin_size = bin_size
        self.num_bins = num_bins

    def confidence_and_correct(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the confidence of each prediction, and whether it is the majority and the true class, each (N,)."""
        gathered = self.gathered()
        return _judge(gathered["logits"].double(), gathered["target"], gathered["label"])

    def compute(self) -> dict[str, Tensor]:
        """Return scalars by name. Store confidences and whether predictions are the majority in `predictions`.

        Afterwards `used_bin_size` is the bin size of the RMS errors.
        """
        confidence, by_majority, _ = self.confidence_and_correct()
        self.used_bin_size = self.bin_size or choose_bin_size(len(confidence))
        self.predictions = confidence, by_majority
        return super().compute()

    def _measure(self, logits: Tensor, target: Tensor, label: Tensor, reduction: Reduction) -> dict[str, Tensor]:
        confidence, by_majority, by_class = _judge(logits, target, label)
        size = self.used_bin_size
        values: dict[str, Tensor] = {}
        for end, correct in (("", by_majority), ("_true", by_class)):
            values |= {
                f"rms_calibration{end}": rms_calibration_error(confidence, correct, size, "pixmix", reduction),
                f"rms_calibration_full{end}": rms_calibration_error(confidence, correct, size, "full", reduction),
                f"ece{end}": expected_calibration_error(confidence, correct, self.num_bins, reduction),
            }
        return values

    def nan_reasons(self) -> dict[str, str]:
        """Explain a NaN of PixMix's error, which has no bin left if there are few images."""
        reason = (
            f"{len(self.predictions[0])} images fill fewer than two bins of {self.used_bin_size}, and PixMix's "
            "error leaves out the last bin. Use more images, or a smaller --calibration.bin_size"
        )
        return dict.fromkeys(("rms_calibration", "rms_calibration_true"), reason)


class AttackedMetrics(ScoredPredictions):
    """Cross entropy and accuracy of predictions on attacked images."""

    truth: ClassVar[Mapping[str, str]] = {"fgsm_cross_entropy": PEOPLES_LABELS, "fgsm_accuracy": TRUE_CLASS}
    scaled = ("fgsm_cross_entropy",)

    def _measure(self, logits: Tensor, target: Tensor, label: Tensor, reduction: Reduction) -> dict[str, Tensor]:
        return {
            "fgsm_cross_entropy": soft_cross_entropy(logits, target, reduction),
            "fgsm_accuracy": top_k_accuracy(logits, label, 1, reduction),
        }


def _judge(logits: Tensor, target: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the confidence of each prediction, and whether it is the majority and the true class, each (N,)."""
    confidence, prediction = logits.softmax(1).max(1)
    return confidence, prediction == target.argmax(1), prediction == label
