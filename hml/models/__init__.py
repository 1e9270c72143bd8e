"""Networks: each takes images in [0, 1] and returns logits."""

from hml.models.preact_resnet import PreActResNet18

__all__ = ["PreActResNet18"]
