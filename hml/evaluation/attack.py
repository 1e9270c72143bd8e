"""The fast gradient sign method, against soft labels."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hml.errors import InputError


def fgsm(model: nn.Module, image: Tensor, target: Tensor, epsilon: float = 4 / 255) -> Tensor:
    """Move each image one step along the sign of its loss's gradient.

    The loss is the cross entropy against soft targets. The attack runs in the image's precision with the model in
    evaluation mode, also within inference mode and autocast. The model's modes, buffers and gradients do not change.

    Args:
        model: Maps images in [0, 1] to logits, shape (B, C). It normalises images itself.
        image: Pixels in [0, 1], shape (B, 3, H, W).
        target: Soft labels, shape (B, C).
        epsilon: Step size in pixel space, 0 or more; 4/255 in the paper.

    Returns:
        Adversarial images in [0, 1], shape (B, 3, H, W).

    Raises:
        InputError: epsilon is negative.

    Source: Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", 2015.
    """
    if epsilon < 0:
        raise InputError(f"epsilon={epsilon} must be 0 or more: it is a step in [0, 1], such as 4/255 = 0.0157.")
    # Lightning's test batches are inference tensors, which autograd can't record. Clones outside that mode are not.
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
        # The sum, not the mean, so that small gradients do not underflow: only the sign matters.
        loss = -(target.clone().float() * log_probabilities).sum()
        (gradient,) = torch.autograd.grad(loss, attacked)
    return (attacked + epsilon * gradient.sign()).clamp(0, 1).detach()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Compute in the tensors' precision: without autocast, and without TF32 in convolutions on a GPU."""
    cudnn = torch.backends.cudnn
    kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
    with torch.autocast(device.type, enabled=False), cudnn.flags(**kept, allow_tf32=False):
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and restore the mode of each module at the end."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
