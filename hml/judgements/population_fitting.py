"""Fits a population of simulated people to real judgements, by the method of moments.

The model of `hml.judgements.simulation`, with x = lambda_f − 1/2. Effects are independent, normal, and have mean 0:

    logit(lambda_h) = slope(person)·x + bias(person) + strength(class 1) − strength(class 2) ± seen + view + noise
    seen = bias + effect(class pair) + effect(endpoints) + effect(image), with + if class 1 has the lower label
    slope(person) = slope·exp(slope_sd·z), z standard normal
    a share `lapse` of answers is uniform in [0, 1], and a share `untouched` is 1/2
    omega = mean + omega_extremeness·(|2·lambda_h − 1| − 1/2) + effect(person) + effect(image) + noise

The covariance of two answers is the sum of the variances of the effects that they share. So an effect's variance is the
covariance of answers that share it, less the covariance of answers that share all but it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from hml.errors import InputError
from hml.judgements.schema import Judgement
from hml.judgements.simulation import Array, Design, Index, Population

_EDGE = 0.02  # distance to 0 and 1, which have no finite log odds
_FAR, _VERY_FAR = 0.1, 0.3  # distances of lambda_f from one half
_FEWEST = 5  # answers of a person whose slope or scatter is estimated

Mask = npt.NDArray[np.bool_]


def fit_population(judgements: Iterable[Judgement], provenance: Mapping[str, Any] | None = None) -> Population:
    """Fit a population by moments: covariances of answers with the same person, image, endpoints or classes.

    Args:
        judgements: Real judgements. Without repeats, half of the variance around an image is attributed to view_sd.
        provenance: The source of the judgements.

    Raises:
        InputError: there are no judgements, or some have no omega.
    """
    judged = list(judgements)
    if not judged or any(judgement.omega is None for judgement in judged):
        raise InputError("a population is fitted to judgements of mixed images, each with lambda_h and omega.")
    design = Design.of(judged)
    x = np.array([judgement.stimulus.lambda_f for judgement in judged]) - 0.5
    lambda_h = np.array([judgement.lambda_h for judgement in judged])
    omega = np.array([judgement.omega for judgement in judged], float)
    shares, attentive = _fit_lapses(x, lambda_h)
    found = _fit_log_odds(design, x, logit(np.clip(lambda_h, _EDGE, 1 - _EDGE)), attentive)
    found |= shares | _fit_confidence(design, lambda_h, omega)
    counted = {"judgements": len(judged), "people": len(set(design.person.tolist())), "images": len(design.stimuli)}
    rounded = {name: round(value, 4) for name, value in found.items()}
    return Population(**rounded, provenance=dict(provenance or {}) | counted)


def _fit_lapses(x: Array, lambda_h: Array) -> tuple[dict[str, float], Mask]:
    """Estimate the shares of lapses and of untouched sliders, and find the answers that are neither, shape (N,)."""
    at_half, far, very_far = np.abs(lambda_h - 0.5) < 1e-9, np.abs(x) > _FAR, np.abs(x) > _VERY_FAR
    untouched = float(at_half[far].mean()) if far.any() else 0.0
    # A quarter of lapses are more than 1/4 on the wrong side of one half. About half of the answers there are noise:
    # lapse = 4 · share / 2.
    wrong = np.sign(x) * (lambda_h - 0.5) < -0.25
    lapse = float(2 * wrong[very_far].mean()) if very_far.any() else 0.0
    return {"lapse": lapse, "untouched": untouched}, ~((at_half | wrong) & far)


def _fit_confidence(design: Design, lambda_h: Array, omega: Array) -> dict[str, float]:
    """Fit the line of omega on how extreme the answer is, and the variances around it."""
    extreme = np.abs(2 * lambda_h - 1)
    gain = float(np.cov(extreme, omega)[0, 1] / max(float(extreme.var(ddof=1)), 1e-9))
    residual = omega - omega.mean() - gain * (extreme - extreme.mean())
    of_person, of_image = _covariance(residual, design.person), _covariance(residual, design.image)
    return {
        "omega": float(omega.mean() - gain * (extreme.mean() - 0.5)),
        "omega_extremeness": gain,
        "omega_person_sd": _root(of_person),
        "omega_image_sd": _root(of_image),
        "omega_noise_sd": _root(float(residual.var()) - max(of_person, 0) - max(of_image, 0)),
    }


def _fit_log_odds(design: Design, x: Array, y: Array, attentive: Mask) -> dict[str, float]:
    """Fit the log odds y of the attentive answers, all of shape (N,)."""
    labels = np.array([[end.label for end in stimulus.endpoints] for stimulus in design.stimuli])[design.image]
    ids = np.array([[end.image_id for end in stimulus.endpoints] for stimulus in design.stimuli])[design.image]
    sign = np.where(labels[:, 0] < labels[:, 1], 1.0, -1.0)  # turns an answer to the class with the lower label
    slopes, errors = _fit_slopes(x[attentive], y[attentive], design.person[attentive])
    slope = float(slopes.mean())
    # var(fitted slopes) = var(slopes) + mean squared error of the fits
    slope_variance = max(float(slopes.var(ddof=1)) - float(errors.mean()), 0.0) if len(slopes) > 1 else 0.0
    bias = float((sign * (y - slope * x))[attentive].mean())
    residual = y - slope * x - sign * bias

    first = attentive & ~design.is_repeat  # two first answers to an image are two people's
    person, image, turned = design.person[first], design.image[first], (residual * sign)[first]
    endpoints, pair = _number(ids)[first], _number(labels)[first]
    same_person = _covariance(residual[first], person)  # = bias_sd²
    same_image = _covariance(turned, image)  # = image_sd² + same_endpoints
    same_endpoints = _covariance(turned, endpoints, apart=image)  # = endpoints_sd² + same_pair
    same_pair = _covariance(turned, pair, apart=endpoints)  # = class_pair_sd² + 2·strength_sd²
    strength = _fit_strength_variance(residual[first], labels[first], endpoints)
    # var(residual) = bias_sd² + same_image + var(slopes)·mean(x²) + view_sd² + noise_sd²
    of_slopes = slope_variance * float((x[first] ** 2).mean())
    around_image = float(turned.var()) - max(same_person, 0) - max(same_image, 0) - of_slopes
    between_trials = _trial_variance(residual, design, attentive)  # = noise_sd²
    noise = around_image / 2 if between_trials is None else min(between_trials, around_image)
    return {
        "slope": slope,
        "slope_sd": float(np.sqrt(np.log1p(slope_variance / slope**2))),  # a log-normal's variance is mean²·(e^sd² − 1)
        "bias": bias,
        "bias_sd": _root(same_person),
        "strength_sd": _root(strength),
        "class_pair_sd": _root(same_pair - 2 * strength),
        "endpoints_sd": _root(same_endpoints - max(same_pair, 0)),
        "image_sd": _root(same_image - max(same_endpoints, 0)),
        "view_sd": _root(around_image - noise),
        "noise_sd": _root(noise),
        "noise_spread": _fit_noise_spread(residual[first], person),
    }


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))


def _number(pairs: Index) -> Index:
    """Number the unordered pairs, shape (N, 2), from 0."""
    return np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _covariance(values: Array, group: Index, apart: Index | None = None) -> float:
    """Average the product of two values of one group; with `apart`, of two that are in different parts of the group.

    Args:
        values: Residuals, with mean 0, shape (N,).
        group: The group of each, shape (N,).
        apart: Parts of the groups, shape (N,).
    """

    def sum_products(code: Index) -> tuple[float, float]:
        # Σ v·v' over ordered pairs of different values is (Σ v)² − Σ v² within a group.
        total, squares, size = (np.bincount(code, values**power).astype(float) for power in (1, 2, 0))
        return float((total**2 - squares).sum()), float((size * (size - 1)).sum())

    products, pairs = sum_products(group)
    if apart is not None:
        inner_products, inner_pairs = sum_products(apart)
        products, pairs = products - inner_products, pairs - inner_pairs
    return products / pairs if pairs > 0 else 0.0


def _fit_slopes(x: Array, y: Array, person: Index) -> tuple[Array, Array]:
    """Regress y on x for each person with five answers or more: the slopes and their squared standard errors, (P,)."""
    fits = []
    for who in np.unique(person):
        dx, dy = x[person == who] - x[person == who].mean(), y[person == who] - y[person == who].mean()
        squares = float((dx**2).sum())
        if len(dx) >= _FEWEST and squares > 0:
            slope = float((dx * dy).sum()) / squares
            fits.append((slope, float(((dy - slope * dx) ** 2).sum()) / (len(dx) - 2) / squares))
    if not fits:
        raise InputError("a population needs a person with five judgements or more at different lambda_f.")
    slopes, errors = np.array(fits).T
    return slopes, errors


def _fit_strength_variance(residual: Array, labels: Index, endpoints: Index) -> float:
    """Fit each class's strength by least squares, and return their variance less the mean squared error of the fit."""
    classes, place = np.unique(labels, return_inverse=True)
    one_hot, place = np.eye(len(classes)), place.reshape(labels.shape)
    design = one_hot[place[:, 0]] - one_hot[place[:, 1]]
    inverse = np.linalg.pinv(design.T @ design)
    strength = inverse @ (design.T @ residual)
    # Answers to the same endpoints share an error, so scores are summed over endpoints first (a cluster-robust error).
    left = residual - design @ strength
    scores = np.stack([np.bincount(endpoints, column * left) for column in design.T], axis=1)
    chance = float(np.trace(inverse @ (scores.T @ scores) @ inverse)) / len(classes)
    return max(float(strength.var()) - chance, 0.0)


def _trial_variance(residual: Array, design: Design, attentive: Mask) -> float | None:
    """Halve the mean squared difference of a person's first and second answer to an image; None without repeats."""
    key = design.person * len(design.stimuli) + design.image
    first = {int(key[n]): n for n in np.flatnonzero(attentive & ~design.is_repeat)}
    pairs = [(first[int(key[n])], n) for n in np.flatnonzero(attentive & design.is_repeat) if int(key[n]) in first]
    if not pairs:
        return None
    one, two = np.array(pairs).T
    return float(((residual[one] - residual[two]) ** 2).mean() / 2)


def _fit_noise_spread(residual: Array, person: Index) -> float:
    """Return the standard deviation of the logarithm of people's scatter, beyond what few answers of each produce."""
    size = np.bincount(person)
    people = np.flatnonzero(size >= _FEWEST)
    if len(people) < 2:
        return 0.0
    scatter = np.array([np.log(max(float(residual[person == who].std(ddof=1)), 1e-3)) for who in people])
    chance = float(
        (1 / (2 * (size[people] - 1))).mean()
    )  # the variance of the log of n answers' deviation: 1/(2(n − 1))
    return _root(float(scatter.var(ddof=1)) - chance)
