"""Strategies that label changed examples by another strategy: rounded, reversed, or with one person's answer."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from typing_extensions import override

from hml.errors import InputError
from hml.labels.base import LabelStrategy, MixedBatch, MixedExample, label_checked
from hml.randomness import Draws

_TIE = 1e-6
"""Weights that differ by less are equal. A mean of answers such as .3 and .7 has rounding errors."""


class StrategyWrapper(LabelStrategy):
    """Labels changed examples by another strategy. Subclass it and override `change`.

    Args:
        strategy: Labels the changed examples.

    Examples:
        >>> class FirstJudgement(StrategyWrapper):
        ...     def change(self, example):
        ...         return dataclasses.replace(example, judgements=example.judgements[:1])
    """

    def __init__(self, strategy: LabelStrategy) -> None:
        self.strategy = strategy
        self.files = strategy.files
        self.classes = strategy.classes

    def change(self, example: MixedExample) -> MixedExample:
        """Return the example that the other strategy labels. By default, the same."""
        return example

    @override
    def prepare(self, examples: Sequence[MixedExample], draws: Draws) -> None:
        self.strategy.prepare([self.change(example) for example in examples], draws)

    @override
    def label(self, example: MixedExample) -> Tensor:
        return self.strategy.label(self.change(example))


class Reversed(StrategyWrapper):
    """Another strategy, with 1 − lambda_f and 1 − lambda_h instead of lambda_f and lambda_h.

    Labels then give most weight to the endpoint with the smaller share of the pixels. This control shows whether the
    content of labels matters, or only how uncertain they are. Pixels do not change.

    Args:
        strategy: Labels the images by the reversed weights.

    Examples:
        >>> from hml.labels import MixupLabels
        >>> id_1, id_2, class_1, class_2 = torch.tensor([[7], [8], [0], [1]])
        >>> batch = MixedBatch(id_1, id_2, class_1, class_2, lambda_f=torch.tensor([0.75]), num_classes=3)
        >>> Reversed(MixupLabels()).label_batch(batch, draws=None)
        tensor([[0.2500, 0.7500, 0.0000]])
    """

    @override
    def change(self, example: MixedExample) -> MixedExample:
        stimulus = dataclasses.replace(example.stimulus, lambda_f=1 - example.lambda_f)
        judgements = [
            dataclasses.replace(judgement, stimulus=stimulus, lambda_h=1 - judgement.lambda_h)
            for judgement in example.judgements
        ]
        return dataclasses.replace(example, stimulus=stimulus, judgements=judgements)

    @override
    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        return self.strategy.label_batch(dataclasses.replace(batch, lambda_f=1 - batch.lambda_f), draws)


class LastJudgement(StrategyWrapper):
    """Another strategy, applied to K copies of an image's last judgement.

    In an early version of the authors' loader, all copies of an image have the last person's label if labels are
    separate and without confidence.

    Args:
        strategy: Labels the images from the copies.

    Examples:
        >>> from hml.judgements import Endpoint, Judgement, Stimulus
        >>> from hml.labels import SeparateLabels
        >>> stimulus = Stimulus("mixed.png", lambda_f=0.5, endpoints=(Endpoint(7, label=0), Endpoint(8, label=1)))
        >>> people = [Judgement(stimulus, "ann", lambda_h=0.75), Judgement(stimulus, "bob", lambda_h=0.25)]
        >>> example = MixedExample(stimulus, people, image=torch.zeros(3, 32, 32), num_classes=2)
        >>> LastJudgement(SeparateLabels()).label(example)
        tensor([[0.2500, 0.7500],
                [0.2500, 0.7500]])
    """

    @override
    def change(self, example: MixedExample) -> MixedExample:
        return dataclasses.replace(example, judgements=[*example.judgements[-1:]] * len(example.judgements))


class Rounded(StrategyWrapper):
    """Another strategy, each of whose labels is rounded to the larger endpoint's class before smoothing.

    A label (1 − s)·(λ·e₁ + (1 − λ)·e₂) + s·uniform becomes (1 − s)·e + s·uniform, where e is e₁ if λ ≥ 0.5 and
    otherwise e₂. A mean of several people's labels is rounded after it is taken. A tie goes to the first endpoint. In
    H-Mix that is the first class by name, which argmax would also choose.

    Args:
        strategy: Makes the labels, by the `two_hot` of its example or batch.

    Examples:
        >>> from hml.labels import MixupLabels
        >>> id_1, id_2, class_1, class_2 = torch.tensor([[7], [8], [0], [1]])
        >>> batch = MixedBatch(id_1, id_2, class_1, class_2, lambda_f=torch.tensor([0.75]), num_classes=3)
        >>> Rounded(MixupLabels()).label_batch(batch, draws=None)
        tensor([[1., 0., 0.]])
    """

    @override
    def label(self, example: MixedExample) -> Tensor:
        first, second = (torch.tensor([label]) for label in example.classes)
        return self._round(example, first, second, lambda changed: label_checked(self.strategy, changed))

    @override
    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        return self._round(
            batch, batch.class_1, batch.class_2, lambda changed: self.strategy.label_batch(changed, draws)
        )

    def _round(self, mixed: "Mixed", first: Tensor, second: Tensor, label: Callable[["Mixed"], Tensor]) -> Tensor:
        """Choose between the labels that the strategy makes if every weight is 1 and if every weight is 0, (K, C).

        Whatever the strategy does after `two_hot`, such as smoothing, it does to these labels too.
        """
        own, if_first, if_second = label(mixed), label(_with_weight(mixed, 1.0)), label(_with_weight(mixed, 0.0))
        rows = torch.arange(len(own), device=own.device)
        difference = own[rows, first.expand(len(own))] - own[rows, second.expand(len(own))]  # (K,)
        if bool(((difference.abs() > _TIE) & (if_first == if_second).all(1)).any()):
            raise InputError(
                f"Rounded can't round the labels of {type(self.strategy).__name__}, which does not make them by the "
                "two_hot of its example: use example.two_hot in its label."
            )
        return torch.where((difference >= -_TIE).unsqueeze(1), if_first, if_second)


@dataclasses.dataclass(frozen=True)
class _CertainExample(MixedExample):
    """An example whose two-hot labels all have the same weight on the first class."""

    weight: float = 1.0

    @override
    def two_hot(self, lambda_g: Tensor | float) -> Tensor:
        return super().two_hot(torch.full_like(torch.as_tensor(lambda_g).reshape(-1), self.weight))


@dataclasses.dataclass(frozen=True)
class _CertainBatch(MixedBatch):
    """The same for a batch."""

    weight: float = 1.0

    @override
    def two_hot(self, lambda_g: Tensor) -> Tensor:
        return super().two_hot(torch.full_like(lambda_g, self.weight))


Mixed = TypeVar("Mixed", MixedExample, MixedBatch)


def _with_weight(mixed: Mixed, weight: float) -> Mixed:
    kind = _CertainExample if isinstance(mixed, MixedExample) else _CertainBatch
    return kind(**(vars(mixed) | {"weight": weight}))
