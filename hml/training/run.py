"""Prepares and carries out the run of a command line: `hml fit`, `validate`, `test` or `predict`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import Namespace
from lightning.fabric.plugins import CheckpointIO, ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, seed_everything
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.callbacks import ProgressBar as LightningsProgressBar
from lightning.pytorch.cli import SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

from hml.data import HMixDataModule
from hml.errors import FolderInUseError, HmlError, InputError
from hml.evaluation.predictions import PredictionWriter
from hml.training.checkpoints import WholeCheckpointIO
from hml.training.classifier import Classifier
from hml.training.flags import Command, parse
from hml.training.hardware import choose_threads
from hml.training.interrupts import terminate_at_usr1
from hml.training.mistakes import find_mistake
from hml.training.num_classes import flag_of
from hml.training.progress_bar import make_progress_bar
from hml.training.quiet import hide_advertisements
from hml.training.recipe import make_recipe
from hml.training.record import RunRecord, hash_code, read_record
from hml.training.rejected_callbacks import reject_callbacks
from hml.training.report import Report
from hml.training.resuming import (
    RecordKeeper,
    Unfinished,
    find_unfinished,
    reject_another_name,
    reject_another_optimizer,
    reject_used_folder,
    run_of,
    use_threads,
)
from hml.training.run_folder import claim_run, make_folder
from hml.training.slow_steps import SlowSteps
from hml.training.time_limit import TimeLimit
from hml.training.trainer import RunTrainer

_TERMINATED = 143


def run(args: Sequence[str]) -> "PreparedRun":
    """Carry out a command line and return the finished run.

    Args:
        args: The subcommand, which is `fit`, `validate`, `test` or `predict`, and its flags.

    Raises:
        HmlError: a flag, a config or a file is wrong, which the user can correct.
    """
    prepared = prepare(args)
    prepared.carry_out()
    return prepared


def prepare(args: Sequence[str]) -> "PreparedRun":
    """Prepare a run without carrying it out.

    Raises:
        InputError: a flag or a config is wrong.
    """
    hide_advertisements()
    with _complaints_for_people():
        command = parse(args)
        settings = command.settings
        record = make_record(command)
        if command.verb != "fit":
            reject_another_name(Path(settings.ckpt_path), record)
        seed_everything(settings.seed_everything, workers=True)
        parts = instantiate(command)
        _set_threads(settings, parts.model)
        unfinished = _find_unfinished(command, record)
        trainer = _make_trainer(command, parts, record, unfinished)
        return PreparedRun(command, parts.model, parts.data, trainer, record, unfinished)


@dataclass(frozen=True)
class PreparedRun:
    """A run that is ready to be carried out. Callers may inspect it, or share its data, before that.

    `record` has no data and threads yet. `unfinished` is the run to resume, if there is one.
    """

    command: Command
    model: Classifier
    datamodule: HMixDataModule
    trainer: RunTrainer
    record: RunRecord
    unfinished: Unfinished | None

    @property
    def settings(self) -> Namespace:
        """The value of every flag."""
        return self.command.settings

    @property
    def run_folder(self) -> Path | None:
        """The folder of the run's files; None for a new folder, which `carry_out` creates."""
        folder: Path | None = self.settings.run_folder
        return self.unfinished.folder if self.unfinished else folder

    def carry_out(self) -> None:
        """Train or evaluate.

        Raises:
            HmlError: the data or the settings are wrong, or the loss isn't finite.
        """
        with _complaints_for_people():
            if self.trainer.world_size == 1:  # otherwise Lightning does it, once all ranks have started
                self.datamodule.prepare_data()
                self.datamodule.setup("fit")  # first, so that a run with invalid data creates no folder
                self.model.adapt(self.datamodule.bank, flag_of(self.settings.model.network))
            threads = self.unfinished.threads if self.unfinished else None
            with self._claimed(), terminate_at_usr1(), use_threads(threads):
                self._call_trainer()
        if self.trainer.received_sigterm:  # after the last step
            raise SystemExit(_TERMINATED)

    def _call_trainer(self) -> None:
        """Call the Trainer's method. After fit, test the network of the last step, as the paper does."""
        arguments = {name: self.settings[name] for name in self.command.method_flags}
        if self.unfinished is not None:
            arguments["ckpt_path"] = self.unfinished.checkpoint
        getattr(self.trainer, self.command.verb)(self.model, datamodule=self.datamodule, **arguments)
        if self.command.verb != "fit" or not self.settings.eval_after_fit or self.trainer.interrupted:
            return
        evaluations = [self.trainer.validate] if self.trainer.enable_validation else []
        for evaluate in [*evaluations, self.trainer.test]:
            evaluate(self.model, datamodule=self.datamodule, verbose=False, weights_only=True)

    @contextmanager
    def _claimed(self) -> Iterator[None]:
        """Lock the run's folder for this process and those it starts, and add its logger."""
        is_first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            yield
            return
        with ExitStack() as claims:
            folder, parent = self.run_folder, _parent_folder(self.command)
            if is_first:
                folder = folder or make_folder(parent)
                claims.enter_context(claim_run(folder))
                self.trainer.folder = folder
            if _has_own_logger(self.settings):
                # On other ranks the logger writes nothing, but must exist.
                self.trainer.logger = _make_logger(folder or parent / "another rank's", self.unfinished)
            yield


