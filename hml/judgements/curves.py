"""Psychometric curves: the share of the first class that people see, as a function of its share in the pixels.

Curves of class pairs with few judgements are shrunk to the overall curve, less so if the pairs scatter widely around
it. The class with the lower label comes first, as in H-Mix. The curve of (b, a) is the mirror image of that of (a, b).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from hml.errors import InputError
from hml.judgements.curve_fitting import (
    WEAK,
    Array,
    Index,
    Prior,
    estimate_dispersion,
    estimate_spread,
    fit_groups,
    respond,
)


@dataclass(frozen=True)
class Curve:
    """lambda_h as a function of lambda_f: lapse/2 + (1 − lapse)·logistic(slope·(lambda_f − 1/2 − bias)).

    Args:
        bias: The lambda_f at which people answer one half, minus 1/2. Below 0, the first class dominates.
        slope: Steepness on the logistic scale. With 4, the curve is parallel to mixup's line in the middle.
        lapse: The share of answers that do not depend on lambda_f, in [0, 1).

    Examples:
        >>> Curve(bias=-0.1, slope=8.0)([0.4, 0.9]).round(3).tolist()
        [0.5, 0.982]
    """

    bias: float
    slope: float
    lapse: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.bias) and self.slope > 0 and 0 <= self.lapse < 1):
            raise InputError(f"{self} is not a curve: slope must be above 0 and lapse in [0, 1).")

    def __call__(self, lambda_f: npt.ArrayLike) -> Array:
        """Return lambda_h for each lambda_f, any shape."""
        reach = self.slope * (np.asarray(lambda_f, dtype=float) - 0.5 - self.bias)
        curve: Array = self.lapse / 2 + (1 - self.lapse) * expit(reach)
        return curve

    def mirrored(self) -> "Curve":
        """Return the curve of the same pair with its classes swapped: 1 − self(1 − lambda_f)."""
        return Curve(-self.bias, self.slope, self.lapse)

    @classmethod
    def from_parameters(cls, parameters: Array) -> "Curve":
        """Make a curve from (bias, log slope, logit lapse), shape (3,)."""
        return cls(float(parameters[0]), float(np.exp(parameters[1])), float(expit(parameters[2])))


@dataclass(frozen=True)
class PairCurves:
    """The overall curve, and the curves of class pairs, shrunk to it.

    Args:
        overall: The curve of all judgements, the lower label first.
        curves: Curves by (first label, second label), the first below the second.
        spread: Standard deviations of the pairs' bias and log slope around the overall curve's.
        dispersion: The variance of a judgement divided by that of a coin flip with the same mean.
    """

    overall: Curve
    curves: Mapping[tuple[int, int], Curve] = field(default_factory=dict)
    spread: tuple[float, float] = (0.0, 0.0)
    dispersion: float = 1.0

    def of(self, class_1: int, class_2: int) -> Curve:
        """Return the curve of class_1's share, mirrored if class_1 > class_2. For unknown pairs, the overall curve."""
        forward = self.curves.get((min(class_1, class_2), max(class_1, class_2)), self.overall)
        return forward if class_1 < class_2 else forward.mirrored()


@dataclass(frozen=True)
class Cells:
    """Judgements grouped by class pair and lambda_f, the lower label first.

    Args:
        pairs: The existing class pairs in order, G of them.
        group: Each cell's pair, shape (C,), an index into `pairs`.
        lambda_f: Each cell's mixing coefficient, shape (C,).
        member: Each judgement's cell, shape (N,).
        lambda_h: Each judgement's answer for the first class of the pair as ordered here, shape (N,).
    """

    pairs: tuple[tuple[int, int], ...]
    group: Index
    lambda_f: Array
    member: Index
    lambda_h: Array

    @classmethod
    def gather(cls, lambda_f: Array, lambda_h: Array, class_1: Index, class_2: Index) -> "Cells":
        """Group judgements, arguments of shape (N,). Pairs in the other order are swapped.

        Raises:
            InputError: there are no judgements, the arguments differ in length, or a lambda is not in [0, 1].
        """
        if len(lengths := {len(part) for part in (lambda_f, lambda_h, class_1, class_2)}) > 1 or 0 in lengths:
            raise InputError(f"Judgements have lengths {sorted(lengths)}: give arrays of the same length, at least 1.")
        for name, values in (("lambda_f", lambda_f), ("lambda_h", lambda_h)):
            if not ((values >= 0) & (values <= 1)).all():
                raise InputError(f"{name} is not all in [0, 1]: divide percentages by 100, and leave out NaN.")
        turned = class_1 > class_2
        # Rounded, since 1 − 0.9 is not exactly 0.1.
        x = np.round(np.where(turned, 1 - lambda_f, lambda_f), 12)
        low, high = np.minimum(class_1, class_2), np.maximum(class_1, class_2)
        keys = np.stack([low, high, x], axis=1)  # (N, 3)
        cells, member = np.unique(keys, axis=0, return_inverse=True)
        pairs, group = np.unique(cells[:, :2].astype(np.int64), axis=0, return_inverse=True)
        return cls(
            tuple((int(a), int(b)) for a, b in pairs),
            group.reshape(-1).astype(np.int64),
            cells[:, 2],
            member.reshape(-1).astype(np.int64),
            np.where(turned, 1 - lambda_h, lambda_h),
        )

    def sum(self, values: Array) -> Array:
        """Sum one number per judgement, shape (N,), over each cell, shape (C,)."""
        summed: Array = np.bincount(self.member, values, len(self.lambda_f)).astype(float)
        return summed


