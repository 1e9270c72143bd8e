"""Whether a network fits the data: their classes, and the size of their images."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from hml.errors import InputError
from hml.evaluation.attack import evaluating
from hml.judgements import Classes
from hml.training.mistakes import find_mistake


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
