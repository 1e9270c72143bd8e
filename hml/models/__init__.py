"""Networks: each takes normalised images and returns logits."""

from hml.models.normalize import Normalize
from hml.models.preact_resnet import PreActResNet18

__all__ = ["Normalize", "PreActResNet18"]
