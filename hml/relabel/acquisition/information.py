"""Acquisitions that ask where the members disagree: expected information, and expected error reduction."""

from dataclasses import dataclass, field

import numpy as np
import torch
from typing_extensions import override

from hml.relabel.acquisition.base import Acquisition, Gains
from hml.relabel.acquisition.pool import Pool, member_cells, member_means
from hml.statistics.estimates import Array


@dataclass
class Ensemble:
    """The members' mean answers as a Gaussian: f(x) = mean + φ(x)·w, w ~ N(0, A), where A is initially the identity.

    φ are the M members' deviations from their mean, divided by √(M − 1), so φ(x)·φ(y) is their sample covariance. An
    opinion is f(x) + noise. Conditioning on it takes M² operations, and the N variances take N·M².

    Args:
        features: φ of each image, shape (N, M).
        noise: The variance of one more opinion on each, shape (N,).
    """

    features: Array
    noise: Array
    covariance: Array = field(init=False)

    def __post_init__(self) -> None:
        self.covariance = np.eye(self.features.shape[1])

    @classmethod
    def of(cls, pool: Pool) -> "Ensemble":
        """Create it from a pool's members."""
        return cls(deviations(member_means(pool.relabeller, pool.batch)), pool.noise)

    def variance(self) -> Array:
        """Return the variance of f at each image, shape (N,)."""
        variance: Array = ((self.features @ self.covariance) * self.features).sum(1)
        return np.maximum(variance, 0)

    def condition(self, row: int) -> None:
        """Condition on an opinion on one image."""
        own = self.features[row]
        reach = self.covariance @ own  # (M,)
        self.covariance = self.covariance - np.outer(reach, reach) / (self.noise[row] + own @ reach)


def deviations(means: Array) -> Array:
    """Return the deviations of members' means, shape (M, N), from their average, divided by √(M − 1), shape (N, M).

    Examples:
        >>> deviations(np.array([[0.25], [0.75]])).tolist()  # their squares sum to the sample variance, 1/8
        [[-0.25, 0.25]]
    """
    centred: Array = (means - means.mean(0)).T / np.sqrt(len(means) - 1)
    return centred


class ExpectedInformation(Acquisition):
    """Expected information about the model in bits: BALD over the ensemble's members.

    I(x) = H(mean of the members' distributions) − mean of H(each member's), over cells of the slider. In a batch, and
    for images with n opinions, it is multiplied by the share that is not known yet: log(1 + v(x | batch) / noise_n) /
    log(1 + v(x) / noise_0). v is the variance of the members' mean answers, a Gaussian that is conditioned on the
    batch. This is BatchBALD's joint information for a Gaussian, linear in images.

    Args:
        omega: Whether the information is that of lambda_h and omega together, rather than of lambda_h.

    Source: Houlsby et al., "Bayesian Active Learning for Classification and Preference Learning", 2011; Kirsch, van
    Amersfoort and Gal, "BatchBALD", 2019; Holzmüller et al., "A Framework and Benchmark for Deep Batch Active Learning
    for Regression", 2023 (greedy conditioning of a Gaussian).
    """

    reason = "bits of information about the model"

    def __init__(self, omega: bool = False) -> None:
        self.omega = omega

    @override
    def gains(self, pool: Pool) -> Gains:
        single = information(pool, self.omega)
        ensemble = Ensemble.of(pool)
        first = np.log1p(ensemble.variance() / pool.answer_variance)
        while True:
            left = np.log1p(ensemble.variance() / ensemble.noise)
            row = yield single * np.divide(left, first, out=np.zeros_like(left), where=first > 0)
            ensemble.condition(row)


def information(pool: Pool, omega: bool = False) -> Array:
    """Return the information of a first opinion on each image about which member is right, in bits, shape (N,)."""
    members = len(pool.relabeller.networks)
    mean, expected = torch.zeros(()), torch.zeros(())
    for cells in member_cells(pool.relabeller, pool.batch, omega):
        mean = mean + cells / members
        expected = expected + torch.special.entr(cells).sum(1) / members
    bits: Array = (torch.special.entr(mean).sum(1) - expected).double().numpy() / np.log(2)
    return np.maximum(bits, 0)


class ExpectedErrorReduction(Acquisition):
    """Expected reduction of the squared error of the mean lambda_h on fresh mixes.

    Mean over targets t of cov(x, t | batch)² / (v(x | batch) + noise_n), by the members' sample covariance. This is how
    much an opinion on x lowers the variance of predictions for images as training mixes them.

    Source: Cohn, Ghahramani and Jordan, "Active Learning with Statistical Models", 1996.
    """

    reason = "lower squared error of fresh mixes' λ_h"

    @override
    def gains(self, pool: Pool) -> Gains:
        means = [member_means(pool.relabeller, batch) for batch in (pool.batch, pool.targets)]
        ensemble, target = Ensemble(deviations(means[0]), pool.noise), deviations(means[1])
        spread = target.T @ target / len(target)  # (M, M)
        while True:
            seen = ensemble.features @ ensemble.covariance  # (N, M)
            row = yield ((seen @ spread) * seen).sum(1) / (ensemble.variance() + ensemble.noise)
            ensemble.condition(row)
