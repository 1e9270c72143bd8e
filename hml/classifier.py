"""`Classifier`: the LightningModule. One step, soft cross entropy, and nothing that a strategy or a metric owns."""

import math

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from typing_extensions import override

from hml.data import Batch
from hml.errors import NonFiniteLossError
from hml.evaluation.alignment import soft_cross_entropy, top_k_accuracy
from hml.evaluation.attack import full_precision
from hml.hardware import why_not_compile


class Classifier(LightningModule):
    """Trains a network on soft labels.

    Args:
        network: Maps images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C), and normalises them itself.
        optimizer: Makes the optimiser out of parameters; the paper's recipe by default.
        lr_scheduler: Makes the schedule, stepped each epoch; by default the rate is divided by ten at 51 and 56.
        compile: Whether to compile the network for training, in place: checkpoints are those of an uncompiled one.
            By default where it pays, which is known once training starts.
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
        compile: bool | None = None,  # noqa: A002 - the name its users know
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        self.network = network
        self.channels_last = channels_last
        self._make_optimizer = optimizer
        self._make_lr_scheduler = lr_scheduler
        if channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.compiled = False
        self._compile = compile
        if compile:
            self.compile_network()

    def compile_network(self) -> None:
        """Compile the network for training, in place."""
        self.network.compile()
        self.compiled = True

    @override
    def on_train_start(self) -> None:
        told = "compiled" if self.compiled else "not compiled"
        if self._compile is None:
            why_not = why_not_compile(self.device, self.trainer.estimated_stepping_batches)
            if why_not is None:
                self.compile_network()
            told = f"not compiled, since {why_not}" if why_not else "compiled"
        rank_zero_info(
            f"Trains in {self.trainer.precision}, {told} "
            "(--trainer.precision 32-true and --model.compile true or false choose otherwise)."
        )

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Map images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C)."""
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        logits: Tensor
        if self.training:
            logits = self.network(image)
            return logits
        # In full precision what is reported doesn't depend on how images are shared out to batches and ranks.
        # Compiling again for evaluation would take longer than evaluating.
        with full_precision(image.device), torch.compiler.set_stance("force_eager"):
            logits = self.network(image)
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
