"""A network that is quick to train, where the network isn't what is tested."""

from torch import nn

from hml.models import PreActResNet18


class Tiny(nn.Sequential):
    """A convolution, batch normalisation and a linear layer, for images of 32 × 32."""

    def __init__(self, num_classes: int = 10, channels: int = 4):
        super().__init__(
            nn.Conv2d(3, channels, 3, stride=4, padding=1),  # (B, channels, 8, 8)
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * channels, num_classes),
        )


def narrow_resnet18(num_classes: int = 1000) -> nn.Module:
    """Stands in for torchvision's function, for images of any size."""
    return PreActResNet18(num_classes, width=2)
