"""`ImageFolder`: images in a folder with one subfolder per class, as in torchvision."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from typing_extensions import Unpack, override

from hml.data.decoding import in_threads
from hml.data.pictures import Pictures, PictureSource, Preparation
from hml.errors import InputError
from hml.files.paths import expand
from hml.judgements import Classes

SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""The suffixes of image files, in upper or lower case, as in torchvision. Other files are ignored."""


class ImageFolder(PictureSource):
    """Images in folders named for their classes: `train/<class>/…` and `test/<class>/…`, or `<class>/…`.

    Without `train` and `test`, a share of each class is split off for evaluation. Classes, and the images of each
    class, are sorted by the code points of their names, so the order is the same on all machines. The name of an image
    is its path in the folder, such as `train/cat/7.png`.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | Path, **preparation: Unpack[Preparation]) -> None:
        super().__init__(**preparation)
        self.root = expand(root)

    @override
    def classes(self, data_dir: Path) -> Classes:
        return _find_classes(self.root)[0]

    @override
    def open(self, data_dir: Path) -> Pictures:
        classes, parts = _find_classes(self.root)
        listed = [
            [(path, label) for label, each in enumerate(classes) for path in _list(part / each)] for part in parts
        ]
        paths = [path for part in listed for path, _ in part]
        labels = [label for part in listed for _, label in part]
        names = [path.relative_to(self.root).as_posix() for path in paths]
        return Pictures(
            title=self.root.resolve().name,
            classes=classes,
            count=len(paths),
            open=lambda index: (Image.open(paths[index]), labels[index]),
            num_train=len(listed[0]) if len(listed) == 2 else None,
            names=names,
            digest=lambda: _digest(paths, names),
        )


def _find_classes(root: Path) -> tuple[Classes, list[Path]]:
    """Return the classes, and the folders of training and evaluation images, or one folder for both."""
    parts = [root / name for name in ("train", "test")]
    has_part = [part.is_dir() for part in parts]
    if not all(has_part):
        if any(has_part) and _subfolders(part := parts[has_part.index(True)]):
            raise InputError(
                f"{root} has a folder {part.name}, but no {parts[has_part.index(False)].name}. It must have both, each "
                "with a folder per class. Otherwise, use folders of classes only."
            )
        parts = [root]
    found = [_subfolders(part) for part in parts]
    if different := sorted(set(found[0]) ^ set(found[-1])):
        raise InputError(
            f"{root}: train and test must have the same classes; in one of them only: {', '.join(different[:10])}."
        )
    if not found[0]:
        raise InputError(f"{parts[0]} has no folders: put the images of each class into a folder of its name.")
    try:
        return Classes(tuple(found[0])), parts
    except InputError as error:
        raise InputError(f"{parts[0]}: {error}") from error


def _subfolders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"Can't read the image folder {folder.absolute()}: {error.strerror}.") from error


def _list(folder: Path) -> list[Path]:
    """List the images of a class, including those in subfolders."""
    found = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    if not found:
        raise InputError(f"{folder} has no images ({', '.join(SUFFIXES)}): add some, or remove the folder.")
    return sorted(found, key=Path.as_posix)


def _digest(paths: Sequence[Path], names: Sequence[str]) -> str:
    """Hash the names and bytes of all files."""

    def hash_file(index: int) -> bytes:
        return hashlib.sha256(paths[index].read_bytes()).digest()

    digest = hashlib.sha256()
    for name, content in zip(names, in_threads(hash_file, len(paths)), strict=True):
        digest.update(hashlib.sha256(os.fsencode(name)).digest() + content)
    return digest.hexdigest()
