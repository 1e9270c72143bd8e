"""Networks: each takes normalised images and returns logits."""

from hml.models.mixup_cifar10 import MixupCifar10ResNet18
from hml.models.normalize import Normalize
from hml.models.preact_resnet import PreActResNet18

__all__ = ["MixupCifar10ResNet18", "Normalize", "PreActResNet18"]
