from pathlib import Path

import pytest
from lightning.pytorch import callbacks

from hml.cli import main
from hml.errors import InputError
from hml.training.rejected_callbacks import reject_callbacks
from tests.processes import QUICK


@pytest.mark.parametrize(
    ("callback", "instead"),
    [
        (callbacks.LearningRateFinder(), "--model.optimizer.lr"),
        (callbacks.BatchSizeFinder(), "--data.batch_size"),
        (callbacks.GradientAccumulationScheduler({1: 2}), "--trainer.accumulate_grad_batches"),
        (callbacks.StochasticWeightAveraging(0.01), "--model.lr_scheduler"),
        (callbacks.Timer(), "--trainer.max_time"),
        (callbacks.WeightAveraging(), "--model.lr_scheduler"),
        (callbacks.EMAWeightAveraging(), "EMAWeightAveraging in --trainer.callbacks is rejected"),
        (type("Own", (callbacks.BatchSizeFinder,), {})(), "--data.batch_size"),
    ],
)
def test_callbacks_that_would_falsify_a_record_are_rejected_by_name(callback, instead):
    with pytest.raises(InputError, match="is rejected: it ") as caught:
        reject_callbacks([callbacks.EarlyStopping("train/loss"), callback])
    assert instead in str(caught.value)


def test_a_finder_is_rejected_before_the_run_leaves_anything(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *QUICK, "--trainer.callbacks+=lightning.pytorch.callbacks.BatchSizeFinder"]) == 2
    assert "hml: BatchSizeFinder in --trainer.callbacks" in capsys.readouterr().err
    assert not list(Path().iterdir())
