"""Where the mixed images and the judgements of them come from."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor
from typing_extensions import override

from hml.data.download import HMIX_INFERENCES, RemoteFile, read_verified
from hml.data.images import ImageBank
from hml.data.mixing import Rows
from hml.errors import InputError, check_choice
from hml.files.paths import expand
from hml.judgements import CIFAR10, Classes, Cohort, Judgement, parse_hmix
from hml.judgements.rows import read_file
from hml.labels import LabelStrategy
from hml.randomness import Draws

Remix = Callable[[Rows, Draws], Rows]
"""Makes an epoch's training rows out of the data set's, N rows again."""


@dataclass(frozen=True)
class MixedSet:
    """Judgements of mixed images, and the SHA-256 of each file they were read from."""

    judgements: list[Judgement]
    files: dict[str, str] = field(default_factory=dict)


class MixedSource(ABC):
    """A set of judged mixed images. Subclass it to bring one of your own."""

    leaves_plain: bool = True
    """Whether images are left to train on as they are."""

    @abstractmethod
    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        """List the pinned files that `load` needs in the data folder."""

    @abstractmethod
    def load(self, data_dir: Path, bank: ImageBank) -> MixedSet:
        """Read the judgements of images mixed from the bank's.

        Raises:
            InputError: a file of the user's own is wrong.
            DataError: a released file is missing or corrupt.
        """

    def remixer(self, labels: Tensor, strategy: LabelStrategy) -> Remix | None:
        """Return what mixes training rows anew each epoch; None where they are the same in all.

        Args:
            labels: Class of every image in the bank, shape (M,).
            strategy: Labels what is mixed.
        """
        return None


class HMix(MixedSource):
    """H-Mix, the data of "Human-in-the-loop mixup", or judgements of one's own in its columns.

    Args:
        cohort: "paper": 810 images, 33 people, 1,974 judgements; "all" adds the second collection: 2,070 images,
            81 people, 4,950 judgements. Concerns the released file alone.
        judgements: A CSV file of one's own to use instead, taken whole.
        include_repeats: Whether a person's second judgement of an image counts, as in the authors' own file.
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
        return self.read(data_dir, bank.classes)

    def read(self, data_dir: Path, classes: Classes = CIFAR10) -> MixedSet:
        """Read the judgements without the images, whose classes are given; otherwise as `load`."""
        if self.judgements is None:
            name, content, cohort = HMIX_INFERENCES.name, read_verified(HMIX_INFERENCES, data_dir), self.cohort
        else:
            (name, content), cohort = read_file(self.judgements), "all"
        judgements = parse_hmix(content, name, cohort, self.include_repeats, classes)
        return MixedSet(judgements, {name: hashlib.sha256(content).hexdigest()})
