"""`Classifier`: the LightningModule, which trains with soft cross entropy.

Its base class `EvaluatedNetwork` predicts and is evaluated. `Classifier` adds training.
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
    """A network with the normalisation of its images, which is checked against the data and evaluated.

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

    @property
    def model(self) -> nn.Module:
        """The model that maps images in [0, 1] to logits, with its weights: this one."""
        return self

    def adapt(self, bank: ImageBank, flag: str | None = None) -> None:
        """Set the normalisation from the images, unless it is set already, and check that the network fits them.

        Args:
            bank: The images.
            flag: The flag that sets the network's number of outputs, if there is one.

        Raises:
            InputError: the network was trained on other classes, can't process images of this size, or its number of
                outputs differs from the number of classes.
        """
        self._data.meet(self, self.normalise, bank, flag)

    def prepare(self, bank: ImageBank, device: torch.device) -> None:
        """Prepare for the images on a device: adapt to them, and use hml's faster layers on a CPU.

        Raises:
            InputError: as for `adapt`.
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
        """Add the default evaluation callbacks to the Trainer, unless it has callbacks of the same kind.

        Returns:
            An empty list. If a subclass of a user's `EvaluationCallback` were returned, Lightning would remove the
            user's.
        """
        callbacks = self.trainer.callbacks  # type: ignore[attr-defined]
        callbacks += missing_evaluations(callbacks)
        return []

    @override
    def forward(self, image: Tensor) -> Tensor:
        """Map images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C)."""
        # In full precision, figures don't depend on how images are divided into batches and between ranks.
        # Compiling for evaluation would take longer than evaluation itself.
        with full_precision(image.device), torch.compiler.set_stance("force_eager"):
            return self._run_network(image)

    def _run_network(self, image: Tensor) -> Tensor:
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        return check_logits(self.network(self.normalise(image)))

    @override
    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        logits = self(batch["image"])
        # For monitoring only: the evaluation's callbacks compute the reported figures.
        loss, accuracy = soft_cross_entropy(logits, batch["target"]), top_k_accuracy(logits, batch["label"])
        values = {"val/loss": loss, "val/accuracy": accuracy}
        self.log_dict(values, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(logits))
        return {"logits": logits}

    @override
    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Return `logits`, shape (B, C), for the evaluation's callbacks."""
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
        optimizer: Returns the optimiser for the parameters; by default that of the paper's recipe.
        lr_scheduler: Returns the schedule for the optimiser; by default the learning rate is divided by 10 after 51 and
            56 epochs. To monitor a metric, use `lightning.pytorch.cli.ReduceLROnPlateau` and its `monitor`.
        lr_interval: Whether to step the schedule after each step of the optimiser or after each epoch. By default as
            PyTorch documents its class: `OneCycleLR` and `CyclicLR` by step, all others by epoch.
        compile: Whether to compile the network for training, in place. Checkpoints equal those of an uncompiled
            network. By default, the network is compiled if that saves time over the training. If the compiler fails,
            the network trains uncompiled, unless `compile` is True.
        channels_last: Whether to use the channels-last memory format, in which convolutions are faster.
        mean: Subtracted from the red, green and blue of pixels in [0, 1]; by default the mean over the training images.
            Checkpoints contain it.
        std: Divides the colours after that; by default the standard deviation over the training images.
        gradient_clip_val: The maximum norm of the gradients; by default that of the paper's recipe. None or 0 turns
            clipping off. The Trainer's `gradient_clip_val` takes precedence unless it is None.

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
        compile: bool | None = None,  # noqa: A002 - the same name as in PyTorch
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
        """Compile the network if that saves time, by `Compilation.decide`."""
        return self._compilation.decide(self.device, steps)

    @override
    def on_train_start(self) -> None:
        check_totals(self.trainer)
        done = self.compile_if_it_pays(self.trainer.estimated_stepping_batches)
        rank_zero_info(describe_training(str(self.trainer.precision), self.device, done))
        generators.restore(self._generators, self.device)  # a network may draw random numbers, as dropout does
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
        # Lightning's means would include only the steps since the run was resumed.
        if means := self._losses.means():
            self.log_dict(means, prog_bar=True, sync_dist=True)
        step_plateaus_of_resumed_epoch(self)

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Reject weights that aren't finite, and add the state that a resumed run needs.

        On the same type of CPU, with the same packages and number of threads, a resumed run's result equals that of an
        uninterrupted run bit for bit.
        """
        self._losses.look()
        for name, weight in checkpoint["state_dict"].items():
            if isinstance(weight, Tensor) and not bool(weight.isfinite().all()):
                raise diverged(f"{name} is not finite after step {self.global_step}", self)
        own = {"sums": self._losses.state(), "rng": generators.state(self.device)}
        checkpoint["hml"] = own | self._data.state()

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the added state, and reject weights of a network that was trained on other classes.

        Raises:
            InputError: the classes differ, or the checkpoint lacks its classes or its normalisation.
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
        except ValueError as error:  # such as a negative learning rate
            raise InputError(f"model.optimizer: {error}.") from error
        try:
            scheduler = self._make_lr_scheduler(optimizer)
        except (TypeError, ValueError) as error:  # such as momentum that the optimiser doesn't have
            raise InputError(f"model.lr_scheduler: {error}.") from error
        fuse(optimizer)  # after the schedule, which may set the momentum
        plan = plan_steps(scheduler, self._lr_interval, self)
        return OptimizerLRSchedulerConfig(optimizer=optimizer, lr_scheduler=plan)
