"""Checks for gradient masking: whether an attack by gradients fails because the gradients are of no use.

The gradients of a network that is very sure of its predictions can be 0 in single precision. FGSM then leaves pixels as
they are, and the network seems robust.

Source: Athalye, Carlini and Wagner, "Obfuscated Gradients Give a False Sense of Security", 2018.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from hml.data import Batch
from hml.errors import InputError
from hml.evaluation.alignment import soft_cross_entropy, top_k_accuracy
from hml.evaluation.attack import InFloat64, check_epsilon, fgsm, full_precision, input_gradient, pgd
from hml.evaluation.callbacks import EvaluationCallback, draw_images
from hml.evaluation.metrics import PEOPLES_LABELS, TRUE_CLASS, GatheredPredictions
from hml.randomness import Draws


class MaskingMetrics(GatheredPredictions):
    """Scores of three attacks on the same images, and the share of gradients that are 0.

    `logits` are those after FGSM, FGSM by gradients in double precision, and PGD, (N, 3, C). `zeros` is the share of an
    image's colour values whose gradient is exactly 0, (N,).
    """

    truth: ClassVar = {
        "zero_gradients": PEOPLES_LABELS,
        "fgsm32_cross_entropy": PEOPLES_LABELS,
        "fgsm64_cross_entropy": PEOPLES_LABELS,
        "pgd_cross_entropy": PEOPLES_LABELS,
        "pgd_accuracy": TRUE_CLASS,
    }
    columns: ClassVar[Sequence[str]] = (*GatheredPredictions.columns, "zeros")
    zeros: list[Tensor]

    def update(self, logits: Tensor, target: Tensor, label: Tensor, index: Tensor, zeros: Tensor | None = None) -> None:
        """Add a batch: logits (B, 3, C), people's labels (B, C), and classes, indices and shares of zeros, (B,)."""
        super().update(logits, target, label, index)
        self.zeros.append(torch.zeros(len(index), device=index.device) if zeros is None else zeros)

    def compute(self) -> dict[str, Tensor]:
        """Return scalars by name."""
        gathered = self.gathered()
        single, double, strongest = gathered["logits"].double().unbind(1)  # (N, C) each
        target = gathered["target"].double()
        self.per_image = {
            "zero_gradients": gathered["zeros"],
            "fgsm32_cross_entropy": soft_cross_entropy(single, target, "none"),
            "fgsm64_cross_entropy": soft_cross_entropy(double, target, "none"),
            "pgd_cross_entropy": soft_cross_entropy(strongest, target, "none"),
            "pgd_accuracy": top_k_accuracy(strongest, gathered["label"], 1, "none"),
        }
        return {name: values.mean() for name, values in self.per_image.items()}


class GradientMasking(EvaluationCallback):
    """Checks some test images for gradient masking. Off by default, since it computes about 100 gradients of each.

    The images are those that `FGSM` attacks with the same `num_images`. Attacks are scored in single precision.

    Args:
        epsilon: The largest change of a pixel of [0, 1], as for `FGSM`.
        num_images: Number of images to check.
        steps: Number of steps of PGD.
        restarts: Number of random starts of PGD, within epsilon of the image.

    Raises:
        InputError: an option is out of its range.

    Examples:
        >>> from hml import DemoImages, DemoMixes, HMixDataModule, NoMixed, evaluate
        >>> data = HMixDataModule(NoMixed(), DemoImages(60, 200), DemoMixes(images_per_pair=1))
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
        >>> figures = evaluate(model, data, [GradientMasking(num_images=20, steps=2, restarts=1)])
        >>> figures["test/zero_gradients"]
        0.0
    """

    def __init__(self, epsilon: float = 4 / 255, num_images: int = 500, steps: int = 20, restarts: int = 5) -> None:
        check_epsilon(epsilon)
        if min(num_images, steps, restarts) < 1:
            raise InputError(f"num_images={num_images}, steps={steps} and restarts={restarts} must be 1 or more.")
        self.masking = MaskingMetrics()
        super().__init__(self.masking)
        self.epsilon = epsilon
        self.num_images = num_images
        self.steps = steps
        self.restarts = restarts

    @override
    def _start(self, trainer: Trainer, module: LightningModule) -> None:
        super()._start(trainer, module)
        self._drawn = draw_images(trainer, self.num_images).to(module.device)

    @override
    def observe(self, module: LightningModule, batch: Batch, logits: Tensor) -> None:
        chosen = torch.isin(batch["index"], self._drawn)
        image, target, index = batch["image"][chosen], batch["target"][chosen], batch["index"][chosen]
        after, zeros = logits.new_empty(0, 3, logits.shape[1]), logits.new_empty(0)
        if len(image):
            zeros = (input_gradient(module, image, target) == 0).float().mean((1, 2, 3))
            exact = fgsm(InFloat64(_model_of(module)), image.double(), target, self.epsilon)
            attacks = (
                fgsm(module, image, target, self.epsilon),
                exact.to(image.dtype),
                pgd(module, image, target, self.epsilon, self.steps, starts=self._draw_starts(image, index)),
            )
            with full_precision(image.device):
                after = torch.stack([module(attacked) for attacked in attacks], 1)
        self.masking.update(after, target, batch["label"][chosen], index, zeros)

    def _draw_starts(self, image: Tensor, index: Tensor) -> Tensor:
        """Draw the starts of the restarts for each image, (R, B, 3, H, W), uniformly from −1 to 1."""
        starts: list[Any] = [
            # One stream an image: drawing for all images at once would take too much memory.
            Draws(0, place, np.arange(self.restarts)).uniform("PGD starts", image.shape[1:])
            for place in index.tolist()
        ]
        return torch.from_numpy(2 * np.stack(starts, 1) - 1).to(image)


def _model_of(module: LightningModule) -> torch.nn.Module:
    """Return the model with the weights, which `hml.evaluate` keeps outside its LightningModule."""
    model: torch.nn.Module = module.model  # type: ignore[assignment]  # LightningModule does not declare it
    return model
