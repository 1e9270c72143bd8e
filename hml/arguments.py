"""What arguments and configs are refused for before anything is made of them."""

import difflib
import inspect
import pydoc
import re
from collections.abc import Collection
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser, Namespace

from hml.errors import InputError
from hml.strict_yaml import parse_yaml


def check_config(path: Path) -> None:
    """Refuse a config that isn't YAML, which jsonargparse would do without its name, or that has a key twice.

    Args:
        path: An argument of the command line; what isn't a config's name is passed over.

    Raises:
        InputError: it is refused; names file and line.
    """
    if path.suffix in (".yaml", ".yml", ".json") and path.is_file():
        try:
            parse_yaml(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not text in UTF-8: {error}. Save it as such.") from error
        except yaml.YAMLError as error:
            raise InputError(f"{path} is not a config: {error}") from error


def refuse_empty(part: object, place: str = "") -> None:
    """Refuse what a config leaves empty among the arguments of classes, `width:`, where something must stand.

    Args:
        part: Settings, or some of them.
        place: Where in the settings they stand, for the message.

    Raises:
        InputError: something is empty that its class doesn't allow to be None.
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
                raise InputError(f"{place}{key}.init_args: {error}. Fill it in, or leave it out.") from error
        refuse_empty(value, f"{place}{key}.")


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


def suggest(message: str, known_words: Collection[str]) -> str:
    """Name the known word that an unknown one in the message comes close to, or is the last part of."""
    for word in re.findall(r"[\w.]*\w", message):
        nearest = difflib.get_close_matches(word, known_words, n=1, cutoff=0.8)
        nearest = nearest or sorted(known for known in known_words if known.endswith(f".{word.split('.')[0]}"))
        if nearest and word not in known_words:
            return f"\nDid you mean {nearest[0]}?"
    return ""
