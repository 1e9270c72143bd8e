"""One label per image from a model of the people who judged it: `ReliableLabels` and `ShrunkLabels`."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from typing_extensions import override

from hml.errors import InputError
from hml.judgements import Stimulus
from hml.judgements.annotators import Crowd, fit_crowd
from hml.judgements.curves import fit_pair_curves
from hml.labels.base import LabelStrategy, MixedExample
from hml.labels.soft_labels import SmoothOver, optional_smoothing
from hml.randomness import Draws


class ShrunkLabels(LabelStrategy):
    """The mean lambda_h of an image's judgements, shrunk towards the curve of its class pair.

    With fewer people, the mean is shrunk more: with K people, its weight is K·τ² / (K·τ² + σ²). τ² is the variance of
    images around their curves, and σ² the variance of people around an image. Both are estimated from all judgements.

    Args:
        gamma: Base of the smoothing by the image's mean confidence, in (0, 1]. null disables smoothing.
        smooth_over: Whether smoothing spreads over all classes or over the two endpoints' classes.
        additive: The factor a of additive smoothing, above 0. null: the uniform label's share is gamma^omega.

    Source: Efron and Morris, "Stein's Estimation Rule and Its Competitors", 1973.
    """

    individual = False
    """Whether people differ in bias, scale and noise."""

    def __init__(
        self, gamma: float | None = None, smooth_over: SmoothOver = "all", additive: float | None = None
    ) -> None:
        self.smoothing = optional_smoothing(gamma, smooth_over, additive)
        self.crowd: Crowd | None = None
        self._share: dict[Stimulus, float] = {}

    @override
    def prepare(self, examples: Sequence[MixedExample], draws: Draws) -> None:
        judged = [example for example in examples if example.judgements]
        if not judged:
            return
        said = [judgement for example in judged for judgement in example.judgements]
        image = np.repeat(np.arange(len(judged)), [len(example.judgements) for example in judged])
        lambda_h = np.array([judgement.lambda_h for judgement in said])
        lambda_f = np.array([example.lambda_f for example in judged])
        classes = np.array([example.classes for example in judged])
        curves = fit_pair_curves(lambda_f[image], lambda_h, classes[image, 0], classes[image, 1])
        expected = np.array([float(curves.of(*example.classes)(example.lambda_f)) for example in judged])
        person = np.unique([judgement.annotator for judgement in said], return_inverse=True)[1]
        self.crowd = fit_crowd(lambda_h, image, person, expected, self.individual)
        shares = self.crowd.image.clip(0, 1).tolist()
        self._share = {example.stimulus: share for example, share in zip(judged, shares, strict=True)}

    @override
    def label(self, example: MixedExample) -> Tensor:
        if example.stimulus not in self._share:
            raise InputError(f"{type(self).__name__} must see all judged images first: call its prepare with them.")
        label = example.two_hot(self._share[example.stimulus])  # (1, C)
        if self.smoothing is None:
            return label
        omega = example.omega.mean(0, keepdim=True)  # (1,)
        return self.smoothing.smooth(label, omega, example.classes)


class ReliableLabels(ShrunkLabels):
    """Like `ShrunkLabels`, with a model of each person: noisy people have less weight, bias and scale are corrected.

    The model is `hml.judgements.annotators`: each person has a bias, a scale and a noise on the slider. After
    `prepare`, `crowd` has its estimates.

    Source: crowd-labelling models (Dawid and Skene, 1979), applied to continuous answers.
    """

    individual = True
