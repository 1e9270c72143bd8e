"""Attacks on images within a distance epsilon per pixel, against soft labels: one gradient step, or many."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from typing_extensions import override

from hml.errors import InputError
from hml.evaluation.alignment import soft_cross_entropy


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
        InputError: epsilon is negative or not finite.

    Source: Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", 2015.
    """
    check_epsilon(epsilon)
    return (image + epsilon * input_gradient(model, image, target).sign()).clamp(0, 1).detach()


def pgd(
    model: nn.Module,
    image: Tensor,
    target: Tensor,
    epsilon: float = 4 / 255,
    steps: int = 20,
    step_size: float | None = None,
    starts: Tensor | None = None,
) -> Tensor:
    """Move each image by projected gradient descent: many small steps of `fgsm`, none farther than epsilon in total.

    If this raises the loss much more than `fgsm` does, the gradient at the image says little about its surroundings.

    Args:
        model: As for `fgsm`.
        image: Pixels in [0, 1], shape (B, 3, H, W).
        target: Soft labels, shape (B, C).
        epsilon: The largest change of a pixel, 0 or more.
        steps: Number of steps of each restart, 1 or more.
        step_size: Size of a step in pixel space. By default 2.5 · epsilon / steps, so that steps can cross the whole
            range and turn back.
        starts: Where each of R restarts begins, relative to the image, in units of epsilon, from −1 to 1, shape
            (R, B, 3, H, W). By default one, at the image.

    Returns:
        Adversarial images in [0, 1], shape (B, 3, H, W): for each image, the end of the restart with the largest loss.

    Raises:
        InputError: epsilon is negative or not finite, or there are no steps.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", 2018.

    Examples:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
        >>> image, target = torch.rand(4, 3, 32, 32), torch.full((4, 10), 0.1)
        >>> starts = 2 * torch.rand(5, *image.shape) - 1  # five restarts
        >>> attacked = pgd(model, image, target, epsilon=4 / 255, steps=20, starts=starts)
        >>> bool((attacked - image).abs().max() <= 4 / 255 + 1e-6)
        True
    """
    check_epsilon(epsilon)
    if steps < 1:
        raise InputError(f"steps={steps} must be 1 or more.")
    image = image.detach()
    step = 2.5 * epsilon / steps if step_size is None else step_size
    strongest, largest = image, image.new_full((len(image),), -torch.inf, dtype=torch.float64)
    for start in torch.zeros_like(image)[None] if starts is None else starts:
        attacked = (image + epsilon * start).clamp(0, 1)
        for _ in range(steps):
            moved = attacked + step * input_gradient(model, attacked, target).sign()
            attacked = (image + (moved - image).clamp(-epsilon, epsilon)).clamp(0, 1)
        with torch.no_grad(), _predicting(model, image.device):
            loss = soft_cross_entropy(model(attacked).double(), target.double(), "none")  # (B,)
        is_stronger = loss > largest
        strongest = torch.where(is_stronger[:, None, None, None], attacked, strongest)
        largest = torch.where(is_stronger, loss, largest)
    return strongest


def input_gradient(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Return the gradient of each image's cross entropy in its pixels, in the image's precision.

    Args:
        model: As for `fgsm`.
        image: Pixels in [0, 1], shape (B, 3, H, W).
        target: Soft labels, shape (B, C).

    Returns:
        The gradient, shape (B, 3, H, W).
    """
    # Lightning's test batches are inference tensors, which autograd can't record. Clones outside that mode are not.
    with torch.inference_mode(False), torch.enable_grad(), _predicting(model, image.device):
        attacked = image.detach().clone().requires_grad_(True)
        logits = model(attacked)
        exact = torch.promote_types(logits.dtype, torch.float32)
        # The sum, not the mean, so that small gradients do not underflow.
        loss = -(target.clone().to(exact) * logits.to(exact).log_softmax(1)).sum()
        (gradient,) = torch.autograd.grad(loss, attacked)
    return gradient


class InFloat64(nn.Module):
    """Computes a model in double precision. The model itself keeps its precision.

    Args:
        model: Any module. Its parameters and buffers are converted again in every call.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Map images, shape (B, 3, H, W), to logits in float64, shape (B, C)."""
        tensors = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        exact = {name: own.double() if own.is_floating_point() else own for name, own in tensors.items()}
        logits: Tensor = functional_call(self.model, exact, (image.double(),))
        return logits


def check_epsilon(epsilon: float, name: str = "epsilon") -> None:
    """Reject an epsilon that is negative or not finite.

    Raises:
        InputError: it is. The message has the option's name.
    """
    if not 0 <= epsilon < math.inf:
        raise InputError(f"{name}={epsilon} must be 0 or more: it is a step in [0, 1], such as 4/255 = 0.0157.")


@contextmanager
def _predicting(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Compute a model's predictions in evaluation mode, in the tensors' precision, uncompiled."""
    # torch 2.14's compiled backward of batch normalisation in evaluation mode crashes on a CPU.
    with full_precision(device), torch.compiler.set_stance("force_eager"), evaluating(model):
        yield


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
