"""Reads images and people's judgements of their mixtures, and checks that they match.

The analysis also works without images. It uses `HMix.read`, and `check_endpoints` if it finds the images.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hml.data.download import fetch
from hml.data.images import ImageBank, ImageSource
from hml.data.mixed import MixedSource
from hml.errors import InputError
from hml.judgements import Judgement, Stimulus, group_by_stimulus

Mixable = Literal["any", "not evaluated", "training"]
"""The images that may be endpoints. For analysis: any. For training: images that are not evaluated on. In a study:
training images only, so that its answers can be used for training."""


@dataclass(frozen=True)
class JudgedImages:
    """Original images, and the judgements of their mixtures.

    Args:
        bank: The original images.
        groups: The judgements of each stimulus, both in order of first appearance.
        files: The SHA-256 of each file read.
    """

    bank: ImageBank
    groups: dict[Stimulus, list[Judgement]]
    files: dict[str, str]

    @property
    def judgements(self) -> list[Judgement]:
        """All judgements, those of one stimulus after those of another."""
        return [judgement for group in self.groups.values() for judgement in group]

    @property
    def provenance(self) -> dict[str, object]:
        """A description of the data: files with their SHA-256, whether pixels are canonical, and counts."""
        return {
            "files": dict(sorted(self.files.items())),
            "canonical_pixels": self.bank.canonical_pixels,
            "test_images": len(self.bank.test_ids),
            "mixed_images": len(self.groups),
            "judgements": len(self.judgements),
            "annotators": len({judgement.annotator for judgement in self.judgements}),
        }


def fetch_judged(images: ImageSource, mixed: MixedSource, data_dir: Path) -> None:
    """Download missing files of both, and check existing ones.

    Raises:
        DataError: a file is wrong, or can't be downloaded.
    """
    fetch([*images.remote_files(data_dir), *mixed.remote_files(data_dir)], data_dir)


def load_judged(
    images: ImageSource, mixed: MixedSource, data_dir: Path, mixable: Mixable, bank: ImageBank | None = None
) -> JudgedImages:
    """Read images and the judgements of their mixtures from existing files.

    Args:
        images: The original images.
        mixed: The judgements.
        data_dir: The data folder.
        mixable: The images that may be endpoints.
        bank: The original images, if they have already been read.

    Raises:
        DataError: a released file is missing or corrupt.
        InputError: the judgements are wrong, or do not match the images.
    """
    bank = images.load(data_dir) if bank is None else bank
    said = mixed.load(data_dir, bank)
    groups = group_by_stimulus(said.judgements)
    check_endpoints(groups, bank, mixable)
    return JudgedImages(bank, groups, bank.files | said.files)


def check_endpoints(stimuli: Iterable[Stimulus], bank: ImageBank, mixable: Mixable) -> None:
    """Check that stimuli are mixtures of the images in a bank.

    Raises:
        InputError: an endpoint is not in the bank, has a different class there, or may not be mixed.
    """
    names = bank.names or range(len(bank.labels))
    used = set()
    for stimulus in stimuli:
        for endpoint in stimulus.endpoints:
            if endpoint.image_id >= len(bank.labels):
                raise InputError(
                    f"{stimulus.filename}: there is no image {endpoint.image_id}; ids are 0 to {len(bank.labels) - 1}."
                )
            label = int(bank.labels[endpoint.image_id])
            if label != endpoint.label:
                raise InputError(
                    f"{stimulus.filename}: image {names[endpoint.image_id]} is of class {bank.classes[label]}, "
                    f"not {bank.classes[endpoint.label]}. Ids count the images of the data set from 0."
                )
            used.add(endpoint.image_id)
    if mixable == "training" and (outside := sorted(used - set(bank.train_ids.tolist()))):
        shown = ", ".join(str(names[image_id]) for image_id in outside[:10])
        raise InputError(f"originals {shown} are outside the training split, and can't be trained on.")
    if mixable == "not evaluated" and (leaked := sorted(used & set(bank.test_ids.tolist()))):
        shown = ", ".join(str(names[image_id]) for image_id in leaked)
        raise InputError(
            f"{len(leaked)} endpoints of mixed images are among the {len(bank.test_ids)} evaluation images, and "
            f"training on them would invalidate the evaluation: images {shown}. "
            "Leave out their judgements, or choose a test set without these images."
        )
