"""The fast gradient sign method, against soft labels."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hml.errors import InputError


def fgsm(model: nn.Module, image: Tensor, target: Tensor, epsilon: float = 4 / 255) -> Tensor:
    """Move each image one step along the sign of its loss's gradient.

    The loss is the cross entropy against soft targets. The attack runs in the image's own precision on the model in
    evaluation mode, whatever surrounds it (inference mode, autocast), and leaves modes, buffers and gradients as they
    were.

    Args:
        model: Maps images in [0, 1] to logits, shape (B, C); normalisation is its own.
        image: Pixels in [0, 1], shape (B, 3, H, W).
        target: Soft labels, shape (B, C).
        epsilon: Size of the step in pixel space, 0 or more; 4/255 in the paper.

    Returns:
        Adversarial images in [0, 1], shape (B, 3, H, W).

    Raises:
        InputError: epsilon is negative.

    Source: Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", 2015.
    """
    if epsilon < 0:
        raise InputError(f"epsilon={epsilon} must be 0 or more: it is a step in pixels of [0, 1], 4/255 = 0.0157 say.")
    # Lightning's test batches are inference tensors, which autograd can't record: clones made outside of that mode can.
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        full_precision(image.device),
        # torch 2.14's compiled backward of batch normalisation in evaluation mode crashes on a CPU.
        torch.compiler.set_stance("force_eager"),
        evaluating(model),
    ):
        attacked = image.detach().clone().requires_grad_(True)
        log_probabilities = model(attacked).float().log_softmax(1)
        # The sum, not the mean: only the sign matters, and tiny gradients don't underflow.
        loss = -(target.clone().float() * log_probabilities).sum()
        (gradient,) = torch.autograd.grad(loss, attacked)
    return (attacked + epsilon * gradient.sign()).clamp(0, 1).detach()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Compute in the tensors' own precision: without autocast, and without TF32 in a GPU's convolutions."""
    cudnn = torch.backends.cudnn
    kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
    with torch.autocast(device.type, enabled=False), cudnn.flags(**kept, allow_tf32=False):
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and each of its modules back into its own."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
