"""`Relabeller`: what people would say of any mixed image, as a distribution, its mean, or a draw from it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from hml.errors import InputError
from hml.labels import MixedBatch
from hml.randomness import Draws
from hml.relabel.encoding import ImageTable, encode, swap, swap_where, take
from hml.relabel.fitting import joint_log_mass
from hml.relabel.network import NOBODY, AnswerNetwork
from hml.relabel.slider import Mixture

Range = tuple[float, float]

_STRETCHES = (0, 1, 17, 34, 50, 51, 67, 84, 100, 101)
"""Of lambda_h, to average confidence over: the atoms, and six between. For H-Mix, within .003 of all 101 positions."""


@dataclass
class Relabeller:
    """Networks that were fitted to judgements, and what they know of the images.

    Swapping the endpoints mirrors every distribution, exactly: it is the mean of what the networks say from either
    side. Beyond the smallest and largest lambda_f that anybody judged, it is what they say there, mixed with certainty
    the more the nearer the image is to plain: an image of lambda_f = 1 is its first endpoint.

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
    _device: torch.device = field(default_factory=lambda: torch.device("cpu"))

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
        """Return the probability of each per cent of lambda_h.

        Args:
            batch: N mixed images.
            person: Who answers, shape (N,); by default nobody in particular.

        Returns:
            Shape (N, 101), rows sum to 1.
        """
        batch, person, certain = self._prepare(batch, person)
        masses = []
        for turned, inputs, network in self._views(batch):
            mass = self._of_lambda(network, inputs, person)[1].mass()
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
        for turned, inputs, network in self._views(batch):
            position = self._of_lambda(network, inputs, person)[1].mean()
            lambdas.append(100 - position if turned else position)
        towards = (batch.lambda_f > 0.5).to(certain.dtype)
        return torch.lerp(torch.stack(lambdas).mean(0) / 100, towards, certain).clamp(0, 1)

    @torch.no_grad()
    def mean_omega(self, batch: MixedBatch, person: Tensor | None = None) -> Tensor:
        """Return the mean omega, over all that people may say of lambda_h, shape (N,)."""
        batch, person, certain = self._prepare(batch, person)
        omegas = []
        for _, inputs, network in self._views(batch):
            (hidden, vector), of_lambda = self._of_lambda(network, inputs, person)
            omega = torch.zeros_like(certain)
            for share, (first, end) in zip(of_lambda.shares(_STRETCHES).T, pairwise(_STRETCHES), strict=True):
                position = torch.full_like(certain, (first + end - 1) / 2)
                omega += share * network.omega(inputs, hidden, vector, position).mean()
            omegas.append(omega)
        return torch.lerp(torch.stack(omegas).mean(0) / 100, torch.ones_like(certain), certain).clamp(0, 1)

    @torch.no_grad()
    def sample(self, batch: MixedBatch, draws: Draws, person: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Draw one person's answer for each image.

        Args:
            batch: N mixed images.
            draws: Random numbers, a row an image.
            person: Who answers, shape (N,); by default anybody.

        Returns:
            lambda_h and omega, each shape (N,), in [0, 1].
        """
        batch, person, certain = self._prepare(batch, person)
        numbers = draws.uniform("relabel", (7,)).astype(np.float32)
        uniform = torch.from_numpy(numbers).to(batch.lambda_f.device)  # (N, 7)
        turned = uniform[:, 0] < 0.5
        side = swap_where(batch, turned)
        member = (uniform[:, 1] * len(self.networks)).long().clamp(max=len(self.networks) - 1)
        position, confidence = torch.empty_like(certain), torch.empty_like(certain)
        for number, network in enumerate(self.networks):
            rows = (member == number).nonzero().flatten()
            inputs = encode(take(side, rows), self.table)
            (hidden, vector), of_lambda = self._of_lambda(network, inputs, person[rows])
            said = of_lambda.at(uniform[rows, 2:4])
            position[rows] = said
            confidence[rows] = network.omega(inputs, hidden, vector, said).at(uniform[rows, 4:6])
        is_certain = uniform[:, 6] < certain
        lambda_h = torch.where(turned, 100 - position, position) / 100
        lambda_h = torch.where(is_certain, (batch.lambda_f > 0.5).to(lambda_h.dtype), lambda_h)
        return lambda_h, torch.where(is_certain, 1.0, confidence / 100)

    def _views(self, batch: MixedBatch) -> Iterator[tuple[bool, Tensor, AnswerNetwork]]:
        """Describe the images to each network from either side: whether that is turned, the inputs, the network."""
        for turned, side in ((False, batch), (True, swap(batch))):
            inputs = encode(side, self.table)
            for network in self.networks:
                yield turned, inputs, network

    @staticmethod
    def _of_lambda(network: AnswerNetwork, inputs: Tensor, person: Tensor) -> tuple[tuple[Tensor, Tensor], Mixture]:
        hidden, vector = network.describe(inputs, person)
        return (hidden, vector), network.lambda_h(inputs, hidden, vector)

    def _prepare(self, batch: MixedBatch, person: Tensor | None) -> tuple[MixedBatch, Tensor, Tensor]:
        """Go where the batch is, and into the judged range; return how certain an answer is beyond it, shape (N,)."""
        device = batch.lambda_f.device
        if device != self._device:
            self.table = self.table.to(device)
            self.networks = [network.to(device) for network in self.networks]
            self._device = device
        for image, label in ((batch.id_1, batch.class_1), (batch.id_2, batch.class_2)):
            known = self.table.labels
            if len(image) and (int(image.max()) >= len(known) or bool((known[image] != label).any())):
                raise InputError(
                    "The relabeller was made for other images than these: their ids have other classes there. "
                    "Run hml relabel fit on the same images."
                )
        low, high = self.judged
        lambda_f = batch.lambda_f
        certain = certainty(lambda_f, self.judged)
        inside = replace(batch, lambda_f=lambda_f.clamp(low, high))
        if person is None:
            person = torch.full_like(batch.id_1, NOBODY)
        return inside, person.to(device), certain


def certainty(lambda_f: Tensor, judged: Range) -> Tensor:
    """Return how far from what was judged to a plain image each lambda_f lies: 0 within, 1 at 0 and 1, shape (N,)."""
    low, high = judged
    return torch.where(lambda_f > 0.5, (lambda_f - high) / (1 - high), (low - lambda_f) / low).clamp(0, 1)
