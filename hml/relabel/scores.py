"""How good a predicted distribution is against one answer: bits, CRPS, error of its mean, where the answer falls in it.

All take masses over the slider's positions, shape (N, 101), and answers in 0..100, shape (N,), and return one score per
judgement, shape (N,), on lambda_h's scale where they have one.
"""

import numpy as np

from hml.statistics.estimates import Array, Index

COVERAGES = (0.5, 0.8, 0.95)


def bits(mass: Array, answer: Index) -> Array:
    """Return the negative log2 of each answer's probability; log2(101) = 6.66 is what guessing costs."""
    scores: Array = -np.log2(np.maximum(mass[np.arange(len(answer)), answer], 1e-12))
    return scores


def crps(mass: Array, answer: Index) -> Array:
    """Return the continuous ranked probability score: the distance between forecast and answer, as distributions.

    The integral over lambda of (F − 1[answer ≤ lambda])²; a forecast without doubt scores its absolute error.

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
    """Return how far each answer lies in the central interval that should hold a share `level` of answers.

    An answer with a mass of its own takes up a stretch of the distribution function, of which the part within the
    interval counts, so that a right model covers exactly `level` however coarse the slider.

    Source: Czado, Gneiting and Held, "Predictive Model Assessment for Count Data", 2009 (the randomised transform).
    """
    own = mass[np.arange(len(answer)), answer]
    high = mass.cumsum(1)[np.arange(len(answer)), answer]
    low = high - own
    first, last = (1 - level) / 2, (1 + level) / 2
    inside = np.clip(np.minimum(high, last) - np.maximum(low, first), 0, None)
    scores: Array = inside / np.maximum(own, 1e-12)
    return np.clip(scores, 0, 1)
