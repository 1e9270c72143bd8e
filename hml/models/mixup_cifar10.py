"""The PreAct ResNet-18 of facebookresearch/mixup-cifar10, with which the paper's authors trained.

Source: `ResNet18` in https://github.com/facebookresearch/mixup-cifar10/blob/main/models/resnet.py
"""

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from hml.models.preact_resnet import PreActBlock, PreActResNet18

_RENAMED = (
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"\.bn(\d)\.", r".norm_\1."),
    (r"\.conv(\d)\.", r".conv_\1."),
    (r"\.shortcut\.0\.", ".shortcut."),
    (r"^linear\.", "head."),
)


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

    def load_released(self, state: Mapping[str, Tensor]) -> None:
        """Load weights that mixup-cifar10 trained.

        Args:
            state: The `state_dict()` of its network, with names such as `layer1.0.bn1.weight`.

        Raises:
            RuntimeError: names or shapes differ, as for `load_state_dict`.
        """
        self.load_state_dict({_rename(name): weights for name, weights in state.items()})


def _rename(name: str) -> str:
    """Return the name of a parameter or buffer in `MixupCifar10ResNet18`."""
    stage = re.match(r"layer(\d)\.(\d)", name)
    if stage is not None:  # two blocks in each of four stages
        name = f"stages.{2 * int(stage[1]) - 2 + int(stage[2])}{name[stage.end() :]}"
    for pattern, ours in _RENAMED:
        name = re.sub(pattern, ours, name)
    return name
