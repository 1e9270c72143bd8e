"""Whether a network fits the data: their classes, and the size of their images."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from hml.data import ImageBank
from hml.errors import InputError
from hml.evaluation.attack import evaluating
from hml.judgements import Classes
from hml.models import Normalize
from hml.training.mistakes import find_mistake


class KnownData:
    """What a model knows of its data: the classes that it was trained on, and the images that it is known to take."""

    def __init__(self) -> None:
        self._classes: Classes | None = None
        self._fits: tuple[int, ...] | None = None  # (3, H, W, C)

    def meet(self, model: LightningModule, normalise: Normalize, bank: ImageBank, flag: str | None) -> None:
        """Normalise as the first images ask for, and check that a model suits all that it meets.

        Raises:
            InputError: it doesn't, as `Classifier.adapt`.
        """
        if self._classes is None:
            normalise.follow(*bank.measure_channels())
        else:
            reject_other_classes(self._classes, bank.classes)
        self._classes = bank.classes
        shape = *bank.images.shape[1:], len(bank.classes)
        if self._fits != shape:
            check_network(model, normalise.mean.new_zeros(2, *bank.images.shape[1:]), len(bank.classes), flag)
            self._fits = shape

    def state(self) -> dict[str, list[str] | list[int] | None]:
        """Return the names of the classes and the height and width of images, for a checkpoint."""
        return {
            "classes": None if self._classes is None else list(self._classes),
            "image_size": None if self._fits is None else list(self._fits[1:3]),
        }

    def load(self, checkpoint: Mapping[str, Any]) -> None:
        """Restore the classes from a checkpoint.

        Raises:
            InputError: they are other classes than the data's, or are missing, or the pixels' normalisation is.
        """
        names = checkpoint.get("hml", {}).get("classes")
        if not names or "normalise.mean" not in checkpoint["state_dict"]:
            raise InputError(
                "The checkpoint lacks the names of its classes, or the mean and std of its pixels: another program or "
                "an older hml wrote it. Train again."
            )
        classes = Classes(tuple(names))
        if self._classes is not None:
            reject_other_classes(classes, self._classes)
        self._classes = classes


def check_network(model: LightningModule, images: Tensor, num_classes: int, flag: str | None) -> None:
    """Check that a model maps images to a logit for each class, and leave it as it was.

    Args:
        model: Maps images in [0, 1], shape (B, 3, H, W), to logits; its `network` is what messages name.
        images: Some images, shape (B, 3, H, W).
        num_classes: C.
        flag: What sets the network's number of outputs on the command line, if anything does.

    Raises:
        InputError: the model doesn't; says what to do.
    """
    name = type(model.network).__name__
    with torch.no_grad(), evaluating(model), unmoved(model, images.device):
        try:
            logits = model(images)
        except (RuntimeError, ValueError, AssertionError) as error:  # what layers raise of shapes
            words = find_mistake(error) or " ".join(str(error).split()) or type(error).__name__
            size = f"{images.shape[2]} × {images.shape[3]} pixels"
            raise InputError(f"--model.network {name} can't take images of {size}: {words}") from error
    if logits.shape == (len(images), num_classes):
        return
    found = f"{logits.shape[1]} logits" if logits.ndim == 2 else f"outputs of shape {tuple(logits.shape)}"
    remedy = f"give {flag} {num_classes}" if flag else f"give a --model.network with {num_classes} outputs"
    raise InputError(f"The network {name} gives {found}, and the data have {num_classes} classes: {remedy}.")


def check_logits(outputs: object) -> Tensor:
    """Reject a network's outputs that are no tensor.

    Raises:
        InputError: they are several, such as those of auxiliary classifiers.
    """
    if not isinstance(outputs, Tensor):
        raise InputError(
            f"--model.network returns {type(outputs).__name__}, not one tensor of logits: turn its other outputs off, "
            "as --model.network.aux_logits false does for torchvision's, or wrap it in a module of your own."
        )
    return outputs


def reject_other_classes(trained: Classes, there: Classes) -> None:
    """Reject data of other classes than those that a network was trained on, or in another order.

    Raises:
        InputError: they are; names the first that differs.
    """
    for label, (ours, theirs) in enumerate(itertools.zip_longest(trained, there)):
        if ours != theirs:
            raise InputError(
                f"The network was trained on {len(trained)} classes, the data have {len(there)}, and they differ: "
                f"class {label} is {_quote(ours)} to the network and {_quote(theirs)} in the data."
            )


def _quote(name: str | None) -> str:
    return "missing" if name is None else repr(name)


@contextmanager
def unmoved(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Leave buffers and PyTorch's random numbers afterwards as they were before."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
