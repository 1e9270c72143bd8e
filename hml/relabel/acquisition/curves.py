"""`PairUncertainty`: asks where class pairs' curves are uncertain."""

import numpy as np
import pandas as pd
from typing_extensions import override

from hml.judgements.curves import Curve, PairCurves, fit_pair_curves
from hml.labels import MixedBatch
from hml.relabel.acquisition.base import Acquisition, Gains
from hml.relabel.acquisition.pool import Pool, judged_images, opinion_noise
from hml.statistics.estimates import Array, Index

GRID = np.linspace(0.1, 0.9, 9)
"""The lambda_f over which a curve's variance is averaged."""


class PairUncertainty(Acquisition):
    """Expected reduction of the variance of the class pair's curve, averaged over lambda_f from .1 to .9.

    A pair's curve (`hml.judgements.curves`) has bias and log slope θ ~ N(overall's, Σ), where Σ⁻¹ = spread⁻² + Σ over
    judged images of d·dᵀ / noise and d is the curve's derivative at lambda_f. An opinion lowers the mean over t of
    d_tᵀΣd_t by the mean of (d_tᵀΣd)² / (dᵀΣd + noise). Σ is updated after each choice, so other pairs catch up.

    Source: MacKay, "Information-Based Objective Functions for Active Data Selection", 1992 (the mean marginal).
    """

    reason = "lower variance of the class pair's curve"

    @override
    def gains(self, pool: Pool) -> Gains:
        fitted = fit_curves(pool.table)
        num_classes = pool.batch.num_classes
        pairs, group = np.unique(_pair_numbers(pool.batch), return_inverse=True)
        curves = [fitted.of(int(number) // num_classes, int(number) % num_classes) for number in pairs]
        spread = np.maximum(fitted.spread, (1e-3, 1e-2))
        covariance = np.stack([np.diag(spread**2)] * len(pairs))  # (G, 2, 2)
        along = np.stack([derivative(curve, GRID) for curve in curves])  # (G, 9, 2)
        judged, count = judged_images(pool.table, num_classes)
        place = np.searchsorted(pairs, _pair_numbers(judged))
        lambda_f = _lower_share(judged)
        for i in np.flatnonzero(np.isin(_pair_numbers(judged), pairs)):
            g = place[i]
            noise = _variance(curves[g], lambda_f[i], fitted.dispersion) * (
                pool.image_share + (1 - pool.image_share) / count[i]
            )
            covariance[g] = condition(covariance[g], derivative(curves[g], lambda_f[i]), noise)
        own, noise = _describe(pool, curves, group, fitted.dispersion)
        while True:
            reach = np.einsum("nij,nj->ni", covariance[group], own)  # (N, 2)
            lowered = (np.einsum("nti,ni->nt", along[group], reach) ** 2).mean(1)
            row = yield lowered / ((own * reach).sum(1) + noise)
            covariance[group[row]] = condition(covariance[group[row]], own[row], noise[row])


def fit_curves(table: pd.DataFrame) -> PairCurves:
    """Fit class pairs' curves to a table of judgements."""
    return fit_pair_curves(*(table[name].to_numpy() for name in ("lambda_f", "lambda_h", "class_1", "class_2")))


def curve_values(curves: PairCurves, table: pd.DataFrame) -> Array:
    """Return lambda_h by the curve of each judgement's class pair, at its lambda_f, shape (N,)."""
    rows = zip(table["class_1"], table["class_2"], table["lambda_f"], strict=True)
    return np.array([float(curves.of(int(class_1), int(class_2))(lambda_f)) for class_1, class_2, lambda_f in rows])


def derivative(curve: Curve, lambda_f: Array) -> Array:
    """Return the derivative of a curve by its bias and log slope at lambda_f (...), shape (..., 2).

    Examples:
        >>> derivative(Curve(bias=0.0, slope=4.0), np.array([0.5])).tolist()
        [[-1.0, 0.0]]
    """
    reach = curve.slope * (np.asarray(lambda_f) - 0.5 - curve.bias)
    sigmoid = 1 / (1 + np.exp(-reach))
    steepness = (1 - curve.lapse) * sigmoid * (1 - sigmoid)
    return np.stack([-steepness * curve.slope, steepness * reach], axis=-1)


def condition(covariance: Array, direction: Array, noise: float) -> Array:
    """Condition a Gaussian with covariance (2, 2) on a measurement along a direction (2,) with variance `noise`.

    Examples:
        >>> condition(np.eye(2), np.array([1.0, 0.0]), noise=1.0).tolist()
        [[0.5, 0.0], [0.0, 1.0]]
    """
    reach = covariance @ direction
    conditioned: Array = covariance - np.outer(reach, reach) / (noise + direction @ reach)
    return conditioned


def _describe(pool: Pool, curves: list[Curve], group: Index, dispersion: float) -> tuple[Array, Array]:
    """Return each image's derivative, shape (N, 2), and the variance of one more opinion on it, shape (N,)."""
    lambda_f = _lower_share(pool.batch)
    own, noise = np.empty((len(pool), 2)), np.empty(len(pool))
    for g, curve in enumerate(curves):
        rows = group == g
        own[rows] = derivative(curve, lambda_f[rows])
        noise[rows] = _variance(curve, lambda_f[rows], dispersion)
    return own, noise * opinion_noise(pool.opinions, pool.image_share)


def _variance(curve: Curve, lambda_f: Array, dispersion: float) -> Array:
    expected = curve(lambda_f)
    variance: Array = np.maximum(expected * (1 - expected) * dispersion, 1e-6)
    return variance


def _pair_numbers(batch: MixedBatch) -> Index:
    """Number class pairs, in either order: lower class · C + higher class, shape (N,)."""
    first, second = batch.class_1.numpy(), batch.class_2.numpy()
    numbers: Index = np.minimum(first, second) * batch.num_classes + np.maximum(first, second)
    return numbers


def _lower_share(batch: MixedBatch) -> Array:
    """Return the weight of the endpoint of the lower class, shape (N,)."""
    weight = batch.lambda_f.double().numpy()
    share: Array = np.where((batch.class_1 > batch.class_2).numpy(), 1 - weight, weight)
    return share