def make_record(command: Command) -> RunRecord:
    """Describe the requested run, before its data are read."""
    settings = command.settings
    dumped = command.parser.dump(settings, skip_none=False, skip_validation=True)  # `parse` has validated them
    recipe = make_recipe(yaml.safe_load(dumped))
    return RunRecord(settings.scheme, settings.seed_everything, recipe, hash_code(), data={})


def instantiate(command: Command) -> Namespace:
    """Create the objects that settings describe: `data`, `model`, callbacks and the Trainer's arguments."""
    try:
        parts: Namespace = command.parser.instantiate_classes(command.settings)
    except ValueError as error:
        if "'num_classes' expected value" in str(error):  # torchvision's error
            raise InputError(
                f"The network's weights are for other classes than the data's: {error} Omit the weights, or write "
                "a function that loads them and replaces the last layer, and set --model.network to its path."
            ) from error
        # jsonargparse 4.53 wraps errors of an optional part's __init__ into the text of its own error.
        if "Union subtypes" not in str(error):
            raise
        raise InputError(str(error.__cause__ if isinstance(error.__cause__, HmlError) else error)) from error
    return parts


def _set_threads(settings: Namespace, model: Classifier) -> None:
    """Set PyTorch's number of threads, before any computation that depends on it."""
    weights = sum(weight.numel() for weight in model.parameters())
    accelerator = str(settings.trainer.accelerator)
    torch.set_num_threads(choose_threads(settings.threads, weights, settings.data.batch_size, accelerator))


def _parent_folder(command: Command) -> Path:
    """Return the parent of new run folders: the scheme's folder, or a folder in the evaluated run."""
    settings = command.settings
    if command.verb != "fit" and read_record(evaluated := run_of(settings.ckpt_path)) is not None:
        return evaluated / command.verb
    return Path(settings.trainer.default_root_dir or ".") / "lightning_logs" / str(settings.scheme)


def _find_unfinished(command: Command, record: RunRecord) -> Unfinished | None:
    """Find the run to resume, if requested, and reject a folder that already contains a run."""
    settings = command.settings
    if command.verb != "fit":
        return None
    unfinished = None
    if settings.resume == "never":
        if settings.ckpt_path is not None:
            reject_another_optimizer(Path(settings.ckpt_path), record.recipe)
    elif settings.ckpt_path is not None:
        raise InputError("--resume finds its own checkpoint: omit either --ckpt_path or --resume.")
    else:
        are_chosen = settings.threads is not None or "OMP_NUM_THREADS" in os.environ
        parent = _parent_folder(command)
        unfinished = find_unfinished(settings.resume, settings.run_folder, parent, record, are_chosen)
    if settings.run_folder is not None and unfinished is None:
        reject_used_folder(settings.run_folder)
    return unfinished


def _has_own_logger(settings: Namespace) -> bool:
    return settings.trainer.logger is None or settings.trainer.logger is True


def _make_logger(folder: Path, unfinished: Unfinished | None) -> TensorBoardLogger:
    # Steps after the checkpoint are logged again.
    purge: dict[str, Any] = {"purge_step": unfinished.step} if unfinished else {}
    return TensorBoardLogger(folder.parent, name="", version=folder.name, default_hp_metric=False, **purge)


