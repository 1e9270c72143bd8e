"""What arguments and configs are refused for before anything is made of them."""

import difflib
import inspect
import itertools
import os
import pydoc
import re
import reprlib
from collections.abc import Collection, Sequence
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser, Namespace

from hml.errors import InputError
from hml.strict_yaml import find_line, parse_yaml


def check_configs(args: Sequence[str]) -> None:
    """Refuse configs that aren't mappings in YAML, or have a key twice; jsonargparse would do without their names.

    Args:
        args: The command line that names them.

    Raises:
        InputError: one is refused; names the file, and the line if it isn't YAML.
    """
    for path in map(Path, filter(os.path.exists, _configs_among(args))):
        if path.is_dir():  # which the parser refuses
            continue
        if not path.is_file():
            raise InputError(f"{path} can be read only once, and would pass unchecked: save the config as a file.")
        try:
            config = parse_yaml(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not text in UTF-8: {error}. Save it as such.") from error
        except yaml.YAMLError as error:
            raise InputError(f"{path} is not a config: {error}") from error
        if not isinstance(config, dict):
            held = "nothing" if config is None else reprlib.repr(config)
            raise InputError(f"{path} is not a config: it holds {held}, not flags and their values.")


def _configs_among(args: Sequence[str]) -> list[str]:
    separate = [value for flag, value in itertools.pairwise(args) if flag in ("--config", "-c")]
    return separate + [arg.partition("=")[2] for arg in args if arg.startswith("--config=")]


def refuse_empty(part: object, place: str = "") -> None:
    """Refuse what a config leaves empty among the arguments of classes, `width:`, where something must stand.

    Args:
        part: Settings, or some of them.
        place: Where in the settings they stand.

    Raises:
        TypeError: something is empty that its class doesn't allow to be None; the parser's words, with the whole key.
    """
    values = vars(part).items() if isinstance(part, Namespace) else enumerate(part) if isinstance(part, list) else ()
    for key, value in values:
        named = pydoc.locate(value.class_path) if isinstance(value, Namespace) and value.get("init_args") else None
        if inspect.isclass(named):  # rather than a function that makes one
            parser = ArgumentParser(exit_on_error=False)
            parser.add_class_arguments(named, fail_untyped=False)
            try:
                parser.validate(value.init_args, skip_unset=False, skip_required=True)
            except TypeError as error:
                raise TypeError(str(error).replace('"', f'"{place}{key}.init_args.', 1)) from error
        refuse_empty(value, f"{place}{key}.")


def check_amounts(subcommand: str | None, settings: Namespace) -> None:
    """Refuse a Trainer that is to do nothing, or something else than it says, and would say nothing of it.

    Raises:
        InputError: an amount is 0, or batches are to be overfitted.
    """
    stages = {"fit": ["train"], "validate": ["val"]}.get(subcommand or "", [subcommand])
    for name in ("max_epochs", "max_steps") if subcommand == "fit" else ():
        if settings.trainer[name] == 0:
            raise InputError(f"--trainer.{name} 0 trains nothing: give 1 or more, or use hml test on a checkpoint.")
    if subcommand == "fit" and settings.eval_after_fit:
        stages.append("test")
    for stage in stages:
        if settings.trainer.get(f"limit_{stage}_batches") == 0:
            raise InputError(f"--trainer.limit_{stage}_batches 0 leaves nothing to do: give 1, or leave it out.")
    if settings.trainer.overfit_batches:  # Lightning turns off the shuffling of its own kind of loader alone
        raise InputError(
            "--trainer.overfit_batches would take other images in every epoch. To see whether a network can memorise, "
            "give it few: --config configs/demo.yaml --data.images.num_train 60."
        )
    if (batches := settings.trainer.accumulate_grad_batches) < 1:
        raise InputError(f"--trainer.accumulate_grad_batches {batches} must be 1 or more.")


def check_checkpoint(subcommand: str, path: str | None) -> None:
    """Refuse a subcommand without the weights that it needs.

    Raises:
        InputError: there is no checkpoint, or no such file.
    """
    if path is None:
        if subcommand != "fit":
            raise InputError(f"hml {subcommand} needs trained weights: --ckpt_path <run folder>/checkpoints/last.ckpt.")
    elif not Path(path).is_file():  # Lightning's "last" looks into this run's folder, which is always a new one
        raise InputError(f"There is no checkpoint {path}: runs leave theirs in <run folder>/checkpoints/last.ckpt.")


def explain(complaint: str, args: Sequence[str], known_words: Collection[str]) -> str:
    """Make of jsonargparse's complaint one that says what is missing, or where it stands, and what may be meant.

    Args:
        complaint: The complaint.
        args: The command line that it is of.
        known_words: What flags and classes are called.
    """
    missing = re.search(r"arguments are required: \w+\.(.*)", complaint)
    if missing and not _configs_among(args):
        return f"--{missing[1]} is missing: give a config that has it, such as --config configs/sep_conf.yaml."
    return f"{_find(complaint, args)}{complaint}{_suggest(complaint, known_words)}"


def _find(complaint: str, args: Sequence[str]) -> str:
    """Name the configs, and the lines in them, of the key that a complaint quotes, if no flag can be meant."""
    configs = _configs_among(args)
    flags = [arg[2:].partition("=")[0] for arg in args if arg.startswith("--")]
    if not all(map(os.path.isfile, configs)):  # one is given in words
        return ""
    for key in re.findall(r"""['"]([\w.]+)['"]""", complaint):
        if any(key.startswith(flag) or flag.startswith(key) for flag in flags):  # --seed is short for a longer one
            return ""
        lines = {path: find_line(Path(path).read_text(encoding="utf-8"), key) for path in configs}
        places = [f"{path}, line {line}" for path, line in lines.items() if line is not None]
        if places:
            return f"{', or '.join(places)}: "
    return ""


def _suggest(message: str, known_words: Collection[str]) -> str:
    """Name the known word that an unknown one in the message comes close to, or is the last part of."""
    for word in re.findall(r"(?<![\w./])[\w.]*\w(?![\w./])", message):  # not those of paths
        nearest = difflib.get_close_matches(word, known_words, n=1, cutoff=0.8)
        nearest = nearest or sorted(known for known in known_words if known.endswith(f".{word.split('.')[0]}"))
        if nearest and word not in known_words and nearest[0] not in message:
            return f"\nDid you mean {nearest[0]}?"
    return ""
