import sys
from types import SimpleNamespace

import pytest
from lightning.pytorch.callbacks import ProgressBar as LightningsProgressBar
from lightning.pytorch.callbacks import TQDMProgressBar

from hml.cli import main
from hml.training import progress_bar
from hml.training import run as training
from hml.training.progress_bar import EpochLines, ProgressBar
from tests.processes import QUICK


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    clock = Clock()
    monkeypatch.setattr(progress_bar.time, "monotonic", clock)
    return clock


def draw(seconds, steps, of=100):
    """Train steps of so many seconds; return those that were drawn."""
    bar, drawn = ProgressBar(), []
    trainer = SimpleNamespace(num_training_batches=of)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TQDMProgressBar, "on_train_batch_end", lambda self, *given: drawn.append(given[-1] + 1))
        for step in range(steps):
            progress_bar.time.monotonic.advance(seconds)
            bar.on_train_batch_end(trainer, None, None, None, step)
    return drawn


def test_quick_steps_are_drawn_a_few_times_a_second_and_the_last_always(clock):
    assert draw(0.0625, 100) == [*range(1, 100, 4), 100]


def test_slow_steps_are_all_drawn(clock):
    assert draw(1.0, 5) == [1, 2, 3, 4, 5]


def bars(*flags):
    flags = [flag for flag in QUICK if flag not in ("--trainer.enable_progress_bar", "false")] + list(flags)
    cli = training.prepare(["fit", *flags])
    return [type(callback) for callback in cli.trainer.callbacks if isinstance(callback, LightningsProgressBar)]


def test_it_is_there_unless_a_user_brings_one_or_wants_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bars() == [EpochLines]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert bars() == [ProgressBar]
    assert bars("--trainer.enable_progress_bar", "false") == []
    assert bars("--trainer.callbacks+=lightning.pytorch.callbacks.TQDMProgressBar") == [TQDMProgressBar]


def test_a_file_gets_a_line_an_epoch_without_carriage_returns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = [flag for flag in QUICK if flag not in ("--trainer.enable_progress_bar", "false")]
    assert main(["fit", *flags, "--data.val_size", "10", "--eval_after_fit", "false"]) == 0
    printed = capsys.readouterr().out
    assert "\r" not in printed
    lines = [line for line in printed.splitlines() if line.startswith("Epoch")]
    assert [line.partition(":")[0] for line in lines] == ["Epoch 1 of 3", "Epoch 2 of 3", "Epoch 3 of 3"]
    assert [line.endswith(" left") for line in lines] == [True, True, False]
    for name in ("train/loss ", "train/accuracy ", "val/loss ", "val/accuracy ", " s (", " images/s)"):
        assert all(name in line for line in lines)


def test_an_epochs_line_is_of_that_epoch(clock, capsys):
    bar = EpochLines()
    trainer = SimpleNamespace(max_epochs=3, current_epoch=0, world_size=1)
    for epoch, loss in enumerate((2.0, 1.5, 1.25)):
        trainer.current_epoch = epoch
        if epoch == 0:
            bar.on_train_start(trainer, None)
        bar.on_train_epoch_start(trainer, None)
        for step in range(4):
            clock.advance(60.0 if epoch == 0 else 5.0)
            bar.on_train_batch_end(trainer, None, None, {"index": range(16)}, step)
        bar.on_train_epoch_end(trainer, None)
        bar.get_metrics = lambda *given, loss=loss: {"train/loss": loss, "v_num": 3}  # logged after the bar's hook
        clock.advance(1000.0)  # a checkpoint
    bar.on_train_end(trainer, None)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 1 of 3: train/loss 2, 240.0 s (0 images/s), 08:00 left",
        "Epoch 2 of 3: train/loss 1.5, 20.0 s (3 images/s), 00:20 left",
        "Epoch 3 of 3: train/loss 1.25, 20.0 s (3 images/s)",
    ]
