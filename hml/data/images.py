"""`ImageBank` and `ImageSource`: pixels, classes, labels, people's labels and the split, and those of CIFAR-10."""

import hashlib
import io
import pickle
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from typing_extensions import override

from hml.data.download import (
    CIFAR10_ARCHIVE,
    CIFAR10H_COUNTS,
    TEST_INDICES,
    TRAIN_INDICES,
    RemoteFile,
    exists,
    read_bytes,
    read_verified,
)
from hml.errors import DataError, InputError
from hml.judgements import CIFAR10, Classes
from hml.labels import check_soft_labels
from hml.notices import notice

STAND_IN = "cifar10_test.npz"
_STAND_IN_BYTES = 40_000_000  # it needs 31 million
_TEST_BATCH = "cifar-10-batches-py/test_batch"
_TEST_BATCH_MD5 = "40351d587109b95175f43aff81a1287e"
_LABELS_SHA256 = "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5"


Normalization = tuple[Sequence[float], Sequence[float]]
"""The mean and the standard deviation of each channel of pixels in [0, 1]."""

CIFAR10_NORMALIZATION: Normalization = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
"""Computed over CIFAR-10's 50,000 training images."""

_BLOCK = 1024


@dataclass(frozen=True)
class ImageBank:
    """All original images of a data set, and their labels.

    Args:
        images: Pixels, uint8, shape (M, 3, H, W).
        classes: The names of the classes, C of them.
        labels: True classes, int64, shape (M,).
        train_ids: Images to train on, int64, shape (n,).
        test_ids: Images to evaluate on, int64, shape (m,), disjoint from `train_ids`.
        human: The distribution of people's labels of each image, floating point, shape (M, C), rows sum to 1. None if
            there are no such labels. Predictions are then compared with the true classes.
        names: The names of the images in files, M of them, such as paths in a folder. By default, the ids.
        normalization: Mean and standard deviation of each channel of pixels in [0, 1], two triples. By default, those
            of the training images.
        files: The SHA-256 of each file that was read.
        canonical_pixels: Whether the pixels are bitwise equal to the released ones.

    Raises:
        InputError: a tensor has the wrong type, shape or range, or an image is in both splits.
    """

    images: Tensor
    classes: Classes
    labels: Tensor
    train_ids: Tensor
    test_ids: Tensor
    human: Tensor | None = None
    names: Sequence[str] | None = None
    normalization: Normalization | None = None
    files: dict[str, str] = field(default_factory=dict)
    canonical_pixels: bool = True

    def __post_init__(self) -> None:
        size, num_classes = len(self.images), len(self.classes)
        is_rgb = self.images.ndim == 4 and self.images.shape[1] == 3
        _check("images", self.images, torch.uint8, "(M, 3, H, W)", is_rgb, 256)
        _check("labels", self.labels, torch.int64, f"({size},)", self.labels.shape == (size,), num_classes)
        for name, ids in (("train_ids", self.train_ids), ("test_ids", self.test_ids)):
            _check(name, ids, torch.int64, "(n,)", ids.ndim == 1, size)
        if self.human is not None:
            try:
                check_soft_labels(self.human, num_classes)
            except InputError as error:
                raise InputError(f"ImageBank.human: {error} Divide counts by their sum.") from error
            if len(self.human) != size:
                raise InputError(f"ImageBank.human has {len(self.human)} rows for {size} images.")
        if self.names is not None and len(self.names) != size:
            raise InputError(f"ImageBank.names has {len(self.names)} names for {size} images.")
        if bool((both := torch.isin(self.train_ids, self.test_ids)).any()):
            raise InputError(f"images {self.train_ids[both][:10].tolist()} are in both halves of the split.")

    @property
    def hard_labels(self) -> Tensor:
        """The true classes as soft labels, one-hot, shape (M, C)."""
        return torch.nn.functional.one_hot(self.labels, len(self.classes)).float()

    @property
    def soft_labels(self) -> Tensor:
        """The targets of evaluation: people's distributions if known, otherwise the true classes, shape (M, C)."""
        return self.hard_labels if self.human is None else self.human

    def measure_channels(self) -> Normalization:
        """Return the mean and standard deviation of each channel: the given ones, or those of the training images."""
        if self.normalization is not None:
            return self.normalization
        # Integer sums over blocks of images are exact, and need no copy of all images.
        total, squares = torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)
        for ids in torch.split(self.train_ids, _BLOCK):
            pixels = self.images[ids].long()
            total += pixels.sum((0, 2, 3))
            squares += pixels.square().sum((0, 2, 3))
        count = max(1, len(self.train_ids) * self.images.shape[2] * self.images.shape[3])
        mean = total.double() / count
        std = (squares.double() / count - mean.square()).clamp(min=1).sqrt()  # not 0 for images of one colour
        triples = [tuple(round(value / 255, 6) for value in part.tolist()) for part in (mean, std)]
        return triples[0], triples[1]


def _check(name: str, tensor: Tensor, dtype: torch.dtype, shape: str, has_shape: bool, limit: int) -> None:
    """Reject tensors that would silently give wrong results, such as pixels already divided by 255."""
    if tensor.dtype != dtype or not has_shape:
        raise InputError(
            f"ImageBank.{name} is {tensor.dtype} of shape {tuple(tensor.shape)}, expected {dtype} of shape {shape}."
        )
    if len(tensor) and not 0 <= int(tensor.min()) <= int(tensor.max()) < limit:
        raise InputError(
            f"ImageBank.{name} has values from {tensor.min()} to {tensor.max()}, expected 0 to {limit - 1}."
        )


