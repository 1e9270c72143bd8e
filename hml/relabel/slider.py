"""Distributions over a slider's 101 positions: atoms at frequent answers, a uniform part, and rounded logistics.

An answer is a whole number from 0 to 100. Models therefore predict a probability mass, whose log is comparable between
models. Pure functions, batched.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

POSITIONS = 101
ATOMS = (0, 50, 100)
"""The positions of 12 %, 14 % and 12 % of H-Mix's answers."""

_NOWHERE = -1e4  # the log of a negligible mass, without infinite gradients
_LEFT, _RIGHT = -0.5, 100.5


@dataclass(frozen=True)
class Mixture:
    """A mixture of the three atoms, the uniform distribution and J logistics, for each of N answers.

    Args:
        log_weight: Logs of the parts' weights: atoms, uniform part, logistics; shape (N, 4 + J). Weights sum to 1.
        location: The logistics' locations, on the slider's scale, shape (N, J).
        scale: Their scales, shape (N, J).
    """

    log_weight: Tensor
    location: Tensor
    scale: Tensor

    def log_mass(self, position: Tensor) -> Tensor:
        """Return the log probability of positions, shape (N, P) or broadcastable to it. The result has shape (N, P)."""
        at = position.unsqueeze(-1)  # (N, P, 1)
        atoms = torch.where(at == at.new_tensor(ATOMS), 0.0, _NOWHERE)  # (N, P, 3)
        uniform = torch.full_like(at, -math.log(POSITIONS))  # (N, P, 1)
        logistics = logistic_log_mass(at, self.location.unsqueeze(1), self.scale.unsqueeze(1))  # (N, P, J)
        parts = torch.cat([atoms, uniform, logistics], dim=-1)  # (N, P, 4 + J)
        return torch.logsumexp(parts + self.log_weight.unsqueeze(1), dim=-1)

    def mass(self) -> Tensor:
        """Return the probability of every position, shape (N, 101). Rows sum to 1."""
        every = torch.arange(POSITIONS, dtype=self.location.dtype, device=self.location.device)
        return self.log_mass(every.expand(len(self.location), -1)).exp()

    def mean(self) -> Tensor:
        """Return the mean position, shape (N,). Logistics are not rounded, which changes the mean by less than .01."""
        fixed = self.location.new_tensor([*ATOMS, 50]).expand(len(self.location), -1)
        parts = torch.cat([fixed, truncated_logistic_mean(self.location, self.scale)], dim=1)  # (N, 4 + J)
        return (self.log_weight.exp() * parts).sum(1)

    def shares(self, edges: Sequence[int]) -> Tensor:
        """Return the probability of intervals of positions.

        Args:
            edges: K + 1 increasing numbers from 0 to 101. Interval k is edges[k] to edges[k + 1] − 1.

        Returns:
            Shape (N, K). Rows sum to 1.
        """
        bounds, atoms = self.location.new_tensor(edges), self.location.new_tensor(ATOMS).unsqueeze(1)
        inside = ((bounds[:-1] <= atoms) & (atoms < bounds[1:])).to(bounds.dtype)  # (3, K)
        fixed = torch.cat([inside, bounds.diff().unsqueeze(0) / POSITIONS])  # (4, K)
        reached = torch.sigmoid((bounds - 0.5 - self.location.unsqueeze(2)) / self.scale.unsqueeze(2))  # (N, J, K + 1)
        logistics = reached.diff(dim=2) / (reached[:, :, -1:] - reached[:, :, :1])  # (N, J, K)
        weight = self.log_weight.exp()
        return weight[:, : len(fixed)] @ fixed + (weight[:, len(fixed) :].unsqueeze(2) * logistics).sum(1)

    def at(self, uniform: Tensor) -> Tensor:
        """Transform uniform numbers to draws from the mixture.

        Args:
            uniform: Numbers in [0, 1), shape (N, 2). The first chooses the part, the second the position within it.

        Returns:
            Positions 0 to 100, shape (N,).
        """
        reached = self.log_weight.exp().cumsum(1)  # (N, 4 + J)
        part = (uniform[:, :1] * reached[:, -1:] >= reached).sum(1).clamp(max=reached.shape[1] - 1)  # (N,)
        within = uniform[:, 1]
        which = (part - len(ATOMS) - 1).clamp(min=0).unsqueeze(1)
        logistic = logistic_at(within, self.location.gather(1, which)[:, 0], self.scale.gather(1, which)[:, 0])
        position = torch.where(part == len(ATOMS), (within * POSITIONS).floor(), logistic)
        atoms = self.location.new_tensor(ATOMS)
        return torch.where(part < len(ATOMS), atoms[part.clamp(max=len(ATOMS) - 1)], position).clamp(0, POSITIONS - 1)


def logistic_log_mass(position: Tensor, location: Tensor, scale: Tensor) -> Tensor:
    """Return the log probability that a logistic, truncated to the slider, rounds to a position. Broadcasts."""
    own = _log_difference((position - 0.5 - location) / scale, (position + 0.5 - location) / scale)
    return own - _log_difference((_LEFT - location) / scale, (_RIGHT - location) / scale)


def _log_difference(low: Tensor, high: Tensor) -> Tensor:
    """Return log(σ(high) − σ(low)) = log σ(high) + log σ(−low) + log(1 − exp(low − high))."""
    return functional.logsigmoid(high) + functional.logsigmoid(-low) + torch.log(-torch.expm1(low - high))


def truncated_logistic_mean(location: Tensor, scale: Tensor) -> Tensor:
    """Return the mean of a logistic truncated to −.5 … 100.5, by integrating its distribution function."""
    low, high = (_LEFT - location) / scale, (_RIGHT - location) / scale
    below = torch.sigmoid(low)
    area = scale * (functional.softplus(high) - functional.softplus(low)) - (_RIGHT - _LEFT) * below
    return _RIGHT - area / (torch.sigmoid(high) - below)


def logistic_at(uniform: Tensor, location: Tensor, scale: Tensor) -> Tensor:
    """Transform uniform numbers to draws of a truncated, rounded logistic, all of shape (N,)."""
    low, high = torch.sigmoid((_LEFT - location) / scale), torch.sigmoid((_RIGHT - location) / scale)
    place = (low + uniform * (high - low)).clamp(1e-7, 1 - 1e-7)
    return (location + scale * torch.logit(place)).round().clamp(0, POSITIONS - 1)
