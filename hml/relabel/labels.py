"""Strategies that label any mixed image by predicted answers: of the relabeller, or of class pairs' curves."""

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from typing_extensions import override

from hml.errors import check_choice
from hml.files.paths import expand
from hml.files.sealed import hash_file
from hml.labels import LabelStrategy, MixedBatch, MixedExample, smooth_by_confidence
from hml.labels.soft_labels import SmoothOver, check_gamma
from hml.randomness import Draws
from hml.relabel.checkpoint import Checkpoint, curve_at
from hml.relabel.command import DEFAULT_PATH
from hml.relabel.relabeller import certainty

Draw = Literal["mean", "sample"]


class LearnedLabels(LabelStrategy):
    """Predicted answers, by a relabeller from `hml relabel fit`: their mean, or one answer that is drawn every epoch.

    It needs no judgements, so it labels fresh mixes too. The label of an image of H-Mix is the mean.

    Args:
        checkpoint: The file of `hml relabel fit`.
        draw: "mean" labels by the mean lambda_h of the predicted distribution. "sample" draws lambda_h and omega from
            the distribution.
        gamma: The base of the smoothing by confidence, in (0, 1]; null doesn't smooth. With "mean", the mean label is
            smoothed by the mean confidence.
        smooth_over: Whether smoothing spreads over all classes or over the endpoints' two classes.
        annotator: A person whom the relabeller learned from, whose answers to predict; by default people in general.

    Raises:
        InputError: the checkpoint can't be read, or an argument is out of its range.
    """

    def __init__(
        self,
        checkpoint: str | Path = DEFAULT_PATH,
        draw: Draw = "mean",
        gamma: float | None = None,
        smooth_over: SmoothOver = "all",
        annotator: str | None = None,
    ) -> None:
        check_choice("draw", draw, Draw)
        check_choice("smooth_over", smooth_over, SmoothOver)
        if gamma is not None:
            check_gamma(gamma)
        path = expand(checkpoint)
        loaded = Checkpoint.load(path)
        self._relabeller, self.classes = loaded.relabeller, loaded.classes
        self.files = {path.name: hash_file(path)}
        self.draw = draw
        self.gamma = gamma
        self.smooth_over = smooth_over
        self._person = self._relabeller.number_of(annotator)

    @override
    def label(self, example: MixedExample) -> Tensor:
        return self._label_by_mean(_batch_of(example))

    @override
    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        if self.draw == "mean":
            return self._label_by_mean(batch)
        return self._label(batch, *self._relabeller.sample(batch, draws, self._answering(batch)))

    def _label_by_mean(self, batch: MixedBatch) -> Tensor:
        person = self._answering(batch)
        omega = None if self.gamma is None else self._relabeller.mean_omega(batch, person)  # slower than `mean`
        return self._label(batch, self._relabeller.mean(batch, person), omega)

    def _answering(self, batch: MixedBatch) -> Tensor:
        return torch.full_like(batch.id_1, self._person)

    def _label(self, batch: MixedBatch, lambda_h: Tensor, omega: Tensor | None) -> Tensor:
        label = batch.two_hot(lambda_h)  # (B, C)
        if self.gamma is None or omega is None:
            return label
        support = None
        if self.smooth_over == "endpoints":
            ends = torch.stack([batch.class_1, batch.class_2], dim=1)
            support = torch.zeros_like(label, dtype=torch.bool).scatter(1, ends, True)
        return smooth_by_confidence(label, omega, self.gamma, support)


class CurveLabels(LabelStrategy):
    """The class pair's curve of lambda_h over lambda_f, fitted to judgements. It does not depend on the images.

    Outside the range of lambda_f that people judged, it is linear up to certainty at 0 and 1.

    Args:
        checkpoint: The file of `hml relabel fit`, which contains the curves.

    Raises:
        InputError: the checkpoint can't be read.
    """

    def __init__(self, checkpoint: str | Path = DEFAULT_PATH) -> None:
        path = expand(checkpoint)
        loaded = Checkpoint.load(path)
        self._curves, self._judged, self.classes = loaded.curves, loaded.relabeller.judged, loaded.classes
        self.files = {path.name: hash_file(path)}

    @override
    def label(self, example: MixedExample) -> Tensor:
        return self._label(_batch_of(example))

    @override
    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        return self._label(batch)

    def _label(self, batch: MixedBatch) -> Tensor:
        self._curves = self._curves.to(batch.lambda_f.device)
        inside = batch.lambda_f.clamp(*self._judged)
        lambda_h = curve_at(self._curves, batch.class_1, batch.class_2, inside)
        certain = certainty(batch.lambda_f, self._judged)
        lambda_g = torch.lerp(lambda_h, (batch.lambda_f > 0.5).to(lambda_h.dtype), certain)
        return batch.two_hot(lambda_g)


def _batch_of(example: MixedExample) -> MixedBatch:
    first, second = example.stimulus.endpoints
    return MixedBatch(
        id_1=torch.tensor([first.image_id]),
        id_2=torch.tensor([second.image_id]),
        class_1=torch.tensor([first.label]),
        class_2=torch.tensor([second.label]),
        lambda_f=torch.tensor([example.lambda_f]),
        num_classes=example.num_classes,
    )
