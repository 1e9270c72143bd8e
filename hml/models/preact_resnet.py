"""PreAct ResNet-18 for 32 × 32 images.

Source: He, Zhang, Ren and Sun, "Identity Mappings in Deep Residual Networks", 2016. As is usual on CIFAR, the stem is
one 3 × 3 convolution without pooling. Weights start at PyTorch's defaults.
"""

from torch import Tensor, nn
from torch.nn import functional

from hml.errors import InputError

_MOST_CLASSES, _WIDEST = 100_000, 1024


class PreActBlock(nn.Module):
    """Two 3 × 3 convolutions, each after batch normalisation and ReLU, around a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.norm_1 = nn.BatchNorm2d(in_channels)
        self.conv_1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm_2 = nn.BatchNorm2d(out_channels)
        self.conv_2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut = None
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        active = functional.relu(self.norm_1(x))
        # Where the shape changes, the projection too sees activated features (He et al. 2016, section 4.1).
        return self.residual(active) + (x if self.shortcut is None else self.shortcut(active))

    def residual(self, active: Tensor) -> Tensor:
        """Apply both convolutions to activated features, with the shapes of `forward`."""
        residual: Tensor = self.conv_2(functional.relu(self.norm_2(self.conv_1(active))))
        return residual


class PreActResNet18(nn.Module):
    """PreAct ResNet-18.

    Args:
        num_classes: C, the number of classes.
        width: Channels of the first stage. The others have 2, 4 and 8 times as many.
        final_norm: Whether batch normalisation and ReLU follow the last block, as in He et al. Some implementations
            leave them out.

    Raises:
        InputError: num_classes is not from 1 to 100,000, or width is not from 1 to 1,024 (16 times the paper's).
    """

    block_class = PreActBlock

    def __init__(self, num_classes: int = 10, width: int = 64, final_norm: bool = True) -> None:
        super().__init__()
        if not 1 <= num_classes <= _MOST_CLASSES:
            raise InputError(f"num_classes={num_classes} must be 1 to {_MOST_CLASSES}.")
        if not 1 <= width <= _WIDEST:
            raise InputError(f"width={width} must be 1 to {_WIDEST}.")
        self.stem: nn.Module = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.stages = nn.Sequential(
            *[
                self.block_class(in_channels * width, out_channels * width, stride)
                for in_channels, out_channels, stride in (
                    *((1, 1, 1), (1, 1, 1)),  # 32 × 32
                    *((1, 2, 2), (2, 2, 1)),  # 16 × 16
                    *((2, 4, 2), (4, 4, 1)),  # 8 × 8
                    *((4, 8, 2), (8, 8, 1)),  # 4 × 4
                )
            ]
        )
        self.final_norm = nn.BatchNorm2d(8 * width) if final_norm else None
        self.head = nn.Linear(8 * width, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        """Map normalised images, shape (B, 3, H, W), to logits, shape (B, C)."""
        x = self.stages(self.stem(image))  # (B, 8·width, H/8, W/8)
        if self.final_norm is not None:
            x = functional.relu(self.final_norm(x))
        logits: Tensor = self.head(x.mean(dim=(2, 3)))
        return logits
