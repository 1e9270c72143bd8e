"""Sources of mixed images and their judgements."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor
from typing_extensions import override

from hml.data.download import HMIX_INFERENCES, RemoteFile, read_verified
from hml.data.images import ImageBank
from hml.data.mixing import Rows
from hml.errors import InputError, check_choice
from hml.files.paths import expand
from hml.judgements import CIFAR10, Classes, Cohort, Judgement, parse_hmix, parse_judgements
from hml.judgements.formats import find_classes
from hml.judgements.rows import read_file
from hml.labels import LabelStrategy
from hml.randomness import Draws

Remix = Callable[[Rows, Draws], Rows]
"""Makes the training rows of an epoch from the N rows of the data set; the result also has N rows."""


@dataclass(frozen=True)
class MixedSet:
    """Judgements of mixed images, and the SHA-256 of each file that was read."""

    judgements: list[Judgement]
    files: dict[str, str] = field(default_factory=dict)


class MixedSource(ABC):
    """Base class of sets of judged mixed images. Subclass it for your own."""

    leaves_plain: bool = True
    """Whether plain images are also trained on."""

    @abstractmethod
    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        """List the pinned files that `load` needs in the data folder."""

    @abstractmethod
    def load(self, data_dir: Path, bank: ImageBank) -> MixedSet:
        """Read the judgements of images mixed from the bank's.

        Raises:
            InputError: a user's file is wrong.
            DataError: a released file is missing or corrupt.
        """

    def remixer(self, labels: Tensor, strategy: LabelStrategy) -> Remix | None:
        """Return a function that mixes training rows again every epoch. None if rows are the same in all epochs.

        Args:
            labels: Class of every image in the bank, shape (M,).
            strategy: Labels the mixes.
        """
        return None


class HMix(MixedSource):
    """H-Mix, the data of "Human-in-the-loop mixup", or your own judgements in H-Mix's or the plain format.

    Args:
        cohort: "paper": 810 images, 33 people, 1,974 judgements; "all" adds the second collection: 2,070 images,
            81 people, 4,950 judgements. Applies to the released file only.
        judgements: Your own CSV file, to use instead. `hml/data/README.md` describes its columns.
        include_repeats: Whether a person's second judgement of an image counts, as in the authors' file.
    """

    def __init__(
        self, cohort: Cohort = "paper", judgements: str | Path | None = None, include_repeats: bool = True
    ) -> None:
        check_choice("cohort", cohort, Cohort)
        self.cohort = cohort
        self.judgements = None if judgements is None else expand(judgements)
        self.include_repeats = include_repeats

    @override
    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        return [HMIX_INFERENCES] if self.judgements is None else []

    @override
    def load(self, data_dir: Path, bank: ImageBank) -> MixedSet:
        if self.judgements is None and bank.classes != CIFAR10:
            raise InputError(
                "H-Mix's released judgements are of CIFAR-10's images, not of these: give your own with --judgements "
                "(for hml fit, --data.mixed.judgements), or mix images freshly with --data.mixed FreshMixes."
            )
        images = bank.names or [str(image_id) for image_id in range(len(bank.labels))]
        return self.read(data_dir, bank.classes, images)

    def classes(self, data_dir: Path) -> Classes:
        """Return the classes of the judged images without reading the images: CIFAR-10's, or those in your file.

        Raises:
            InputError: your file is wrong, or its names of classes are ambiguous.
        """
        if self.judgements is None:
            return CIFAR10
        name, content = read_file(self.judgements)
        return find_classes(content, name)

    def read(self, data_dir: Path, classes: Classes | None = None, images: Sequence[str] | None = None) -> MixedSet:
        """Read the judgements without the images. See `load`.

        Args:
            data_dir: The data folder.
            classes: The classes of the images. By default, the result of `classes`.
            images: The names of the images in your file, in the order of their ids, if known.
        """
        classes = self.classes(data_dir) if classes is None else classes
        if self.judgements is None:
            name, content = HMIX_INFERENCES.name, read_verified(HMIX_INFERENCES, data_dir)
            judgements = parse_hmix(content, name, self.cohort, self.include_repeats, classes)
        else:
            name, content = read_file(self.judgements)
            judgements = parse_judgements(content, name, classes, images, self.include_repeats)
        return MixedSet(judgements, {name: hashlib.sha256(content).hexdigest()})
