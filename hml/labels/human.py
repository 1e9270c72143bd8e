"""Labels from what people said about a mixed image: the paper's four human varieties, and a weighted mean."""

from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from hml.errors import check_choice
from hml.labels.base import LabelStrategy, MixedExample
from hml.labels.soft_labels import SmoothOver, check_smoothing, smooth_label

Order = Literal["smooth_then_mean", "mean_then_smooth"]


class SeparateLabels(LabelStrategy):
    """Each person's own label: with one person a row, K rows. The paper's "sep", with gamma "sep_conf".

    Args:
        gamma: Base of the smoothing by confidence, in (0, 1]; null doesn't smooth.
        smooth_over: Whether smoothing spreads over all classes or the two endpoints'.
    """

    def __init__(self, gamma: float | None = None, smooth_over: SmoothOver = "all") -> None:
        check_smoothing(gamma, smooth_over)
        self.gamma = gamma
        self.smooth_over = smooth_over

    @override
    def label(self, example: MixedExample) -> Tensor:
        own = example.two_hot(example.lambda_h)  # (K, C)
        if self.gamma is None:
            return own
        return smooth_label(own, example.omega, self.gamma, example.classes, self.smooth_over)


class AggregateLabels(LabelStrategy):
    """One label an image: the mean over its judgements. The paper's "agg", with gamma "agg_conf".

    Args:
        gamma: Base of the smoothing by confidence, in (0, 1]; null doesn't smooth.
        smooth_over: Whether smoothing spreads over all classes or the two endpoints'.
        order: Whether each person's label is smoothed by their own confidence before the mean is taken,
            or the mean label is smoothed by the mean confidence. The paper doesn't say which.
    """

    def __init__(
        self,
        gamma: float | None = None,
        smooth_over: SmoothOver = "all",
        order: Order = "smooth_then_mean",
    ) -> None:
        check_smoothing(gamma, smooth_over)
        check_choice("order", order, Order)
        self.gamma = gamma
        self.smooth_over = smooth_over
        self.order = order

    @override
    def label(self, example: MixedExample) -> Tensor:
        soft_label = example.two_hot(example.lambda_h)  # (K, C)
        if self.gamma is not None:
            omega = example.omega  # (K,)
            if self.order == "mean_then_smooth":
                soft_label, omega = soft_label.mean(0, keepdim=True), omega.mean(0, keepdim=True)  # (1, C), (1,)
            soft_label = smooth_label(soft_label, omega, self.gamma, example.classes, self.smooth_over)
        return soft_label.mean(0, keepdim=True)  # (1, C)


class ConfidenceWeightedLabels(LabelStrategy):
    """One label an image: the mean lambda_h weighted by confidence, Σ omega·lambda_h / Σ omega.

    The authors' processed file has Σ omega·lambda_h / K instead, which shrinks towards the second class and is no
    label to train on. Where nobody has any confidence, everyone counts alike.
    """

    @override
    def label(self, example: MixedExample) -> Tensor:
        weight = example.omega if example.omega.sum() > 0 else torch.ones_like(example.omega)  # (K,)
        lambda_g = (weight * example.lambda_h).sum() / weight.sum()
        return example.two_hot(lambda_g.unsqueeze(0))
