"""Labels that need nobody's judgement: mixup's own, none, and uniform as a control."""

import torch
from torch import Tensor
from typing_extensions import override

from hml.judgements import CLASS_NAMES
from hml.labels.base import LabelStrategy, MixedBatch, MixedExample
from hml.labels.soft_labels import two_hot
from hml.randomness import Draws

_NUM_CLASSES = len(CLASS_NAMES)


class NoMixed(LabelStrategy):
    """Leave mixed images out: train on the plain ones alone. The paper's "regular"."""

    @override
    def label(self, example: MixedExample) -> Tensor:
        return torch.empty(0, _NUM_CLASSES)


class MixupLabels(LabelStrategy):
    """Label by the pixels' own weights, lambda_g = lambda_f.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """

    @override
    def label(self, example: MixedExample) -> Tensor:
        return two_hot(torch.tensor([example.lambda_f]), *example.classes, num_classes=_NUM_CLASSES)

    @override
    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        return two_hot(batch.lambda_f, batch.class_1, batch.class_2, num_classes=_NUM_CLASSES)


class UniformLabels(LabelStrategy):
    """Give every class the same share whatever the image shows: a control for smoothing alone."""

    @override
    def label(self, example: MixedExample) -> Tensor:
        return torch.full((1, _NUM_CLASSES), 1 / _NUM_CLASSES)

    @override
    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        return batch.lambda_f.new_full((len(batch.lambda_f), _NUM_CLASSES), 1 / _NUM_CLASSES)
