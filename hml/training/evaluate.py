"""`evaluate`: the figures of any model, by the callbacks that evaluate hml's own."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from typing_extensions import override

from hml.data import Batch, HMixDataModule
from hml.evaluation.attack import evaluating
from hml.evaluation.callbacks import missing_evaluations
from hml.training.classifier import Classifier
from hml.training.fit_to_data import check_network

_PRECISIONS: dict[torch.dtype, Any] = {torch.bfloat16: "bf16-true", torch.float16: "16-true", torch.float64: "64-true"}
"""How a Trainer converts images for weights that aren't float32. Any: Lightning's own type is private."""


class _Evaluated(LightningModule):
    """Runs a model in a Trainer which doesn't know it, and so changes nothing about it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = (model,)  # in a tuple, so that it is no submodule

    @property
    def network(self) -> nn.Module:
        """The model."""
        return self._model[0]

    @override
    def setup(self, stage: str) -> None:
        bank, device = self.trainer.datamodule.bank, self.trainer.strategy.root_device  # type: ignore[attr-defined]
        if isinstance(self.network, Classifier):
            self.network.prepare(bank, device)
        else:
            images = _first_weight(self.network).new_zeros(2, *bank.images.shape[1:])
            check_network(self, images, len(bank.classes), None)

    @override
    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        return logits

    @override
    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        return {"logits": self(batch["image"])}


def evaluate(model: nn.Module, datamodule: HMixDataModule, callbacks: Sequence[Callback] = ()) -> dict[str, float]:
    """Evaluate a model on the test images, where the model is.

    Args:
        model: Maps images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C): a `Classifier`, or any other module
            that normalises by itself. Its weights, gradients, modes and device stay as they are. A `Classifier` also
            learns the normalisation of its first images, as it does in a Trainer.
        datamodule: The data; it reads them if it hasn't yet.
        callbacks: Evaluations to add, such as `EvaluationCallback(metric)`, or to use in place of one of the paper's,
            such as `FGSM(epsilon=8 / 255)`.

    Returns:
        Every figure by name, such as `test/cross_entropy`: those that `trainer.test` returns for a `Classifier`.

    Raises:
        InputError: the model can't take the images, or gives another number of logits than there are classes.

    Example:
        >>> from hml import DemoImages, DemoMixes, HMixDataModule, NoMixed
        >>> data = HMixDataModule(NoMixed(), DemoImages(60, 200), DemoMixes(images_per_pair=1))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
        >>> figures = evaluate(model, data)
        >>> figures["test/cross_entropy"] > figures["test/kl_divergence"] > 0
        True
    """
    weight = _first_weight(model)
    device = weight.device
    trainer = Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=[device.index or 0] if device.type == "cuda" else 1,
        precision=_PRECISIONS.get(weight.dtype, "32-true"),
        callbacks=[*callbacks, *missing_evaluations(callbacks)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    used_by = datamodule.trainer
    try:
        with evaluating(model):
            (figures,) = trainer.test(_Evaluated(model), datamodule=datamodule, verbose=False)
    finally:
        datamodule.trainer = used_by
    return {name: float(value) for name, value in figures.items()}


def _first_weight(model: nn.Module) -> Tensor:
    """Return a weight, whose device and type are the model's; one in float32 on the CPU where it has none."""
    return next(model.parameters(), torch.empty(0))