def _make_trainer(command: Command, parts: Namespace, record: RunRecord, unfinished: Unfinished | None) -> RunTrainer:
    settings = command.settings
    own: dict[str, Any] = {
        "callbacks": _make_callbacks(command, parts, record, unfinished),
        "max_time": None,  # replaced by `TimeLimit`
        "plugins": _add_plugins(parts.trainer.plugins),
    }
    if parts.data.val_size == 0:
        own["limit_val_batches"] = 0
    if _has_own_logger(settings):
        own["logger"] = False  # added once the run has a folder
    try:
        trainer = RunTrainer(**{**parts.trainer, **own})
    except (ValueError, TypeError) as error:  # Lightning's errors about accelerators, devices and strategies
        raise InputError(f"The Trainer can't be created with these flags: {error}") from error
    trainer.parent = _parent_folder(command)
    if settings.threads is not None and trainer.world_size > 1:
        # For the processes that Lightning starts: otherwise it divides the cores between them.
        os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    return trainer


def _make_callbacks(
    command: Command, parts: Namespace, record: RunRecord, unfinished: Unfinished | None
) -> list[Callback]:
    """Create the callbacks: the user's, and those that record and report. `Classifier` adds the evaluations."""
    chosen, settings = parts.trainer, command.settings
    given = chosen.callbacks if isinstance(chosen.callbacks, list) else [chosen.callbacks]
    users = [callback for callback in given if callback is not None]
    reject_callbacks(users)
    callbacks: list[Callback] = [*users, parts.calibration, parts.fgsm]
    callbacks.append(RecordKeeper(record, unfinished.folder if unfinished else None))
    if (chosen.logger or _has_own_logger(settings)) and not chosen.fast_dev_run:
        callbacks.append(LearningRateMonitor())
    if chosen.enable_checkpointing is not False:
        callbacks.append(parts.checkpoint)
    callbacks.append(SlowSteps())
    if chosen.max_time is not None:
        if chosen.enable_checkpointing is False:
            raise InputError("--trainer.max_time needs checkpoints: omit --trainer.enable_checkpointing.")
        callbacks.append(TimeLimit(chosen.max_time))
    if chosen.enable_progress_bar is not False and not any(isinstance(own, LightningsProgressBar) for own in users):
        callbacks.append(make_progress_bar())
    callbacks += [PredictionWriter(settings.get("format", "csv")), Report(record.scheme, record.seed, record.recipe)]
    if not chosen.fast_dev_run:
        saved = settings.clone()
        saved["run_folder"], saved["resume"] = None, "never"  # so that the config can be run again in another folder
        callbacks.append(SaveConfigCallback(command.parser, saved, overwrite=unfinished is not None))
    return callbacks


def _add_plugins(chosen: Any) -> list[Any]:
    """Add hml's plugins for checkpoints and clusters, unless the user provides such plugins."""
    plugins = chosen if isinstance(chosen, list) else [chosen] if chosen is not None else []
    if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
        plugins = [*plugins, WholeCheckpointIO()]
    if SLURMEnvironment.detect() and not any(isinstance(plugin, ClusterEnvironment) for plugin in plugins):
        plugins = [*plugins, SLURMEnvironment(auto_requeue=False)]
    if any(isinstance(plugin, SLURMEnvironment) and plugin.auto_requeue for plugin in plugins):
        raise InputError(
            "SLURMEnvironment(auto_requeue=True) starts from hpc_ckpt files of other runs: omit it. "
            "hml saves a checkpoint at SIGUSR1 and SIGTERM, and --resume auto resumes the run."
        )
    return plugins


@contextmanager
def _complaints_for_people() -> Iterator[None]:
    """Convert errors of libraries and users' code into HmlErrors, and Lightning's SIGTERM into an exit code."""
    try:
        yield
    except SIGTERMException as error:  # would exit with 0
        raise SystemExit(_TERMINATED) from error
    except HmlError:
        raise
    except MisconfigurationException as error:
        raise InputError(str(error)) from error
    except Exception as error:
        if "loading state_dict" in str(error):
            raise InputError(
                f"The checkpoint's network differs from --model.network: use that of its run. {error}"
            ) from error
        if "SaveConfigCallback expected" in str(error):
            raise FolderInUseError("The folder has another run's config.yaml: use another --run_folder.") from error
        if (mistake := find_mistake(error)) is not None:
            raise InputError(mistake) from error
        raise
