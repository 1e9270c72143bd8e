"""How people perceive the mixing coefficient on average over images: p(lambda_h, omega | lambda_f).

The distribution is stored as quantiles of lambda_h at each judged lambda_f. At 0 and 1 people are certain. Between
these values, quantiles are interpolated, so the mean rises with lambda_f. Each judgement is counted from the side of
both endpoints, so swapping the endpoints mirrors the distribution. Confidence depends on the distance of lambda_h from
one half: people who give the same answer are about equally confident at different lambda_f.
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
    """Predicts people's answers about mixed images. All tensors have shape (B,)."""

    def mean(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> Tensor:
        """Return the mean lambda_h, given the weights of the first endpoints and the classes of both endpoints."""

    def sample(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> tuple[Tensor, Tensor]:
        """Draw one person's lambda_h and omega for each image, with PyTorch's global generator."""


@dataclass(frozen=True)
class CurvePerceiver:
    """Uses your own curve of the mean lambda_h, such as `hml.judgements.curves.Curve`, for all classes."""

    curve: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
    """Maps lambda_f to lambda_h, any shape."""

    def mean(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> Tensor:
        """Evaluate the curve. For unmixed images, lambda_h is lambda_f."""
        seen = lambda_f.new_tensor(self.curve(lambda_f.double().cpu().numpy()))
        return torch.where((lambda_f > 0) & (lambda_f < 1), seen, lambda_f)

    def sample(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> tuple[Tensor, Tensor]:
        """Raise an InputError: a curve has no distribution."""
        raise InputError('a curve gives the mean only: use labels="mean".')


@dataclass(frozen=True)
class Perception:
    """Quantiles of people's answers at each lambda_f, the same for all classes.

    Raises:
        InputError: the quantiles do not match the values of lambda_f or the limits of extremeness.

    Examples:
        >>> none = torch.zeros(3, dtype=torch.int64)
        >>> mean = shared_perception().mean(torch.tensor([0.0, 0.25, 0.5]), none, none)
        >>> [round(value, 3) for value in mean.tolist()]
        [0.0, 0.227, 0.5]
    """

    lambda_f: Sequence[float]
    """Mixing coefficients in ascending order, from 0 to 1, L of them."""
    lambda_h: Sequence[Sequence[float]]
    """For each of them, quantiles of lambda_h at evenly spaced probabilities from 0 to 1, shape (L, K)."""
    extremeness: Sequence[float]
    """Limits of |2·lambda_h − 1| that divide answers into E parts by their distance from one half; E − 1 limits."""
    omega: Sequence[Sequence[float]]
    """For each part, quantiles of omega at evenly spaced probabilities, shape (E, Q)."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """The source of the judgements, and their number."""

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
        """Return 1 for unmixed images, falling to 0 at the outermost judged lambda_f, shape (B,)."""
        nearest = torch.minimum(lambda_f, 1 - lambda_f)
        return (1 - nearest / min(self.lambda_f[1], 1 - self.lambda_f[-2])).clamp(min=0)

    def _place(self, lambda_f: Tensor) -> tuple[Tensor, Tensor]:
        """Return the level below each lambda_f, and its position between this level and the next, both (B,)."""
        levels = lambda_f.new_tensor(self.lambda_f)
        row = (torch.bucketize(lambda_f, levels, right=True) - 1).clamp(0, len(levels) - 2)
        return row, (lambda_f - levels[row]) / (levels[row + 1] - levels[row])

    def to_json(self) -> str:
        """Return the content of the file."""
        return json.dumps(asdict(self), indent=None, separators=(", ", ": ")) + "\n"


def _at(quantiles: Tensor, probability: Tensor) -> Tensor:
    """Interpolate each image's quantiles, shape (B, K), at one probability per image, shape (B,)."""
    place = probability * (quantiles.shape[1] - 1)
    left = place.long().clamp(max=quantiles.shape[1] - 2)[:, None]  # (B, 1)
    low, high = quantiles.gather(1, left), quantiles.gather(1, left + 1)
    return torch.lerp(low, high, place[:, None] - left)[:, 0]


@cache
def shared_perception() -> Perception:
    """Return the built-in perception of H-Mix's 81 people, fitted to all their judgements of 2,070 images."""
    return Perception(**json.loads(files("hml.transforms").joinpath(FILE).read_text(encoding="utf-8")))


def fit_perception(judgements: Iterable[Judgement], provenance: Mapping[str, Any] | None = None) -> Perception:
    """Fit a perception to judgements, each counted from the side of both endpoints.

    Args:
        judgements: The judgements. Quantiles are imprecise at a lambda_f with few of them.
        provenance: The source of the judgements.

    Raises:
        InputError: there are no judgements with lambda_f between 0 and 1, or some have no confidence.
    """
    said = [judgement for judgement in judgements if 0 < judgement.stimulus.lambda_f < 1]
    if not said or any(judgement.omega is None for judgement in said):
        raise InputError("a perception is fitted to judgements of mixed images, each with lambda_h and omega.")
    lambda_f = np.array([judgement.stimulus.lambda_f for judgement in said])
    lambda_h = np.array([judgement.lambda_h for judgement in said])
    omega = np.tile([judgement.omega for judgement in said], 2)
    # Rounded, since 1 − 0.9 is not exactly 0.1.
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
