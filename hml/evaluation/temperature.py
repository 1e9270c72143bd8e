"""Temperature scaling: logits divided by one number T, fitted to labels. Pure functions of logits and distributions.

An over-confident network has a high cross entropy and calibration error, and any smoothing of its training labels
lowers both. A temperature corrects confidence, and does not change the order of the classes. So figures after scaling
show whether two networks differ in more than confidence.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017, section 4.2.
"""

import math

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from hml.errors import InputError
from hml.randomness import Draws

LARGEST_RATIO = 1000.0
"""The largest ratio between the temperature and the spread of the logits, in either direction."""


def fit_temperature(logits: Tensor, target: Tensor) -> float:
    """Fit the temperature that minimises the cross entropy of softmax(logits / T) against soft targets.

    The cross entropy is convex in 1 / T, so its derivative is solved for 0, in double precision.

    Args:
        logits: Predictions before softmax, shape (N, C).
        target: Distributions, shape (N, C), rows sum to 1.

    Returns:
        T, above 0. Let s be the root mean square distance of the logits to the largest logit of their image. T is
        limited to s / 1000, for example where all targets are one-hot and all predictions are correct, and to 1000 · s,
        for example where predictions are worse than a uniform guess at every T. T is 1 if all logits of each image are
        equal, since T then has no effect. T is NaN if there are no images or logits are not finite.

    Raises:
        InputError: the shapes differ.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Examples:
        >>> people = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]])
        >>> round(fit_temperature(3 * people.log(), people), 4)  # the logits are 3 times too large
        3.0
    """
    if logits.ndim != 2 or logits.shape != target.shape:
        raise InputError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} must both be (N, C).")
    if len(logits) == 0 or not bool(logits.isfinite().all()):
        return math.nan
    gaps = logits.double() - logits.double().amax(1, keepdim=True)  # (N, C), exactly 0 where logits are equal
    spread = float(gaps.square().mean().sqrt())
    if spread == 0:
        return 1.0
    gaps, target = gaps / spread, target.double()

    def slope(log_scale: float) -> float:
        """Return the derivative of the cross entropy of softmax(scale · gaps), in scale. It increases."""
        excess = (math.exp(log_scale) * gaps).softmax(1) - target  # (N, C)
        return float((excess * gaps).sum(1).mean())

    limit = math.log(LARGEST_RATIO)
    if slope(-limit) >= 0:
        return spread * LARGEST_RATIO
    if slope(limit) <= 0:
        return spread / LARGEST_RATIO
    return spread / math.exp(brentq(slope, -limit, limit, xtol=1e-12))


def cross_fit_temperature(logits: Tensor, target: Tensor, index: Tensor) -> Tensor:
    """Fit a temperature to each of two halves of the images, and give each image that of the other half.

    So no image is scored with a temperature that was fitted to it. The halves are a pure function of the indices, and
    the same for every run.

    Args:
        logits: Predictions before softmax, shape (N, C).
        target: Distributions, shape (N, C), rows sum to 1.
        index: Indices of the images in the data set, 0 or more and unique, shape (N,).

    Returns:
        The temperature of each image, float64, shape (N,). NaN if there are fewer than two images.
    """
    shuffled = Draws(0, 0, index.cpu().numpy().astype(np.int64)).order("temperature halves")
    is_first = torch.isin(index, torch.from_numpy(shuffled[: len(shuffled) // 2]).to(index.device))  # (N,)
    temperature = torch.empty(len(index), dtype=torch.float64, device=logits.device)
    for half in (is_first, ~is_first):
        temperature[half] = fit_temperature(logits[~half], target[~half])
    return temperature


def scale(logits: Tensor, temperature: Tensor) -> Tensor:
    """Divide logits, shape (N, C), by the temperature of each image, shape (N,).

    Examples:
        >>> scale(torch.tensor([[4.0, 2.0]]), torch.tensor([2.0]))
        tensor([[2., 1.]])
    """
    return logits / temperature[:, None]
