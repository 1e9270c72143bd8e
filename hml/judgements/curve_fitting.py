"""Fits many psychometric curves at once: Fisher scoring over cells, batched over resamples and groups.

A curve is λ_h = lapse/2 + (1 − lapse)·logistic(slope·(λ_f − 1/2 − bias)). Its three parameters are worked on as
(bias, log slope, logit lapse). Responses are fractions, so the likelihood is Bernoulli's taken as a quasi-likelihood
(Wedderburn, 1974), whose only needs are each cell's count and sum; its dispersion says how much less than a coin flip
an answer scatters.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import expit, logit

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

_STEPS, _TOLERANCE = 60, 1e-7
_LARGEST_STEP = np.array([0.2, 0.7, 1.0])
_LOWEST, _HIGHEST = np.array([-2.0, -3.0, -12.0]), np.array([2.0, 6.0, 3.0])
_FIXED_SD = 1e-6
_FEW_GROUPS = 66


@dataclass(frozen=True)
class Prior:
    """Independent Gaussians of (bias, log slope, logit lapse).

    Args:
        mean: Their means, shape (..., 3), which broadcast to (R, G, 3).
        sd: Their standard deviations, shape (3,); 0 holds a parameter at its mean.
    """

    mean: Array
    sd: Array


WEAK = Prior(mean=np.array([0.0, np.log(5.0), logit(0.05)]), sd=np.array([0.5, 1.5, 1.0]))
"""Rules out absurd values, and decides where the data can't: a slope seen at only one lambda_f, for example."""


def respond(parameters: Array, lambda_f: Array) -> Array:
    """Evaluate curves, parameters (..., 3), at lambda_f (...), broadcasting."""
    bias, log_slope, logit_lapse = np.moveaxis(parameters, -1, 0)
    lapse = expit(logit_lapse)
    curve: Array = lapse / 2 + (1 - lapse) * expit(np.exp(log_slope) * (lambda_f - 0.5 - bias))
    return curve


def fit_groups(
    lambda_f: Array,
    group: Index,
    count: Array,
    total: Array,
    prior: Prior,
    dispersion: float,
    num_groups: int,
    start: Array | None = None,
) -> tuple[Array, Array]:
    """Find the most probable curve of each group in each resample.

    Args:
        lambda_f: Each cell's mixing coefficient, shape (C,).
        group: Which group each cell belongs to, shape (C,).
        count: Judgements in each cell, perhaps weighted, shape (R, C).
        total: The sum of their lambda_h, shape (R, C).
        prior: Where curves are drawn to.
        dispersion: The variance of a judgement over that of a coin flip.
        num_groups: How many groups there are, G.
        start: Where the search begins, which broadcasts to (R, G, 3); at the prior's mean unless given.

    Returns:
        Parameters, shape (R, G, 3), and their covariances, shape (R, G, 3, 3).
    """
    cells = _Cells(lambda_f, group, count, total, dispersion, num_groups)
    mean = np.broadcast_to(prior.mean, (len(count), num_groups, 3))
    precision = 1 / np.maximum(prior.sd, _FIXED_SD) ** 2  # (3,)

    def penalised(parameters: Array) -> Array:
        objective: Array = cells.likelihood(parameters) - (precision * (parameters - mean) ** 2).sum(-1) / 2
        return objective  # (R, G)

    parameters = np.clip(mean if start is None else np.broadcast_to(start, mean.shape), _LOWEST, _HIGHEST)
    reached, damping = penalised(parameters), np.zeros((len(count), num_groups))
    for _ in range(_STEPS):
        pull, information = cells.derivatives(parameters)
        gradient = pull - precision * (parameters - mean)
        information = information + np.diag(precision)
        # Full steps overshoot where answers leave the slope open: a step that makes things worse is taken shorter.
        damped = information + damping[..., None, None] * np.eye(3) * information
        step = np.clip(np.linalg.solve(damped, gradient[..., None])[..., 0], -_LARGEST_STEP, _LARGEST_STEP)
        moved = np.clip(parameters + step, _LOWEST, _HIGHEST)
        objective = penalised(moved)
        better = objective >= reached - 1e-12 * np.abs(reached)
        moved_by = float(np.abs(moved - parameters).max(initial=0))
        parameters = np.where(better[..., None], moved, parameters)
        reached = np.where(better, objective, reached)
        damping = np.where(better, damping / 5, np.maximum(damping, 0.02) * 5)
        if moved_by < _TOLERANCE:
            break
    covariance: Array = np.linalg.inv(cells.derivatives(parameters)[1] + np.diag(precision)).astype(np.float64)
    return parameters, covariance


