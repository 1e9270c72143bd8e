"""`PerImage`: what a run's figures are made of, image by image, with the only reader and writer of `per_image.npz`."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from hml.errors import InputError
from hml.files.atomic import write_atomically

PER_IMAGE = "per_image.npz"
_IDS = "image_id"

Values = npt.NDArray[np.floating]


@dataclass(frozen=True)
class PerImage:
    """Each metric's value of each image. A metric is the mean of its values, up to their rounding.

    Of a metric that is no mean over images, such as a calibration error, an image's value is the metric plus the
    image's influence on it (see `hml.evaluation.calibration`).

    Args:
        images: The ids of the images evaluated on in a stage, "test" or "val", shape (N,).
        values: By the name that the metric is logged as, such as "test/cross_entropy", shape (N,), in the order of its
            stage's images; NaN for an image that the metric leaves out.

    Example:
        >>> import torch
        >>> accuracy = torch.tensor([0, 1]), torch.tensor([1.0, 0.0])  # the first image is right
        >>> PerImage.of({"test": torch.tensor([7, 9])}, {"test/accuracy": accuracy}).find("test/accuracy")
        (array([7, 9]), array([1., 0.]))
    """

    images: Mapping[str, npt.NDArray[np.int64]]
    values: Mapping[str, Values]

    @classmethod
    def of(cls, images: Mapping[str, Tensor], values: Mapping[str, tuple[Tensor, Tensor]]) -> "PerImage":
        """Gather what metrics have.

        Args:
            images: The ids of each stage's images, shape (N,).
            values: By metric, the places of its images among the stage's, and their values, both (n,).
        """
        ids = {stage: own.numpy() for stage, own in images.items() if any(stage == _stage(name) for name in values)}
        placed = {}
        for name, (places, own) in values.items():
            placed[name] = np.full(len(ids[_stage(name)]), np.nan, _narrowest(own.double().numpy()))
            placed[name][places.numpy()] = own.numpy()
        return cls(ids, placed)

    def find(self, metric: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]] | None:
        """Return the ids and the values of the images that a metric is made of, (n,); None without such values."""
        if metric not in self.values:
            return None
        values = self.values[metric].astype(np.float64)
        there = ~np.isnan(values)
        return self.images[_stage(metric)][there], values[there]


def write_per_image(folder: Path, per_image: PerImage) -> None:
    """Write a run's `per_image.npz`, whole or not at all."""
    ids = {f"{stage}/{_IDS}": own for stage, own in per_image.images.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **ids, **per_image.values)  # type: ignore[arg-type]  # names aren't savez's options
    write_atomically(folder / PER_IMAGE, content.getvalue())


def read_per_image(folder: Path) -> PerImage | None:
    """Read a run's `per_image.npz`; None where there is none.

    Raises:
        InputError: there is one that isn't as hml writes them.
    """
    path = folder / PER_IMAGE
    if not path.exists():
        return None
    try:
        # From memory, since numpy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = dict(file)
        images = {_stage(name): arrays.pop(name) for name in list(arrays) if name.endswith(f"/{_IDS}")}
        if any(values.shape != images[_stage(name)].shape for name, values in arrays.items()):
            raise ValueError("its arrays have different lengths")
    except Exception as error:  # numpy and zipfile raise all kinds on damaged files
        raise InputError(
            f"{path} can't be read: {error}. Move it away, and do without intervals over images."
        ) from error
    return PerImage(images, arrays)


def _stage(metric: str) -> str:
    return metric.partition("/")[0]


def _narrowest(values: npt.NDArray[np.float64]) -> type[np.floating]:
    """Choose half precision, whose rounding averages out over images, unless a value is too large for it."""
    largest = np.abs(values[np.isfinite(values)]).max(initial=0)
    return np.float16 if largest <= np.finfo(np.float16).max else np.float32
