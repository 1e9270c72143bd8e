"""`Relabeller`: what people would say of any mixed image, as a distribution, its mean, or a draw from it."""

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
"""Of lambda_h, to average confidence over: the atoms, and six between. For H-Mix, within .003 of all 101 positions."""


@dataclass
class Relabeller:
    """Networks that were fitted to judgements, and what they know of the images.

    Swapping the endpoints mirrors every distribution exactly: it is the mean of the networks' from either side. Beyond
    the smallest and largest lambda_f that anybody judged, the distribution there is mixed with certainty, the more the
    nearer the image is to plain: an image of lambda_f = 1 is its first endpoint. Methods take N mixed images and
    `person`, who answers, shape (N,); by default nobody in particular.

    Args:
        networks: The members, whose distributions are averaged.
        table: What is known of each image.
        annotators: Names of the people it learned from; the first has number 1.
        judged: The smallest and the largest lambda_f in the judgements.
    """

    networks: list[AnswerNetwork]
    table: ImageTable
    annotators: Sequence[str] = ()
    judged: Range = (0.1, 0.9)

    def number_of(self, annotator: str | None) -> int:
        """Return a person's number, that of nobody in particular for None.

        Raises:
            InputError: nobody of that name was learned from.
        """
        if annotator is None:
            return NOBODY
        if annotator not in self.annotators:
            raise InputError(
                f"annotator={annotator!r} is none of the {len(self.annotators)} people whom the relabeller learned "
                "from: leave it out for people in general."
            )
        return list(self.annotators).index(annotator) + 1

    @torch.no_grad()
    def mass(self, batch: MixedBatch, person: Tensor | None = None) -> Tensor:
        """Return the probability of each per cent of lambda_h, shape (N, 101); rows sum to 1."""
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
        """Return log p(lambda_h, omega) of answers in whole per cents, each (N,), within the judged range."""
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
        """Return the mean omega, over all that people may say of lambda_h, shape (N,)."""
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
        """Draw one person's lambda_h and omega for each image, each shape (N,), in [0, 1]."""
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
        """Describe the images to each network from either side: whether that is turned, the network, the images."""
        for turned, side in ((False, batch), (True, swap(batch))):
            inputs = encode(side, self.table)
            for network in self.networks:
                yield turned, network, network.describe(inputs, person)

    def _prepare(self, batch: MixedBatch, person: Tensor | None) -> tuple[MixedBatch, Tensor, Tensor]:
        """Go where the batch is, and into the judged range; return how certain an answer is beyond it, shape (N,)."""
        device = batch.lambda_f.device
        if device != self.table.labels.device:
            self.table = self.table.to(device)
            self.networks = [network.to(device) for network in self.networks]
        known = self.table.labels
        for image, label in ((batch.id_1, batch.class_1), (batch.id_2, batch.class_2)):
            if len(image) and (int(image.max()) >= len(known) or bool((known[image] != label).any())):
                raise InputError(
                    "The relabeller was made for other images than these: their ids have other classes there. "
                    "Run hml relabel fit on the same images."
                )
        inside = replace(batch, lambda_f=batch.lambda_f.clamp(*self.judged))
        if person is None:
            person = torch.full_like(batch.id_1, NOBODY)
        return inside, person.to(device), certainty(batch.lambda_f, self.judged)


def certainty(lambda_f: Tensor, judged: Range) -> Tensor:
    """Return how far from what was judged to a plain image each lambda_f lies: 0 within, 1 at 0 and 1, shape (N,)."""
    low, high = judged
    return torch.where(lambda_f > 0.5, (lambda_f - high) / (1 - high), (low - lambda_f) / low).clamp(0, 1)
