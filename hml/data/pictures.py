"""`PictureSource`: base class of data sets of images of any size, with options for size, split and human labels."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor
from typing_extensions import override

from hml.data.decoding import Opener, Resize, decode
from hml.data.human_labels import read_human_labels
from hml.data.images import ImageBank, ImageSource
from hml.data.splits import split_by_class
from hml.errors import InputError, check_choice
from hml.files.paths import expand
from hml.judgements import Classes


class Preparation(TypedDict, total=False):
    """Options for converting images to a bank.

    Args:
        size: Height and width of all images, or one number for both. By default, the most common size.
        resize: How images of another size are resized: "crop" (default) scales an image until it covers the size and
            crops its centre, "stretch" ignores its aspect ratio, "none" rejects it.
        test_share: The share of each class to evaluate on, if the data set has no test set. 0.2 by default.
        split_seed: The seed of this split. It is independent of a run's seed, so all runs share it. 0 by default.
        human_labels: A file of people's labels, of all images or of the evaluation images: a CSV with a column `image`
            and one column per class, or a `.npy` array, of counts or probabilities. By default, true classes are used.
    """

    size: int | tuple[int, int] | None
    resize: Resize
    test_share: float
    split_seed: int
    human_labels: str | Path | None


@dataclass(frozen=True)
class Pictures:
    """A data set of images that are not decoded yet.

    Args:
        title: The name in provenance.
        classes: The classes.
        count: The number of images, M.
        open: Opens an image and returns it with its label. Several threads call it.
        num_train: The number of training images, which come first. The others are test images. None: no test set.
        names: The images' names, M of them, if they have any.
        digest: Returns the SHA-256 of the files. By default, pixels and labels are hashed.
    """

    title: str
    classes: Classes
    count: int
    open: Opener
    num_train: int | None = None
    names: Sequence[str] | None = None
    digest: Callable[[], str] | None = None


class PictureSource(ImageSource):
    """A data set of images of any size and mode, which are converted to RGB and one size.

    Raises:
        InputError: an argument is out of its range.
    """

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        resize: Resize = "crop",
        test_share: float = 0.2,
        split_seed: int = 0,
        human_labels: str | Path | None = None,
    ) -> None:
        check_choice("resize", resize, Resize)
        height, width = (size, size) if isinstance(size, int) else size or (1, 1)
        if min(height, width) < 1:
            raise InputError(f"size={size} must be 1 or more.")
        if not 0 < test_share < 1:
            raise InputError(f"test_share={test_share} must be above 0 and below 1.")
        if split_seed < 0:
            raise InputError(f"split_seed={split_seed} must be 0 or more.")
        self.size = None if size is None else (height, width)
        self.resize = resize
        self.test_share = test_share
        self.split_seed = split_seed
        self.human_labels = None if human_labels is None else expand(human_labels)

    @abstractmethod
    def open(self, data_dir: Path) -> Pictures:
        """Find the images without decoding them.

        Raises:
            InputError: there is no such data set, or it does not have images and classes.
        """

    @override
    def classes(self, data_dir: Path) -> Classes:
        return self.open(data_dir).classes

    @override
    def load(self, data_dir: Path) -> ImageBank:
        pictures = self.open(data_dir)
        names = pictures.names or [f"image {image}" for image in range(pictures.count)]
        pixels, numbers = decode(pictures.open, names, self.size, self.resize)
        images, labels = torch.from_numpy(pixels), torch.from_numpy(numbers)
        train_ids, test_ids = self._split(pictures, labels)
        files = {pictures.title: pictures.digest() if pictures.digest else _digest(images, labels)}
        human = None
        if self.human_labels is not None:
            human, read = read_human_labels(self.human_labels, pictures.classes, pictures.names, labels, test_ids)
            files |= read
        return ImageBank(
            images, pictures.classes, labels, train_ids, test_ids, human=human, names=pictures.names, files=files
        )

    def _split(self, pictures: Pictures, labels: Tensor) -> tuple[Tensor, Tensor]:
        classes, title = pictures.classes, pictures.title
        if len(outside := labels[(labels < 0) | (labels >= len(classes))]):
            raise InputError(
                f"{title} has label {outside[0]}, and {len(classes)} classes: labels are 0 to {len(classes) - 1}."
            )
        if pictures.num_train is None:
            train_ids, test_ids = split_by_class(labels, self.test_share, self.split_seed)
        else:
            train_ids, test_ids = torch.arange(len(labels)).tensor_split([pictures.num_train])
        counts = labels[train_ids].bincount(minlength=len(classes))
        if empty := [classes[label] for label in (counts == 0).nonzero().flatten().tolist()]:
            raise InputError(
                f"{title} has no training images of {', '.join(empty[:10])}. Each class needs one or more."
            )
        if not len(test_ids):
            raise InputError(f"{title} has no images to evaluate on: a class needs two or more images to be split.")
        return train_ids, test_ids


def _digest(images: Tensor, labels: Tensor) -> str:
    digest = hashlib.sha256(str(tuple(images.shape)).encode())
    for tensor in (images, labels):
        digest.update(tensor.numpy().data)
    return digest.hexdigest()
