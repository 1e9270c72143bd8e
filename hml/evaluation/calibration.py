"""Whether a model is right as often as it is confident. Pure functions of confidences and successes, both (N,).

What counts as right is the caller's choice. `hml.evaluation.metrics.CalibrationMetrics` computes each error twice: with
what most people say, as in the paper, and with the true class.

An error is no mean over predictions. With `reduction="none"` the value of a prediction is the error plus the influence
of the prediction on it: the error's derivative by the prediction's weight, with the bins as they are. The mean of these
values is the error, and their variance over N estimates the error's variance over other predictions (the infinitesimal
jackknife: Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982). In simulations their standard error
was right to .15 for models that are clearly miscalibrated, and up to 1.7 times too large for a calibrated one.
"""

from typing import Literal

import torch
from torch import Tensor

from hml.errors import InputError, check_choice
from hml.evaluation.alignment import Reduction

CalibrationMode = Literal["pixmix", "full"]

PAPER_BIN_SIZE = 100


def choose_bin_size(total: int) -> int:
    """Choose how many predictions are in a bin: the paper's 100 where they fill two bins, otherwise a tenth of them.

    With fewer than two bins of 100, PixMix's error, which leaves out the last one, would be NaN.

    Example:
        >>> [choose_bin_size(total) for total in (3000, 200, 120, 7)]
        [100, 100, 12, 1]
    """
    return PAPER_BIN_SIZE if total >= 2 * PAPER_BIN_SIZE else max(1, total // 10)


def rms_calibration_error(
    confidence: Tensor,
    correct: Tensor,
    bin_size: int = PAPER_BIN_SIZE,
    mode: CalibrationMode = "pixmix",
    reduction: Reduction = "mean",
) -> Tensor:
    """RMS calibration error over adaptive bins: sqrt(Σ n_b / N · (mean confidence_b − accuracy_b)²).

    Predictions are sorted by confidence and cut into bins of bin_size; what is left over joins the last bin.

    Args:
        confidence: Largest class probability, shape (N,).
        correct: Whether the prediction is right, shape (N,), boolean or 0 and 1.
        bin_size: Predictions in a bin.
        mode: "full" uses every bin. "pixmix" is what PixMix's code computes, and with it the paper's table: its loop
            is `range(len(bins) − 1)`, so the last bin, the most confident predictions, is left out while N still
            counts it.
        reduction: "mean", or "none" for a value per prediction whose mean is the error (see this module's top).

    Returns:
        A scalar in [0, 1]; NaN where no bin remains (fewer than 2 · bin_size predictions in mode "pixmix"). With
        `reduction="none"` shape (N,), and NaN also where the error is 0.

    Raises:
        InputError: the shapes differ or bin_size is below 1.

    Source: Hendrycks et al., "PixMix", 2022, `calibration_tools.py`; adaptive bins after Nguyen and O'Connor, 2015.

    Example:
        >>> rms_calibration_error(torch.tensor([0.6, 0.8]), torch.tensor([0, 1]), bin_size=1, mode="full")
        tensor(0.4472)
        >>> rms_calibration_error(torch.tensor([0.6, 0.8]), torch.tensor([0, 1]), bin_size=1, mode="pixmix")
        tensor(0.4243)
    """
    check_choice("mode", mode, CalibrationMode)
    _check(confidence, correct, bin_size=bin_size)
    total = len(confidence)
    num_bins = max(1, total // bin_size)
    used_bins = num_bins - 1 if mode == "pixmix" else num_bins
    if total == 0 or used_bins == 0:
        return confidence.new_full((total,) if reduction == "none" else (), torch.nan)
    order = torch.argsort(confidence, stable=True)
    gap = (confidence - correct.to(confidence.dtype))[order]  # (N,)
    which_bin = (torch.arange(total, device=gap.device) // bin_size).clamp(max=num_bins - 1)
    gaps, counts = _sums_by_bin(gap, which_bin, num_bins)
    error = (gaps.square() / counts / total)[:used_bins].sum().sqrt()
    if reduction == "mean":
        return error
    mean_gap = (gaps / counts)[which_bin]  # (N,)
    terms = torch.where(which_bin < used_bins, 2 * mean_gap * gap - mean_gap.square(), 0)  # their mean is error²
    values = torch.empty_like(gap)
    values[order] = error + (terms - error.square()) / (2 * error)
    return values


def expected_calibration_error(
    confidence: Tensor, correct: Tensor, num_bins: int = 15, reduction: Reduction = "mean"
) -> Tensor:
    """Expected calibration error over equal-width bins: Σ n_b / N · |mean confidence_b − accuracy_b|.

    Args:
        confidence: Largest class probability, shape (N,), in [0, 1].
        correct: Whether the prediction is right, shape (N,).
        num_bins: Bins of equal width; each includes its upper edge, and so the last a confidence of 1.
        reduction: "mean", or "none" for a value per prediction whose mean is the error (see this module's top).

    Returns:
        A scalar in [0, 1], or shape (N,); NaN where there are no predictions.

    Raises:
        InputError: the shapes differ or num_bins is below 1.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    _check(confidence, correct, num_bins=num_bins)
    if len(confidence) == 0:
        return confidence.new_full((0,) if reduction == "none" else (), torch.nan)
    gap, which_bin = confidence - correct.to(confidence.dtype), equal_width_bin(confidence, num_bins)
    gaps, _ = _sums_by_bin(gap, which_bin, num_bins)
    return gaps.abs().sum() / len(confidence) if reduction == "mean" else gaps.sign()[which_bin] * gap


def equal_width_bin(confidence: Tensor, num_bins: int) -> Tensor:
    """Tell which of num_bins equal parts of (0, 1] each confidence falls into, shape (N,)."""
    edges = torch.linspace(0, 1, num_bins + 1, dtype=confidence.dtype, device=confidence.device)
    return torch.bucketize(confidence, edges[1:-1])


def _check(confidence: Tensor, correct: Tensor, **positive: int) -> None:
    if confidence.ndim != 1 or confidence.shape != correct.shape:
        raise InputError(f"confidence {tuple(confidence.shape)} and correct {tuple(correct.shape)} must both be (N,).")
    for name, value in positive.items():
        if value < 1:
            raise InputError(f"{name}={value} must be 1 or more.")


def _sums_by_bin(value: Tensor, which_bin: Tensor, num_bins: int) -> tuple[Tensor, Tensor]:
    """Sum values, and count them, per bin."""
    sums = value.new_zeros(num_bins).index_add(0, which_bin, value)
    return sums, value.new_zeros(num_bins).index_add(0, which_bin, torch.ones_like(value))
