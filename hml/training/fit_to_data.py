"""Checks that a network fits the data: their classes and the size of their images."""

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
    """The classes that a model was trained on, and the shapes of images and logits that it was checked with."""

    def __init__(self) -> None:
        self._classes: Classes | None = None
        self._fits: tuple[int, ...] | None = None  # (3, H, W, C)

    def meet(self, model: LightningModule, normalise: Normalize, bank: ImageBank, flag: str | None) -> None:
        """Set the normalisation from the first images, and check that the model fits the images and classes.

        Raises:
            InputError: the model doesn't fit, as for `Classifier.adapt`.
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
        """Return the class names and the images' height and width, for a checkpoint."""
        return {
            "classes": None if self._classes is None else list(self._classes),
            "image_size": None if self._fits is None else list(self._fits[1:3]),
        }

    def load(self, checkpoint: Mapping[str, Any]) -> None:
        """Restore the classes from a checkpoint.

        Raises:
            InputError: the classes differ from the data's, or the classes or the normalisation are missing.
        """
        names = checkpoint.get("hml", {}).get("classes")
        if not names or "normalise.mean" not in checkpoint["state_dict"]:
            raise InputError(
                "The checkpoint lacks the class names, or the mean and std of the pixels: another program or an older "
                "hml wrote it. Train again."
            )
        classes = Classes(tuple(names))
        if self._classes is not None:
            reject_other_classes(classes, self._classes)
        self._classes = classes


def check_network(model: LightningModule, images: Tensor, num_classes: int, flag: str | None) -> None:
    """Check that a model maps images to a logit for each class, and leave the model unchanged.

    Args:
        model: Maps images in [0, 1], shape (B, 3, H, W), to logits. Errors name its `network`.
        images: Images to check with, shape (B, 3, H, W).
        num_classes: Number of classes C.
        flag: The flag that sets the network's number of outputs, if there is one.

    Raises:
        InputError: the model can't process the images, or its outputs have another shape than (B, C).
    """
    name = type(model.network).__name__
    with torch.no_grad(), evaluating(model), unmoved(model, images.device):
        try:
            logits = model(images)
        except (RuntimeError, ValueError, AssertionError) as error:  # what layers raise for wrong shapes
            words = find_mistake(error) or " ".join(str(error).split()) or type(error).__name__
            size = f"{images.shape[2]} × {images.shape[3]} pixels"
            raise InputError(f"--model.network {name} can't process images of {size}: {words}") from error
    if logits.shape == (len(images), num_classes):
        return
    found = f"{logits.shape[1]} logits" if logits.ndim == 2 else f"outputs of shape {tuple(logits.shape)}"
    remedy = f"set {flag} {num_classes}" if flag else f"use a --model.network with {num_classes} outputs"
    raise InputError(f"The network {name} returns {found}, but the data have {num_classes} classes: {remedy}.")


def check_logits(outputs: object) -> Tensor:
    """Reject a network's outputs that are not one tensor.

    Raises:
        InputError: the outputs are not a tensor, such as a tuple with those of auxiliary classifiers.
    """
    if not isinstance(outputs, Tensor):
        raise InputError(
            f"--model.network returns {type(outputs).__name__}, not one tensor of logits: turn its other outputs off "
            "(torchvision: --model.network.aux_logits false), or wrap the network in your own module."
        )
    return outputs


def reject_other_classes(trained: Classes, found: Classes) -> None:
    """Reject data whose classes, or their order, differ from those that a network was trained on.

    Raises:
        InputError: the classes differ. The error names the first difference.
    """
    for label, (ours, theirs) in enumerate(itertools.zip_longest(trained, found)):
        if ours != theirs:
            raise InputError(
                f"The network was trained on {len(trained)} classes, the data have {len(found)}, and they differ: "
                f"class {label} is {_quote(ours)} for the network and {_quote(theirs)} in the data."
            )


def _quote(name: str | None) -> str:
    return "missing" if name is None else repr(name)


@contextmanager
def unmoved(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Restore a network's buffers and PyTorch's random state at the end of the block."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
