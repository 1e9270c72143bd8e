"""Fits the relabeller's networks to judgements: a few thousand, so all of them in every step, and small networks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hml.relabel.answers import Answers
from hml.relabel.command import Fit
from hml.relabel.encoding import ImageTable, encode, swap
from hml.relabel.network import NOBODY, AnswerNetwork, Shape


@dataclass(frozen=True)
class FitOptions:
    """How networks are fitted.

    Args:
        steps: Steps of the optimiser, each on all judgements.
        members: Networks whose distributions are averaged.
        hidden: Units of their hidden layers.
        rate: The largest learning rate.
        decay: Weight decay.
        person_prior: How strongly people's vectors are drawn to 0.
        anonymous: The share of judgements in a step whose person isn't told, so that the network also learns people
            in general.
        seed: Decides first weights and everything that is drawn.
    """

    steps: int = Fit.steps
    members: int = Fit.members
    hidden: int = 16
    rate: float = 0.02
    decay: float = 0.3
    person_prior: float = 1.0
    anonymous: float = 0.5
    seed: int = 0


def fit_networks(answers: Answers, table: ImageTable, people: int, options: FitOptions) -> list[AnswerNetwork]:
    """Fit `options.members` networks, which differ by what is drawn."""
    both = (encode(answers.batch, table), encode(swap(answers.batch), table))
    return [_fit(answers, both, people, options, member) for member in range(options.members)]


def _fit(answers: Answers, both: tuple[Tensor, Tensor], people: int, options: FitOptions, member: int) -> AnswerNetwork:
    """Fit one network by AdamW, the rate rising and falling in one cycle; the global generator isn't moved."""
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
            told = torch.rand(len(answers)) >= options.anonymous
            person = torch.where(told, answers.person, NOBODY)
            log_likelihood = joint_log_mass(network, both, person, answers.slider, answers.confidence)
            # A Gaussian prior, shared out over the judgements as the likelihood is.
            prior = options.person_prior * vectors.square().sum() / (2 * len(answers))
            loss = prior - log_likelihood.mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return network.eval()


def joint_log_mass(
    network: AnswerNetwork, both: tuple[Tensor, Tensor], person: Tensor, slider: Tensor, confidence: Tensor
) -> Tensor:
    """Return log p(slider, confidence), shape (N,), averaging what the network predicts for an image and its mirror.

    `both` holds the encoded images and their mirrors, each of shape (N, width); the answers have shape (N,).
    """
    sides = []
    for inputs, position in ((both[0], slider), (both[1], 100 - slider)):
        described = network.describe(inputs, person)
        of_lambda = network.lambda_h(described).log_mass(position.unsqueeze(1))[:, 0]
        of_omega = network.omega(described, position).log_mass(confidence.unsqueeze(1))[:, 0]
        sides.append(of_lambda + of_omega)
    return torch.logsumexp(torch.stack(sides), dim=0) - torch.log(torch.tensor(2.0))
