"""`RelabellerPerceiver`: a relabeller for `HumanMixUp`, applied to images that it does not know."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from hml.errors import InputError
from hml.files.paths import expand
from hml.judgements import Classes
from hml.labels import MixedBatch
from hml.randomness import LARGEST_SEED, Draws
from hml.relabel.checkpoint import Checkpoint
from hml.relabel.command import DEFAULT_PATH
from hml.transforms import Perceiver


class RelabellerPerceiver(Perceiver):
    """Predicts answers about blends of two classes by a relabeller, for images that the relabeller does not know.

    A relabeller predicts from lambda_f, both classes, and features of both images. It knows only the classes of your
    images, so they are replaced by pairs of known images of the same classes. `mean` averages over these pairs, and
    `sample` draws one pair for each blend. Swapping the endpoints mirrors both results. Unmixed images are certain.

    Args:
        classes: The names of your classes in the order of their labels, in any case. Each must be one that the
            relabeller learned.
        checkpoint: The file of `hml relabel fit`.
        images: The number of known images of each class that replace yours. More are more exact and slower.

    Raises:
        InputError: the checkpoint can't be read, or the relabeller doesn't know one of the classes.
    """

    def __init__(self, classes: Sequence[str], checkpoint: str | Path = DEFAULT_PATH, images: int = 32) -> None:
        if images < 1:
            raise InputError(f"images={images} must be 1 or more.")
        path = expand(checkpoint)
        loaded = Checkpoint.load(path)
        self.classes = Classes(tuple(classes))
        self._relabeller, self._num_known = loaded.relabeller, len(loaded.classes)
        labels = [_find(name, loaded.classes, path) for name in self.classes]
        known = self._relabeller.table.labels
        ids = [(known == label).nonzero().flatten() for label in labels]
        if empty := [name for name, of_class in zip(self.classes, ids, strict=True) if not len(of_class)]:
            raise InputError(f"{path} has no images of {', '.join(empty)}: fit it on images of every class.")
        self._labels = torch.tensor(labels)  # (classes,)
        spread = [of_class[torch.linspace(0, len(of_class) - 1, images).round().long()] for of_class in ids]
        self._images = torch.stack(spread)  # (classes, images)

    @override
    def mean(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> Tensor:
        """Return the mean lambda_h, given the first endpoints' weights and both classes' labels, all of shape (B,)."""
        shape = self._images.shape[1], len(lambda_f)
        pairs = torch.arange(shape[0], device=lambda_f.device)[:, None].expand(shape)
        batch = self._blend(lambda_f.expand(shape), class_1.expand(shape), class_2.expand(shape), pairs)
        return self._relabeller.mean(batch).view(shape).mean(0).to(lambda_f.dtype)

    @override
    def sample(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor) -> tuple[Tensor, Tensor]:
        """Draw one person's lambda_h and omega for each blend, both (B,), with PyTorch's global generator."""
        pair = torch.randint(self._images.shape[1], lambda_f.shape, device=lambda_f.device)
        draws = Draws(int(torch.randint(LARGEST_SEED, ())), epoch=0, index=np.arange(len(lambda_f)))
        lambda_h, omega = self._relabeller.sample(self._blend(lambda_f, class_1, class_2, pair), draws)
        return lambda_h.to(lambda_f.dtype), omega.to(lambda_f.dtype)

    def _blend(self, lambda_f: Tensor, class_1: Tensor, class_2: Tensor, pair: Tensor) -> MixedBatch:
        """Replace the mixed images by known pairs. All arguments have one shape, which is flattened."""
        largest = int(torch.maximum(class_1.amax(), class_2.amax()))
        if largest >= len(self.classes):
            raise InputError(f"label {largest} has no name: classes={self.classes.names} names {len(self.classes)}.")
        self._labels, self._images = self._labels.to(lambda_f.device), self._images.to(lambda_f.device)
        return MixedBatch(
            id_1=self._images[class_1, pair].flatten(),
            id_2=self._images[class_2, pair].flatten(),
            class_1=self._labels[class_1].flatten(),
            class_2=self._labels[class_2].flatten(),
            lambda_f=lambda_f.float().flatten(),
            num_classes=self._num_known,
        )


def _find(name: str, known: Classes, path: Path) -> int:
    """Return the relabeller's label of a class, ignoring case."""
    folded = [other.casefold() for other in known]
    if name.casefold() in folded:
        return folded.index(name.casefold())
    raise InputError(
        f"{path} does not know the class {name!r}: it learned {known}. Use a relabeller that was fitted to your "
        "classes, or leave the perceiver out, to label by lambda_f only."
    )
