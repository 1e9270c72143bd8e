"""`AnswerNetwork`: predicts the distribution of a person's lambda_h and omega, given a mixed image."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hml.relabel.slider import ATOMS, Mixture

NOBODY = 0
"""The number of an unknown person. People are counted from 1."""


@dataclass(frozen=True)
class Shape:
    """The size of a network.

    Args:
        inputs: Number of inputs per mixed image.
        people: Number of people.
        hidden: Number of units of the hidden layers.
        person: Length of a person's vector.
        logistics: Number of logistics in a mixture.
        dropout: The share of inputs and units that dropout removes.
    """

    inputs: int
    people: int
    hidden: int = 32
    person: int = 6
    logistics: int = 3
    dropout: float = 0.2


class Described(NamedTuple):
    """N mixed images and people: inputs (N, width), hidden units (N, hidden), people's vectors (N, person)."""

    inputs: Tensor
    hidden: Tensor
    vector: Tensor


class AnswerNetwork(nn.Module):
    """Maps an encoded image and a person to the distribution of lambda_h, and that of omega given lambda_h.

    Each person has a vector, which is shrunk to 0 in training: a random effect. Person 0 stands for people in general.

    Args:
        shape: The size.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        parts = len(ATOMS) + 1 + 3 * shape.logistics
        self.person = nn.Embedding(shape.people + 1, shape.person, padding_idx=NOBODY)
        nn.init.zeros_(self.person.weight)
        self.known = nn.Parameter(torch.zeros(shape.hidden))
        self.first = nn.Linear(shape.inputs, shape.hidden)
        self.first_person = nn.Linear(shape.person, shape.hidden, bias=False)
        self.second = nn.Linear(shape.hidden, shape.hidden)
        self.lambda_head = nn.Linear(shape.hidden, parts)
        self.lambda_person = nn.Linear(shape.person, parts, bias=False)
        self.steepness = nn.Parameter(torch.linspace(0.5, 2.0, shape.logistics))
        self.omega_hidden = nn.Linear(shape.hidden + 5, shape.hidden)
        self.omega_head = nn.Linear(shape.hidden, parts)
        self.omega_person = nn.Linear(shape.person, parts, bias=False)
        for head in (self.lambda_head, self.omega_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def describe(self, inputs: Tensor, person: Tensor) -> Described:
        """Return the inputs of both distributions, for encoded images and people's numbers, shape (N,)."""
        drop = self.shape.dropout
        vector = self.person(person)  # (N, person)
        # Dropout keeps lambda_f, the most important input.
        kept = torch.cat([inputs[:, :3], functional.dropout(inputs[:, 3:], drop, self.training)], dim=1)
        known = (person != NOBODY).to(inputs.dtype).unsqueeze(1) * self.known
        hidden = functional.silu(self.first(kept) + self.first_person(vector) + known)
        hidden = functional.dropout(hidden, drop, self.training)
        return Described(inputs, hidden + functional.silu(self.second(hidden)), vector)

    def lambda_h(self, of: Described) -> Mixture:
        """Return the distribution of the first endpoint's share on the slider."""
        raw = self.lambda_head(of.hidden) + self.lambda_person(of.vector)
        return _mixture(raw, of.inputs[:, :1] * self.steepness, self.shape.logistics)

    def omega(self, of: Described, position: Tensor) -> Mixture:
        """Return the distribution of confidence, given the slider's position, shape (N,)."""
        lambda_h = position / 100
        extremes = [torch.isclose(lambda_h, lambda_h.new_tensor(at / 100)).to(of.inputs.dtype) for at in ATOMS]
        reach = (2 * lambda_h - 1).abs()
        surprise = (lambda_h - (of.inputs[:, 1] + 1) / 2).abs()
        context = torch.stack([reach, surprise, *extremes], dim=1)  # (N, 5)
        hidden = functional.silu(self.omega_hidden(torch.cat([of.hidden, context], dim=1)))
        hidden = functional.dropout(hidden, self.shape.dropout, self.training)
        raw = self.omega_head(hidden) + self.omega_person(of.vector)
        return _mixture(raw, torch.linspace(-0.5, 1.5, self.shape.logistics).to(raw), self.shape.logistics)


def joint_log_mass(
    network: AnswerNetwork, both: tuple[Tensor, Tensor], person: Tensor, slider: Tensor, confidence: Tensor
) -> Tensor:
    """Return log p(slider, confidence), shape (N,), of the mean of the predictions for images and their mirrors.

    Args:
        network: Predicts the distributions.
        both: The encoded images, and the same with swapped endpoints, each of shape (N, width).
        person: Who answers, shape (N,).
        slider: Answers of lambda_h in whole per cents, shape (N,).
        confidence: Answers of omega in whole per cents, shape (N,).
    """
    sides = []
    for inputs, position in ((both[0], slider), (both[1], 100 - slider)):
        described = network.describe(inputs, person)
        of_lambda = network.lambda_h(described).log_mass(position.unsqueeze(1))[:, 0]
        of_omega = network.omega(described, position).log_mass(confidence.unsqueeze(1))[:, 0]
        sides.append(of_lambda + of_omega)
    return torch.logsumexp(torch.stack(sides), dim=0) - torch.log(torch.tensor(2.0))


def _mixture(raw: Tensor, offset: Tensor, logistics: int) -> Mixture:
    weight, location, scale = torch.split(raw, [len(ATOMS) + 1 + logistics, logistics, logistics], dim=1)
    return Mixture(
        log_weight=torch.log_softmax(weight, dim=1),
        location=100 * torch.sigmoid(location + offset),
        scale=1 + functional.softplus(scale + math.log(math.expm1(8.0))),
    )
