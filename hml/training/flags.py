"""The parser of the flags of `hml fit`, `validate`, `test` and `predict`, and the settings that it returns."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import lightning
from jsonargparse import ArgumentError, Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

import hml.data
import hml.labels
import hml.models
from hml.command_line.configs import resolve_configs
from hml.data import HMixDataModule
from hml.errors import HmlError, InputError
from hml.evaluation.callbacks import FGSM, Calibration
from hml.evaluation.predictions import Format
from hml.files.paths import expand
from hml.randomness import LARGEST_SEED
from hml.training import flag_checks, flag_help
from hml.training.checkpoints import LatestCheckpoint
from hml.training.classifier import Classifier
from hml.training.hardware import best_precision
from hml.training.num_classes import follow_data
from hml.training.recipe import name_scheme
from hml.training.resuming import Resume
from hml.training.trainer import RunTrainer

_METHODS = LightningCLI.subcommands()
"""The subcommands, which are methods of the Trainer, with those of their arguments that aren't flags."""
_PRINT_CONFIG = re.compile("--print_config(=|$)")


@dataclass(frozen=True)
class Command:
    """A parsed and checked command line.

    `settings` has the value of every flag, with paths expanded and the scheme and precision set. `method_flags`
    names the flags that are arguments of the Trainer's method, such as `ckpt_path`.
    """

    verb: str
    settings: Namespace
    parser: LightningArgumentParser
    method_flags: Sequence[str]


def parse(args: Sequence[str]) -> Command:
    """Parse and check a command line: a subcommand and its flags.

    Raises:
        InputError: there is no such subcommand, or a flag or a config is wrong.
    """
    verb = args[0] if args else ""
    if verb not in _METHODS:
        raise InputError(f"There is no subcommand {verb!r}: use one of {', '.join(_METHODS)}.")
    asked_help = [arg for arg in args if arg in ("-h", "--help", flag_help.EVERYTHING)]
    # Help and --print_config change a parser. Other command lines of a process share one, as making it takes long.
    make_parser = _make_parser if asked_help or any(map(_PRINT_CONFIG.match, args)) else _shared_parser
    parser, method_flags = make_parser(verb)
    if asked_help:
        flag_help.arrange(parser, verb, everything=asked_help[0] == flag_help.EVERYTHING)
    given = resolve_configs(["--help" if arg == flag_help.EVERYTHING else arg for arg in args[1:]])
    settings = _follow_data(parser, given)
    _complete(verb, settings)
    return Command(verb, settings, parser, method_flags)


def _make_parser(verb: str) -> tuple[LightningArgumentParser, list[str]]:
    """Make a subcommand's parser, and return the names of the flags that are arguments of the Trainer's method."""
    method = getattr(Trainer, verb)
    parser = LightningArgumentParser(
        prog=f"hml {verb}",
        description=(method.__doc__ or "").strip().partition("\n")[0],
        exit_on_error=False,
        allow_abbrev=False,
        dump_header=[f"lightning.pytorch=={lightning.__version__}"],  # of the saved config
        default_config_files=[str(files("hml.training") / "defaults.yaml")],
    )
    parser.add_argument("-c", "--config", action="config", help="A config.")
    seed_help = "The seed of the network's initial weights and of all random draws."
    parser.add_argument("--seed_everything", "--seed", type=int, default=0, help=seed_help)
    parser.add_lightning_class_args(RunTrainer, "trainer")
    # `gradient_clip_val` is a flag of the Trainer.
    parser.add_class_arguments(Classifier, "model", fail_untyped=False, sub_configs=True, skip={"gradient_clip_val"})
    parser.add_lightning_class_args(HMixDataModule, "data")
    _add_own_flags(parser, verb)
    parser.link_arguments("seed_everything", "data.seed")
    return parser, parser.add_method_arguments(Trainer, verb, skip=set(_METHODS[verb]))


_shared_parser = functools.cache(_make_parser)


