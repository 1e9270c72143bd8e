"""`HumanMixUp`: mixup with human-like labels, a replacement for torchvision's `MixUp` and timm's `Mixup`."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.transforms import v2
from typing_extensions import override

from hml.errors import InputError, check_choice
from hml.labels.soft_labels import check_gamma
from hml.transforms.perception import Perceiver, shared_perception

LabelKind = Literal["mixup", "mean", "sample", "confidence"]


class HumanMixUp(v2.MixUp):  # type: ignore[misc]  # torchvision has no types
    """Blends each image of a batch with the next and labels the blends as people perceive them.

    Call it like `torchvision.transforms.v2.MixUp` on a batch, in a collate function or in the training loop, on any
    device. It maps images (B, C, H, W) and labels (B,) to mixed images and soft labels (B, num_classes). The given
    labels may already be soft, shape (B, num_classes). Then the soft labels of the two images are mixed. Like
    torchvision, it uses PyTorch's global generators.

    Args:
        num_classes: C, the number of classes. May be None if labels are already soft.
        alpha: lambda_f is drawn from Beta(alpha, alpha), once per batch; 1 is uniform.
        labels: How to label a blend with weight lambda_f in the pixels. "mixup": by lambda_f, exactly torchvision's
            MixUp. "mean": by people's mean lambda_h. "sample": by the lambda_h of one simulated person, drawn for each
            image. "confidence": the same, smoothed by that person's confidence: a share s = gamma^omega is spread over
            all classes.
        gamma: Base of the smoothing by confidence, in (0, 1].
        perceiver: Predicts people's answers. By default, the average perception of H-Mix's people, the same for all
            classes. Use `CurvePerceiver` for your own curve, and `hml.relabel.RelabellerPerceiver` for a model of your
            classes fitted by `hml relabel fit`.
        labels_getter: Selects the labels among the inputs, as in torchvision.

    Raises:
        InputError: an argument is out of its range.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018; Collins et al., "Human-in-the-Loop Mixup",
    2023.

    Examples:
        >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
        >>> mixed, soft_labels = HumanMixUp(num_classes=3, labels="sample")(images, labels)
        >>> mixed.shape, soft_labels.shape
        (torch.Size([4, 3, 8, 8]), torch.Size([4, 3]))
    """

    def __init__(
        self,
        num_classes: int | None = None,
        alpha: float = 1.0,
        labels: LabelKind = "confidence",
        gamma: float = 0.005,
        perceiver: Perceiver | None = None,
        labels_getter: Callable[[Any], Any] | Literal["default"] | None = "default",
    ) -> None:
        check_choice("labels", labels, LabelKind)
        check_gamma(gamma)
        if not alpha > 0:
            raise InputError(f"alpha={alpha} must be above 0: use 1 for lambda_f uniform in [0, 1].")
        super().__init__(alpha=alpha, num_classes=num_classes, labels_getter=labels_getter)
        self.labels = labels
        self.gamma = gamma
        self.perceiver = shared_perception() if perceiver is None else perceiver

    @override
    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if inpt is not params["labels"] or self.labels == "mixup":
            return super().transform(inpt, params)
        return self._label(inpt, params["lam"])

    def _label(self, labels: Tensor, lam: float) -> Tensor:
        """Label a batch in which each image, with weight `lam`, is blended with the next one; shape (B, C)."""
        first = labels.float() if labels.ndim == 2 else torch.nn.functional.one_hot(labels, self.num_classes).float()
        second = first.roll(1, 0)
        lambda_f = first.new_full((len(first),), lam)
        classes = first.argmax(1), second.argmax(1)
        if self.labels == "mean":
            return torch.lerp(second, first, self.perceiver.mean(lambda_f, *classes)[:, None])
        lambda_h, omega = self.perceiver.sample(lambda_f, *classes)
        soft_label = torch.lerp(second, first, lambda_h[:, None])
        if self.labels == "sample":
            return soft_label
        # The same as `smooth_by_confidence`, without its checks, which would synchronise with the GPU.
        s = self.gamma ** omega[:, None]  # (B, 1)
        return (1 - s) * soft_label + s / soft_label.shape[1]
