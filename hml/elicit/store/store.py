"""A study that people can take part in."""

from collections.abc import Sequence
from pathlib import Path

from hml.elicit.store.database import Clock, utc_now
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.history import claim_folder, read_images
from hml.elicit.store.people import People
from hml.elicit.store.trials import Trials
from hml.elicit.study import Study
from hml.judgements import Classes, Stimulus


class Store:
    """A study in its folder, open for people. Safe to call from several threads.

    `people` manages the steps before and after the trials; `trials` manages images and answers.

    Args:
        path: The folder; created if it is missing.
        study: The study.
        stimuli: The initial images, in order.
        classes: The images' classes.
        canonical_pixels: Whether the images use CIFAR-10's own pixels, bit for bit.
        clock: Returns the current time.

    Raises:
        FolderInUseError: the folder has answers to another study, to a demo or to other images.
        InputError: a consent text changed without a new version.
        StorageError: the folder can't be written.
        DataError: the folder is damaged or was made by an earlier hml, or its key is missing.
    """

    def __init__(
        self,
        path: Path,
        study: Study,
        stimuli: Sequence[Stimulus],
        classes: Classes,
        canonical_pixels: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        self.study = study
        self.classes = classes
        self.folder = StudyFolder(path, create=True, clock=clock)
        self.people = People(self.folder, study)
        self.trials = Trials(self.folder, study, classes)
        try:
            claim_folder(self.folder, study, [stimulus.filename for stimulus in stimuli], classes, canonical_pixels)
        except BaseException:
            self.close()
            raise

    @property
    def stimuli(self) -> list[Stimulus]:
        """The current images, in order: the initial ones, then the added ones."""
        return read_images(self.folder)

    def close(self) -> None:
        """Close the folder."""
        self.folder.close()
