import pytest
from lightning.pytorch.callbacks import ProgressBar as LightningsProgressBar
from lightning.pytorch.callbacks import TQDMProgressBar

from hml import progress_bar, training
from hml.progress_bar import ProgressBar
from tests.processes import QUICK


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    now = [100.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    return now


def test_quick_steps_are_drawn_a_few_times_a_second_and_the_last_always(clock):
    bar = ProgressBar()
    drawn = []
    for step in range(1, 101):
        clock[0] += 0.0625
        if bar._should_update(step, 100):
            drawn.append(step)
    assert drawn == [*range(1, 100, 4), 100]


def test_slow_steps_are_all_drawn(clock):
    bar = ProgressBar()
    for step in range(1, 6):
        clock[0] += 1.0
        assert bar._should_update(step, 100)


def bars(*flags):
    flags = [flag for flag in QUICK if flag not in ("--trainer.enable_progress_bar", "false")] + list(flags)
    cli = training.prepare(["fit", *flags])
    return [type(callback) for callback in cli.trainer.callbacks if isinstance(callback, LightningsProgressBar)]


def test_it_is_there_unless_a_user_brings_one_or_wants_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bars() == [ProgressBar]
    assert bars("--trainer.enable_progress_bar", "false") == []
    assert bars("--trainer.callbacks+=lightning.pytorch.callbacks.TQDMProgressBar") == [TQDMProgressBar]