def fit_curve(lambda_f: npt.ArrayLike, lambda_h: npt.ArrayLike) -> Curve:
    """Fit one curve to judgements, which may be fractions.

    A weak prior keeps the curve finite. If all lambda_f are equal, the slope is that of the prior.

    Args:
        lambda_f: Mixing coefficients, shape (N,).
        lambda_h: Answers, shape (N,).

    Returns:
        The curve.

    Raises:
        InputError: there are no judgements, the arguments differ in length, or a lambda is not in [0, 1].
    """
    x, y = np.asarray(lambda_f, dtype=float), np.asarray(lambda_h, dtype=float)
    cells = Cells.gather(x, y, np.zeros(len(x), np.int64), np.ones(len(x), np.int64))
    return Curve.from_parameters(fit_overall(cells)[0])


def fit_overall(cells: Cells) -> tuple[Array, float]:
    """Fit one curve to all cells: its parameters (3,), and the dispersion around it."""
    count, total, squares = (cells.sum(cells.lambda_h**power) for power in (0, 1, 2))
    one = np.zeros_like(cells.group)
    dispersion = 1.0
    for _ in range(3):  # the weight of the prior depends on the dispersion
        found = fit_groups(cells.lambda_f, one, count[None], total[None], WEAK, dispersion, 1)[0][0, 0]
        dispersion = estimate_dispersion(respond(found, cells.lambda_f), count, total, squares, 3)
    return found, dispersion


def fit_pair_curves(
    lambda_f: npt.ArrayLike, lambda_h: npt.ArrayLike, class_1: npt.ArrayLike, class_2: npt.ArrayLike
) -> PairCurves:
    """Fit the overall curve, and a curve for each class pair. With few judgements, it is shrunk to the overall curve.

    Args:
        lambda_f: Weights of the first class in the pixels, shape (N,).
        lambda_h: The shares of the first class that people saw, shape (N,).
        class_1: First classes' indices, shape (N,).
        class_2: Second classes' indices, shape (N,).

    Returns:
        The curves. Judgements of pairs in the other order are mirrored.

    Raises:
        InputError: there are no judgements, the arguments differ in length, or a lambda is not in [0, 1].

    References:
        Efron and Morris (1973) on shrinkage by the data's own spread; Wichmann and Hill (2001) on curves with lapses.
    """
    x, y = np.asarray(lambda_f, dtype=float), np.asarray(lambda_h, dtype=float)
    cells = Cells.gather(x, y, np.asarray(class_1, dtype=np.int64), np.asarray(class_2, dtype=np.int64))
    overall, dispersion = fit_overall(cells)
    count, total = cells.sum(np.ones_like(y)), cells.sum(cells.lambda_h)
    num_pairs = len(cells.pairs)
    sd = estimate_spread(cells.lambda_f, cells.group, count, total, overall, dispersion, num_pairs)
    found, _ = fit_groups(
        cells.lambda_f, cells.group, count[None], total[None], Prior(overall, sd), dispersion, num_pairs
    )
    curves = {pair: Curve.from_parameters(found[0, g]) for g, pair in enumerate(cells.pairs)}
    return PairCurves(Curve.from_parameters(overall), curves, (float(sd[0]), float(sd[1])), dispersion)
