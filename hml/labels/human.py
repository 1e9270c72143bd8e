"""Labels from people's judgements of a mixed image: the paper's four kinds, and a weighted mean."""

from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from hml.errors import check_choice
from hml.labels.base import LabelStrategy, MixedExample
from hml.labels.soft_labels import SmoothOver, optional_smoothing

Order = Literal["smooth_then_mean", "mean_then_smooth"]


class SeparateLabels(LabelStrategy):
    """One label per person, K rows. The paper's "sep", and with gamma "sep_conf".

    Args:
        gamma: Base of the smoothing by confidence, in (0, 1]. null disables smoothing.
        smooth_over: Whether smoothing spreads over all classes or over the two endpoints' classes.
        additive: The factor a of additive smoothing, above 0. null: the uniform label's share is gamma^omega.
    """

    def __init__(
        self, gamma: float | None = None, smooth_over: SmoothOver = "all", additive: float | None = None
    ) -> None:
        self.smoothing = optional_smoothing(gamma, smooth_over, additive)

    @override
    def label(self, example: MixedExample) -> Tensor:
        own = example.two_hot(example.lambda_h)  # (K, C)
        return own if self.smoothing is None else self.smoothing.smooth(own, example.omega, example.classes)


class AggregateLabels(LabelStrategy):
    """One label per image: the mean over its judgements. The paper's "agg", and with gamma "agg_conf".

    Args:
        gamma: Base of the smoothing by confidence, in (0, 1]. null disables smoothing.
        smooth_over: Whether smoothing spreads over all classes or over the two endpoints' classes.
        order: Whether to smooth each person's label by their confidence and then average, or to average and then
            smooth by the mean confidence. The paper does not specify the order.
        additive: The factor a of additive smoothing, above 0. null: the uniform label's share is gamma^omega.
    """

    def __init__(
        self,
        gamma: float | None = None,
        smooth_over: SmoothOver = "all",
        order: Order = "smooth_then_mean",
        additive: float | None = None,
    ) -> None:
        check_choice("order", order, Order)
        self.smoothing = optional_smoothing(gamma, smooth_over, additive)
        self.order = order

    @override
    def label(self, example: MixedExample) -> Tensor:
        soft_label = example.two_hot(example.lambda_h)  # (K, C)
        if self.smoothing is not None:
            omega = example.omega  # (K,)
            if self.order == "mean_then_smooth":
                soft_label, omega = soft_label.mean(0, keepdim=True), omega.mean(0, keepdim=True)  # (1, C), (1,)
            soft_label = self.smoothing.smooth(soft_label, omega, example.classes)
        return soft_label.mean(0, keepdim=True)  # (1, C)


class ConfidenceWeightedLabels(LabelStrategy):
    """One label per image: the mean lambda_h weighted by confidence, Σ omega·lambda_h / Σ omega.

    The authors' processed file has Σ omega·lambda_h / K instead, which shrinks towards the second class and is not
    suitable as a label. If all confidences are 0, all people have equal weight.
    """

    @override
    def label(self, example: MixedExample) -> Tensor:
        weight = example.omega if example.omega.sum() > 0 else torch.ones_like(example.omega)  # (K,)
        lambda_g = (weight * example.lambda_h).sum() / weight.sum()
        return example.two_hot(lambda_g.unsqueeze(0))
