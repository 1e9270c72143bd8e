"""`Relabeller`: predicts answers about any mixed image, as a distribution, its mean, or a draw."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from hml.errors import InputError
from hml.labels import MixedBatch
from hml.randomness import Draws
from hml.relabel.encoding import ImageTable, encode, swap, swap_where, take
from hml.relabel.network import NOBODY, AnswerNetwork, Described, joint_log_mass

Range = tuple[float, float]

_STRETCHES = (0, 1, 17, 34, 50, 51, 67, 84, 100, 101)
"""Bounds of intervals of lambda_h to average omega over: the atoms, and six between. For H-Mix, the result is within
.003 of the average over all positions."""


@dataclass
class Relabeller:
    """Networks that were fitted to judgements, and what is known of the images.

    Swapping the endpoints mirrors every distribution exactly, because the networks' distributions from both sides are
    averaged. Outside the range of lambda_f that people judged, the distribution at the nearest judged lambda_f is
    mixed with certainty. The weight of certainty grows linearly to 1 for unmixed images. Methods take N mixed images
    and `person`, the numbers of the people who answer, shape (N,), by default people in general.

    Args:
        networks: The members, whose distributions are averaged.
        table: What is known of each image.
        annotators: The names of the people whom it learned from. The first has number 1.
        judged: The smallest and the largest lambda_f in the judgements.
    """

    networks: list[AnswerNetwork]
    table: ImageTable
    annotators: Sequence[str] = ()
    judged: Range = (0.1, 0.9)

    def number_of(self, annotator: str | None) -> int:
        """Return a person's number. None is people in general.

        Raises:
            InputError: the relabeller did not learn from a person with this name.
        """
        if annotator is None:
            return NOBODY
        if annotator not in self.annotators:
            raise InputError(
                f"annotator={annotator!r} is not one of the {len(self.annotators)} people whom the relabeller learned "
                "from: leave it out for people in general."
            )
        return list(self.annotators).index(annotator) + 1

    @torch.no_grad()
    def mass(self, batch: MixedBatch, person: Tensor | None = None) -> Tensor:
        """Return the probability of each per cent of lambda_h, shape (N, 101). Rows sum to 1."""
        batch, person, certain = self._prepare(batch, person)
        masses = []
        for turned, network, described in self._views(batch, person):
            mass = network.lambda_h(described).mass()
            masses.append(mass.flip(1) if turned else mass)
        averaged = (1 - certain).unsqueeze(1) * torch.stack(masses).mean(0)  # (N, 101)
        averaged[:, 100] += torch.where(batch.lambda_f > 0.5, certain, 0)
        averaged[:, 0] += torch.where(batch.lambda_f > 0.5, 0, certain)
        return averaged

    @torch.no_grad()
    def joint_log_mass(
        self, batch: MixedBatch, slider: Tensor, confidence: Tensor, person: Tensor | None = None
    ) -> Tensor:
        """Return log p(lambda_h, omega) of answers in whole per cents, each (N,). lambda_f is clamped to `judged`."""
        batch, person, _ = self._prepare(batch, person)
        both = (encode(batch, self.table), encode(swap(batch), self.table))
        each = [joint_log_mass(network, both, person, slider, confidence) for network in self.networks]
        return torch.logsumexp(torch.stack(each), dim=0) - math.log(len(each))

    @torch.no_grad()
    def mean(self, batch: MixedBatch, person: Tensor | None = None) -> Tensor:
        """Return the mean lambda_h, shape (N,)."""
        batch, person, certain = self._prepare(batch, person)
        lambdas = []
        for turned, network, described in self._views(batch, person):
            position = network.lambda_h(described).mean()
            lambdas.append(100 - position if turned else position)
        towards = (batch.lambda_f > 0.5).to(certain.dtype)
        return torch.lerp(torch.stack(lambdas).mean(0) / 100, towards, certain).clamp(0, 1)

    @torch.no_grad()
    def mean_omega(self, batch: MixedBatch, person: Tensor | None = None) -> Tensor:
        """Return the mean omega over the distribution of lambda_h, shape (N,)."""
        batch, person, certain = self._prepare(batch, person)
        omegas = []
        for _, network, described in self._views(batch, person):
            shares = network.lambda_h(described).shares(_STRETCHES)  # (N, 9)
            omega = torch.zeros_like(certain)
            for share, (first, end) in zip(shares.T, pairwise(_STRETCHES), strict=True):
                omega += share * network.omega(described, torch.full_like(certain, (first + end - 1) / 2)).mean()
            omegas.append(omega)
        return torch.lerp(torch.stack(omegas).mean(0) / 100, torch.ones_like(certain), certain).clamp(0, 1)

    @torch.no_grad()
    def sample(self, batch: MixedBatch, draws: Draws, person: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Draw one answer for each image: lambda_h and omega, each of shape (N,), in [0, 1]."""
        batch, person, certain = self._prepare(batch, person)
        numbers = draws.uniform("relabel", (7,)).astype(np.float32)
        uniform = torch.from_numpy(numbers).to(batch.lambda_f.device)  # (N, 7)
        turned = uniform[:, 0] < 0.5
        side = swap_where(batch, turned)
        member = (uniform[:, 1] * len(self.networks)).long().clamp(max=len(self.networks) - 1)
        position, confidence = torch.empty_like(certain), torch.empty_like(certain)
        for number, network in enumerate(self.networks):
            rows = (member == number).nonzero().flatten()
            described = network.describe(encode(take(side, rows), self.table), person[rows])
            said = network.lambda_h(described).at(uniform[rows, 2:4])
            position[rows] = said
            confidence[rows] = network.omega(described, said).at(uniform[rows, 4:6])
        is_certain = uniform[:, 6] < certain
        lambda_h = torch.where(turned, 100 - position, position) / 100
        lambda_h = torch.where(is_certain, (batch.lambda_f > 0.5).to(lambda_h.dtype), lambda_h)
        return lambda_h, torch.where(is_certain, 1.0, confidence / 100)

    def _views(self, batch: MixedBatch, person: Tensor) -> Iterator[tuple[bool, AnswerNetwork, Described]]:
        """Yield for each side and network: whether the endpoints are swapped, the network, the described images."""
        for turned, side in ((False, batch), (True, swap(batch))):
            inputs = encode(side, self.table)
            for network in self.networks:
                yield turned, network, network.describe(inputs, person)

    def _prepare(self, batch: MixedBatch, person: Tensor | None) -> tuple[MixedBatch, Tensor, Tensor]:
        """Move to the batch's device. Return the batch clamped to `judged`, the people, and `certainty`."""
        device = batch.lambda_f.device
        if device != self.table.labels.device:
            self.table = self.table.to(device)
            self.networks = [network.to(device) for network in self.networks]
        known = self.table.labels
        for image, label in ((batch.id_1, batch.class_1), (batch.id_2, batch.class_2)):
            if len(image) and (int(image.max()) >= len(known) or bool((known[image] != label).any())):
                raise InputError(
                    "The relabeller was fitted to other images: the same ids have other classes. Run hml relabel fit "
                    "on these images."
                )
        inside = replace(batch, lambda_f=batch.lambda_f.clamp(*self.judged))
        if person is None:
            person = torch.full_like(batch.id_1, NOBODY)
        return inside, person.to(device), certainty(batch.lambda_f, self.judged)


def certainty(lambda_f: Tensor, judged: Range) -> Tensor:
    """Return the weight of certainty at each lambda_f, shape (N,): 0 within `judged`, 1 at 0 and 1, linear between."""
    low, high = judged
    return torch.where(lambda_f > 0.5, (lambda_f - high) / (1 - high), (low - lambda_f) / low).clamp(0, 1)
