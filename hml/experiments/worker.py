"""Carrying runs out one after the other in one process, which pays once for what they share."""

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
    """Carries out runs one after the other in one process, and pays once for what they share."""

    def __init__(self) -> None:
        self._images: tuple[object, ImageBank] | None = None

    def prepare(self, args: Sequence[str]) -> training.PreparedRun:
        """Put a run together, up to its data."""
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
        """Train and test. The result or the failure is in the run's folder afterwards.

        Args:
            run: The run.
            advance: Called after each epoch with the share of the run that is done.

        Returns:
            The failure, where another process has the folder: then nothing is written into it.
        """
        try:
            if (run.folder / RESULT).exists():  # not an earlier one's, which the study has removed
                raise FolderInUseError(
                    f"Another run has finished in {run.folder} since the study began: run hml table1 again to count it."
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
        except Exception as error:  # one run's bug doesn't stop a study
            with (run.folder / _OUTPUT).open("a", encoding="utf-8") as output:
                traceback.print_exc(file=output)
            write_failure(run, f"{type(error).__name__}: {error} (see {run.folder / _OUTPUT})", 1)
        return None


def _carry_out_apart(run: Run, output: TextIO) -> None:
    """Run `hml` itself: to use several devices, Lightning starts its process's command line again on each."""
    command = [sys.executable, "-m", "hml", *run.args]
    done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        if done.returncode == FolderInUseError.exit_code:
            raise FolderInUseError(f"Another run writes into {run.folder}.")
        told = (run.folder / _OUTPUT).read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_OF_AN_ERROR:]
        # A process that a signal ended has the negative of its number.
        write_failure(run, "\n".join(told), done.returncode if done.returncode > 0 else 128 - done.returncode)


def quieten_lightning() -> None:
    """Keep back what Lightning tells of each run, which would bury a table."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _EpochWatcher(Callback):
    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._advance((trainer.current_epoch + 1) / max(trainer.max_epochs or 0, trainer.current_epoch + 1))
