"""`CpuBatchNorm2d`: a faster batch normalisation when compiled for bfloat16 on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override


class CpuBatchNorm2d(nn.BatchNorm2d):
    """PyTorch's batch normalisation, computed differently when compiled for bfloat16 on a CPU."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    @override
    def forward(self, input: Tensor) -> Tensor:
        """Map features (B, C, H, W) to the same shape."""
        bfloat16_on_cpu = input.device.type == "cpu" and input.dtype == torch.bfloat16
        is_usual = self.affine and self.track_running_stats and self.momentum is not None
        if not (self.training and bfloat16_on_cpu and is_usual and torch.compiler.is_compiling()):
            return super().forward(input)
        y, mean, variance = normalise(input, self.weight, self.bias, self.eps)
        count = input.numel() // input.shape[1]
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum or 0.0)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum or 0.0)
        return y


def normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise features over images and pixels.

    Args:
        x: Features (B, C, H, W).
        weight: The scale of each channel, (C,).
        bias: The shift of each channel, (C,).
        eps: Added to the variance.

    Returns:
        The normalised features (B, C, H, W), and x's mean and biased variance, both (C,), without gradients.
    """
    y, mean, variance = _Normalise.apply(x, weight, bias, eps)
    return y, mean, variance


class _Normalise(torch.autograd.Function):
    """Normalises over images and pixels, with sums that are fast for features in channels-last format.

    PyTorch's implementation compiles to one sum over all images for a few channels at a time, by Welford's recurrence.
    Summing the pixels of each image first, and then over images, stays within a core's cache. At 64 channels of
    32 × 32, forward took 3 ms instead of 6, and backward 4 ms instead of 7 (128 images, bfloat16, two cores).
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return y (B, C, H, W), and x's mean and variance (biased), both (C,)."""
        count = x.numel() // x.shape[1]
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        # A pixel is subtracted first: the difference of squares would cancel if the mean is far from 0.
        shift = exact[:1, :, :1, :1]
        shifted = exact - shift
        mean, square = _sum(shifted) / count, _sum(shifted * shifted) / count
        variance = square - mean * mean
        mean = mean + shift.flatten()
        scale = weight * torch.rsqrt(variance + eps)
        y = exact * _wide(scale) + _wide(bias - mean * scale)
        return y.to(x.dtype), mean, variance

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, weight, _, eps = inputs
        _, mean, variance = output
        ctx.mark_non_differentiable(mean, variance)
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, inverse_std = ctx.saved_tensors
        grad = grads[0].to(mean.dtype)
        count = x.numel() // x.shape[1]
        normal = (x.to(mean.dtype) - _wide(mean)) * _wide(inverse_std)
        bias_grad, weight_grad = _sum(grad), _sum(grad * normal)
        centred = grad - (_wide(bias_grad) + normal * _wide(weight_grad)) / count
        return (centred * _wide(weight * inverse_std)).to(x.dtype), weight_grad, bias_grad, None


def _sum(x: Tensor) -> Tensor:
    """Sum (B, C, H, W) to (C,), the pixels of each image first."""
    return x.sum(dim=(2, 3)).sum(dim=0)


def _wide(x: Tensor) -> Tensor:
    """Reshape (C,) to broadcast over (B, C, H, W)."""
    return x[:, None, None]
