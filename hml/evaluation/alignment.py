"""How close a model's probabilities come to people's. Pure functions of logits and distributions, (N, C)."""

import torch
from torch import Tensor
from torch.nn import functional


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross entropy of predictions against soft targets, −Σ target · log softmax(logits), the mean over images.

    Args:
        logits: Predictions before softmax, finite, shape (N, C).
        target: Distributions, shape (N, C), rows sum to 1; where an entry is 0 it adds nothing.

    Returns:
        A scalar, in nats.

    Example:
        >>> soft_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.25, 0.75]]))
        tensor(0.6931)
    """
    return functional.cross_entropy(logits, target)


def entropy(probabilities: Tensor) -> Tensor:
    """Shannon entropy of each row of (N, C), in nats, shape (N,); 0 · log 0 is 0."""
    return -torch.xlogy(probabilities, probabilities).sum(1)


def kl_divergence(logits: Tensor, target: Tensor) -> Tensor:
    """Kullback–Leibler divergence KL(target ‖ softmax(logits)), the mean over images, a scalar in nats."""
    return soft_cross_entropy(logits, target) - entropy(target).mean()


def brier_score(logits: Tensor, target: Tensor) -> Tensor:
    """Squared distance between distributions, Σ (softmax(logits) − target)², the mean over images; 0 to 2."""
    return (logits.softmax(1) - target).square().sum(1).mean()


def total_variation(logits: Tensor, target: Tensor) -> Tensor:
    """Total variation distance, ½ Σ |softmax(logits) − target|, the mean over images; 0 to 1."""
    return (logits.softmax(1) - target).abs().sum(1).mean() / 2


def entropy_correlation(logits: Tensor, target: Tensor) -> Tensor:
    """Pearson correlation over images between the model's entropy and people's; NaN where either is constant."""
    entropies = torch.stack([entropy(logits.softmax(1)), entropy(target)])  # (2, N)
    # The mean of equal numbers can differ from them by rounding, and it would be that noise which is correlated.
    if bool((entropies.amax(1) - entropies.amin(1) < 1e-9).any()):
        return logits.new_tensor(torch.nan)
    return torch.corrcoef(entropies)[0, 1]


def top_k_accuracy(logits: Tensor, label: Tensor, k: int = 1) -> Tensor:
    """Share of images whose label, shape (N,), is among the k most probable classes, or all if there are fewer."""
    is_among = (logits.topk(min(k, logits.shape[1]), dim=1).indices == label[:, None]).any(1)  # (N,)
    return is_among.to(torch.promote_types(logits.dtype, torch.float32)).mean()
