"""A small material of simulated annotators, and a checkpoint of a relabeller that learned from the demo's."""

import itertools
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch

from hml.cli import main
from hml.labels import MixedBatch
from hml.relabel.encoding import ImageTable

QUICK = ["--demo", "--epochs", "1", "--steps", "15", "--members", "1"]


@pytest.fixture(scope="session")
def images():
    """40 images, four per class, of which only the classes are known."""
    labels = torch.arange(40) % 10
    human = torch.nn.functional.one_hot(labels, 10).float()
    return ImageTable(labels, human, torch.log_softmax(4 * human, 1), torch.zeros(40, 2))


@pytest.fixture(scope="session")
def simulate():
    """Make judgements by a function of (lambda_f, class_1, class_2, person, rng) that returns lambda_h and omega."""

    def make(answer, people=8, repeats=4, seed=0):
        rng = np.random.default_rng(seed)
        rows = []
        for class_1, class_2 in itertools.combinations(range(10), 2):
            for lambda_f in (0.1, 0.25, 0.5, 0.75, 0.9):
                for _ in range(repeats):
                    person = int(rng.integers(people))
                    lambda_h, omega = answer(lambda_f, class_1, class_2, person, rng)
                    row = {"id_1": class_1, "id_2": class_2 + 10, "class_1": class_1, "class_2": class_2}
                    rows.append(row | {"lambda_f": lambda_f, "lambda_h": lambda_h, "omega": omega, "person": person})
        return pd.DataFrame(rows)

    return make


@pytest.fixture(scope="session")
def make_batch():
    """Mix images of class 3 with images of class 5."""

    def make(lambda_f):
        lambda_f = torch.as_tensor(lambda_f, dtype=torch.float32)
        full = [torch.full(lambda_f.shape, value) for value in (3, 15, 3, 5)]
        return MixedBatch(*full, lambda_f, num_classes=10)

    return make


@pytest.fixture(scope="session")
def learned(tmp_path_factory):
    """The folder of `hml relabel fit --demo`."""
    folder = tmp_path_factory.mktemp("relabel")
    assert main(["relabel", "fit", *QUICK, "--out", str(folder)]) == 0
    return folder


@contextmanager
def few_steps():
    """Let baselines stop long before they fit, where what they predict isn't what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hml.relabel.baselines._STEPS", 5)
        patch.setattr("hml.relabel.baselines._TREES", 2)
        yield
