"""`Normalize`: standardises pixels in [0, 1] for a network."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hml.errors import InputError


class Normalize(nn.Module):
    """Subtracts a mean from each channel and divides by a standard deviation. Both are stored in checkpoints.

    Args:
        mean: The means of red, green and blue in [0, 1]. None: those of the data, set by `follow`.
        std: The standard deviations, likewise.

    Raises:
        InputError: mean or std is not three finite numbers, or a number in std is not positive.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float] | None = None, std: Sequence[float] | None = None) -> None:
        super().__init__()
        self._open = [name for name, values in (("mean", mean), ("std", std)) if values is None]
        for name, values in (("mean", mean), ("std", std)):
            if values is not None and not (len(values) == 3 and all(map(math.isfinite, values))):
                raise InputError(f"model.{name}={values} must be three numbers, for red, green and blue in [0, 1].")
        if std is not None and min(std) <= 0:
            raise InputError(f"model.std={std} must be positive.")
        self.register_buffer("mean", _per_channel(mean or (0.0, 0.0, 0.0)))
        self.register_buffer("std", _per_channel(std or (1.0, 1.0, 1.0)))

    def follow(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Use the data's mean and standard deviation if none were given."""
        for name, values in (("mean", mean), ("std", std)):
            if name in self._open:
                getattr(self, name).copy_(_per_channel(values))

    def forward(self, image: Tensor) -> Tensor:
        """Map images in [0, 1], shape (B, 3, H, W), to normalised ones."""
        return (image - self.mean) / self.std


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
