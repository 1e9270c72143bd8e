"""Builds a run out of arguments and carries it out: what `hml fit` does, for the command line and for runners."""

import functools
import hashlib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentError, Namespace
from lightning.fabric.plugins import CheckpointIO, ClusterEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.callbacks import ProgressBar as LightningsProgressBar
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException
from typing_extensions import override

import hml.data
import hml.labels
import hml.models
from hml.command_line.configs import resolve_configs
from hml.data import HMixDataModule
from hml.errors import FolderInUseError, HmlError, InputError
from hml.evaluation.callbacks import FGSM, Calibration, HumanAlignment
from hml.evaluation.predictions import PredictionWriter
from hml.files.paths import expand
from hml.randomness import LARGEST_SEED
from hml.training import help as help_texts
from hml.training.arguments import check_amounts, check_checkpoint, expand_paths, explain, refuse_empty
from hml.training.callbacks import reject_callbacks
from hml.training.checkpoints import LatestCheckpoint, WholeCheckpointIO
from hml.training.classifier import Classifier
from hml.training.hardware import best_precision, choose_threads
from hml.training.interrupts import terminate_at_usr1
from hml.training.mistakes import find_mistake
from hml.training.progress_bar import make_progress_bar
from hml.training.recipe import make_recipe, name_scheme
from hml.training.report import Report
from hml.training.resuming import (
    Resume,
    RunRecord,
    Unfinished,
    claim_run,
    find_unfinished,
    hash_code,
    refuse_another_name,
    refuse_another_optimizer,
    refuse_used,
    use_threads,
)
from hml.training.run_folder import RunTrainer, make_folder
from hml.training.slow_steps import SlowSteps
from hml.training.time_limit import TimeLimit

_TERMINATED = 143


def run(args: Sequence[str]) -> "HmlCLI":
    """Carry out `fit`, `validate`, `test` or `predict`.

    Args:
        args: The subcommand and its flags, as on the command line.

    Returns:
        The finished run: its `trainer`, `model` and `datamodule`.

    Raises:
        HmlError: something that a person can mend is wrong: a flag, a config, a file.
    """
    cli = prepare(args)
    cli.carry_out()
    return cli


def prepare(args: Sequence[str]) -> "HmlCLI":
    """Put a run together, up to the point of carrying it out.

    Args:
        args: The subcommand and its flags, as on the command line.

    Raises:
        InputError: a flag or a config is wrong.
    """
    _quieten_lightning()
    with _complaints_for_people():
        return HmlCLI(args)


@contextmanager
def _complaints_for_people() -> Iterator[None]:
    """Turn what libraries and users' code raise into hml's errors, and Lightning's SIGTERM into an exit code."""
    try:
        yield
    except SIGTERMException as error:  # which would exit with 0
        raise SystemExit(_TERMINATED) from error
    except HmlError:
        raise
    except MisconfigurationException as error:
        raise InputError(str(error)) from error
    except Exception as error:
        if "loading state_dict" in str(error):
            raise InputError(f"The checkpoint is of another network than --model.network. {error}") from error
        if "SaveConfigCallback expected" in str(error):
            message = "The folder has another run's config.yaml: give another --run_folder."
            raise FolderInUseError(message) from error
        if (mistake := find_mistake(error)) is not None:
            raise InputError(mistake) from error
        raise


def _quieten_lightning() -> None:
    """Keep an advertisement and a note to Lightning's own developers (2.6.6) from every run's output."""
    warnings.filterwarnings("ignore", message=".*LeafSpec")
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: "litlogger" not in record.getMessage()
    )


def _add_plugins(chosen: Any) -> list[Any]:
    """Add hml's plugins for checkpoints and clusters to the Trainer's, where the user has brought none."""
    plugins = chosen if isinstance(chosen, list) else [chosen] if chosen is not None else []
    if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
        plugins = [*plugins, WholeCheckpointIO()]
    if SLURMEnvironment.detect() and not any(isinstance(plugin, ClusterEnvironment) for plugin in plugins):
        plugins = [*plugins, SLURMEnvironment(auto_requeue=False)]
    if any(isinstance(plugin, SLURMEnvironment) and plugin.auto_requeue for plugin in plugins):
        raise InputError(
            "SLURMEnvironment(auto_requeue=True) starts runs from hpc_ckpt files of any other run: leave it out. "
            "hml saves at SIGUSR1 and SIGTERM, and --resume auto continues."
        )
    return plugins


