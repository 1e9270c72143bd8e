"""The three that race: each trains the same network on the same batches for as many steps as it is told to.

A contestant is a process of its own. Over a pipe it tells how many steps an epoch has, then gets numbers of steps to
take and answers with the seconds they took and their losses, so that while one runs the others wait without a core.
"""

import itertools
import random
import time
from multiprocessing.connection import Connection

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from hml.data import HMixDataModule
from hml.evaluation.alignment import soft_cross_entropy
from hml.kernels import use_cpu_kernels
from hml.training import run as training
from hml.training.hardware import keep_memory


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


class Stopwatch:
    """Hands out steps as they are asked for over a pipe, and times them in windows."""

    def __init__(self, pipe: Connection, device: torch.device) -> None:
        self._pipe, self._device = pipe, device
        self._left = 0
        self._losses: list[Tensor] = []
        self._started = time.perf_counter()

    def before_step(self) -> bool:
        """Return whether to take another step; waits to be asked for some where none are left."""
        if self._left == 0:
            steps = self._pipe.recv()
            if not steps:
                return False
            self._left, self._losses = steps, []
            synchronise(self._device)
            self._started = time.perf_counter()
        return True

    def after_step(self, loss: Tensor) -> None:
        """Count a step, and answer when it was the last of a window."""
        self._left -= 1
        self._losses.append(loss.detach())
        if self._left == 0:
            synchronise(self._device)
            seconds = time.perf_counter() - self._started
            self._pipe.send((seconds, [float(loss) for loss in self._losses]))


class OnePixel(nn.Module):
    """A network that computes next to nothing, so that what is timed is what Python does for a step."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Map images (B, 3, H, W) to logits (B, 10)."""
        return self.head(image[:, :, 0, 0])


# A: a loop as one would write it, in the style of the mixup paper's time: float32, a Dataset that mixes image by image,
# worker processes, and figures read at every step.


class MixedDataset(Dataset[tuple[Tensor, Tensor]]):
    """Plain and mixed images, each mixed when it is asked for, with one of its labels at random."""

    def __init__(self, data: HMixDataModule) -> None:
        rows = data.train_rows
        self.images = data.bank.images.numpy()  # (M, 3, 32, 32)
        self.id_1, self.id_2 = rows.id_1.tolist(), rows.id_2.tolist()
        self.lambda_f = rows.lambda_f.tolist()
        self.labels = [label.numpy() for label in rows.soft_labels.split(rows.num_labels.tolist())]

    def __len__(self) -> int:
        return len(self.id_1)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        weight = self.lambda_f[index]
        first = torch.from_numpy(self.images[self.id_1[index]]).float() / 255
        second = torch.from_numpy(self.images[self.id_2[index]]).float() / 255
        labels = self.labels[index]
        return weight * first + (1 - weight) * second, torch.from_numpy(labels[random.randrange(len(labels))])


def plain_loop(pipe: Connection, args: list[str], workers: int) -> None:
    """Run contestant A."""
    cli = training.prepare(args)
    cli.datamodule.setup("fit")
    device = cli.trainer.strategy.root_device
    network = cli.model.network.to(device, memory_format=torch.contiguous_format)
    loader = DataLoader(
        MixedDataset(cli.datamodule),
        cli.datamodule.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    stopwatch = Stopwatch(pipe, device)
    pipe.send(len(loader))
    network.train()
    total = correct = seen = 0.0
    while True:
        for image, target in loader:
            if not stopwatch.before_step():
                return
            image, target = image.to(device), target.to(device)
            logits = network(image)
            loss = -(target * logits.log_softmax(1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(image)
            correct += (logits.argmax(1) == target.argmax(1)).sum().item()
            seen += len(image)
            stopwatch.after_step(loss)


def bare_loop(pipe: Connection, args: list[str]) -> None:
    """Run contestant B: hml's network, precision, compilation, loader and optimiser, and nothing else."""
    cli = training.prepare(args)
    cli.datamodule.setup("fit")
    device = cli.trainer.strategy.root_device
    model = cli.model.to(device)
    model.compile_if_it_pays(float("inf"))
    keep_memory()
    if device.type == "cpu":
        use_cpu_kernels(model.network)
    data = cli.datamodule
    data.trainer = cli.trainer  # whose device batches are made on
    precision = cli.trainer.precision_plugin
    optimizer = model.configure_optimizers()["optimizer"]
    stopwatch = Stopwatch(pipe, device)
    loader = data.train_dataloader()
    pipe.send(len(loader))
    model.train()
    for epoch in itertools.count():
        loader.set_epoch(epoch)
        for batch in loader:
            if not stopwatch.before_step():
                return
            with precision.forward_context():
                loss = soft_cross_entropy(model(batch["image"]), batch["target"])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            stopwatch.after_step(loss)


class _Race(Callback):
    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stopwatch = Stopwatch(self._pipe, pl_module.device)
        self._pipe.send(trainer.num_training_batches)

    @override
    def on_train_batch_start(self, trainer: Trainer, *args: object) -> int | None:
        if self._stopwatch.before_step():
            return None
        trainer.should_stop = True
        return -1

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: dict[str, Tensor], *args: object
    ) -> None:
        self._stopwatch.after_step(outputs["loss"])


def hml_fit(pipe: Connection, args: list[str]) -> None:
    """Run contestant H: `hml fit` with its loggers, checkpoints and bar."""
    cli = training.prepare(args)
    cli.trainer.callbacks.append(_Race(pipe))
    cli.carry_out()
