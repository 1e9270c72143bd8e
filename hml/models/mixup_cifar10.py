"""The PreAct ResNet-18 of facebookresearch/mixup-cifar10, with which the paper's authors trained.

Source: `ResNet18` in https://github.com/facebookresearch/mixup-cifar10/blob/main/models/resnet.py
"""

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from hml.models.preact_resnet import PreActBlock, PreActResNet18


class MixupCifar10Block(PreActBlock):
    """A `PreActBlock` whose shortcut sees activated features also where the shape does not change."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        active = functional.relu(self.norm_1(x))
        return self.residual(active) + (active if self.shortcut is None else self.shortcut(active))


class MixupCifar10ResNet18(PreActResNet18):
    """PreAct ResNet-18 as in mixup-cifar10.

    It differs from `PreActResNet18` in three ways. Batch normalisation and ReLU follow the stem. They do not follow the
    last block. All shortcuts see activated features.

    Args:
        num_classes: C, the number of classes.
        width: Channels of the first stage. The others have 2, 4 and 8 times as many.

    Raises:
        InputError: as for `PreActResNet18`.

    Examples:
        >>> import torch
        >>> MixupCifar10ResNet18(width=4)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    block_class = MixupCifar10Block

    def __init__(self, num_classes: int = 10, width: int = 64) -> None:
        super().__init__(num_classes, width, final_norm=False)
        self.stem = nn.Sequential(self.stem, nn.BatchNorm2d(width), nn.ReLU())
