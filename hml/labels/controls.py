"""Control strategies, not in the paper. Each keeps one part of people's answers and removes the rest."""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from hml.errors import InputError
from hml.judgements import Judgement, Stimulus
from hml.labels.base import LabelStrategy, MixedExample
from hml.labels.soft_labels import Smoothing, SmoothOver
from hml.labels.wrappers import StrategyWrapper
from hml.randomness import Draws


class _SmoothedMixupLabels(LabelStrategy):
    """Mixup's lambda_f, smoothed.

    Args:
        gamma: Base of the smoothing by confidence, in (0, 1].
        smooth_over: Whether smoothing spreads over all classes or over the two endpoints' classes.
        additive: The factor a of additive smoothing, above 0. null: the uniform label's share is gamma^omega.
    """

    def __init__(self, gamma: float = 0.005, smooth_over: SmoothOver = "all", additive: float | None = None) -> None:
        self.smoothing = Smoothing(gamma, smooth_over, additive)


class ConfidenceOnlyLabels(_SmoothedMixupLabels):
    """Mixup's lambda_f, smoothed by each person's confidence, K rows. Shows the effect of confidence only."""

    @override
    def label(self, example: MixedExample) -> Tensor:
        omega = example.omega  # (K,)
        label = example.two_hot(torch.full_like(omega, example.lambda_f))
        return self.smoothing.smooth(label, omega, example.classes)


class ConstantSmoothingLabels(_SmoothedMixupLabels):
    """Mixup's lambda_f, smoothed by a constant: the mean smoothing by confidence. Shows the effect of label smoothing.

    The constant is the mean over images of each image's mean share of the uniform label, by default gamma^omega. It is
    the mean over training labels if one label per image is drawn each epoch.
    """

    _share: Tensor | None = None

    @override
    def prepare(self, examples: Sequence[MixedExample], draws: Draws) -> None:
        if examples:
            shares = [self.smoothing.uniform_share(example.omega).mean() for example in examples]
            self._share = torch.stack(shares).mean().unsqueeze(0)  # (1,)

    @override
    def label(self, example: MixedExample) -> Tensor:
        if self._share is None:
            raise _unprepared(self)
        return self.smoothing.blend(example.two_hot(example.lambda_f), self._share, example.classes)


class ShuffledJudgements(StrategyWrapper):
    """Another strategy, applied to the judgements of another image with the same lambda_f.

    It shows whether it matters which image people judged. All judgements of an image stay together. An image with a
    unique lambda_f keeps its own judgements. Each seed shuffles differently.

    Args:
        strategy: Labels the images from the shuffled judgements.
    """

    def __init__(self, strategy: LabelStrategy) -> None:
        super().__init__(strategy)
        self._judgements: dict[Stimulus, Sequence[Judgement]] = {}

    @override
    def prepare(self, examples: Sequence[MixedExample], draws: Draws) -> None:
        alike: dict[float, list[int]] = {}
        for i in draws.order("shuffle judgements").tolist():
            alike.setdefault(examples[i].lambda_f, []).append(i)
        if len(alike) == len(examples):
            raise InputError("ShuffledJudgements needs images with the same lambda_f, and no two have.")
        for group in alike.values():
            # A cyclic shift, so that no image gets its own judgements.
            for taker, giver in zip(group, [*group[1:], group[0]], strict=True):
                self._judgements[examples[taker].stimulus] = examples[giver].judgements
        super().prepare(examples, draws)

    @override
    def change(self, example: MixedExample) -> MixedExample:
        if example.stimulus not in self._judgements:
            raise _unprepared(self)
        return dataclasses.replace(example, judgements=self._judgements[example.stimulus])


def _unprepared(strategy: LabelStrategy) -> InputError:
    return InputError(f"{type(strategy).__name__} must see all images first: call its prepare with them.")
