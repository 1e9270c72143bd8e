"""`Conv2d`: PyTorch's, but on a CPU it multiplies small maps in bfloat16 as matrices, and keeps clear of a bug."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

_LARGEST_MAP = 16
"""Pixels of the output. With 512 channels at 4 × 4, forward and backward took 30 ms where oneDNN's convolution took 86
(128 images, bfloat16, two cores with AMX, compiled); with 256 at 8 × 8, 90 against 31."""
_FEW_CHANNELS = 16
"""With fewer, and channels last, the gradient of a 1 × 1 convolution with a stride writes past its memory: seen with
AVX2 below 8 channels, and reported below 16 with AVX-512, in https://github.com/uxlfoundation/oneDNN/issues/6035."""


class Conv2d(nn.Conv2d):
    """A convolution with zero padding, without bias, groups or dilation: the same weights and results as PyTorch's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel.
        stride: Steps between output pixels.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False)

    @override
    def forward(self, input: Tensor) -> Tensor:
        """Map features (B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        height, width = (-(-size // self.stride[0]) for size in input.shape[-2:])
        if height * width <= _LARGEST_MAP and _is_bfloat16_on_cpu(input):
            return self._multiply(input.bfloat16(), self.weight.bfloat16(), height, width)
        if self.kernel_size == (1, 1) and self.in_channels < _FEW_CHANNELS and input.device.type == "cpu":
            # A kernel of one pixel sees only these, and without a stride the bug isn't met.
            return functional.conv2d(input[:, :, :: self.stride[0], :: self.stride[1]], self.weight)
        return super().forward(input)

    def _multiply(self, x: Tensor, weight: Tensor, height: int, width: int) -> Tensor:
        """Lay the pixels under the kernel side by side, a row an output pixel, and multiply once."""
        kernel, stride, padding = self.kernel_size[0], self.stride[0], self.kernel_size[0] // 2
        x = functional.pad(x.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))  # (B, H + 2p, W + 2p, I)
        rows = torch.cat(
            [
                x[:, down : down + stride * height : stride, right : right + stride * width : stride]
                for down in range(kernel)
                for right in range(kernel)
            ],
            dim=-1,
        )  # (B, H', W', k·k·I)
        columns = weight.permute(2, 3, 1, 0).reshape(-1, self.out_channels)  # (k·k·I, O)
        return (rows @ columns).permute(0, 3, 1, 2)  # (B, O, H', W'), channels last in memory


def _is_bfloat16_on_cpu(x: Tensor) -> bool:
    if x.device.type != "cpu":
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return x.dtype == torch.bfloat16
