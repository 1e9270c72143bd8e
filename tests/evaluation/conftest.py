import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch import nn

from hml.classifier import Classifier


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return Classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)))


@pytest.fixture
def make_trainer(tmp_path):
    def make(*callbacks, tensorboard=False, **kwargs):
        return Trainer(
            accelerator="cpu",
            default_root_dir=tmp_path,
            logger=TensorBoardLogger(tmp_path, name="run", default_hp_metric=False) if tensorboard else False,
            callbacks=list(callbacks),
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            **kwargs,
        )

    return make


@pytest.fixture
def whole_split():
    """Give every evaluation image at once, with the network's logits: image, target, label, logits."""

    def gather(classifier, loader):
        batches = list(loader)
        image, target, label = (torch.cat([batch[key] for batch in batches]) for key in ("image", "target", "label"))
        with torch.no_grad():
            return image, target, label, classifier.network(image)

    return gather
