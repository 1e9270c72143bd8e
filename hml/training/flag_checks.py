"""Checks of arguments and configs, before anything is made of them."""

import inspect
import os
import pydoc
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from hml.command_line.configs import configs_among
from hml.command_line.flags import suggest
from hml.errors import InputError
from hml.files.paths import expand
from hml.files.strict_yaml import find_line, parse_yaml


def expand_paths(part: object, owner: object) -> None:
    """Expand, in place, the paths among settings: what the signature of their class or function says may be a `Path`.

    It covers classes that settings name too, such as a logger's `save_dir` or a strategy's `checkpoint`.

    Args:
        part: Settings, some of them, or a value of theirs.
        owner: The class or function that the settings are arguments of, if any.

    Raises:
        InputError: a path has a variable that is not set.
    """
    if isinstance(part, list):
        for value in part:
            expand_paths(value, None)
    if not isinstance(part, Namespace):
        return
    paths = _path_arguments(owner)
    for key, value in vars(part).items():
        if isinstance(value, str | Path) and key in paths and "://" not in str(value):
            part[key] = expand(str(value))
        elif isinstance(value, list) and key in paths:
            part[key] = [expand(item) if isinstance(item, str) else item for item in value]
        elif key == "init_args":
            expand_paths(value, pydoc.locate(part.class_path))
        else:
            expand_paths(value, None)


def _path_arguments(owner: object) -> set[str]:
    """Name the arguments of a class, its bases' among them, or of a function, whose annotation has a path in it."""
    makers = [vars(base).get("__init__") for base in owner.__mro__] if inspect.isclass(owner) else [owner]
    # Annotations are searched as text: some can't be evaluated, since they name what only type checkers import.
    return {
        name
        for maker in filter(inspect.isfunction, makers)
        for name, parameter in inspect.signature(maker).parameters.items()
        if re.search(r"\b(Path|PathLike|_PATH)\b", str(parameter.annotation))
    }


def reject_empty_groups(groups: Collection[str], args: Sequence[str]) -> None:
    """Reject a group of flags that a config on the command line leaves empty, `trainer:`, which would unset defaults.

    Raises:
        InputError: there is one; names the config and the line.
    """
    configs = configs_among(args)
    paths = set(filter(os.path.isfile, configs))
    for config in configs:
        text = Path(config).read_text(encoding="utf-8") if config in paths else config  # YAML on the command line
        content = parse_yaml(text)
        for group in groups if isinstance(content, dict) else ():
            if group in content and content[group] is None:
                line = find_line(text, group)
                raise InputError(f"{config}, line {line}: {group} is empty. Fill it in, or leave it out.")


def refuse_empty(part: object, place: str = "") -> None:
    """Reject an argument of a class that a config leaves empty, `width:`, though its class doesn't allow None.

    Raises:
        TypeError: there is one; the parser's message, with the whole key, which starts with `place`.
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


def check_amounts(subcommand: str, settings: Namespace) -> None:
    """Reject amounts with which Lightning would do nothing, or something else, without a warning.

    Raises:
        InputError: an amount is 0, or batches are to be overfitted.
    """
    stages = {"fit": ["train"], "validate": ["val"]}.get(subcommand, [subcommand])
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
    if subcommand == "validate" and settings.data.val_size == 0:
        raise InputError(
            "There are no validation images: give the same --data.val_size as in fit, say 500. "
            "(hml test evaluates on the test images.)"
        )


def check_checkpoint(subcommand: str, path: Path | None) -> None:
    """Reject a missing checkpoint.

    Raises:
        InputError: the subcommand needs one and has none, or there is no such file.
    """
    if path is None:
        if subcommand != "fit":
            raise InputError(f"hml {subcommand} needs trained weights: --ckpt_path <run folder>/checkpoints/last.ckpt.")
    elif not path.is_file():  # Lightning's "last" looks into this run's folder, which is always a new one
        raise InputError(f"There is no checkpoint {path}: runs leave theirs in <run folder>/checkpoints/last.ckpt.")


def explain(complaint: str, args: Sequence[str], known_words: Collection[str]) -> str:
    """Add to jsonargparse's complaint about a command line where the fault is, and which known word may be meant."""
    complaint = re.sub(r"Group '([\w.]+)' does not accept option '", r"hml does not accept option '\1.", complaint)
    missing = re.search(r"arguments are required: (.*)", complaint)
    if missing and not configs_among(args):
        return f"--{missing[1]} is missing: give a config that has it, such as --config configs/sep_conf.yaml."
    return f"{_find(complaint, args)}{complaint}{suggest(complaint, known_words)}"


def _find(complaint: str, args: Sequence[str]) -> str:
    """Name the configs, and the lines in them, of the key that a complaint quotes, if no flag can be meant."""
    configs = configs_among(args)
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
