"""`LossWatch`: averages the training loss over an epoch, and stops training if it isn't finite."""

import math
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from hml.errors import NonFiniteLossError

_STEPS_BETWEEN_LOOKS = 50  # each check of the losses waits for the device


class _Step(NamedTuple):
    """The results of a training step, kept on the device until the next check."""

    number: int
    loss: Tensor  # ()
    accuracy: Tensor  # ()
    rows: Tensor  # (B,), rows of the data set


class LossWatch:
    """Collects the losses and accuracies of a module's training steps, and checks them every fifty steps."""

    def __init__(self, module: LightningModule) -> None:
        self._module = module
        self._unseen: list[_Step] = []
        self.start_epoch()

    def add(self, loss: Tensor, accuracy: Tensor, rows: Tensor) -> None:
        """Add a step.

        Args:
            loss: Mean loss of the batch, shape ().
            accuracy: Accuracy on the batch, shape ().
            rows: The batch's rows of the data set, shape (B,).

        Raises:
            NonFiniteLossError: a loss since the last check isn't finite.
        """
        self._unseen.append(_Step(self._module.global_step, loss.detach(), accuracy, rows))
        if len(self._unseen) == _STEPS_BETWEEN_LOOKS:
            self.look()

    def start_epoch(self) -> None:
        """Reset the epoch's sums of losses, accuracies and images."""
        self._sums = torch.zeros(3, dtype=torch.float64)

    def means(self) -> dict[str, float]:
        """Return the epoch's mean loss and accuracy until the last check, by their logged names."""
        loss, accuracy, images = self._sums.tolist()
        return {"train/loss": loss / images, "train/accuracy": accuracy / images} if images else {}

    def state(self) -> list[float]:
        """Return the epoch's sums, for a checkpoint."""
        sums, trainer = self._sums, self._module.trainer
        if trainer.world_size > 1:  # ranks have equally many images, so the mean of their sums gives the same means
            sums = trainer.strategy.reduce(sums.to(self._module.device), reduce_op="mean")
        state: list[float] = sums.tolist()
        return state

    def load(self, state: list[float]) -> None:
        """Continue from a checkpoint's sums."""
        self._sums = torch.tensor(state, dtype=torch.float64)

    def look(self) -> None:
        """Check the losses of the steps since the last check.

        Raises:
            NonFiniteLossError: a loss isn't finite. The error names its step and images.
        """
        steps, self._unseen = self._unseen, []
        values = torch.stack([torch.stack([s.loss, s.accuracy.to(s.loss)]) for s in steps]).tolist() if steps else []
        bad = next((k for k, (loss, _) in enumerate(values) if not math.isfinite(loss)), None)
        # All ranks must stop, or the others would wait forever.
        if self._module.trainer.strategy.reduce_boolean_decision(bad is not None, all=False):
            if bad is None:
                raise diverged("The training loss is not finite on another rank", self._module)
            what = f"The training loss is {values[bad][0]} at step {steps[bad].number}"
            raise diverged(f"{what}, on images {self._name_images(steps[bad].rows)}", self._module)
        for step, (loss, accuracy) in zip(steps, values, strict=True):
            self._sums += len(step.rows) * torch.tensor([loss, accuracy, 1.0], dtype=torch.float64)

    def _name_images(self, index: Tensor) -> str:
        """Format image ids, mixed images as both ids: 17, 4+256."""
        rows = getattr(self._module.trainer.train_dataloader, "rows", None)
        if rows is None:  # a loader of the user's
            return ", ".join(map(str, index.tolist()))
        pairs = zip(rows.id_1[index].tolist(), rows.id_2[index].tolist(), rows.lambda_f[index].tolist(), strict=True)
        return ", ".join(str(first) if weight == 1 else f"{first}+{second}" for first, second, weight in pairs)


def diverged(what: str, module: LightningModule) -> NonFiniteLossError:
    """Return the error for training that has diverged: the symptom, the epoch, and what to try."""
    return NonFiniteLossError(
        f"{what} (epoch {module.current_epoch}): training has diverged. Try a lower --model.optimizer.lr, "
        "--trainer.gradient_clip_val, or a higher --trainer.precision. Earlier checkpoints are kept."
    )