class ImageSource(ABC):
    """Base class of data sets of plain images. Subclass it for your own."""

    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        """List the pinned files that `load` needs in the data folder. By default, there are none."""
        return []

    @abstractmethod
    def load(self, data_dir: Path) -> ImageBank:
        """Read the images.

        Raises:
            DataError: a file is missing or corrupt.
        """

    def classes(self, data_dir: Path) -> Classes:
        """Return the classes, which are needed to build a network. Override this if it is possible without `load`.

        Raises:
            DataError: a file is missing or corrupt.
        """
        return self.load(data_dir).classes


class Cifar10(ImageSource):
    """CIFAR-10's 10,000 test images with CIFAR-10H's labels, in the paper's split of 7,000 and 3,000 images.

    All images are from the *test* set, since CIFAR-10H labels only these. Pixels are read from
    `cifar-10-python.tar.gz`, otherwise from its unpacked `test_batch`, otherwise from a stand-in
    `cifar10_test.npz` (`images`, `labels`), whose pixels may differ from the released ones.

    Args:
        stand_in: Whether to use the stand-in if there is no other source.
    """

    def __init__(self, stand_in: bool = True) -> None:
        self.stand_in = stand_in

    @override
    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        others = (_TEST_BATCH, STAND_IN) if self.stand_in else (_TEST_BATCH,)
        has_other = any(exists(data_dir / name) for name in others)
        pixels = [] if has_other and not exists(data_dir / CIFAR10_ARCHIVE.name) else [CIFAR10_ARCHIVE]
        return [*pixels, CIFAR10H_COUNTS, TRAIN_INDICES, TEST_INDICES]

    @override
    def classes(self, data_dir: Path) -> Classes:
        return CIFAR10

    @override
    def load(self, data_dir: Path) -> ImageBank:
        name, digest, images, labels = _read_pixels(data_dir, self.stand_in)
        if hashlib.sha256(labels.tobytes()).hexdigest() != _LABELS_SHA256:
            raise DataError(f"The labels in {data_dir / name} are not those of CIFAR-10's test set, in its order.")
        canonical = name != STAND_IN
        if not canonical:
            notice(
                f"Pixels come from the stand-in {data_dir / STAND_IN} and may differ from CIFAR-10's: put "
                f"{CIFAR10_ARCHIVE.name} beside it (`hml download` does) for canonical results."
            )
        arrays = {file.name: np.load(io.BytesIO(read_verified(file, data_dir)), allow_pickle=False) for file in _ARRAYS}
        counts = torch.from_numpy(arrays[CIFAR10H_COUNTS.name]).double()  # (10000, 10)
        return ImageBank(
            images=torch.from_numpy(images),
            classes=CIFAR10,
            labels=torch.from_numpy(labels.astype(np.int64)),
            train_ids=torch.from_numpy(arrays[TRAIN_INDICES.name]),
            test_ids=torch.from_numpy(arrays[TEST_INDICES.name]),
            human=(counts / counts.sum(1, keepdim=True)).float(),
            normalization=CIFAR10_NORMALIZATION,
            files={name: digest} | {file.name: file.sha256 for file in _ARRAYS},
            canonical_pixels=canonical,
        )


_ARRAYS = (CIFAR10H_COUNTS, TRAIN_INDICES, TEST_INDICES)
_Pixels = tuple[str, str, npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def _read_pixels(data_dir: Path, stand_in: bool) -> _Pixels:
    """Read (file name, sha256, images (10000, 3, 32, 32), labels (10000,)) from the best available source."""
    if exists(data_dir / CIFAR10_ARCHIVE.name):
        archive = read_verified(CIFAR10_ARCHIVE, data_dir)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            member = tar.extractfile(_TEST_BATCH)
            assert member is not None, "an archive with the right hash has a test batch"
            return CIFAR10_ARCHIVE.name, CIFAR10_ARCHIVE.sha256, *_unpickle_test_batch(member.read())
    if exists(data_dir / _TEST_BATCH):
        content = read_bytes(data_dir / _TEST_BATCH)
        if (digest := hashlib.md5(content, usedforsecurity=False).hexdigest()) != _TEST_BATCH_MD5:
            raise DataError(f"{data_dir / _TEST_BATCH} has md5 {digest}, expected {_TEST_BATCH_MD5}: unpack it again.")
        return _TEST_BATCH, hashlib.sha256(content).hexdigest(), *_unpickle_test_batch(content)
    if not stand_in:
        raise DataError(f"No {CIFAR10_ARCHIVE.name} in {data_dir}: run `hml download`.")
    return _read_stand_in(data_dir / STAND_IN)


def _unpickle_test_batch(content: bytes) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Read CIFAR-10's pickle. Its hash must have been checked, since unpickling other data is unsafe."""
    batch = pickle.loads(content, encoding="bytes")
    return batch[b"data"].reshape(-1, 3, 32, 32), np.array(batch[b"labels"], dtype=np.uint8)


def _read_stand_in(path: Path) -> _Pixels:
    if not exists(path):
        raise DataError(f"No CIFAR-10 images in {path.parent}: run `hml download`.")
    content = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if (size := sum(member.file_size for member in archive.infolist())) > _STAND_IN_BYTES:
                raise ValueError(f"it unpacks to {size:,} bytes")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    # This file has no pinned hash, and numpy and zipfile raise various errors on damaged files.
    except Exception as error:
        raise DataError(f"{path} can't be read as an npz file of `images` and `labels`: {error}.") from error
    if images.shape != (10_000, 32, 32, 3) or images.dtype != np.uint8 or labels.dtype != np.uint8:
        raise DataError(f"{path} has {images.dtype} images of shape {images.shape}, expected uint8 (10000, 32, 32, 3).")
    return path.name, hashlib.sha256(content).hexdigest(), np.ascontiguousarray(images.transpose(0, 3, 1, 2)), labels
