"""The relabeller's inputs: lambda_f, the classes, and what is known of both endpoint images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from hml.labels import MixedBatch

_LARGEST_LOGIT = 4.0


@dataclass(frozen=True)
class ImageTable:
    """What is known of each original image.

    Args:
        labels: True classes, shape (M,).
        human: People's labels, or one-hot classes where there are none, shape (M, C).
        network: A network's log probabilities, shape (M, C).
        features: Other features, standardised, shape (M, F).
    """

    labels: Tensor
    human: Tensor
    network: Tensor
    features: Tensor

    def to(self, device: torch.device) -> "ImageTable":
        """Return the table on a device."""
        return ImageTable(**{name: column.to(device) for name, column in vars(self).items()})

    @property
    def num_classes(self) -> int:
        """The number of classes, C."""
        return self.human.shape[1]

    @property
    def width(self) -> int:
        """The number of inputs per mixed image, as `encode` returns them."""
        return 3 + 2 * (self.num_classes + 5 + self.features.shape[1])


def swap(batch: MixedBatch) -> MixedBatch:
    """Swap the endpoints of all images."""
    return MixedBatch(batch.id_2, batch.id_1, batch.class_2, batch.class_1, 1 - batch.lambda_f, batch.num_classes)


def swap_where(batch: MixedBatch, turned: Tensor) -> MixedBatch:
    """Swap the endpoints of the rows where `turned`, shape (B,), is true."""
    other = vars(swap(batch))
    columns: dict[str, Any] = {name: torch.where(turned, other[name], column) for name, column in _columns(batch)}
    return replace(batch, **columns)


def take(batch: MixedBatch, rows: Tensor) -> MixedBatch:
    """Return some rows."""
    columns: dict[str, Any] = {name: column[rows] for name, column in _columns(batch)}
    return replace(batch, **columns)


def concatenate(first: MixedBatch, second: MixedBatch) -> MixedBatch:
    """Concatenate two batches with the same classes."""
    other = vars(second)
    columns: dict[str, Any] = {name: torch.cat([column, other[name]]) for name, column in _columns(first)}
    return replace(first, **columns)


def _columns(batch: MixedBatch) -> Iterator[tuple[str, Tensor]]:
    return ((name, column) for name, column in vars(batch).items() if isinstance(column, Tensor))


def encode(batch: MixedBatch, table: ImageTable) -> Tensor:
    """Return the inputs of mixed images, shape (B, table.width). The first column is half of lambda_f's logit."""
    logit = torch.logit(batch.lambda_f.clamp(1e-6, 1 - 1e-6)).clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT)
    parts = [torch.stack([logit / 2, 2 * batch.lambda_f - 1, 4 * (batch.lambda_f - 0.5) ** 2], dim=1)]
    ends = ((batch.id_1, batch.class_1, batch.class_2), (batch.id_2, batch.class_2, batch.class_1))
    for image, own, other in ends:
        human, network = table.human[image], table.network[image]  # (B, C)
        entropy = torch.special.entr(human).sum(1, keepdim=True)
        of_human = human.gather(1, torch.stack([own, other], dim=1))  # (B, 2)
        of_network = network.gather(1, torch.stack([own, other], dim=1)) / 4
        kind = torch.nn.functional.one_hot(own, table.num_classes).to(human.dtype)
        parts += [kind, entropy, of_human, of_network, table.features[image]]
    return torch.cat(parts, dim=1)
