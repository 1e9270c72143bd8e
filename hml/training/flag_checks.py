"""Checks of arguments and configs, before any object is created from them."""

import functools
import inspect
import os
import pydoc
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from hml.command_line.class_errors import explain_class
from hml.command_line.configs import configs_among
from hml.command_line.suggestions import suggest
from hml.errors import InputError
from hml.files.paths import expand
from hml.files.strict_yaml import find_line, parse_yaml


def expand_paths(part: object, owner: object) -> None:
    """Expand the paths among settings, in place. A path is an argument whose annotation contains `Path`.

    The arguments of nested classes are included, such as a logger's `save_dir` or a strategy's `checkpoint`.

    Args:
        part: All settings, a part of them, or a single value.
        owner: The class or function that takes the settings as arguments, if any.

    Raises:
        InputError: a path contains an environment variable that is not set.
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
    """Return the names of a function's, or a class's and its bases', arguments whose annotation contains a path."""
    makers = [vars(base).get("__init__") for base in owner.__mro__] if inspect.isclass(owner) else [owner]
    # Annotations are searched as text: some can't be evaluated, because only type checkers import their names.
    return {
        name
        for maker in filter(inspect.isfunction, makers)
        for name, parameter in inspect.signature(maker).parameters.items()
        if re.search(r"\b(Path|PathLike|_PATH)\b", str(parameter.annotation))
    }


def reject_empty_groups(groups: Collection[str], args: Sequence[str]) -> None:
    """Reject a config with an empty group of flags, such as `trainer:`, which would unset the defaults.

    Raises:
        InputError: a group is empty. The error names the config and the line.
    """
    configs = configs_among(args)
    paths = set(filter(os.path.isfile, configs))
    for config in configs:
        text = Path(config).read_text(encoding="utf-8") if config in paths else config  # YAML on the command line
        content = parse_yaml(text)
        for group in groups if isinstance(content, dict) else ():
            if group in content and content[group] is None:
                line = find_line(text, group)
                raise InputError(f"{config}, line {line}: {group} is empty. Give it a value, or remove it.")


def reject_empty(part: object, place: str = "") -> None:
    """Reject an empty argument of a class in a config, such as `width:`, unless the class allows None.

    Raises:
        TypeError: an argument is empty. The message is the parser's, with the whole key, which starts with `place`.
    """
    values = vars(part).items() if isinstance(part, Namespace) else enumerate(part) if isinstance(part, list) else ()
    for key, value in values:
        named = pydoc.locate(value.class_path) if isinstance(value, Namespace) and value.get("init_args") else None
        if inspect.isclass(named):  # not a function that returns an instance
            try:
                parser = _parser_of(named)  # type: ignore[arg-type]  # mypy 2 doesn't see that a class is hashable
                parser.validate(value.init_args, skip_unset=False, skip_required=True)
            except TypeError as error:
                raise TypeError(str(error).replace('"', f'"{place}{key}.init_args.', 1)) from error
        reject_empty(value, f"{place}{key}.")


@functools.cache
def _parser_of(named: type) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(named, fail_untyped=False)
    return parser


def check_amounts(subcommand: str, settings: Namespace) -> None:
    """Reject amounts with which Lightning silently does nothing, or something else.

    Raises:
        InputError: an amount is 0, or `overfit_batches` is set.
    """
    stages = {"fit": ["train"], "validate": ["val"]}.get(subcommand, [subcommand])
    for name in ("max_epochs", "max_steps") if subcommand == "fit" else ():
        if settings.trainer[name] == 0:
            raise InputError(f"--trainer.{name} 0 trains nothing: set 1 or more, or use hml test on a checkpoint.")
    if subcommand == "fit" and settings.eval_after_fit:
        stages.append("test")
    for stage in stages:
        if settings.trainer.get(f"limit_{stage}_batches") == 0:
            raise InputError(f"--trainer.limit_{stage}_batches 0 leaves no batches: set 1 or more, or omit the flag.")
    if settings.trainer.overfit_batches:  # Lightning turns off shuffling only in PyTorch's DataLoader
        raise InputError(
            "--trainer.overfit_batches would use different images every epoch. To check that a network can memorise "
            "its data, train on few images: --config configs/demo.yaml --data.images.num_train 60."
        )
    if (batches := settings.trainer.accumulate_grad_batches) < 1:
        raise InputError(f"--trainer.accumulate_grad_batches {batches} must be 1 or more.")
    if subcommand == "validate" and settings.data.val_size == 0:
        raise InputError(
            "There are no validation images: set the --data.val_size that fit used, such as 500. "
            "(hml test evaluates on the test images.)"
        )


def check_checkpoint(subcommand: str, path: Path | None) -> None:
    """Reject a missing checkpoint.

    Raises:
        InputError: the subcommand needs a checkpoint and none is given, or the file doesn't exist.
    """
    if path is None:
        if subcommand != "fit":
            raise InputError(f"hml {subcommand} needs trained weights: --ckpt_path <run folder>/checkpoints/last.ckpt.")
    elif not path.is_file():  # Lightning's "last" searches this run's folder, which is always new
        raise InputError(f"There is no checkpoint {path}: a run's checkpoint is <run folder>/checkpoints/last.ckpt.")


def explain(complaint: str, args: Sequence[str], known_words: Collection[str]) -> str:
    """Add the place of the fault and the most similar known word to jsonargparse's error about a command line."""
    complaint = re.sub(r"Group '([\w.]+)' does not accept option '", r"hml does not accept option '\1.", complaint)
    about_class = explain_class(complaint, lambda: known_words)
    missing = re.search(r"arguments are required: (.*)", complaint)
    if missing and about_class is None:
        return f"--{missing[1]} is missing: add a config that sets it, such as --config configs/sep_conf.yaml."
    return f"{_find(complaint, args)}{about_class or complaint + suggest(complaint, known_words)}"


def _find(complaint: str, args: Sequence[str]) -> str:
    """Return the configs and lines with the key that an error quotes; empty if the key may be that of a flag."""
    configs = configs_among(args)
    flags = [arg[2:].partition("=")[0] for arg in args if arg.startswith("--")]
    if not all(map(os.path.isfile, configs)):  # one is YAML on the command line
        return ""
    for key in re.findall(r"""['"]([\w.]+)['"]""", complaint):
        if any(key.startswith(flag) or flag.startswith(key) for flag in flags):  # --seed is short for --seed_everything
            return ""
        lines = {path: find_line(Path(path).read_text(encoding="utf-8"), key) for path in configs}
        places = [f"{path}, line {line}" for path, line in lines.items() if line is not None]
        if places:
            return f"{', or '.join(places)}: "
    return ""
