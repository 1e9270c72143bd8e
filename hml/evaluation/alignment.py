"""Distances between a model's probabilities and people's. Pure functions of logits and distributions, (N, C).

Each returns a mean over images. With `reduction="none"` it returns the values of the images, shape (N,).
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Reduction = Literal["mean", "none"]


def soft_cross_entropy(logits: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Cross entropy of predictions against soft targets, −Σ target · log softmax(logits), averaged over images.

    Args:
        logits: Predictions before softmax, finite, shape (N, C).
        target: Distributions, shape (N, C), rows sum to 1. Entries of 0 contribute 0.
        reduction: "mean", or "none" for one value per image.

    Returns:
        A scalar or shape (N,), in nats.

    Examples:
        >>> soft_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.25, 0.75]]))
        tensor(0.6931)
    """
    return functional.cross_entropy(logits, target, reduction=reduction)


def entropy(probabilities: Tensor) -> Tensor:
    """Shannon entropy of each row of (N, C), in nats, shape (N,); 0 · log 0 is 0."""
    return -torch.xlogy(probabilities, probabilities).sum(1)


def kl_divergence(logits: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Kullback–Leibler divergence KL(target ‖ softmax(logits)), averaged over images, in nats."""
    return soft_cross_entropy(logits, target, reduction) - _reduce(entropy(target), reduction)


def brier_score(logits: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Squared distance between distributions, Σ (softmax(logits) − target)², averaged over images; from 0 to 2."""
    return _reduce((logits.softmax(1) - target).square().sum(1), reduction)


def total_variation(logits: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Total variation distance, ½ Σ |softmax(logits) − target|, averaged over images; from 0 to 1."""
    return _reduce((logits.softmax(1) - target).abs().sum(1), reduction) / 2


def entropy_correlation(logits: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Pearson correlation over images between the model's entropy and people's; NaN where either is constant.

    The correlation r is not a mean over images. With `reduction="none"`, the value of an image is r plus its influence
    on r, a · b − r · (a² + b²) / 2, where a and b are standardised entropies. The mean of these values is r, and their
    variance divided by N estimates the variance of r.

    Source: Devlin, Gnanadesikan and Kettenring, "Robust Estimation and Outlier Detection with Correlation
    Coefficients", 1975, for the influence.
    """
    entropies = torch.stack([entropy(logits.softmax(1)), entropy(target)])  # (2, N)
    # The mean of equal numbers can differ from them by rounding, and this noise would be correlated.
    if bool((entropies.amax(1) - entropies.amin(1) < 1e-9).any()):
        return logits.new_full((len(logits),) if reduction == "none" else (), torch.nan)
    correlation = torch.corrcoef(entropies)[0, 1]
    if reduction == "mean":
        return correlation
    std, mean = torch.std_mean(entropies, 1, correction=0, keepdim=True)
    a, b = (entropies - mean) / std  # (N,) each
    values: Tensor = correlation + a * b - correlation * (a.square() + b.square()) / 2
    return values


def top_k_accuracy(logits: Tensor, label: Tensor, k: int = 1, reduction: Reduction = "mean") -> Tensor:
    """Share of images whose label, shape (N,), is among the k most probable classes (all classes if C < k)."""
    is_among = (logits.topk(min(k, logits.shape[1]), dim=1).indices == label[:, None]).any(1)  # (N,)
    return _reduce(is_among.to(torch.promote_types(logits.dtype, torch.float32)), reduction)


def _reduce(values: Tensor, reduction: Reduction) -> Tensor:
    return values.mean() if reduction == "mean" else values
