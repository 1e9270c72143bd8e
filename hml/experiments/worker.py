"""Carries out runs one after the other in one process."""

import contextlib
import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TextIO

from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

from hml.data import ImageBank
from hml.errors import FolderInUseError, HmlError
from hml.experiments.runs import Failure, Run, write_failure
from hml.training import run as training
from hml.training.result import RESULT

_OUTPUT = "output.txt"
_LINES_OF_AN_ERROR = 20


class Worker:
    """Carries out runs one after the other in one process. Imports, data and compilation are shared."""

    def __init__(self) -> None:
        self._images: tuple[object, ImageBank] | None = None

    def prepare(self, args: Sequence[str]) -> training.PreparedRun:
        """Set up a run, including its data."""
        prepared = training.prepare(args)
        data = prepared.datamodule
        source = (prepared.settings.data.images, data.data_dir)
        if self._images is not None and self._images[0] == source:
            data.reuse_images(self._images[1])
        data.prepare_data()
        data.setup("fit")
        self._images = (source, data.bank)
        return prepared

    def carry_out(self, run: Run, advance: Callable[[float], None] | None = None) -> Failure | None:
        """Train and test. Write the result or the failure into the run's folder.

        Args:
            run: The run.
            advance: Called after each epoch with the run's progress, from 0 to 1.

        Returns:
            The failure if another process has the folder, since nothing is written into it then. Otherwise None.
        """
        try:
            if (run.folder / RESULT).exists():  # a new one: the study has removed earlier ones
                raise FolderInUseError(
                    f"Another run finished in {run.folder} after the study began: run hml table1 again to include it."
                )
            with (
                (run.folder / _OUTPUT).open("a", encoding="utf-8") as output,
                contextlib.redirect_stdout(output),
                contextlib.redirect_stderr(output),
            ):
                if run.devices > 1:
                    _carry_out_apart(run, output)
                    return None
                prepared = self.prepare(run.args)
                if advance is not None:
                    prepared.trainer.callbacks.append(_EpochWatcher(advance))  # type: ignore[attr-defined]
                prepared.carry_out()
        except FolderInUseError as error:
            return Failure(run.scheme, run.seed, str(error), error.exit_code)
        except HmlError as error:
            write_failure(run, str(error), error.exit_code)
        except Exception as error:  # a bug in one run does not stop the study
            with (run.folder / _OUTPUT).open("a", encoding="utf-8") as output:
                traceback.print_exc(file=output)
            write_failure(run, f"{type(error).__name__}: {error} (see {run.folder / _OUTPUT})", 1)
        return None


def _carry_out_apart(run: Run, output: TextIO) -> None:
    """Run `hml` as a process: for several devices, Lightning starts the command line of its process again on each."""
    command = [sys.executable, "-m", "hml", *run.args]
    done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        if done.returncode == FolderInUseError.exit_code:
            raise FolderInUseError(f"Another run writes into {run.folder}.")
        tail = (run.folder / _OUTPUT).read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_OF_AN_ERROR:]
        # If a signal ended the process, the return code is the negative of the signal's number.
        write_failure(run, "\n".join(tail), done.returncode if done.returncode > 0 else 128 - done.returncode)


def quieten_lightning() -> None:
    """Hide the messages that Lightning prints for each run."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _EpochWatcher(Callback):
    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._advance((trainer.current_epoch + 1) / max(trainer.max_epochs or 0, trainer.current_epoch + 1))
