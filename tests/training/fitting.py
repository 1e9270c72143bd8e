"""A linear classifier's network, and a Trainer on the CPU that prints nothing."""

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn


def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))


def make_trainer(folder, *callbacks, logger=False, **kwargs):
    return Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        logger=logger,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        **kwargs,
    )
