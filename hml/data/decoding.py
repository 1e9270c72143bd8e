"""Decodes images of any size and mode into one array of one size, with several threads."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from lightning.pytorch.utilities import rank_zero_info
from PIL import Image, ImageOps, UnidentifiedImageError

from hml.errors import InputError
from hml.memory import available_memory

Resize = Literal["crop", "stretch", "none"]
Size = tuple[int, int]
"""Height and width."""
Opener = Callable[[int], tuple[Image.Image, int]]
"""Opens an image, decoded or not, and returns it with its label."""

_BLOCK = 64  # images that a thread takes at a time
_THREADS = min(8, os.cpu_count() or 1)
_NAMED = 10
_T = TypeVar("_T")


def decode(
    open_image: Opener, names: Sequence[str], size: Size | None, resize: Resize
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Decode images to RGB images of one size.

    Args:
        open_image: Opens an image. Several threads call it, twice per image if `size` is None.
        names: The names of the images in errors, M of them.
        size: The size. By default, the most common size, and the smaller one of two equally common sizes.
        resize: "crop" scales an image to cover the size and crops its centre, "stretch" ignores the aspect ratio,
            "none" rejects images of other sizes.

    Returns:
        Pixels, shape (M, 3, H, W), and labels, shape (M,).

    Raises:
        InputError: images can't be read, have several sizes although `resize` is "none", or take more memory than is
            available.
    """
    height, width = size or _most_common_size(open_image, names, resize)
    _check_memory(len(names), height, width)
    images = np.empty((len(names), 3, height, width), dtype=np.uint8)
    labels = np.empty(len(names), dtype=np.int64)

    def read(index: int) -> str | None:
        try:
            image, labels[index] = open_image(index)
            with image:
                images[index] = np.asarray(_fit(_to_rgb(image), (width, height), resize)).transpose(2, 0, 1)
        except Exception as error:  # Pillow raises all kinds of errors on damaged files
            return f"{names[index]} ({_reason(error)})"
        return None

    if broken := [complaint for complaint in in_threads(read, len(names)) if complaint]:
        more = f", and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        raise InputError(
            f"{len(broken)} of {len(names)} images can't be used: {', '.join(broken[:_NAMED])}{more}. "
            "Replace them, or leave them out."
        )
    return images, labels


def in_threads(work: Callable[[int], _T], count: int) -> list[_T]:
    """Call a function with each index below `count`, in several threads. Return the results in order."""
    blocks = [range(start, min(start + _BLOCK, count)) for start in range(0, count, _BLOCK)]
    with ThreadPoolExecutor(_THREADS) as pool:
        return [result for block in pool.map(lambda block: list(map(work, block)), blocks) for result in block]


def _most_common_size(open_image: Opener, names: Sequence[str], resize: Resize) -> Size:
    def measure(index: int) -> Size | None:
        try:
            with open_image(index)[0] as image:
                return image.height, image.width
        except Exception:  # reported when all images are decoded
            return None

    sizes = in_threads(measure, len(names))
    counts = Counter(size for size in sizes if size is not None)
    if not counts:
        return 1, 1  # no image can be read
    if resize == "none" and len(counts) > 1:
        (height, width), (other_height, other_width) = list(counts)[:2]
        first, other = (names[sizes.index(size)] for size in list(counts)[:2])
        raise InputError(
            f"images have {len(counts)} sizes, and resize=none does not resize them: {first} is {height} × {width} "
            f"and {other} {other_height} × {other_width} pixels. Use resize=crop or resize=stretch."
        )
    chosen = min(counts, key=lambda size: (-counts[size], size[0] * size[1], size))
    if len(counts) > 1:
        rank_zero_info(
            f"{sum(counts.values()) - counts[chosen]:,} of {len(names):,} images are resized to {chosen[0]} × "
            f"{chosen[1]} pixels, the most common size (choose another one by `size`)."
        )
    return chosen


def _check_memory(count: int, height: int, width: int) -> None:
    needed, available = count * 3 * height * width, available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"{count:,} images of {height} × {width} pixels take {needed / 2**30:,.1f} GiB of memory, and "
            f"{available / 2**30:,.1f} GiB are available: choose a smaller `size`, or use fewer images."
        )


def _to_rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB as torchvision's loader does: alpha and the EXIF orientation are ignored."""
    if image.mode.startswith(("I", "F")):  # which Pillow would clip to white
        raise ValueError("its pixels have more than 8 bits a channel")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # otherwise Pillow warns, and returns the same
    return image.convert("RGB")


def _fit(image: Image.Image, size: tuple[int, int], resize: Resize) -> Image.Image:
    """Resize an image to a width and a height."""
    if image.size == size:
        return image
    if resize == "none":
        raise ValueError(f"it is {image.height} × {image.width} pixels, not {size[1]} × {size[0]}")
    if resize == "stretch":
        return image.resize(size, Image.Resampling.BILINEAR)
    return ImageOps.fit(image, size, Image.Resampling.BILINEAR)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)[:200] or type(error).__name__
