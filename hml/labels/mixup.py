"""Labels that need no judgements: mixup's labels, no labels, and uniform labels as a control."""

import torch
from torch import Tensor
from typing_extensions import override

from hml.labels.base import LabelStrategy, MixedBatch, MixedExample
from hml.randomness import Draws


class NoMixed(LabelStrategy):
    """Leaves out mixed images, so only plain images are trained on. The paper's "regular"."""

    @override
    def label(self, example: MixedExample) -> Tensor:
        return torch.empty(0, example.num_classes)


class MixupLabels(LabelStrategy):
    """Labels by the weights of the pixels, lambda_g = lambda_f.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """

    @override
    def label(self, example: MixedExample) -> Tensor:
        return example.two_hot(example.lambda_f)

    @override
    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        return batch.two_hot(batch.lambda_f)


class UniformLabels(LabelStrategy):
    """Gives every class the same probability for every image, a control for smoothing."""

    @override
    def label(self, example: MixedExample) -> Tensor:
        return torch.full((1, example.num_classes), 1 / example.num_classes)

    @override
    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        return batch.lambda_f.new_full((len(batch.lambda_f), batch.num_classes), 1 / batch.num_classes)
