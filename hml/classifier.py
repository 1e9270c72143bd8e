"""`Classifier`: the LightningModule. One step, soft cross entropy, and nothing that a strategy or a metric owns."""

import math

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from typing_extensions import override

from hml.data import Batch
from hml.errors import NonFiniteLossError
from hml.evaluation.alignment import soft_cross_entropy, top_k_accuracy


class Classifier(LightningModule):
    """Trains a network on soft labels.

    Args:
        network: Maps images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C), and normalises them itself.
        optimizer: Makes the optimiser out of parameters; the paper's recipe by default.
        lr_scheduler: Makes the schedule, stepped each epoch; by default the rate is divided by ten at 51 and 56.
        compile: Whether to compile the network, in place: checkpoints are those of an uncompiled one.
        channels_last: Whether features are laid out with channels last, which convolutions are faster on.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: OptimizerCallable = lambda parameters: torch.optim.SGD(
            parameters, lr=0.1, momentum=0.9, weight_decay=1e-4
        ),
        lr_scheduler: LRSchedulerCallable = lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(
            optimizer, milestones=[51, 56], gamma=0.1
        ),
        compile: bool = False,  # noqa: A002 - the name its users know
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        self.network = network
        self.channels_last = channels_last
        self._make_optimizer = optimizer
        self._make_lr_scheduler = lr_scheduler
        if channels_last:
            self.network.to(memory_format=torch.channels_last)
        if compile:
            self.network.compile()

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Map images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C)."""
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(image)
        return logits

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        logits = self(batch["image"])
        loss = soft_cross_entropy(logits, batch["target"])
        with torch.no_grad():
            accuracy = top_k_accuracy(logits, batch["target"].argmax(1))
        self._log_epoch("train", loss, accuracy, len(logits))
        return loss

    @override
    def on_train_epoch_end(self) -> None:
        # Once an epoch, since looking at a loss waits for the device.
        loss = float(self.trainer.callback_metrics["train/loss"])
        if not math.isfinite(loss):
            raise NonFiniteLossError(
                f"The training loss is {loss} in epoch {self.current_epoch}, at step {self.global_step}: training has "
                "diverged. Try a lower --model.optimizer.lr, --trainer.gradient_clip_val, or more --trainer.precision."
            )

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch["image"])
        accuracy = top_k_accuracy(logits, batch["label"])
        self._log_epoch("val", soft_cross_entropy(logits, batch["target"]), accuracy, len(logits))
        return {"logits": logits}

    @override
    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Return `logits`, shape (B, C), which the evaluation's callbacks take up."""
        return {"logits": self(batch["image"])}

    @override
    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return logits, shape (B, C)."""
        logits: Tensor = self(batch["image"])
        return logits

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self._make_optimizer(self.parameters())
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self._make_lr_scheduler(optimizer)}}

    def _log_epoch(self, stage: str, loss: Tensor, accuracy: Tensor, batch_size: int) -> None:
        """Log means over an epoch. They are for watching: what is reported comes from the evaluation's callbacks."""
        values = {f"{stage}/loss": loss, f"{stage}/accuracy": accuracy}
        self.log_dict(values, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=batch_size)
