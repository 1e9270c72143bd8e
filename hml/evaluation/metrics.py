"""Metrics that gather predictions over batches and ranks, then apply the pure functions once to all of them.

Predictions are gathered, not sums: what is computed is then the same to the last digit whatever the batch size and
the number of ranks, and calibration's sorting needs them all anyway.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from hml.evaluation.alignment import (
    brier_score,
    entropy_correlation,
    kl_divergence,
    soft_cross_entropy,
    top_k_accuracy,
    total_variation,
)
from hml.evaluation.calibration import expected_calibration_error, rms_calibration_error


class GatheredPredictions(Metric):
    """Predictions of every image, in the order of the data set; each subclass computes something of them.

    `gathered` returns `logits` (N, C), `target` (N, C), `label` (N,) and `index` (N,).
    """

    full_state_update = False
    is_differentiable = False
    logits: list[Tensor]
    target: list[Tensor]
    label: list[Tensor]
    index: list[Tensor]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for state in ("logits", "target", "label", "index"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, target: Tensor, label: Tensor, index: Tensor) -> None:
        """Take a batch.

        Args:
            logits: Predictions before softmax, shape (B, C).
            target: What people say, shape (B, C).
            label: True classes, shape (B,).
            index: Places in the data set, shape (B,).
        """
        self.logits.append(logits.float())
        self.target.append(target.float())
        self.label.append(label)
        self.index.append(index)

    def gathered(self) -> dict[str, Tensor]:
        """Join all batches, in the order of the data set."""
        order = torch.argsort(dim_zero_cat(self.index))
        columns = {"logits": self.logits, "target": self.target, "label": self.label, "index": self.index}
        return {name: dim_zero_cat(column)[order].cpu() for name, column in columns.items()}

    def compute(self) -> dict[str, Tensor]:
        """Return the predictions themselves."""
        return self.gathered()


class HumanAlignmentMetrics(GatheredPredictions):
    """Every measure of `hml.evaluation.alignment`, and accuracy against both kinds of truth."""

    def compute(self) -> dict[str, Tensor]:
        """Return scalars by name."""
        gathered = self.gathered()
        logits, target, label = gathered["logits"].double(), gathered["target"].double(), gathered["label"]
        return {
            "cross_entropy": soft_cross_entropy(logits, target),
            "kl_divergence": kl_divergence(logits, target),
            "brier_score": brier_score(logits, target),
            "total_variation": total_variation(logits, target),
            "entropy_correlation": entropy_correlation(logits, target),
            "accuracy": top_k_accuracy(logits, label),
            "top2_accuracy": top_k_accuracy(logits, label, k=2),
            "human_accuracy": top_k_accuracy(logits, target.argmax(1)),
        }


class CalibrationMetrics(GatheredPredictions):
    """RMS calibration error both ways and the expected calibration error; right is what most people say.

    Args:
        bin_size: Predictions in an adaptive bin, for the RMS errors.
        num_bins: Equal-width bins, for the expected calibration error.
    """

    def __init__(self, bin_size: int = 100, num_bins: int = 15, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bin_size = bin_size
        self.num_bins = num_bins

    def confidence_and_correct(self) -> tuple[Tensor, Tensor]:
        """Return each prediction's confidence and whether it is right, both (N,)."""
        gathered = self.gathered()
        confidence, prediction = gathered["logits"].double().softmax(1).max(1)
        return confidence, prediction == gathered["target"].argmax(1)

    def compute(self) -> dict[str, Tensor]:
        """Return scalars by name, and keep what they were computed of in `predictions`, for figures."""
        self.predictions = confidence, correct = self.confidence_and_correct()
        return {
            "rms_calibration": rms_calibration_error(confidence, correct, self.bin_size, "pixmix"),
            "rms_calibration_full": rms_calibration_error(confidence, correct, self.bin_size, "full"),
            "ece": expected_calibration_error(confidence, correct, self.num_bins),
        }


class AttackedMetrics(GatheredPredictions):
    """Cross entropy and accuracy of predictions on attacked images."""

    def compute(self) -> dict[str, Tensor]:
        """Return scalars by name."""
        gathered = self.gathered()
        logits = gathered["logits"].double()
        return {
            "fgsm_cross_entropy": soft_cross_entropy(logits, gathered["target"].double()),
            "fgsm_accuracy": top_k_accuracy(logits, gathered["label"]),
        }
