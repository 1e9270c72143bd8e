"""A model of people who judge mixed images. Each person has a bias, a scale and a noise. Each image has a true share.

Person p's answer to image i is lambda_h = 1/2 + bias_p + scale_p · (m_i − 1/2) + noise, noise ~ N(0, variance_p). The
image's true share m_i is drawn from N(expected_i, image_variance), where `expected` is the value of its class pair's
curve at its lambda_f. People's biases and scales are drawn from N(0, ·) and N(1, ·). All variances are estimated by EM
(empirical Bayes). This is the analogue of crowd-labelling models (Dawid and Skene, 1979) for answers on a slider.
"""

from dataclasses import dataclass

import numpy as np

from hml.errors import InputError
from hml.judgements.curve_fitting import Array, Index

_STEPS, _TOLERANCE = 500, 1e-7
_SMALLEST = 1e-6
_PRIOR_ANSWERS = 4.0  # weight of the overall noise in a person's noise, as a number of answers


@dataclass(frozen=True)
class Crowd:
    """Estimates of I images and P people."""

    image: Array
    """Each image's posterior mean, shape (I,). It may be slightly outside [0, 1]."""
    image_sd: Array
    """Each image's posterior standard deviation, shape (I,)."""
    bias: Array
    """Each person's bias towards the first image, in lambda_h, shape (P,)."""
    scale: Array
    """How much of an image's distance from one half each person reports, shape (P,)."""
    noise: Array
    """Standard deviation of each person's answers, in lambda_h, shape (P,)."""
    image_variance: float
    """Standard deviation of images around their expected shares."""


def fit_crowd(lambda_h: Array, image: Index, person: Index, expected: Array, individual: bool = True) -> Crowd:
    """Fit the model to N judgements.

    Args:
        lambda_h: Answers, shape (N,).
        image: The image of each answer, shape (N,), 0 to I − 1.
        person: The person of each answer, shape (N,), 0 to P − 1.
        expected: The expected share of each image before any judgement, in [0, 1], shape (I,).
        individual: Whether people differ. Otherwise all have bias 0, scale 1 and the same noise, and the estimate of an
            image is its mean answer, shrunk to the expected share. Fewer people give more shrinkage.

    Raises:
        InputError: there are no judgements, or the arguments differ in length.

    Examples:
        >>> one = np.zeros(2, np.int64)
        >>> crowd = fit_crowd(np.array([0.7, 0.9]), one, np.arange(2), np.array([0.5]), individual=False)
        >>> bool(0.5 < crowd.image[0] < 0.8)
        True
    """
    if len({len(lambda_h), len(image), len(person)}) > 1 or len(lambda_h) == 0:
        raise InputError("judgements have lambda_h, image and person: give arrays of the same length, at least 1.")
    answer, prior = lambda_h - 0.5, expected - 0.5
    people = int(person.max()) + 1
    bias, scale, variance = np.zeros(people), np.ones(people), np.full(people, max(_SMALLEST, answer.var() / 2))
    spread = max(_SMALLEST, answer.var() / 2)  # of images around their expected shares
    bias_spread = scale_spread = 0.01
    answers = np.bincount(person, minlength=people).astype(float)  # (P,)
    mean = np.full(len(prior), np.inf)
    for _ in range(_STEPS):
        before = mean
        precision = 1 / spread + _sum(image, scale[person] ** 2 / variance[person], len(prior))  # (I,)
        told = _sum(image, scale[person] * (answer - bias[person]) / variance[person], len(prior))
        mean, unsure = (prior / spread + told) / precision, 1 / precision
        spread = max(_SMALLEST, float(((mean - prior) ** 2 + unsure).mean()))
        shown, unsure_shown = mean[image], unsure[image]  # (N,)
        if individual:
            spreads = bias_spread, scale_spread
            bias, scale, posterior = _fit_people(answer, shown, unsure_shown, person, variance, spreads)
            bias_spread = max(_SMALLEST, float((bias**2 + posterior[:, 0]).mean()))
            scale_spread = max(_SMALLEST, float(((scale - 1) ** 2 + posterior[:, 1]).mean()))
        left = (answer - bias[person] - scale[person] * shown) ** 2 + scale[person] ** 2 * unsure_shown  # (N,)
        pooled = float(left.mean())
        own = (_sum(person, left, people) + _PRIOR_ANSWERS * pooled) / (answers + _PRIOR_ANSWERS)
        variance = np.maximum(own if individual else np.full(people, pooled), _SMALLEST)
        if float(np.abs(mean - before).max()) < _TOLERANCE:
            break
    return Crowd(mean + 0.5, np.sqrt(unsure), bias, scale, np.sqrt(variance), spread)


def _fit_people(
    answer: Array, shown: Array, unsure: Array, person: Index, variance: Array, spreads: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """Regress answers on the shares of images: each person's bias and scale, (P,), and their variances, (P, 2)."""
    people = len(variance)
    sums = [_sum(person, values, people) / variance for values in (np.ones_like(answer), shown, shown**2 + unsure)]
    of_one, of_shown, of_squares = sums  # (P,)
    information = np.empty((people, 2, 2))
    information[:, 0, 0], information[:, 1, 1] = of_one + 1 / spreads[0], of_squares + 1 / spreads[1]
    information[:, 0, 1] = information[:, 1, 0] = of_shown
    told = np.stack([_sum(person, answer, people), _sum(person, answer * shown, people)], axis=1) / variance[:, None]
    told[:, 1] += 1 / spreads[1]
    covariance = np.linalg.inv(information)
    bias, scale = (covariance @ told[:, :, None])[:, :, 0].T
    return bias, scale, np.diagonal(covariance, axis1=1, axis2=2)


def _sum(member: Index, values: Array, count: int) -> Array:
    summed: Array = np.bincount(member, values, count).astype(float)
    return summed
