"""Label strategies, which label mixed images, and the functions that they use."""

from hml.labels.base import LabelStrategy, MixedBatch, MixedExample, label_checked
from hml.labels.controls import ConfidenceOnlyLabels, ConstantSmoothingLabels, ShuffledJudgements
from hml.labels.crowd import ReliableLabels, ShrunkLabels
from hml.labels.human import AggregateLabels, ConfidenceWeightedLabels, SeparateLabels
from hml.labels.mixup import MixupLabels, NoMixed, UniformLabels
from hml.labels.soft_labels import check_soft_labels, smooth_by_confidence, two_hot
from hml.labels.wrappers import LastJudgement, Reversed, Rounded, StrategyWrapper

__all__ = [
    "AggregateLabels",
    "ConfidenceOnlyLabels",
    "ConfidenceWeightedLabels",
    "ConstantSmoothingLabels",
    "LabelStrategy",
    "LastJudgement",
    "MixedBatch",
    "MixedExample",
    "MixupLabels",
    "NoMixed",
    "ReliableLabels",
    "Reversed",
    "Rounded",
    "SeparateLabels",
    "ShrunkLabels",
    "ShuffledJudgements",
    "StrategyWrapper",
    "UniformLabels",
    "check_soft_labels",
    "label_checked",
    "smooth_by_confidence",
    "two_hot",
]