@dataclass(frozen=True)
class _Cells:
    """Cells, each in one of G groups, and what was answered in them."""

    lambda_f: Array
    group: Index
    count: Array
    total: Array
    dispersion: float
    num_groups: int

    @cached_property
    def member(self) -> "Array | csr_array[np.float64]":
        """1 for each cell's group, shape (C, G); sparse where groups are many, since it would be too large."""
        if self.num_groups <= _FEW_GROUPS:
            full: Array = (self.group[:, None] == np.arange(self.num_groups)).astype(float)
            return full
        cell = np.arange(len(self.group))
        return csr_array((np.ones(len(cell)), (cell, self.group)), (len(cell), self.num_groups))

    def likelihood(self, parameters: Array) -> Array:
        """Bernoulli's log likelihood over the dispersion, parameters (R, G, 3), shape (R, G)."""
        predicted = np.clip(respond(parameters[:, self.group], self.lambda_f), 1e-12, 1 - 1e-12)  # (R, C)
        each = self.total * np.log(predicted) + (self.count - self.total) * np.log1p(-predicted)
        likelihood: Array = self._sum(each) / self.dispersion
        return likelihood

    def derivatives(self, parameters: Array) -> tuple[Array, Array]:
        """Its gradient, shape (R, G, 3), and Fisher information, shape (R, G, 3, 3)."""
        bias, log_slope, logit_lapse = np.moveaxis(parameters[:, self.group], -1, 0)  # each (R, C)
        slope, lapse = np.exp(log_slope), expit(logit_lapse)
        reach = slope * (self.lambda_f - 0.5 - bias)
        sigmoid = expit(reach)
        predicted = lapse / 2 + (1 - lapse) * sigmoid
        variance = np.maximum(predicted * (1 - predicted), 1e-12) * self.dispersion
        steepness = (1 - lapse) * sigmoid * (1 - sigmoid)
        direction = np.stack(  # d predicted / d parameters
            [-steepness * slope, steepness * reach, lapse * (1 - lapse) * (0.5 - sigmoid)], axis=1
        )  # (R, 3, C)
        pull = self._sum(((self.total - self.count * predicted) / variance)[:, None] * direction)  # (R, 3, G)
        information = np.empty((*parameters.shape[:2], 3, 3))
        scale = self.count / variance
        for i in range(3):
            for j in range(i, 3):
                entry = self._sum(scale * direction[:, i] * direction[:, j])
                information[..., i, j] = information[..., j, i] = entry
        return np.swapaxes(pull, 1, 2), information

    def _sum(self, values: Array) -> Array:
        """Sum values of cells, shape (..., C), over each group, shape (..., G)."""
        if isinstance(self.member, np.ndarray):
            return values @ self.member
        # A sparse matrix multiplies only what has two axes.
        return np.asarray(values.reshape(-1, len(self.group)) @ self.member).reshape(*values.shape[:-1], -1)


def estimate_dispersion(predicted: Array, count: Array, total: Array, squares: Array, num_parameters: int) -> float:
    """Divide the mean squared residual by a coin flip's: Pearson's estimate, all arguments over cells (C,)."""
    residual = squares - 2 * predicted * total + count * predicted**2
    freedom = max(float(count.sum()) - num_parameters, 1.0)
    scaled = float((residual / np.maximum(predicted * (1 - predicted), 1e-9)).sum() / freedom)
    return min(max(scaled, 1e-3), 1.0)


def estimate_spread(
    lambda_f: Array, group: Index, count: Array, total: Array, overall: Array, dispersion: float, num_groups: int
) -> Array:
    """Estimate how far groups' biases and log slopes lie from the overall curve's: empirical Bayes by EM.

    Args:
        lambda_f: Each cell's mixing coefficient, shape (C,).
        group: Which group each cell belongs to, shape (C,).
        count: Judgements in each cell, shape (C,).
        total: The sum of their lambda_h, shape (C,).
        overall: The overall curve's parameters, shape (3,).
        dispersion: The variance of a judgement over that of a coin flip.
        num_groups: How many groups there are.

    Returns:
        Standard deviations of bias, log slope and logit lapse (0: groups share it), shape (3,).
    """
    sd = np.array([0.1, 0.4, 0.0])
    if num_groups < 2:
        return sd
    found = None
    for _ in range(100):
        found, covariance = fit_groups(
            lambda_f, group, count[None], total[None], Prior(overall, sd), dispersion, num_groups, found
        )
        second_moment = (found[0] - overall) ** 2 + np.diagonal(covariance[0], axis1=-2, axis2=-1)  # (G, 3)
        new = np.sqrt(second_moment.mean(0))
        new = np.array([max(new[0], 1e-3), max(new[1], 1e-2), 0.0])
        if float(np.abs(new - sd).max()) < 1e-5:
            break
        sd = new
    return sd
