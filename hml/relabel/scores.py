"""Scores of predicted distributions: bits, CRPS, the error of the mean, and coverage.

All take masses over the slider's positions, shape (N, 101), and answers in 0..100, shape (N,). They return one score
per judgement, shape (N,). CRPS and errors are on lambda_h's scale.
"""

import numpy as np

from hml.statistics.estimates import Array, Index

COVERAGES = (0.5, 0.8, 0.95)


def bits(mass: Array, answer: Index) -> Array:
    """Return −log2 of each answer's probability. A uniform guess scores log2(101) = 6.66."""
    scores: Array = -np.log2(np.maximum(mass[np.arange(len(answer)), answer], 1e-12))
    return scores


def crps(mass: Array, answer: Index) -> Array:
    """Return the continuous ranked probability score: the integral over lambda of (F − 1[answer ≤ lambda])².

    The score of a prediction that is certain is its absolute error.

    Source: Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", 2007.
    """
    steps = mass.shape[1] - 1
    reached = mass.cumsum(1)[:, :-1]  # F at 0..99
    happened = answer[:, None] <= np.arange(steps)
    scores: Array = ((reached - happened) ** 2).sum(1) / steps
    return scores


def mean_error(mass: Array, answer: Index) -> Array:
    """Return the absolute error of each distribution's mean."""
    steps = mass.shape[1] - 1
    scores: Array = np.abs(mass @ np.arange(mass.shape[1]) - answer) / steps
    return scores


def coverage(mass: Array, answer: Index, level: float) -> Array:
    """Return the share of each answer that is in the central interval with probability `level`.

    An answer with positive mass covers an interval of the distribution function. The part of it within the central
    interval counts, so a correct model covers exactly `level`, although the slider has few positions.

    Source: Czado, Gneiting and Held, "Predictive Model Assessment for Count Data", 2009 (the randomised transform).
    """
    own = mass[np.arange(len(answer)), answer]
    high = mass.cumsum(1)[np.arange(len(answer)), answer]
    low = high - own
    first, last = (1 - level) / 2, (1 + level) / 2
    inside = np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None)
    scores: Array = inside / np.maximum(own, 1e-12)
    return np.clip(scores, 0, 1)
