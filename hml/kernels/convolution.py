"""`CpuConv2d`: computes convolutions of small bfloat16 maps as matrix products, and avoids a bug in oneDNN."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

_LARGEST_MAP = 16
"""Pixels of the output. With 512 channels at 4 × 4, forward and backward took 30 ms, and oneDNN's convolution took
86 ms (128 images, bfloat16, two cores with AMX, compiled). With 256 channels at 8 × 8, they took 90 and 31 ms."""
_FEW_CHANNELS = 16
"""With fewer channels in channels-last format, the gradient of a strided 1 × 1 convolution writes out of bounds. This
was seen with AVX2 below 8 channels, and is reported with AVX-512 below 16 channels in
https://github.com/uxlfoundation/oneDNN/issues/6035."""


class CpuConv2d(nn.Conv2d):
    """PyTorch's convolution, computed differently on a CPU if that is faster or safer."""

    @override
    def forward(self, input: Tensor) -> Tensor:
        """Map features (B, in_channels, H, W) to (B, out_channels, H', W')."""
        if (
            input.device.type != "cpu"
            or input.dim() != 4
            or isinstance(self.padding, str)
            or self.padding_mode != "zeros"
        ):
            return super().forward(input)
        if self._is_quicker_as_product(input):
            return self._multiply(input.bfloat16())
        if self.kernel_size == (1, 1) and self.padding == (0, 0) and self.in_channels < _FEW_CHANNELS:
            # A 1 × 1 kernel uses only these pixels. Without a stride, the bug does not occur.
            seen = input[:, :, :: self.stride[0], :: self.stride[1]]
            return functional.conv2d(seen, self.weight, self.bias, groups=self.groups)
        return super().forward(input)

    def _is_quicker_as_product(self, x: Tensor) -> bool:
        if self.groups != 1 or self.dilation != (1, 1) or not _is_bfloat16(x):
            return False
        height, width = self._output_size(x)
        return height * width <= _LARGEST_MAP

    def _output_size(self, x: Tensor) -> tuple[int, int]:
        height, width = (
            (x.shape[2 + axis] + 2 * int(self.padding[axis]) - self.kernel_size[axis]) // self.stride[axis] + 1
            for axis in range(2)
        )
        return height, width

    def _multiply(self, x: Tensor) -> Tensor:
        """Unfold the input into one row per output pixel, and multiply once."""
        height, width = self._output_size(x)
        down, right = (int(padding) for padding in self.padding)
        stride_down, stride_right = self.stride
        x = functional.pad(x.permute(0, 2, 3, 1), (0, 0, right, right, down, down))  # (B, H + 2p, W + 2p, I)
        rows = torch.cat(
            [
                x[:, i : i + stride_down * height : stride_down, j : j + stride_right * width : stride_right]
                for i in range(self.kernel_size[0])
                for j in range(self.kernel_size[1])
            ],
            dim=-1,
        )  # (B, H', W', k·k·I)
        columns = self.weight.bfloat16().permute(2, 3, 1, 0).reshape(-1, self.out_channels)  # (k·k·I, O)
        product = rows @ columns
        if self.bias is not None:
            product = product + self.bias.bfloat16()
        return product.permute(0, 3, 1, 2)  # (B, O, H', W'), channels last in memory


def _is_bfloat16(x: Tensor) -> bool:
    """Return whether a convolution of x on a CPU is computed in bfloat16."""
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return x.dtype == torch.bfloat16
