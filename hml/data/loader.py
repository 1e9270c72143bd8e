"""`MixingLoader`: mixes whole batches of images on the device, without worker processes."""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hml.data.mixed import Remix
from hml.data.mixing import Rows, crop_and_flip, mix
from hml.errors import InputError
from hml.randomness import Draws


class Batch(TypedDict):
    """The input of a step: this rank's share of a global batch, B images."""

    image: Tensor
    """Pixels in [0, 1], shape (B, 3, H, W)."""
    target: Tensor
    """Soft labels, shape (B, C)."""
    label: Tensor
    """The true class of the first endpoint, which for a plain image is the image itself, shape (B,)."""
    index: Tensor
    """Rows of the data set, shape (B,)."""


class MixingLoader:
    """Iterates over batches, as a loader for Lightning.

    `state_dict` has the number of batches consumed in an epoch, so a resumed run continues with the next batch. All
    draws depend only on (seed, epoch, row, purpose).

    Args:
        images: The bank's pixels, uint8, shape (M, 3, H, W).
        labels: The bank's classes, shape (M,).
        rows: The images to mix.
        batch_size: Number of images in a global batch, over all ranks.
        train: Whether to shuffle, draw labels, augment, and drop the last incomplete batch of an epoch, which is too
            small for batch normalisation. Otherwise, every row is used once, in order, in batches of nearly equal size.
        crop_flip: Whether to shift training images by up to an eighth of the side and to mirror half of them.
        seed: The run's seed.
        rank: The index of this process, which selects its share of every batch.
        world_size: Number of processes.
        remix: Makes the rows of each training epoch from `rows`, the same number. By default, rows do not change.
        epoch_size: Number of rows in a training epoch. If there are fewer rows, all are used and some, drawn every
            epoch, are used again. If there are more, those of an epoch are drawn. By default, every row is used once.

    Raises:
        InputError: there are fewer rows than ranks, or the ranks can't share batches of this size evenly in training.
    """

    batch_sampler = None  # Lightning reads this attribute of any object that has a sampler

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        rows: Rows,
        batch_size: int,
        train: bool,
        crop_flip: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        remix: Remix | None = None,
        epoch_size: int | None = None,
    ) -> None:
        if len(rows) < world_size:
            raise InputError(f"{len(rows)} images are too few for {world_size} processes.")
        if train and batch_size % world_size:
            raise InputError(
                f"batch_size={batch_size} can't be shared evenly by {world_size} processes: "
                f"make --data.batch_size a multiple of {world_size}."
            )
        self._epoch_size = epoch_size if train and epoch_size is not None else len(rows)
        if train:  # fewer rows than a batch make one batch, which ranks must also share evenly
            batch_size = min(batch_size, self._epoch_size // world_size * world_size)
            if batch_size < 2 * world_size:
                raise InputError(f"{batch_size} training images per step are too few for {world_size} processes.")
        self.images, self.labels, self.rows = images, labels, rows
        self.batch_size, self.train, self.crop_flip = batch_size, train, crop_flip and train
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.remix = remix if train else None
        self.epoch = 0
        self._num_labels = rows.num_labels.cpu().numpy()  # (N,)
        self._first_label = self._num_labels.cumsum() - self._num_labels  # (N,) into soft_labels
        self._consumed = 0
        self._start = 0

    def __len__(self) -> int:
        """The number of batches per epoch, the same on every rank."""
        if self.train:
            return self._epoch_size // self.batch_size
        return -(-len(self.rows) // self.batch_size)

    @property
    def sampler(self) -> "MixingLoader":
        """The loader itself, since Lightning calls `set_epoch` only on the sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration."""
        self.epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """Return the number of batches of this epoch that were consumed."""
        return {"consumed": self._consumed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue after the batches that had been consumed when the state was saved."""
        self._consumed = self._start = state["consumed"] % len(self)

    def __iter__(self) -> Iterator[Batch]:
        # Lightning calls iter() before set_epoch(). As a generator, this function reads the epoch at the first batch.
        start, self._start = self._start, 0
        device = self.images.device
        every = np.arange(len(self.rows))
        draws = Draws(self.seed, self.epoch, every)
        # Drawing for the whole epoch at once is cheaper than batch by batch, and no row depends on the others.
        rows = self.rows if self.remix is None else self.remix(self.rows, draws)
        label = self._first_label  # (N,) into soft_labels
        order = torch.from_numpy(every)
        if self.train:
            label = label + (draws.uniform("label") * self._num_labels).astype(np.int64)
            order = torch.from_numpy(self._order(draws))
        label_index = torch.from_numpy(label).to(device)
        shifts = None
        if self.crop_flip:
            shifts = torch.from_numpy(draws.uniform("augment", (3,)).astype(np.float32)).to(device)  # (N, 3)
        for number, batch in enumerate(self._split(order.to(device))):
            if number < start:
                continue
            index = batch[self.rank :: self.world_size]  # (B,)
            id_1 = rows.id_1[index]
            image = mix(self.images, id_1, rows.id_2[index], rows.lambda_f[index])
            if shifts is not None:
                image = crop_and_flip(image, shifts[index])
            self._consumed = number + 1
            yield Batch(image=image, target=rows.soft_labels[label_index[index]], label=self.labels[id_1], index=index)

    def _order(self, draws: Draws) -> npt.NDArray[np.int64]:
        """Return the rows of a training epoch in their order."""
        copies, rest = divmod(self._epoch_size, len(draws.index))
        used = np.tile(draws.index, copies)
        if rest:
            used = np.concatenate([used, draws.order("rows used again")[:rest]])
        return used[Draws(self.seed, self.epoch, np.arange(len(used))).order("order")]

    def _split(self, order: Tensor) -> tuple[Tensor, ...]:
        """Split an epoch into global batches, the same on every rank."""
        if self.train:
            return order[: len(self) * self.batch_size].view(-1, self.batch_size).unbind()
        return order.tensor_split(len(self))
