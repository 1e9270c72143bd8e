"""Mixes images: rows of (id_1, id_2, lambda_f) give pixels. A plain image is a row with lambda_f = 1."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from hml.randomness import Draws

_BLOCK = 1024


@dataclass(frozen=True)
class Rows:
    """Images to mix from a bank, and their possible labels.

    Args:
        id_1: First endpoints in the bank, shape (N,).
        id_2: Second endpoints, shape (N,). For a plain image, the same as id_1.
        lambda_f: Weights of the first endpoints, shape (N,). For a plain image, 1.
        soft_labels: The labels of all rows, concatenated, shape (L, C).
        num_labels: The number of labels of each row, 1 or more, shape (N,).
    """

    id_1: Tensor
    id_2: Tensor
    lambda_f: Tensor
    soft_labels: Tensor
    num_labels: Tensor

    def __len__(self) -> int:
        return len(self.id_1)

    @classmethod
    def plain(cls, ids: Tensor, soft_labels: Tensor) -> "Rows":
        """Make rows of plain images, ids of shape (N,), with one label each, shape (N, C)."""
        return cls(ids, ids, torch.ones(len(ids)), soft_labels, torch.ones_like(ids))

    @classmethod
    def concatenate(cls, *parts: "Rows") -> "Rows":
        """Concatenate several sets of rows."""
        return cls(*(torch.cat([getattr(part, column.name) for part in parts]) for column in fields(cls)))

    def to(self, device: torch.device) -> "Rows":
        """Move every tensor to a device."""
        return Rows(*(getattr(self, column.name).to(device) for column in fields(self)))

    def expanded(self) -> "Rows":
        """Repeat each row for each of its labels, so that every row has one label."""
        return Rows(
            self.id_1.repeat_interleave(self.num_labels),
            self.id_2.repeat_interleave(self.num_labels),
            self.lambda_f.repeat_interleave(self.num_labels),
            self.soft_labels,
            torch.ones(len(self.soft_labels), dtype=self.num_labels.dtype),
        )


def mix(images: Tensor, id_1: Tensor, id_2: Tensor, lambda_f: Tensor) -> Tensor:
    """Blend pairs of images: lambda_f · first + (1 − lambda_f) · second.

    Args:
        images: The bank's pixels, uint8, shape (M, 3, H, W).
        id_1: First endpoints, shape (B,).
        id_2: Second endpoints, shape (B,).
        lambda_f: Weights of the first endpoints, shape (B,).

    Returns:
        Pixels in [0, 1], float, shape (B, 3, H, W).
    """
    first, second = images[id_1].float(), images[id_2].float()  # (B, 3, H, W)
    return torch.lerp(second, first, lambda_f.view(-1, 1, 1, 1)) / 255


def crop_and_flip(image: Tensor, draws: Tensor) -> Tensor:
    """Shift each image by up to an eighth of its height and width, filling with black, and mirror half of them.

    Args:
        image: Pixels, shape (B, 3, H, W).
        draws: Random numbers in [0, 1), shape (B, 3): down, right, mirror.

    Returns:
        Pixels, shape (B, 3, H, W).
    """
    height, width = image.shape[-2:]
    down, right = height // 8, width // 8  # 4 of CIFAR-10's 32 pixels, the usual value
    # In single precision, a draw can round up to 1. Limits are Python numbers, to avoid synchronising with the GPU.
    shift_down = (draws[:, :1] * (2 * down + 1)).long().clamp(max=2 * down)  # (B, 1)
    shift_right = (draws[:, 1:2] * (2 * right + 1)).long().clamp(max=2 * right)  # (B, 1)
    rows = torch.arange(height, device=image.device) + shift_down  # (B, H)
    columns = torch.arange(width, device=image.device).expand(len(image), -1)
    columns = torch.where(draws[:, 2:] < 0.5, columns.flip(1), columns) + shift_right  # (B, W)
    padded = torch.nn.functional.pad(image, (right, right, down, down)).movedim(1, -1)  # (B, H + 2p, W + 2q, 3)
    which = torch.arange(len(image), device=image.device)[:, None, None]
    return padded[which, rows[:, :, None], columns[:, None, :]].movedim(-1, 1).contiguous()


def crop_and_flip_once(images: Tensor, ids: Tensor, seed: int) -> Tensor:
    """Return a copy of a bank's pixels in which some images are cropped and flipped once, as in `crop_and_flip`.

    Mixing is linear, so normalising pixels after it equals normalising before it. Cropping each image before it is
    mixed differs from cropping the mixed image, whose endpoints move together.

    Args:
        images: The bank's pixels, uint8, shape (M, 3, H, W).
        ids: The images to crop and flip, shape (n,). How is a function of the seed and the id.
        seed: The run's seed.

    Returns:
        Pixels, uint8, shape (M, 3, H, W).
    """
    changed = images.clone()
    draws = torch.from_numpy(Draws(seed, 0, ids.numpy()).uniform("augment once", (3,))).float()  # (n, 3)
    for block, drawn in zip(torch.split(ids, _BLOCK), torch.split(draws, _BLOCK), strict=True):  # to need less memory
        changed[block] = crop_and_flip(images[block], drawn)
    return changed
