"""Describes each original image: people's labels, a network's predictions and features, and its appearance.

The network is trained for a few epochs on fresh mixes of the training images only. Evaluation images are described too,
since the table has a row for each image. Nothing is learned from them, and they are not mixed.
"""

import hashlib
from dataclasses import fields
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from typing_extensions import override

from hml.data import FreshMixes, HMixDataModule, ImageBank, ImageSource
from hml.data.download import RemoteFile
from hml.files.sealed import write_sealed
from hml.labels import MixupLabels
from hml.models import PreActResNet18
from hml.relabel.command import Fit
from hml.relabel.encoding import ImageTable
from hml.relabel.storage import load_tensors
from hml.training.classifier import Classifier
from hml.training.quiet import quiet_lightning

WIDTH, COMPONENTS = 8, 6
_BATCH = 250


def describe_images(bank: ImageBank, folder: Path, epochs: int = Fit.epochs, seed: int = 0) -> ImageTable:
    """Describe every image. If the same images were described before, read `folder`/features-<hash>.pt.

    Raises:
        StorageError: the folder can't be written to.
    """
    key = hash_images(bank, epochs, seed)
    path = folder / f"features-{key[:16]}.pt"
    if path.exists():
        return ImageTable(**load_tensors(path, [column.name for column in fields(ImageTable)]))
    logits, seen = look(train_network(bank, epochs, seed), bank.images)
    components = principal_components(seen, bank.train_ids, COMPONENTS)
    features = standardise(torch.cat([appearance(bank.images), components], dim=1), bank.train_ids)
    table = ImageTable(bank.labels, bank.soft_labels, torch.log_softmax(logits, dim=1).clamp(min=-12), features)
    write_sealed(path, vars(table))
    return table


def hash_images(bank: ImageBank, epochs: int, seed: int) -> str:
    """Hash everything that a table depends on."""
    settings = WIDTH, epochs, COMPONENTS, seed, bank.classes.names, tuple(bank.images.shape)
    digest = hashlib.sha256(repr(settings).encode())
    for tensor in (bank.images, bank.labels, bank.soft_labels, bank.train_ids):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


class _Given(ImageSource):
    """An existing bank as a source."""

    def __init__(self, bank: ImageBank) -> None:
        self.bank = bank

    @override
    def remote_files(self, data_dir: Path) -> list[RemoteFile]:
        return []

    @override
    def load(self, data_dir: Path) -> ImageBank:
        return self.bank


def train_network(bank: ImageBank, epochs: int, seed: int) -> Classifier:
    """Train a narrow network on fresh mixes of the training images. The state of the global generator is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PreActResNet18(len(bank.classes), width=WIDTH)
        data = HMixDataModule(MixupLabels(), images=_Given(bank), mixed=FreshMixes(), batch_size=64, seed=seed)
        classifier = Classifier(
            network,
            optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=3e-3, weight_decay=1e-2),
            lr_scheduler=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs),
            compile=False,
        )
        with quiet_lightning():
            trainer = Trainer(
                accelerator="cpu",
                max_epochs=epochs,
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                enable_progress_bar=False,
                num_sanity_val_steps=0,
                limit_val_batches=0,
            )
            trainer.fit(classifier, datamodule=data)
    return classifier.eval()


@torch.no_grad()
def look(classifier: Classifier, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits, shape (M, C), and the inputs of the last layer, shape (M, 8·width), of uint8 images."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor]) -> None:
        seen.append(given[0])

    hook = classifier.network.get_submodule("head").register_forward_pre_hook(keep)
    logits = [classifier.network(classifier.normalise(batch.float() / 255)) for batch in torch.split(images, _BATCH)]
    hook.remove()
    return torch.cat(logits), torch.cat(seen)


def appearance(images: Tensor) -> Tensor:
    """Return the brightness, contrast, roughness and colour of uint8 images (M, 3, H, W), shape (M, 4)."""
    pixels = images.float() / 255
    grey = pixels.mean(1)  # (M, H, W)
    rough = (grey[:, 1:] - grey[:, :-1]).abs().mean((1, 2)) + (grey[:, :, 1:] - grey[:, :, :-1]).abs().mean((1, 2))
    colour = (pixels.amax(1) - pixels.amin(1)).mean((1, 2))
    return torch.stack([grey.mean((1, 2)), grey.std((1, 2)), rough, colour], dim=1)


def principal_components(seen: Tensor, ids: Tensor, count: int) -> Tensor:
    """Project features (M, D) on the first principal components of the images `ids`, shape (M, count)."""
    centred = seen - seen[ids].mean(0)
    _, _, axes = torch.linalg.svd(centred[ids].double(), full_matrices=False)
    axes = axes[:count]
    # The sign of an axis is arbitrary. Its largest entry is made positive, so that machines agree.
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    projected: Tensor = (centred.double() @ axes.T).float()
    return projected


def standardise(features: Tensor, ids: Tensor) -> Tensor:
    """Standardise features (M, F) to mean 0 and standard deviation 1 over the images `ids`."""
    mean, deviation = features[ids].mean(0), features[ids].std(0)
    return ((features - mean) / deviation.clamp(min=1e-6)).clamp(-4, 4)