def _add_own_flags(parser: LightningArgumentParser, verb: str) -> None:
    parser.add_argument("--scheme", type=str | None, help="The run's name; by default that of its strategy.")
    parser.add_argument(
        "--run_folder",
        type=Path | None,
        help="The folder for the run's files; by default a new lightning_logs/<scheme>/version_<n>. With a run's "
        "checkpoint, by default a new <run folder>/<subcommand>/version_<n>.",
    )
    parser.add_argument(
        "--resume",
        type=Resume,
        default="never",
        help="Whether fit resumes an interrupted run: the newest of the same scheme, recipe and seed, or the one "
        "in --run_folder. auto: if there is one. must: raise an error if there is none.",
    )
    parser.add_argument("--eval_after_fit", type=bool, default=True, help="Whether to test the network after fit.")
    if verb == "predict":
        parser.add_argument(
            "--format",
            type=Format,
            default="csv",
            help="The file to write: predictions.csv has probabilities; predictions.npz has logits too, for NumPy.",
        )
    parser.add_argument(
        "--threads",
        type=int | None,
        help="Number of PyTorch's threads on a CPU. By default one for a narrow network, otherwise one per core, or "
        "the value of OMP_NUM_THREADS. Another number changes rounding, which training amplifies.",
    )
    parser.add_lightning_class_args(Calibration, "calibration")
    parser.add_lightning_class_args(FGSM, "fgsm")
    parser.add_class_arguments(LatestCheckpoint, "checkpoint")


def _parse(parser: LightningArgumentParser, given: Sequence[str]) -> Namespace:
    flags = {option.lstrip("-") for action in flag_help.actions_of(parser) for option in action.option_strings}
    known_words = flags | {*hml.labels.__all__, *hml.data.__all__, *hml.models.__all__}
    flag_checks.reject_empty_groups(parser.groups or (), given)
    try:
        settings = parser.parse_args(given)
    except ArgumentError as error:
        raise InputError(flag_checks.explain(str(error), given, known_words)) from error
    try:
        # Parsing accepts empty keys of any type in a config, such as `batch_size:`.
        parser.validate(settings, skip_unset=False)
        flag_checks.reject_empty(settings)
    except TypeError as error:
        raise InputError(flag_checks.explain(f"{error}. Give it a value, or remove it.", given, known_words)) from error
    return settings


def _follow_data(parser: LightningArgumentParser, given: Sequence[str]) -> Namespace:
    """Parse flags. If they don't set the network's number of classes, set it to that of the data."""
    flags = [arg for arg in given if not _PRINT_CONFIG.match(arg)]
    followed = list(given)
    try:
        settings = _parse(parser, flags)
        followed = follow_data(settings, given)
    except HmlError:
        if len(flags) == len(given):
            raise  # with --print_config, data are not needed
    return settings if followed == flags else _parse(parser, followed)  # parsing takes a tenth of a second


def _complete(verb: str, settings: Namespace) -> None:
    """Check settings, expand their paths, and set the scheme's name and the precision."""
    if not 0 <= settings.seed_everything <= LARGEST_SEED:
        raise InputError(f"seed={settings.seed_everything} must be 0 to {LARGEST_SEED}.")
    if settings.threads is not None and settings.threads < 1:
        raise InputError(f"--threads {settings.threads} must be 1 or more.")
    settings["scheme"] = name_scheme(settings)
    for key, owner in (("trainer", RunTrainer), ("data", HMixDataModule), ("model", Classifier)):
        flag_checks.expand_paths(settings[key], owner)
    for key in ("run_folder", "ckpt_path"):
        if settings.get(key) is not None:
            settings[key] = expand(str(settings[key]))
    if "://" in str(root := settings.trainer.default_root_dir):
        raise InputError(f"--trainer.default_root_dir {root} is a URL: set a local folder for the run's files.")
    flag_checks.check_checkpoint(verb, settings.get("ckpt_path"))
    if settings.trainer.precision is None:
        settings.trainer["precision"] = best_precision(str(settings.trainer.accelerator))
    if not re.fullmatch(r"\w[\w.+-]*", settings.scheme):
        raise InputError(f"scheme={settings.scheme!r} names a folder: use letters, digits, and . + - _.")
    flag_checks.check_amounts(verb, settings)
