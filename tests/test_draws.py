"""What a run draws, and so what it learns, depends on (seed, epoch, index, purpose) and on nothing beside it."""

import random

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from hml.labels import SeparateLabels
from hml.models import PreActResNet18
from hml.training.classifier import Classifier


class Disturber(Callback):
    """Draws from every global generator, and evaluates, in the middle of training."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        torch.rand(3), np.random.random(3), random.random()
        torch.manual_seed(int(torch.randint(1000, ())))
        with torch.no_grad():
            pl_module.eval()(batch["image"])
        pl_module.train()


def train(tiny, make_trainer, *callbacks, **options):
    torch.manual_seed(0)
    classifier = Classifier(PreActResNet18(width=2))
    trainer = make_trainer(*callbacks, max_epochs=2, limit_val_batches=0)
    trainer.fit(classifier, datamodule=tiny(SeparateLabels(), augment="crop_flip", **options))
    return {name: weight.clone() for name, weight in classifier.state_dict().items()}


@pytest.mark.parametrize("case", ["a callback that draws", "other generators before"])
def test_weights_do_not_depend_on_what_else_draws(tiny, make_trainer, case):
    expected = train(tiny, make_trainer)
    if case == "a callback that draws":
        actual = train(tiny, make_trainer, Disturber())
    else:
        np.random.seed(99)
        random.seed(99)
        actual = train(tiny, make_trainer)
    for name, weight in expected.items():
        assert torch.equal(actual[name], weight), name
    assert not all(torch.equal(train(tiny, make_trainer, seed=1)[name], weight) for name, weight in expected.items())
