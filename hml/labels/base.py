"""`LabelStrategy`, the interface of labelling methods, and its inputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from hml.errors import InputError
from hml.judgements import Classes, Judgement, Stimulus
from hml.labels.soft_labels import check_soft_labels, two_hot
from hml.randomness import Draws


@dataclass(frozen=True)
class MixedExample:
    """A mixed image and people's judgements of it.

    Args:
        stimulus: The two images and lambda_f.
        judgements: The judgements, K of them, in the order of the file.
        image: The mixed pixels in [0, 1], shape (3, H, W).
        num_classes: C, the number of classes in the data set.
    """

    stimulus: Stimulus
    judgements: Sequence[Judgement]
    image: Tensor
    num_classes: int

    @property
    def lambda_f(self) -> float:
        """The first endpoint's weight in the pixels."""
        return self.stimulus.lambda_f

    @property
    def classes(self) -> tuple[int, int]:
        """The labels of the endpoints' classes."""
        first, second = self.stimulus.endpoints
        return first.label, second.label

    @property
    def lambda_h(self) -> Tensor:
        """The weight each person gave the first endpoint, shape (K,)."""
        return torch.tensor([judgement.lambda_h for judgement in self.judgements])

    @property
    def omega(self) -> Tensor:
        """Each person's confidence, shape (K,).

        Raises:
            InputError: a judgement has no confidence.
        """
        known = [judgement.omega for judgement in self.judgements if judgement.omega is not None]
        if len(known) < len(self.judgements):
            raise InputError(
                f"{self.stimulus.filename} has judgements without omega (confidence): use a strategy without it, such "
                "as SeparateLabels or AggregateLabels without gamma, or add omega to the judgements."
            )
        return torch.tensor(known)

    def two_hot(self, lambda_g: Tensor | float) -> Tensor:
        """Return two-hot labels (K, C), given the weights of the first endpoint's class, shape (K,).

        A number is the weight of a single label, K = 1.
        """
        weights = lambda_g if isinstance(lambda_g, Tensor) else torch.tensor([float(lambda_g)])  # (K,)
        return two_hot(weights, *self.classes, self.num_classes)


@dataclass(frozen=True)
class MixedBatch:
    """Freshly mixed images, which have no judgements. Tensors have shape (B,).

    Args:
        id_1: The first endpoints' image ids.
        id_2: The second endpoints' image ids.
        class_1: The first endpoints' classes.
        class_2: The second endpoints' classes.
        lambda_f: The first endpoints' weights in the pixels.
        num_classes: C, the number of classes in the data set.
    """

    id_1: Tensor
    id_2: Tensor
    class_1: Tensor
    class_2: Tensor
    lambda_f: Tensor
    num_classes: int

    def two_hot(self, lambda_g: Tensor) -> Tensor:
        """Return two-hot labels (B, C), given the weights of the first endpoints' classes, shape (B,)."""
        return two_hot(lambda_g, self.class_1, self.class_2, self.num_classes)


class LabelStrategy(ABC):
    """Makes the training labels of mixed images. Subclass it for your own labels."""

    files: Mapping[str, str] = MappingProxyType({})
    """The SHA-256 of each file that the labels depend on, other than the judgements. Part of a run's recipe."""

    classes: Classes | None = None
    """The classes that the strategy was fitted to. Other classes are rejected. None, the default, accepts all."""

    def prepare(self, examples: Sequence[MixedExample], draws: Draws) -> None:  # noqa: B027 - most need nothing
        """Process all mixed images before the first is labelled. By default, this does nothing.

        Args:
            examples: Every mixed image, S of them.
            draws: Random numbers of the run's seed, one row per image.
        """

    @abstractmethod
    def label(self, example: MixedExample) -> Tensor:
        """Label one mixed image.

        Returns:
            Soft labels, shape (K, C), rows sum to 1. With K > 1, training draws one label every epoch. With K = 0, the
            image is left out.
        """

    def label_batch(self, batch: MixedBatch, draws: Draws) -> Tensor:
        """Label freshly mixed images, which have no judgements.

        Args:
            batch: The mixes, B images.
            draws: Random numbers, one row per image.

        Returns:
            Soft labels, shape (B, C), rows sum to 1.

        Raises:
            InputError: the strategy needs judgements.
        """
        raise InputError(
            f"{type(self).__name__} needs people's judgements of each image, and freshly mixed images have none: "
            "use a strategy with label_batch, such as MixupLabels, or the images of data.mixed HMix."
        )


def label_checked(strategy: LabelStrategy, example: MixedExample) -> Tensor:
    """Label an example and check the labels.

    Returns:
        Soft labels, shape (K, C).

    Raises:
        InputError: the labels are not rows of probabilities. The message names the strategy and the image.
    """
    where = f"{type(strategy).__name__} labelled {example.stimulus.filename}"
    try:
        soft_label = strategy.label(example)
    except Exception as error:
        error.add_note(f"This was raised when {where}.")
        raise
    if not isinstance(soft_label, Tensor):
        raise InputError(
            f"{where} with a {type(soft_label).__name__}: return a tensor of shape (K, {example.num_classes})."
        )
    try:
        check_soft_labels(soft_label, example.num_classes)
    except InputError as error:
        raise InputError(f"{where} wrongly: {error}") from error
    return soft_label
