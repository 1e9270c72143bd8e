"""`evaluate`: evaluates any model with the callbacks that evaluate a `Classifier`."""

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
from hml.training.quiet import quiet_lightning

_PRECISIONS: dict[torch.dtype, Any] = {torch.bfloat16: "bf16-true", torch.float16: "16-true", torch.float64: "64-true"}
"""The Trainer's precision for weights that aren't float32. Typed Any because Lightning's type is private."""


class _Evaluated(LightningModule):
    """Runs a model in a Trainer without registering it as a submodule, so that the Trainer leaves it unchanged."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = (model,)  # a tuple, so that it is not registered as a submodule

    @property
    def model(self) -> nn.Module:
        """The model."""
        return self._model[0]

    network = model  # as errors of `check_network` name it

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
    """Evaluate a model on the test images, on the model's device.

    Args:
        model: Maps images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C): a `Classifier`, or any other module
            that normalises its input. Weights, gradients, modes and device are left unchanged. A `Classifier` that has
            seen no images yet sets its normalisation, as in a Trainer.
        datamodule: The data. They are read if they haven't been yet.
        callbacks: Evaluations to add, such as `EvaluationCallback(metric)`, or to replace one of the paper's, such as
            `FGSM(epsilon=8 / 255)`.

    Returns:
        The figures by name, such as `test/cross_entropy`, as `trainer.test` returns them for a `Classifier`.

    Raises:
        InputError: the model can't process the images, or its number of logits differs from the number of classes.

    Examples:
        >>> from hml import DemoImages, DemoMixes, HMixDataModule, NoMixed
        >>> data = HMixDataModule(NoMixed(), DemoImages(60, 200), DemoMixes(images_per_pair=1))
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
        >>> figures = evaluate(model, data)
        >>> figures["test/cross_entropy"] > figures["test/kl_divergence"] > 0
        True
    """
    weight = _first_weight(model)
    device = weight.device
    used_by = datamodule.trainer
    try:
        with quiet_lightning(), evaluating(model):
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
            (figures,) = trainer.test(_Evaluated(model), datamodule=datamodule, verbose=False)
    finally:
        datamodule.trainer = used_by
    return {name: float(value) for name, value in figures.items()}


def _first_weight(model: nn.Module) -> Tensor:
    """Return a weight, for the model's device and dtype. Without weights, return a float32 tensor on the CPU."""
    return next(model.parameters(), torch.empty(0))
