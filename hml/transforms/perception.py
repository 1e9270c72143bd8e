"""How people perceive the mixing coefficient in general: p(lambda_h, omega | lambda_f), whatever the images.

The distribution is kept as quantiles. At each lambda_f that was judged it has the quantiles of lambda_h; at 0 and 1
people are certain. In between, quantiles are interpolated, so the mean rises with lambda_f. Judgements are seen from
both endpoints' sides, so swapping the endpoints mirrors the distribution. Confidence depends on how far lambda_h is
from one half: people who give the same answer are about as confident at one lambda_f as at another.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hml.errors import InputError
from hml.judgements import Judgement

FILE = "perception.json"
_LAMBDA_H_STEPS, _OMEGA_STEPS = 41, 21
_EXTREMENESS = (0.1, 0.3, 0.5, 0.7, 0.9)


class Perceiver(Protocol):
    """Anything that says what people would answer about mixed images; all tensors have the shape (B,)."""

    def mean(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> Tensor:
        """Return the mean lambda_h, given the first endpoints' weights and the labels of both endpoints' classes."""

    def sample(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> tuple[Tensor, Tensor]:
        """Draw one person's lambda_h and omega for each image, with PyTorch's own generator."""


@dataclass(frozen=True)
class CurvePerceiver:
    """A curve of your own, such as `hml.judgements.curves.Curve`: the mean lambda_h of everybody, for all classes."""

    curve: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
    """Maps lambda_f to lambda_h, any shape."""

    def mean(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> Tensor:
        """Evaluate the curve; images that aren't mixed are seen as what they are."""
        seen = lambda_f.new_tensor(self.curve(lambda_f.double().cpu().numpy()))
        return torch.where((lambda_f > 0) & (lambda_f < 1), seen, lambda_f)

    def sample(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> tuple[Tensor, Tensor]:
        """Raise an InputError: a curve has no distribution."""
        raise InputError('a curve gives the mean only: use labels="mean".')


@dataclass(frozen=True)
class Perception:
    """People's answers at each lambda_f, as quantiles; the same for all classes.

    Raises:
        InputError: the parts don't fit each other.

    Example:
        >>> none = torch.zeros(3, dtype=torch.int64)
        >>> mean = shared_perception().mean(torch.tensor([0.0, 0.25, 0.5]), none, none)
        >>> [round(value, 3) for value in mean.tolist()]
        [0.0, 0.227, 0.5]
    """

    lambda_f: Sequence[float]
    """L mixing coefficients in ascending order, from 0 to 1."""
    lambda_h: Sequence[Sequence[float]]
    """At each of them, quantiles of lambda_h at evenly spaced probabilities from 0 to 1, shape (L, K)."""
    extremeness: Sequence[float]
    """E − 1 limits of |2·lambda_h − 1| that part answers by how far they are from one half."""
    omega: Sequence[Sequence[float]]
    """In each part, quantiles of omega, likewise, shape (E, Q)."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Where the judgements came from, and how many there were."""

    def __post_init__(self) -> None:
        levels = np.array(self.lambda_f)
        fits = len(levels) == len(self.lambda_h) and len(self.omega) == len(self.extremeness) + 1
        if not fits or levels[0] != 0 or levels[-1] != 1 or bool((np.diff(levels) <= 0).any()):
            raise InputError("a perception has quantiles for ascending lambda_f from 0 to 1, and for each extremeness.")

    def mean(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> Tensor:
        """Return the mean lambda_h, shape (B,): the area under the quantiles."""
        means = torch.trapezoid(lambda_f.new_tensor(self.lambda_h), dx=1 / (len(self.lambda_h[0]) - 1))  # (L,)
        row, share = self._place(lambda_f)
        return torch.lerp(means[row], means[row + 1], share)

    def sample(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> tuple[Tensor, Tensor]:
        """Draw one person's lambda_h and omega for each image, both of shape (B,)."""
        quantiles = lambda_f.new_tensor(self.lambda_h)  # (L, K)
        row, share = self._place(lambda_f)
        lambda_h = _at(torch.lerp(quantiles[row], quantiles[row + 1], share[:, None]), torch.rand_like(lambda_f))
        part = torch.bucketize((2 * lambda_h - 1).abs(), lambda_f.new_tensor(self.extremeness))  # (B,)
        omega = _at(lambda_f.new_tensor(self.omega)[part], torch.rand_like(lambda_f))
        return lambda_h, torch.lerp(omega, torch.ones_like(omega), self.certainty(lambda_f))

    def certainty(self, lambda_f: Tensor) -> Tensor:
        """Return how far each lambda_f is from what was judged to a plain image, from 0 to 1, shape (B,)."""
        nearest = torch.minimum(lambda_f, 1 - lambda_f)
        return (1 - nearest / min(self.lambda_f[1], 1 - self.lambda_f[-2])).clamp(min=0)

    def _place(self, lambda_f: Tensor) -> tuple[Tensor, Tensor]:
        """Find the level below each lambda_f, and how far it is from there to the next, both of shape (B,)."""
        levels = lambda_f.new_tensor(self.lambda_f)
        row = (torch.bucketize(lambda_f, levels, right=True) - 1).clamp(0, len(levels) - 2)
        return row, (lambda_f - levels[row]) / (levels[row + 1] - levels[row])

    def to_json(self) -> str:
        """Return what the file holds."""
        return json.dumps(asdict(self), indent=None, separators=(", ", ": ")) + "\n"


def _at(quantiles: Tensor, probability: Tensor) -> Tensor:
    """Interpolate quantiles, a row of shape (K,) for each image, at a probability for each, shape (B,)."""
    place = probability * (quantiles.shape[1] - 1)
    left = place.long().clamp(max=quantiles.shape[1] - 2)[:, None]  # (B, 1)
    low, high = quantiles.gather(1, left), quantiles.gather(1, left + 1)
    return torch.lerp(low, high, place[:, None] - left)[:, 0]


@cache
def shared_perception() -> Perception:
    """Return the perception of H-Mix's 81 people, which hml ships: fitted to all their judgements of 2,070 images."""
    return Perception(**json.loads(files("hml.transforms").joinpath(FILE).read_text(encoding="utf-8")))


def fit_perception(judgements: Iterable[Judgement], provenance: Mapping[str, Any] | None = None) -> Perception:
    """Fit a perception to judgements, each seen from the first and from the second endpoint's side.

    Args:
        judgements: What people said; a lambda_f that few of them saw makes rough quantiles.
        provenance: Where the judgements came from.

    Raises:
        InputError: there are none strictly between 0 and 1, or some have no confidence.
    """
    said = [judgement for judgement in judgements if 0 < judgement.stimulus.lambda_f < 1]
    if not said or any(judgement.omega is None for judgement in said):
        raise InputError("a perception is fitted to judgements of mixed images, each with lambda_h and omega.")
    lambda_f = np.array([judgement.stimulus.lambda_f for judgement in said])
    lambda_h = np.array([judgement.lambda_h for judgement in said])
    omega = np.tile([judgement.omega for judgement in said], 2)
    # Rounded, since 1 − 0.9 isn't 0.1.
    lambda_f, lambda_h = np.concatenate([lambda_f, 1 - lambda_f]).round(9), np.concatenate([lambda_h, 1 - lambda_h])
    levels = np.unique(lambda_f)
    inside = [_quantiles(lambda_h[lambda_f == level], _LAMBDA_H_STEPS) for level in levels]
    part = np.digitize(np.abs(2 * lambda_h - 1), _EXTREMENESS, right=True)
    return Perception(
        lambda_f=[0.0, *levels.tolist(), 1.0],
        lambda_h=[[0.0] * _LAMBDA_H_STEPS, *inside, [1.0] * _LAMBDA_H_STEPS],
        extremeness=_EXTREMENESS,
        omega=[_quantiles(omega[part == k], _OMEGA_STEPS) for k in range(len(_EXTREMENESS) + 1)],
        provenance=dict(provenance or {}) | {"judgements": len(said), "people": len({j.annotator for j in said})},
    )


def _quantiles(values: npt.NDArray[np.float64], steps: int) -> list[float]:
    return [round(float(value), 4) for value in np.quantile(values, np.linspace(0, 1, steps))]
