"""`LossWatch`: the losses of training's steps: an epoch's means, and a stop at one that isn't finite."""

import math
from typing import NamedTuple

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from hml.errors import NonFiniteLossError

_STEPS_BETWEEN_LOOKS = 50  # at losses, since a look waits for the device


class _Step(NamedTuple):
    """What a training step gave, left on the device until the next look."""

    number: int
    loss: Tensor  # ()
    accuracy: Tensor  # ()
    rows: Tensor  # (B,), of the data set


class LossWatch:
    """Collects the losses and accuracies of a module's training steps, and looks at them every fifty steps."""

    def __init__(self, module: LightningModule) -> None:
        self._module = module
        self._unseen: list[_Step] = []
        self.start_epoch()

    def add(self, loss: Tensor, accuracy: Tensor, rows: Tensor) -> None:
        """Add a step: its mean loss, (), its accuracy, (), and the rows of the data set in its batch, (B,).

        Raises:
            NonFiniteLossError: a loss since the last look isn't finite.
        """
        self._unseen.append(_Step(self._module.global_step, loss.detach(), accuracy, rows))
        if len(self._unseen) == _STEPS_BETWEEN_LOOKS:
            self.look()

    def start_epoch(self) -> None:
        """Reset the sums over the epoch: of losses, of accuracies and of images."""
        self._sums = torch.zeros(3, dtype=torch.float64)

    def means(self) -> dict[str, float]:
        """Return the epoch's mean loss and accuracy until the last look, by the names they are logged as."""
        loss, accuracy, images = self._sums.tolist()
        return {"train/loss": loss / images, "train/accuracy": accuracy / images} if images else {}

    def state(self) -> list[float]:
        """Return the epoch's sums, for a checkpoint."""
        sums, trainer = self._sums, self._module.trainer
        if trainer.world_size > 1:  # ranks have equal shares, so the mean of their sums has the same means
            sums = trainer.strategy.reduce(sums.to(self._module.device), reduce_op="mean")
        state: list[float] = sums.tolist()
        return state

    def load(self, state: list[float]) -> None:
        """Continue from a checkpoint's sums."""
        self._sums = torch.tensor(state, dtype=torch.float64)

    def look(self) -> None:
        """Look at the steps since the last look, and stop at a loss that isn't finite.

        Raises:
            NonFiniteLossError: there is one; names its step and images.
        """
        steps, self._unseen = self._unseen, []
        values = torch.stack([torch.stack([s.loss, s.accuracy.to(s.loss)]) for s in steps]).tolist() if steps else []
        bad = next((k for k, (loss, _) in enumerate(values) if not math.isfinite(loss)), None)
        # Ranks stop together, or those left would wait for the others for ever.
        if self._module.trainer.strategy.reduce_boolean_decision(bad is not None, all=False):
            if bad is None:
                raise diverged("The training loss is not finite on another rank", self._module)
            what = f"The training loss is {values[bad][0]} at step {steps[bad].number}"
            raise diverged(f"{what}, on images {self._name_images(steps[bad].rows)}", self._module)
        for step, (loss, accuracy) in zip(steps, values, strict=True):
            self._sums += len(step.rows) * torch.tensor([loss, accuracy, 1.0], dtype=torch.float64)

    def _name_images(self, index: Tensor) -> str:
        """Name images by their ids, mixed ones by both: 17, 4+256."""
        rows = getattr(self._module.trainer.train_dataloader, "rows", None)
        if rows is None:  # another loader's
            return ", ".join(map(str, index.tolist()))
        pairs = zip(rows.id_1[index].tolist(), rows.id_2[index].tolist(), rows.lambda_f[index].tolist(), strict=True)
        return ", ".join(str(first) if weight == 1 else f"{first}+{second}" for first, second, weight in pairs)


def diverged(what: str, module: LightningModule) -> NonFiniteLossError:
    """Make the error of a training that has diverged: what was seen, when, and what to try."""
    return NonFiniteLossError(
        f"{what} (epoch {module.current_epoch}): training has diverged. Try a lower --model.optimizer.lr, "
        "--trainer.gradient_clip_val, or more --trainer.precision. Checkpoints written before it are kept."
    )
