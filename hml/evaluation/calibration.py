"""Calibration errors: pure functions of confidences and whether predictions are correct, both (N,).

The caller decides what is correct. `hml.evaluation.metrics.CalibrationMetrics` computes each error twice: against
people's majority, as in the paper, and against the true class.

A calibration error is not a mean over predictions. With `reduction="none"`, the value of a prediction is the error plus
the influence of the prediction: the derivative of the error with respect to the prediction's weight, for fixed bins.
The mean of these values is the error. Their variance divided by N estimates the variance of the error over other
predictions (the infinitesimal jackknife: Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982). In
simulations this standard error was right to .15 for clearly miscalibrated models, and up to 1.7 times too large for a
calibrated one.
"""

from typing import Literal

import torch
from torch import Tensor

from hml.errors import InputError, check_choice
from hml.evaluation.alignment import Reduction

CalibrationMode = Literal["pixmix", "full"]

PAPER_BIN_SIZE = 100


def choose_bin_size(total: int) -> int:
    """Choose the number of predictions per bin: the paper's 100 if they fill two bins, otherwise a tenth of them.

    With fewer than two bins, PixMix's error would be NaN, since it leaves out the last bin.

    Examples:
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

    Predictions are sorted by confidence and split into bins of bin_size. The remainder is added to the last bin.

    Args:
        confidence: Largest class probability, shape (N,).
        correct: Whether the prediction is correct, shape (N,), boolean or 0 and 1.
        bin_size: Number of predictions per bin.
        mode: "full" uses every bin. "pixmix" is what PixMix's code and the paper's table compute: the loop is
            `range(len(bins) − 1)`, so the last bin, which has the most confident predictions, is left out, but N
            includes it.
        reduction: "mean", or "none" for one value per prediction, whose mean is the error (see the module docstring).

    Returns:
        A scalar in [0, 1]. NaN if no bin remains (fewer than 2 · bin_size predictions in mode "pixmix"). With
        `reduction="none"`, shape (N,), and also NaN if the error is 0.

    Raises:
        InputError: the shapes differ or bin_size is below 1.

    Source: Hendrycks et al., "PixMix", 2022, `calibration_tools.py`; adaptive bins after Nguyen and O'Connor, 2015.

    Examples:
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
        correct: Whether the prediction is correct, shape (N,).
        num_bins: Number of equal-width bins. Each includes its upper edge.
        reduction: "mean", or "none" for one value per prediction, whose mean is the error (see the module docstring).

    Returns:
        A scalar in [0, 1], or shape (N,). NaN if there are no predictions.

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
    """Return the index of the equal-width bin of (0, 1] that contains each confidence, shape (N,)."""
    edges = torch.linspace(0, 1, num_bins + 1, dtype=confidence.dtype, device=confidence.device)
    return torch.bucketize(confidence, edges[1:-1])


def _check(confidence: Tensor, correct: Tensor, **positive: int) -> None:
    if confidence.ndim != 1 or confidence.shape != correct.shape:
        raise InputError(f"confidence {tuple(confidence.shape)} and correct {tuple(correct.shape)} must both be (N,).")
    for name, value in positive.items():
        if value < 1:
            raise InputError(f"{name}={value} must be 1 or more.")


def _sums_by_bin(value: Tensor, which_bin: Tensor, num_bins: int) -> tuple[Tensor, Tensor]:
    """Return the sum and the number of the values in each bin."""
    sums = value.new_zeros(num_bins).index_add(0, which_bin, value)
    return sums, value.new_zeros(num_bins).index_add(0, which_bin, torch.ones_like(value))
