"""Runs `hml` in processes of their own, which may be killed at a given moment; what is imported is paid for once."""

import hashlib
import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.forked"])

CONFIGS = Path(__file__).parents[1] / "configs"
QUICK = [
    *("--config", str(CONFIGS / "sep_conf.yaml"), "--config", str(CONFIGS / "demo.yaml")),
    *("--data.images.num_train", "60", "--data.images.num_test", "33", "--data.mixed.images_per_pair", "1"),
    *("--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu", "--calibration.bin_size", "10"),
    *("--model.network", "tests.networks.Tiny", "--data.batch_size", "16", "--data.augment", "crop_flip"),
    *("--trainer.max_epochs", "3", "--model.lr_scheduler.milestones", "[1,2]"),
    *("--checkpoint.minutes", "0", "--checkpoint.steps", "2"),
]
# A shell says 130 of both: of hml's own exit code, and of a process that Python ends by the signal. It does so,
# whatever became of the exception, where Ctrl-C came into code made out of text, of which `torch.compile` runs much.
INTERRUPTED = (130, -signal.SIGINT)
STEPS, STEPS_AN_EPOCH = 18, 6
DRAWN = "drawn.jsonl"
OUTPUT = "output.txt"


def hml(folder, *args, kill=None, send=signal.SIGKILL, limit_bytes=None, env=None):
    """Run `hml` in a folder; return its exit code, which is negative where a signal ended it.

    `kill` is (step, moment): when the process sends itself the signal. `env` changes its environment, None removes.
    """
    process = start(folder, *args, kill=kill, send=send, limit_bytes=limit_bytes, env=env)
    process.join(120)
    if process.is_alive():
        process.kill()
        raise TimeoutError((folder / OUTPUT).read_text())
    return process.exitcode


def start(folder, *args, kill=None, send=signal.SIGKILL, limit_bytes=None, env=None):
    process = CONTEXT.Process(target=_run, args=(str(folder), args, kill, send, limit_bytes, env or {}))
    process.start()
    return process


def _run(folder, args, kill, send, limit_bytes, env):
    import resource

    import torch
    from lightning.pytorch.callbacks import Checkpoint

    from hml.cli import main
    from hml.training import run as training
    from tests.drawing import skip_drawing

    os.environ.update({name: value for name, value in env.items() if value is not None})
    for name in (name for name, value in env.items() if value is None):
        os.environ.pop(name, None)
    os.chdir(folder)
    os.setpgrp()  # as a shell gives each command a group of its own, which Ctrl-C goes to
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs are started to ignore
    torch.set_num_threads(1)
    skip_drawing(pytest.MonkeyPatch())
    if limit_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    prepare = training.prepare

    def prepare_recorded(args):
        prepared = prepare(args)
        callbacks = prepared.trainer.callbacks
        # Lightning calls those that write checkpoints last.
        place = next((i for i, callback in enumerate(callbacks) if isinstance(callback, Checkpoint)), len(callbacks))
        callbacks.insert(place, _make_recorder(kill, send))
        return prepared

    training.prepare = prepare_recorded
    with Path(OUTPUT).open("a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)  # loggers hold on to the stream that was there when they were imported
    raise SystemExit(main(list(args)))


def _make_recorder(kill, send):
    from lightning.pytorch import Callback

    kill_step, kill_moment = kill or (None, None)

    class Recorder(Callback):
        """Logs what each step drew, and sends the signal at the moment asked for."""

        def __init__(self):
            self.armed = False

        def end(self, trainer, moment):
            if (trainer.global_step, moment) == (kill_step, kill_moment):
                os.kill(os.getpid(), send)

        def setup(self, trainer, pl_module, stage):
            fsync, replace = os.fsync, Path.replace

            def watched_fsync(descriptor):
                if self.armed and kill_moment == "writing":
                    os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
                    os.kill(os.getpid(), send)
                fsync(descriptor)

            def watched_replace(path, target):
                if self.armed and kill_moment == "renaming" and Path(target).name == "previous.ckpt":
                    replace(path, target)
                    os.kill(os.getpid(), send)
                return replace(path, target)

            os.fsync, Path.replace = watched_fsync, watched_replace

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.end(trainer, "start")

        def on_after_backward(self, trainer, pl_module):
            self.end(trainer, "backward")

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            drawn = [batch["target"].numpy().tobytes(), batch["image"].numpy().tobytes()]
            line = {
                "step": trainer.global_step,
                "epoch": trainer.current_epoch,
                "index": batch["index"].tolist(),
                "drawn": [hashlib.sha256(part).hexdigest() for part in drawn],
                "loss": float(outputs["loss"]),
            }
            with Path(DRAWN).open("a") as file:
                file.write(json.dumps(line) + "\n")
            self.end(trainer, "end")
            self.armed = trainer.global_step >= (kill_step or 0)

        def on_train_epoch_end(self, trainer, pl_module):
            self.end(trainer, "epoch end")

        def on_train_epoch_start(self, trainer, pl_module):
            self.end(trainer, "epoch start")

        def on_fit_end(self, trainer, pl_module):
            self.end(trainer, "fit end")

        def on_test_end(self, trainer, pl_module):
            self.end(trainer, "test end")

    return Recorder()
