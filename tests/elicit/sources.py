"""Image sources of tests: textures by CIFAR-10's names, and images that are neither square, nor few, nor well named."""

from dataclasses import replace
from pathlib import Path

import torch
from typing_extensions import override

from hml.data import DemoImages, ImageBank, ImageSource
from hml.data.download import RemoteFile
from hml.judgements import CIFAR10, Classes

AWKWARD = Classes(("benign", "T-shirt/top", "ankle_boot 2"))


class Textures(DemoImages):
    """The demo's textures, as airplanes and so on."""

    @override
    def load(self, data_dir: Path) -> ImageBank:
        return replace(super().load(data_dir), classes=CIFAR10)


class Blots(ImageSource):
    """Images of any classes and size, a coloured blot each, which nobody was asked about.

    Args:
        root: A text file with one class name per line; by default they are awkward.
        width: The images'.
        height: The images'.
        per_class: Images of each class, all to train on.
    """

    def __init__(self, root: Path | None = None, width: int = 64, height: int = 64, per_class: int = 12) -> None:
        self.root, self.width, self.height, self.per_class = root, width, height, per_class

    @override
    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        return []

    @override
    def load(self, data_dir: Path) -> ImageBank:
        classes = AWKWARD if self.root is None else Classes(tuple(self.root.read_text("utf-8").splitlines()))
        labels = torch.arange(len(classes)).repeat_interleave(self.per_class)
        draw = torch.Generator().manual_seed(0)
        colours = torch.randint(60, 256, (len(classes), 3, 1, 1), generator=draw)[labels]
        centres = 0.3 + 0.4 * torch.rand((len(labels), 2, 1, 1), generator=draw)
        y = torch.linspace(0, 1, self.height).view(-1, 1) - centres[:, 0]
        x = torch.linspace(0, 1, self.width) - centres[:, 1]
        inside = (x.square() + y.square() < 0.1)[:, None]  # (M, 1, H, W)
        images = torch.where(inside, colours, 30).to(torch.uint8)
        ids = torch.arange(len(labels))
        return ImageBank(images, classes, labels, train_ids=ids, test_ids=ids[:0])
