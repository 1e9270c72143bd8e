"""`Classifier`: the LightningModule. One step, soft cross entropy, and nothing that a strategy or a metric owns.

`EvaluatedNetwork` is its half that predicts and is evaluated, `Classifier` adds how it is trained.
"""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.types import OptimizerLRScheduler, OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import override

from hml.data import Batch, ImageBank
from hml.errors import InputError
from hml.evaluation.alignment import soft_cross_entropy, top_k_accuracy
from hml.evaluation.attack import full_precision
from hml.evaluation.callbacks import missing_evaluations
from hml.kernels import use_cpu_kernels
from hml.models import Normalize
from hml.training import generators
from hml.training.compilation import Compilation
from hml.training.fit_to_data import KnownData, check_logits
from hml.training.hardware import describe_training, fuse, keep_memory
from hml.training.loss_watch import LossWatch, diverged
from hml.training.schedules import Interval, check_totals, plan_steps, step_plateaus_of_resumed_epoch
from hml.training.trainer import GRADIENT_CLIP_VAL


class EvaluatedNetwork(LightningModule):
    """A network and the normalisation of its images, checked against the data and evaluated on them.

    The arguments are those of `Classifier`.
    """

    def __init__(
        self, network: nn.Module, channels_last: bool, mean: list[float] | None, std: list[float] | None
    ) -> None:
        super().__init__()
        self.network = network
        self.normalise = Normalize(mean, std)
        self.channels_last = channels_last
        if channels_last:
            self.network.to(memory_format=torch.channels_last)
        self._data = KnownData()

    def adapt(self, bank: ImageBank, flag: str | None = None) -> None:
        """Normalise as these images ask for, the first that the network meets, and check that it suits them.

        Args:
            bank: The images.
            flag: What sets the network's number of outputs on the command line, if anything does.

        Raises:
            InputError: the network was trained on other classes, can't take images of this size, or has another number
                of outputs than there are classes.
        """
        self._data.meet(self, self.normalise, bank, flag)

    def prepare(self, bank: ImageBank, device: torch.device) -> None:
        """Make ready for these images on this device: adapt to them, and on a CPU use hml's faster layers.

        Raises:
            InputError: as `adapt`.
        """
        self.adapt(bank)
        if device.type == "cpu":
            keep_memory()
            use_cpu_kernels(self.network)

    @override
    def setup(self, stage: str) -> None:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            raise InputError("A Classifier needs an HMixDataModule: trainer.fit(classifier, datamodule=…).")
        self.prepare(data.bank, self.trainer.strategy.root_device)

    @override
    def configure_callbacks(self) -> list[Callback]:
        """Add the evaluation to the Trainer's callbacks, where they have none of the same kind.

        Returns:
            No callbacks. Lightning would remove a user's `EvaluationCallback` if a subclass of it were returned.
        """
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]
        callbacks += missing_evaluations(callbacks)
        return []

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Map images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C)."""
        # In full precision what is reported doesn't depend on how images are shared out to batches and ranks.
        # Compiling again for evaluation would take longer than evaluating.
        with full_precision(image.device), torch.compiler.set_stance("force_eager"):
            return self._run_network(image)

    def _run_network(self, image: Tensor) -> Tensor:
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        return check_logits(self.network(self.normalise(image)))

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch["image"])
        # For watching: what is reported comes from the evaluation's callbacks.
        loss, accuracy = soft_cross_entropy(logits, batch["target"]), top_k_accuracy(logits, batch["label"])
        values = {"val/loss": loss, "val/accuracy": accuracy}
        self.log_dict(values, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(logits))
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


class Classifier(EvaluatedNetwork):
    """Trains a network on soft labels.

    Args:
        network: Maps normalised images, shape (B, 3, H, W), to logits, shape (B, C).
        optimizer: Makes the optimiser out of parameters; the paper's recipe by default.
        lr_scheduler: Makes the schedule; by default the rate is divided by ten after 51 and 56 epochs. To watch a
            metric, use `lightning.pytorch.cli.ReduceLROnPlateau`, whose `monitor` names it.
        lr_interval: Whether the schedule is stepped after each step of the optimiser or after each epoch. By default as
            PyTorch documents its class: `OneCycleLR` and `CyclicLR` by step, all others by epoch.
        compile: Whether to compile the network for training, in place: checkpoints are those of an uncompiled one.
            By default where it pays, which is known once training starts. If the compiler then fails, the network
            trains uncompiled, unless compiling was asked for.
        channels_last: Whether features are laid out with channels last, which convolutions are faster on.
        mean: What is subtracted from the red, green and blue of pixels in [0, 1]; by default the mean over the training
            images. Checkpoints keep it.
        std: What they are divided by after that; by default the standard deviation over the training images.
        gradient_clip_val: The largest norm of the gradients, as in the paper's recipe, where the Trainer's own
            `gradient_clip_val` is None. None or 0 doesn't clip them.

    Raises:
        InputError: mean or std isn't three finite numbers, one of std isn't positive, or gradient_clip_val is negative.
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
        lr_interval: Interval | None = None,
        compile: bool | None = None,  # noqa: A002 - the name its users know
        channels_last: bool = True,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        gradient_clip_val: float | None = GRADIENT_CLIP_VAL,
    ) -> None:
        super().__init__(network, channels_last, mean, std)
        if gradient_clip_val is not None and not gradient_clip_val >= 0:
            raise InputError(f"gradient_clip_val={gradient_clip_val} must be 0 or more, or None.")
        self.gradient_clip_val = gradient_clip_val
        self._make_optimizer = optimizer
        self._make_lr_scheduler = lr_scheduler
        self._lr_interval = lr_interval
        self._losses = LossWatch(self)
        self._generators: dict[str, Tensor] = {}
        self._compilation = Compilation(network, compile)

    @property
    def compiled(self) -> bool:
        """Whether training runs the compiled network."""
        return self._compilation.is_on

    def compile_if_it_pays(self, steps: float) -> str:
        """Compile the network if that pays, as `Compilation.decide`."""
        return self._compilation.decide(self.device, steps)

    @override
    def on_train_start(self) -> None:
        check_totals(self.trainer)
        done = self.compile_if_it_pays(self.trainer.estimated_stepping_batches)
        rank_zero_info(describe_training(str(self.trainer.precision), self.device, done))
        generators.restore(self._generators, self.device)  # a user's network may draw, as dropout does
        self._generators = {}

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Map images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C)."""
        if not self.training:
            return super().forward(image)
        with self._compilation.stance():
            return self._run_network(image)

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self._compilation.try_once(lambda: self.forward(batch["image"]), self.device)
        logits = self(batch["image"])
        loss = soft_cross_entropy(logits, batch["target"])
        with torch.no_grad():
            accuracy = top_k_accuracy(logits, batch["target"].argmax(1))
        self._losses.add(loss, accuracy, batch["index"])
        return loss

    @override
    def on_train_epoch_start(self) -> None:
        self._losses.start_epoch()

    @override
    def on_train_epoch_end(self) -> None:
        self._losses.look()
        # Lightning's own means would only be of the steps since the run was resumed.
        if means := self._losses.means():
            self.log_dict(means, prog_bar=True, sync_dist=True)
        step_plateaus_of_resumed_epoch(self)

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Reject weights that aren't finite; add what a resumed run needs to be the same run.

        It ends as the uninterrupted one bit for bit, given the same type of CPU, packages and number of threads.
        """
        self._losses.look()
        for name, weight in checkpoint["state_dict"].items():
            if isinstance(weight, Tensor) and not bool(weight.isfinite().all()):
                raise diverged(f"{name} is not finite after step {self.global_step}", self)
        own = {"sums": self._losses.state(), "rng": generators.state(self.device)}
        checkpoint["hml"] = own | self._data.state()

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what was added, and reject weights of a network that was trained to tell other classes apart.

        Raises:
            InputError: it was, or the checkpoint doesn't have its classes and how pixels were normalised.
        """
        self._data.load(checkpoint)
        own = checkpoint["hml"]
        if "sums" in own:
            self._losses.load(own["sums"])
        self._generators = own.get("rng", {})

    @override
    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        chosen = self.gradient_clip_val if gradient_clip_val is None else gradient_clip_val
        self.clip_gradients(optimizer, chosen, gradient_clip_algorithm)

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        try:
            optimizer = self._make_optimizer(self.parameters())
        except ValueError as error:  # a learning rate below 0, say
            raise InputError(f"model.optimizer: {error}.") from error
        try:
            scheduler = self._make_lr_scheduler(optimizer)
        except (TypeError, ValueError) as error:  # momentum that an optimiser doesn't have, say
            raise InputError(f"model.lr_scheduler: {error}.") from error
        fuse(optimizer)  # which looks at the momentum that the schedule starts with
        plan = plan_steps(scheduler, self._lr_interval, self)
        return OptimizerLRSchedulerConfig(optimizer=optimizer, lr_scheduler=plan)
