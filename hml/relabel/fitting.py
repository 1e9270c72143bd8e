"""Fits relabellers to judgements: small networks, with all of a few thousand judgements in every step."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from hml.relabel.answers import Answers
from hml.relabel.command import Fit
from hml.relabel.encoding import ImageTable, encode, swap
from hml.relabel.network import NOBODY, AnswerNetwork, Shape, joint_log_mass
from hml.relabel.relabeller import Relabeller


@dataclass(frozen=True)
class FitOptions:
    """How networks are fitted.

    Args:
        steps: Number of optimiser steps, each on all judgements.
        members: Number of networks whose distributions are averaged.
        hidden: Number of units of the hidden layers.
        rate: The largest learning rate.
        decay: Weight decay.
        person_prior: The precision of the Gaussian prior of people's vectors.
        anonymous: The share of judgements in a step whose person is hidden, so that the network also learns the
            distribution of people in general.
        seed: The seed of initial weights and of everything random.
    """

    steps: int = Fit.steps
    members: int = Fit.members
    hidden: int = 16
    rate: float = 0.02
    decay: float = 0.3
    person_prior: float = 1.0
    anonymous: float = 0.5
    seed: int = 0


def fit_relabeller(
    table: pd.DataFrame, images: ImageTable, people: int, options: FitOptions, annotators: Sequence[str] = ()
) -> Relabeller:
    """Fit a relabeller.

    Args:
        table: Judgements, as `judgement_table` makes them.
        images: What is known of the images.
        people: The number of people whom the networks distinguish. The table's `person` is below it.
        options: How networks are fitted.
        annotators: The names of these people, if known.
    """
    networks = fit_networks(Answers.of(table, images.num_classes), images, people, options)
    return Relabeller(networks, images, annotators, judged_range(table))


def judged_range(table: pd.DataFrame) -> tuple[float, float]:
    """Return the smallest and largest lambda_f of judgements, counted from either endpoint."""
    nearest = min(float(table["lambda_f"].min()), 1 - float(table["lambda_f"].max()))
    low = min(max(nearest, 1e-6), 0.49)
    return low, 1 - low


def fit_networks(answers: Answers, table: ImageTable, people: int, options: FitOptions) -> list[AnswerNetwork]:
    """Fit `options.members` networks, which differ in their random draws."""
    both = (encode(answers.batch, table), encode(swap(answers.batch), table))
    return [_fit(answers, both, people, options, member) for member in range(options.members)]


def _fit(answers: Answers, both: tuple[Tensor, Tensor], people: int, options: FitOptions, member: int) -> AnswerNetwork:
    """Fit one network by AdamW with the one-cycle schedule. The state of the global generator is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 * options.seed + member)
        network = AnswerNetwork(Shape(both[0].shape[1], people, options.hidden))
        vectors = network.person.weight
        others = [parameter for parameter in network.parameters() if parameter is not vectors]
        torch.nn.init.normal_(vectors, std=0.1)
        optimizer = torch.optim.AdamW(
            [{"params": others, "weight_decay": options.decay}, {"params": [vectors], "weight_decay": 0.0}]
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=options.steps)
        network.train()
        for _ in range(options.steps):
            is_named = torch.rand(len(answers)) >= options.anonymous
            person = torch.where(is_named, answers.person, NOBODY)
            log_likelihood = joint_log_mass(network, both, person, answers.slider, answers.confidence)
            # A Gaussian prior, divided by the number of judgements, as the likelihood is.
            prior = options.person_prior * vectors.square().sum() / (2 * len(answers))
            loss = prior - log_likelihood.mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return network.eval()