class HmlCLI(LightningCLI):
    """LightningCLI with hml's callbacks and naming of runs, and a test after fit; it runs once told to `carry_out`.

    Args:
        args: The subcommand and its flags, as on the command line.

    Raises:
        InputError: there is no such subcommand, or a flag or a config is wrong.
    """

    trainer: RunTrainer

    def __init__(self, args: Sequence[str]) -> None:
        self._asked_for = args[0] if args else ""
        self._asked_help = [arg for arg in args if arg in ("-h", "--help", help_texts.EVERYTHING)]
        if not self.subcommands():
            raise InputError(f"There is no subcommand {self._asked_for!r}: {', '.join(LightningCLI.subcommands())}.")
        super().__init__(
            Classifier,
            HMixDataModule,
            trainer_class=RunTrainer,
            parser_kwargs={
                "prog": "hml",
                "exit_on_error": False,
                "allow_abbrev": False,
                self._asked_for: {
                    "exit_on_error": False,
                    "default_config_files": [str(files("hml.training") / "defaults.yaml")],
                },
            },
            args=["--help" if arg == help_texts.EVERYTHING else arg for arg in args],
            auto_configure_optimizers=False,  # the classifier has its own, as flags of the model
        )

    @override
    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # which ones depends on the arguments
        """Name the one that is asked for alone: setting up the flags of all four takes four times as long."""
        return {name: skipped for name, skipped in LightningCLI.subcommands().items() if name == self._asked_for}

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        """Wait for `carry_out`: a runner looks at a run first, or shares data with it."""

    def carry_out(self) -> None:
        """Do what the subcommand says.

        Raises:
            HmlError: something that a person can mend is wrong, or the loss isn't finite.
        """
        with _complaints_for_people():
            if self.trainer.world_size == 1:  # else ranks wait for each other, once Lightning has started them
                self.datamodule.prepare_data()
                self.datamodule.setup("fit")  # first, so that a run which is refused for its data leaves no folder
            threads = self._unfinished.threads if self._unfinished else None
            with self._claimed(), terminate_at_usr1(), use_threads(threads):
                super()._run_subcommand(self.config["subcommand"])
        if self.trainer.received_sigterm:  # so late that there was nothing left to stop
            raise SystemExit(_TERMINATED)

    @contextmanager
    def _claimed(self) -> Iterator[None]:
        """Keep the run's folder for this process, and those it starts, and let its own logger write there."""
        is_first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            yield
            return
        with ExitStack() as claims:
            folder = self.run_folder
            if is_first:
                folder = folder or make_folder(self._parent)
                claims.enter_context(claim_run(folder))
                self.trainer.folder = folder
            if self._has_own_logger:
                # On other ranks a logger writes nothing, but must be there.
                self.trainer.logger = self._make_logger(folder or self._parent / "another rank's")
            yield

    def _make_logger(self, folder: Path) -> TensorBoardLogger:
        # What was logged since the checkpoint is logged again.
        purge = {"purge_step": self._unfinished.step} if self._unfinished else {}
        return TensorBoardLogger(
            folder.parent,
            name="",
            version=folder.name,
            default_hp_metric=False,
            **purge,  # type: ignore[arg-type]
        )

    @override
    def _parse_ckpt_path(self) -> None:
        """Leave checkpoints to `hml.training.checkpoints`: no hyperparameters in one win over flags."""

    @override
    def setup_parser(self, *args: Any, **kwargs: Any) -> None:
        super().setup_parser(*args, **kwargs)
        for verb, parser in self._subcommand_parsers.items() if self._asked_help else ():
            help_texts.arrange(parser, verb, everything=self._asked_help[0] == help_texts.EVERYTHING)

    @override
    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--seed_everything",
            "--seed",
            type=int,
            default=0,
            help="Decides the network's first weights and everything that is drawn.",
        )

    @override
    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--scheme", type=str | None, help="What the run is called; by default after its strategy.")
        parser.add_argument(
            "--run_folder",
            type=Path | None,
            help="Where the run's files go; by default a new lightning_logs/<scheme>/version_<n>.",
        )
        parser.add_argument(
            "--resume",
            type=Resume,
            default="never",
            help="Whether fit resumes an interrupted run: the newest of the same scheme, recipe and seed, or the one "
            "in --run_folder. auto: if there is one; must: or else stop. On the same type of CPU, with the same "
            "packages and number of threads, the result is the uninterrupted run's bit for bit.",
        )
        parser.add_argument("--eval_after_fit", type=bool, default=True, help="Whether fit ends with a test.")
        parser.add_argument(
            "--threads",
            type=int | None,
            help="PyTorch's threads on a CPU. By default one for a narrow network, otherwise one a core, or what "
            "OMP_NUM_THREADS says. With another number results differ in rounding, which training amplifies.",
        )
        parser.add_lightning_class_args(Calibration, "calibration")
        parser.add_lightning_class_args(FGSM, "fgsm")
        parser.add_class_arguments(LatestCheckpoint, "checkpoint")
        parser.link_arguments("seed_everything", "data.seed")
        flags = {option.lstrip("-") for action in parser._actions for option in action.option_strings}
        self._known_words = flags | {*hml.labels.__all__, *hml.data.__all__, *hml.models.__all__}

    @override
    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        given = resolve_configs(args if isinstance(args, list) else [])
        # LightningCLI's own warns where sys.argv has arguments too, as it has under any runner.
        try:
            self.config = parser.parse_args(given)
        except ArgumentError as error:
            raise InputError(explain(str(error), given, self._known_words)) from error
        try:
            # Parsing lets pass what a config leaves empty, `batch_size:`, whatever may stand there.
            parser.validate(self.config, skip_unset=False)
            refuse_empty(self.config[self.config["subcommand"]])
        except TypeError as error:
            complaint = f"{error}. Fill it in, or leave it out."
            raise InputError(explain(complaint, given, self._known_words)) from error
        self.settings: Namespace = self.config[self.config["subcommand"]]
        if not 0 <= self.settings.seed_everything <= LARGEST_SEED:
            raise InputError(f"seed={self.settings.seed_everything} must be 0 to {LARGEST_SEED}.")
        if self.settings.threads is not None and self.settings.threads < 1:
            raise InputError(f"--threads {self.settings.threads} must be 1 or more.")
        self.settings["scheme"] = name_scheme(self.settings)
        self._expand_paths()
        check_checkpoint(self.config["subcommand"], self.settings.get("ckpt_path"))
        if self.settings.trainer.precision is None:
            self.settings.trainer["precision"] = best_precision(str(self.settings.trainer.accelerator))
        if not re.fullmatch(r"\w[\w.+-]*", self.settings.scheme):
            raise InputError(f"scheme={self.settings.scheme!r} names a folder: use letters, digits, and . + - _.")

    def _expand_paths(self) -> None:
        settings = self.settings
        for key, owner in (("trainer", RunTrainer), ("data", HMixDataModule), ("model", Classifier)):
            expand_paths(settings[key], owner)
        for key in ("run_folder", "ckpt_path"):
            if settings.get(key) is not None:
                settings[key] = expand(str(settings[key]))
        if "://" in str(root := settings.trainer.default_root_dir):
            raise InputError(f"--trainer.default_root_dir {root} is an address: a run's files are written to a folder.")

    @override
    def before_instantiate_classes(self) -> None:
        check_amounts(self.subcommand, self.settings)
        if self.subcommand == "validate" and self.settings.data.val_size == 0:
            raise InputError(
                "There are no validation images: give the same --data.val_size as in fit, say 500. "
                "(hml test evaluates on the test images.)"
            )
        if self.subcommand != "fit":
            refuse_another_name(Path(self.settings.ckpt_path), self.identity)

    @override
    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
        except ValueError as error:
            # What an optional part's __init__ refuses, jsonargparse 4.53 wraps into the text of an error of its own.
            if "Union subtypes" not in str(error):
                raise
            raise InputError(str(error)) from error

    @override
    def instantiate_trainer(self, **kwargs: Any) -> RunTrainer:
        settings = self.settings.trainer
        self._set_threads()
        chosen = self.config_init[self.subcommand].trainer
        self._parent = Path(settings.default_root_dir or ".") / "lightning_logs" / self.settings.scheme
        folder: Path | None = self.settings.run_folder
        self._unfinished = self._find_unfinished(folder, self._parent)
        self.run_folder = self._unfinished.folder if self._unfinished else folder
        if self.subcommand == "fit" and folder is not None and self._unfinished is None:
            refuse_used(folder)
        # The saved config may be run again, elsewhere.
        self.settings["run_folder"], self.settings["resume"] = None, "never"
        self._has_own_logger = chosen.logger is None or chosen.logger is True
        self.trainer_defaults["callbacks"] = self._callbacks(chosen, self._unfinished)
        if self.datamodule.val_size == 0:
            kwargs["limit_val_batches"] = 0
        if self._has_own_logger:
            kwargs["logger"] = False  # until the run has a folder
        kwargs |= {"max_time": None, "plugins": _add_plugins(chosen.plugins)}
        try:
            trainer: RunTrainer = super().instantiate_trainer(**kwargs)  # type: ignore[assignment]
        except (ValueError, TypeError) as error:  # what Lightning says of accelerators, devices and strategies
            raise InputError(f"The Trainer can't be made as asked: {error}") from error
        trainer.parent = self._parent
        if self.settings.threads is not None and trainer.world_size > 1:
            # By this Lightning and the processes that it starts know; else each would get its share of the cores.
            os.environ["OMP_NUM_THREADS"] = str(self.settings.threads)
        return trainer

    def _set_threads(self) -> None:
        """Choose PyTorch's threads, before anything that they change is computed."""
        weights = sum(weight.numel() for weight in self.model.parameters())
        images = self.settings.data.batch_size
        torch.set_num_threads(
            choose_threads(self.settings.threads, weights, images, str(self.settings.trainer.accelerator))
        )

    def _find_unfinished(self, folder: Path | None, parent: Path) -> Unfinished | None:
        resume: Resume = self.settings.get("resume", "never")
        if self.subcommand != "fit":
            return None
        if resume == "never":
            if self.settings.ckpt_path is not None:
                refuse_another_optimizer(Path(self.settings.ckpt_path), self.recipe)
            return None
        if self.settings.ckpt_path is not None:
            raise InputError("--resume finds its own checkpoint: leave out --ckpt_path, or --resume.")
        chosen = self.settings.threads is not None or "OMP_NUM_THREADS" in os.environ
        unfinished = find_unfinished(resume, folder, parent, self.identity, threads_are_chosen=chosen)
        if unfinished is not None:
            self.save_config_kwargs["overwrite"] = True
            self.config_init[self.subcommand]["ckpt_path"] = unfinished.checkpoint
        return unfinished

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that a run must share with another to go on with it, but for its data."""
        return {
            "scheme": self.settings.scheme,
            "seed": self.settings.seed_everything,
            "recipe": self.recipe,
            "code": hash_code(),
        }

    def _callbacks(self, chosen: Namespace, unfinished: Unfinished | None) -> list[Callback]:
        record = RunRecord(self.identity, unfinished.folder if unfinished else None)
        report = Report(self.settings.scheme, self.settings.seed_everything, self.recipe)
        optional: list[Callback] = []
        if (chosen.logger or self._has_own_logger) and not self.settings.trainer.fast_dev_run:
            optional.append(LearningRateMonitor())
        if self.settings.trainer.enable_checkpointing is not False:
            optional.append(self.config_init[self.subcommand].checkpoint)
        users = chosen.callbacks if isinstance(chosen.callbacks, list) else [chosen.callbacks]
        optional.append(SlowSteps())
        reject_callbacks(users)
        if chosen.max_time is not None:
            if self.settings.trainer.enable_checkpointing is False:
                raise InputError("--trainer.max_time needs checkpoints: leave out --trainer.enable_checkpointing.")
            optional.append(TimeLimit(chosen.max_time))
        if self.settings.trainer.enable_progress_bar is not False and not any(
            isinstance(callback, LightningsProgressBar) for callback in users
        ):
            optional.append(make_progress_bar())
        return [record, HumanAlignment(), *optional, PredictionWriter(), report]

    @functools.cached_property
    def recipe(self) -> dict[str, Any]:
        """Every choice that decides the run's numbers, but for its seed."""
        recipe = make_recipe(yaml.safe_load(self.parser.dump(self.config, skip_none=False))[self.subcommand])
        if self.settings.ckpt_path is not None:
            recipe["from"] = {"sha256": hashlib.sha256(Path(self.settings.ckpt_path).read_bytes()).hexdigest()}
        return recipe

    def after_fit(self) -> None:
        """Test the network as training left it, as the paper does; on the validation images too, if there are any."""
        if self.settings.eval_after_fit and not self.trainer.interrupted:
            evaluations = [self.trainer.validate] if self.trainer.enable_validation else []
            for evaluate in [*evaluations, self.trainer.test]:
                evaluate(self.model, datamodule=self.datamodule, verbose=False, weights_only=True)
