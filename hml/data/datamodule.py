"""`HMixDataModule`: loaders of plain images, and of mixed images with the labels of a strategy."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from typing_extensions import override

from hml.data.download import find_data_dir
from hml.data.images import Cifar10, ImageBank, ImageSource
from hml.data.judged import JudgedImages, fetch_judged, load_judged
from hml.data.loader import MixingLoader
from hml.data.mixed import HMix, MixedSource
from hml.data.mixing import Rows, crop_and_flip_once, mix
from hml.data.splits import hold_out
from hml.errors import InputError, check_choice
from hml.labels import LabelStrategy, MixedExample, StrategyWrapper, label_checked
from hml.randomness import Draws

LabelDraw = Literal["sample", "expand"]
Augment = Literal["none", "crop_flip", "crop_flip_once"]
PlainLabels = Literal["hard", "human"]

_FIRST_ROWS = 16


class HMixDataModule(LightningDataModule):
    """Images and human-judged mixtures of them: CIFAR-10 and H-Mix, or your own.

    Args:
        strategy: Makes the labels of mixed images.
        images: The plain images. By default, `Cifar10`.
        mixed: The mixed images and their judgements. By default, `HMix`. With `FreshMixes`, training images are mixed
            again every epoch.
        data_dir: The data folder, to which files are also downloaded. By default HML_DATA_DIR, otherwise ./data.
        batch_size: Number of images per batch, over all ranks.
        label_draw: How to train on an image with K labels. "sample" draws one of them every epoch, "expand" makes K
            copies of the image.
        augment: "crop_flip" shifts training images by up to an eighth of their side and mirrors half of them, again
            every epoch. "crop_flip_once" does this once to each original image, before images are mixed.
        plain_labels: Training labels of plain images: "hard" (true classes) or "human" (people's labels).
        val_size: Number of training images held out, for `hml validate` and for temperature scaling in `hml test`.
        seed: The seed of all draws. On the command line, this is `seed_everything`.
        wrap: A wrapper of the strategy, such as `Rounded`. It wraps the strategy of any config.
        epoch_size: Number of images in a training epoch. If there are fewer, all are used and some, drawn every epoch,
            are used again. "all" is the number of plain and mixed images, also if the strategy leaves out mixed ones,
            so that all strategies take the same number of steps. With label_draw "expand", judgements are counted in
            place of mixed images. By default, each image is used once.

    Raises:
        InputError: an option is out of its range.
    """

    def __init__(
        self,
        strategy: LabelStrategy,
        images: ImageSource | None = None,
        mixed: MixedSource | None = None,
        data_dir: str | Path | None = None,
        batch_size: int = 128,
        label_draw: LabelDraw = "sample",
        augment: Augment = "none",
        plain_labels: PlainLabels = "hard",
        val_size: int = 0,
        seed: int = 0,
        wrap: Callable[[LabelStrategy], StrategyWrapper] | None = None,
        epoch_size: int | Literal["all"] | None = None,
    ) -> None:
        super().__init__()
        check_choice("label_draw", label_draw, LabelDraw)
        check_choice("augment", augment, Augment)
        check_choice("plain_labels", plain_labels, PlainLabels)
        if batch_size < 2:
            raise InputError(f"batch_size={batch_size} must be 2 or more: batch normalisation needs several images.")
        if seed < 0:
            raise InputError(f"seed={seed} must be 0 or more.")
        if plain_labels == "human" and mixed is not None and not mixed.leaves_plain:
            raise InputError("plain_labels=human has no effect: every image is mixed. Set --data.mixed.share below 1.")
        if epoch_size not in (None, "all") and not (isinstance(epoch_size, int) and epoch_size >= 2):
            raise InputError(f"epoch_size={epoch_size} must be 2 or more, or all.")
        self.strategy = strategy if wrap is None else wrap(strategy)
        self.images = Cifar10() if images is None else images
        self.mixed = HMix() if mixed is None else mixed
        self.data_dir = find_data_dir(data_dir)
        self.batch_size = batch_size
        self.label_draw = label_draw
        self.augment = augment
        self.plain_labels = plain_labels
        self.val_size = val_size
        self.seed = seed
        self.epoch_size = epoch_size
        self._bank: ImageBank | None = None
        self._is_set_up = False

    def reuse_images(self, bank: ImageBank) -> None:
        """Use images that another data module has already read. Call this before `setup`."""
        self._bank = bank

    @override
    def prepare_data(self) -> None:
        """Download missing files and check existing ones.

        Raises:
            DataError: a file is wrong, or can't be downloaded.
        """
        if self._is_set_up:
            return
        fetch_judged(self.images, self.mixed, self.data_dir)

    @override
    def setup(self, stage: str) -> None:
        """Read all data once, and label the mixed images.

        This sets `bank`, `examples` (one `MixedExample` per mixed image), `train_rows` and `val_ids`.

        Raises:
            DataError: a released file is missing or corrupt.
            InputError: judgements do not match the images, or the strategy's labels are not probabilities.
        """
        if self._is_set_up:
            return
        self._judged = load_judged(self.images, self.mixed, self.data_dir, "not evaluated", self._bank)
        self.bank = self._judged.bank
        if self.strategy.classes not in (None, self.bank.classes):
            raise InputError(
                f"{type(self.strategy).__name__} was fitted to the classes {self.strategy.classes}. These images have "
                f"the classes {self.bank.classes}: run hml relabel fit on them."
            )
        self.examples = _make_examples(self._judged)
        self.train_rows, self.val_ids = self._label()
        self._remix = self.mixed.remixer(self.bank.labels, self.strategy)
        if self._remix is not None:  # to raise an error before the first epoch if a strategy can't label fresh mixes
            self._remix(self.train_rows, Draws(self.seed, 0, np.arange(min(len(self.train_rows), _FIRST_ROWS))))
        self._is_set_up = True

    def _label(self) -> tuple[Rows, Tensor]:
        bank, examples = self.bank, self.examples
        if self.plain_labels == "human":
            train_ids = bank.train_ids
            if torch.equal(bank.soft_labels[train_ids], bank.hard_labels[train_ids]):
                raise InputError(
                    "plain_labels=human would train on true classes: the training images have no people's "
                    "labels, or all people name the true class. Use plain_labels=hard."
                )
        ids = torch.tensor([[end.image_id for end in e.stimulus.endpoints] for e in examples])
        ids = ids.long().view(-1, 2)  # (S, 2)
        lambda_f = torch.tensor([example.lambda_f for example in examples])  # (S,)
        self.strategy.prepare(examples, Draws(self.seed, 0, np.arange(len(examples))))
        labels = [label_checked(self.strategy, example).float() for example in examples]
        num_labels = torch.tensor([len(label) for label in labels], dtype=torch.int64)  # (S,)
        used = num_labels > 0
        mixed = Rows(
            ids[used, 0],
            ids[used, 1],
            lambda_f[used],
            torch.cat([*labels, torch.empty(0, len(bank.classes))]),
            num_labels[used],
        )
        if self.label_draw == "expand":
            mixed = mixed.expanded()
        plain_ids, val_ids = hold_out(bank.train_ids, bank.labels, ids.flatten(), self.val_size)
        plain_labels = bank.hard_labels if self.plain_labels == "hard" else bank.soft_labels
        plain = Rows.plain(plain_ids, plain_labels[plain_ids])
        return Rows.concatenate(plain, mixed), val_ids

    @property
    def provenance(self) -> dict[str, object]:
        """A description of the data: files with their SHA-256, whether pixels are canonical, and counts."""
        return self._judged.provenance | {
            "strategy_files": dict(sorted(self.strategy.files.items())),
            "train_rows": len(self.train_rows),
        }

    @override
    def train_dataloader(self) -> MixingLoader:
        images = self.bank.images
        if self.augment == "crop_flip_once":
            images = crop_and_flip_once(images, self.bank.train_ids, self.seed)
        return self._loader(images, self.train_rows, train=True)

    @override
    def val_dataloader(self) -> MixingLoader | list[MixingLoader]:
        return self._evaluation_loader(self.val_ids) if len(self.val_ids) else []

    @override
    def test_dataloader(self) -> MixingLoader:
        return self._evaluation_loader(self.bank.test_ids)

    @override
    def predict_dataloader(self) -> MixingLoader:
        return self._evaluation_loader(self.bank.test_ids)

    def _evaluation_loader(self, ids: Tensor) -> MixingLoader:
        return self._loader(self.bank.images, Rows.plain(ids, self.bank.soft_labels[ids]), train=False)

    def _count_epoch(self) -> int | None:
        if self.epoch_size != "all":
            return self.epoch_size
        num_plain = len(self.bank.train_ids) - len(self.val_ids)
        mixed = [len(example.judgements) if self.label_draw == "expand" else 1 for example in self.examples]
        return max(len(self.train_rows), num_plain + sum(mixed))

    def _loader(self, images: Tensor, rows: Rows, train: bool) -> MixingLoader:
        # Without a Trainer, for example in a notebook, batches are made on the device of the bank, the CPU.
        trainer = self.trainer
        device = torch.device("cpu") if trainer is None else trainer.strategy.root_device
        return MixingLoader(
            images.to(device),
            self.bank.labels.to(device),
            rows.to(device),
            batch_size=self.batch_size,
            train=train,
            crop_flip=self.augment == "crop_flip",
            seed=self.seed,
            rank=0 if trainer is None else trainer.global_rank,
            world_size=1 if trainer is None else trainer.world_size,
            remix=self._remix,
            epoch_size=self._count_epoch(),
        )


def _make_examples(judged: JudgedImages) -> list[MixedExample]:
    """Mix the pixels of each stimulus."""
    ids = torch.tensor([[end.image_id for end in stimulus.endpoints] for stimulus in judged.groups])
    ids = ids.long().view(-1, 2)  # (S, 2)
    lambda_f = torch.tensor([stimulus.lambda_f for stimulus in judged.groups])  # (S,)
    pixels = mix(judged.bank.images, ids[:, 0], ids[:, 1], lambda_f)  # (S, 3, H, W)
    num_classes = len(judged.bank.classes)
    groups = zip(judged.groups.items(), pixels, strict=True)
    return [MixedExample(stimulus, said, image, num_classes) for (stimulus, said), image in groups]
