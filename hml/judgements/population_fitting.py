"""Fits a population of simulated people to real judgements."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from hml.errors import InputError
from hml.judgements.schema import Judgement
from hml.judgements.simulation import Array, Design, Index, Population

_EDGE = 0.02  # distance to 0 and 1, which have no finite log odds
_FAR = 0.1  # at this distance of lambda_f from one half or more, an answer of one half is an untouched slider


def fit_population(judgements: Iterable[Judgement], provenance: Mapping[str, Any] | None = None) -> Population:
    """Fit a population by moments: covariances of answers with the same person, image, endpoints or classes.

    Args:
        judgements: Real judgements. Without repeats, view_sd includes the variation between two answers of one person.
        provenance: The source of the judgements.

    Raises:
        InputError: there are no judgements, or some have no omega.
    """
    said = list(judgements)
    if not said or any(judgement.omega is None for judgement in said):
        raise InputError("a population is fitted to judgements of mixed images, each with lambda_h and omega.")
    design = Design.of(said)
    answers = np.array([judgement.lambda_h for judgement in said])
    x = np.array([judgement.stimulus.lambda_f for judgement in said]) - 0.5
    at_half = np.abs(answers - 0.5) < 1e-9
    far = np.abs(x) > _FAR
    untouched = float(at_half[far].mean()) if far.any() else 0.0
    # A quarter of lapses are this far on the other side of one half. About half of the answers there are noise.
    wrong = np.sign(x) * (answers - 0.5) < -0.25
    lapse = float(2 * wrong[np.abs(x) > 0.3].mean()) if (np.abs(x) > 0.3).any() else 0.0
    kept = ~((at_half | wrong) & far)
    y = logit(np.clip(answers, _EDGE, 1 - _EDGE))
    found = _fit_odds(design, x, y, kept)
    omega = np.array([judgement.omega for judgement in said], float)
    extreme = np.abs(2 * answers - 1)
    gain = float(np.cov(extreme, omega)[0, 1] / max(float(extreme.var(ddof=1)), 1e-9))
    left = omega - omega.mean() - gain * (extreme - extreme.mean())
    person, image = _shared(left, design.person), _shared(left, design.image)
    found |= {
        "lapse": lapse,
        "untouched": untouched,
        "omega": float(omega.mean() - gain * (extreme.mean() - 0.5)),
        "omega_extremeness": gain,
        "omega_person_sd": _root(person),
        "omega_image_sd": _root(image),
        "omega_noise_sd": _root(float(left.var()) - max(person, 0) - max(image, 0)),
    }
    counted = {"judgements": len(said), "people": len(set(design.person.tolist())), "images": len(design.stimuli)}
    rounded = {name: round(value, 4) for name, value in found.items()}
    return Population(**rounded, provenance=dict(provenance or {}) | counted)


def _fit_odds(design: Design, x: Array, y: Array, kept: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Fit what answers' log odds y depend on, both of shape (N,), from those that are kept."""
    person, image = design.person, design.image
    labels = np.array([[end.label for end in stimulus.endpoints] for stimulus in design.stimuli])[image]
    ids = np.array([[end.image_id for end in stimulus.endpoints] for stimulus in design.stimuli])[image]
    slopes, errors = _slopes(x[kept], y[kept], person[kept])
    slope = float(slopes.mean())
    slope_variance = max(float(slopes.var(ddof=1)) - float(errors.mean()), 0.0) if len(slopes) > 1 else 0.0
    left = y - slope * x
    turn = np.where(labels[:, 0] < labels[:, 1], 1.0, -1.0)
    bias = float((turn * left)[kept].mean())
    left = left - turn * bias
    once = kept & ~design.is_repeat
    residual, ends = (
        left[once] * turn[once],
        np.unique(np.sort(ids, axis=1), axis=0, return_inverse=True)[1].reshape(-1),
    )
    pair = np.unique(np.sort(labels, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    people = _shared(left[once], person[once])
    same_image = _shared(residual, image[once])
    same_ends = _shared(residual, ends[once], apart=image[once])
    same_pair = _shared(residual, pair[once], apart=ends[once])
    strength = _strength_variance(left[once], labels[once], max(same_ends - same_pair, 0), ends[once])
    noise = float(residual.var()) - max(people, 0) - max(same_image, 0) - slope_variance * float((x[once] ** 2).mean())
    trial = _trial_variance(left, design, kept)
    trial = noise / 2 if trial is None else min(trial, noise)
    return {
        "slope": slope,
        "slope_sd": float(np.sqrt(np.log1p(slope_variance / slope**2))),
        "bias": bias,
        "bias_sd": _root(people),
        "strength_sd": _root(strength),
        "class_pair_sd": _root(same_pair - 2 * strength),
        "endpoints_sd": _root(same_ends - max(same_pair, 0)),
        "image_sd": _root(same_image - max(same_ends, 0)),
        "view_sd": _root(noise - trial),
        "noise_sd": _root(trial),
        "noise_spread": _noise_spread(left[once], person[once]),
    }


def _root(variance: float) -> float:
    return float(np.sqrt(max(variance, 0.0)))


def _shared(values: Array, group: Index, apart: Index | None = None) -> float:
    """Average the product of two different values, (N,), of the same group and, if given, of different parts."""
    total, squares = np.bincount(group, values), np.bincount(group, values**2)
    size = np.bincount(group).astype(float)
    products, pairs = float((total**2 - squares).sum()), float((size * (size - 1)).sum())
    if apart is not None:
        inner = np.bincount(apart).astype(float)
        products -= float((np.bincount(apart, values) ** 2 - np.bincount(apart, values**2)).sum())
        pairs -= float((inner * (inner - 1)).sum())
    return products / pairs if pairs > 0 else 0.0


def _slopes(x: Array, y: Array, person: Index) -> tuple[Array, Array]:
    """Regress each person's y on x: the slopes of those with five answers or more, and their squared errors."""
    found = []
    for who in np.unique(person):
        a, b = x[person == who], y[person == who]
        spread = float(((a - a.mean()) ** 2).sum())
        if len(a) >= 5 and spread > 0:
            slope = float(((a - a.mean()) * (b - b.mean())).sum()) / spread
            rest = b - b.mean() - slope * (a - a.mean())
            found.append((slope, float((rest**2).sum()) / (len(a) - 2) / spread))
    if not found:
        raise InputError("a population needs a person with five judgements or more at different lambda_f.")
    slopes, errors = np.array(found).T
    return slopes, errors


def _strength_variance(left: Array, labels: Index, between: float, ends: Index) -> float:
    """Fit the strength of each class by least squares. Return the variance of strengths beyond chance."""
    classes, place = np.unique(labels, return_inverse=True)
    eye, place = np.eye(len(classes)), place.reshape(labels.shape)
    design = eye[place[:, 0]] - eye[place[:, 1]]
    inverse = np.linalg.pinv(design.T @ design)
    strength = inverse @ (design.T @ left)
    # Answers to the same endpoints share an error, which summing over endpoints takes into account.
    sums = np.stack([np.bincount(ends, column * (left - design @ strength)) for column in design.T], axis=1)
    chance = float(np.trace(inverse @ (sums.T @ sums) @ inverse)) / len(classes)
    return max(float(strength.var()) - chance, 0.0)


def _trial_variance(left: Array, design: Design, kept: npt.NDArray[np.bool_]) -> float | None:
    """Halve the mean squared difference of a person's first and second answer to an image; None without repeats."""
    key = design.person * len(design.stimuli) + design.image
    first = {int(key[n]): n for n in np.flatnonzero(kept & ~design.is_repeat)}
    pairs = [(first[int(key[n])], n) for n in np.flatnonzero(kept & design.is_repeat) if int(key[n]) in first]
    if not pairs:
        return None
    one, two = np.array(pairs).T
    return float(((left[one] - left[two]) ** 2).mean() / 2)


def _noise_spread(left: Array, person: Index) -> float:
    """Measure how the logarithm of people's scatter varies beyond chance."""
    size = np.bincount(person)
    enough = np.flatnonzero(size >= 5)
    scatter = np.array([np.log(max(float(left[person == who].std(ddof=1)), 1e-3)) for who in enough])
    chance = float((1 / (2 * (size[enough] - 1))).mean()) if len(enough) else 0.0
    return _root(float(scatter.var(ddof=1)) - chance) if len(enough) > 1 else 0.0
