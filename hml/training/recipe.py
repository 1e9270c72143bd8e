"""What a run is called, and the choices that decide its numbers."""

import functools
import hashlib
import inspect
import json
import pydoc
import re
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning.pytorch.utilities import rank_zero_info

from hml.errors import InputError
from hml.training.choices import flatten

# What a Trainer may be told without changing what it trains and tests.
_NOT_RECIPE_OF_TRAINER = {
    *("accelerator", "logger", "default_root_dir", "log_every_n_steps", "profiler", "detect_anomaly"),
    *("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "enable_autolog_hparams"),
    *("num_sanity_val_steps", "limit_val_batches", "val_check_interval", "check_val_every_n_epoch"),
    *("limit_predict_batches", "inference_mode", "model_registry", "max_time"),
}
_KNOWN_PACKAGES = ("hml", "lightning", "torch", "torchvision")  # their versions stand in metrics.json
_NOT_RECIPE = ("data_dir", "seed")  # where files lie changes nothing, and the seed has its own place


def make_recipe(choices: dict[str, Any]) -> dict[str, Any]:
    """Gather every choice that decides a run's numbers, but for its seed.

    Args:
        choices: A subcommand's settings, as its config has them.

    Raises:
        InputError: one is a number that isn't finite, which no JSON can hold.
    """
    recipe = {
        "code": _hash_users_code(choices),
        "data": {key: value for key, value in choices["data"].items() if key not in _NOT_RECIPE},
        "model": choices["model"],
        # Lightning takes 1 and "1" devices for the same.
        "trainer": {key: value for key, value in choices["trainer"].items() if key not in _NOT_RECIPE_OF_TRAINER}
        | {"devices": str(choices["trainer"]["devices"])},
        "calibration": choices["calibration"],
        "fgsm": {key: value for key, value in choices["fgsm"].items() if key != "num_pictures"},
    }
    try:
        json.dumps(recipe, allow_nan=False)
    except ValueError as error:
        named = [f"{key.replace('/', '.')}={value}" for key, value in flatten(recipe).items() if _is_not_finite(value)]
        raise InputError(f"{', '.join(named) or 'A choice'} is not a finite number.") from error
    return recipe


def _is_not_finite(value: object) -> bool:
    return str(value) in ("nan", "inf", "-inf")


def name_scheme(settings: Namespace) -> str:
    """Name a run: what its config calls it, unless another strategy has been put in since; then after that."""
    strategy = settings.data.strategy
    class_name = strategy.class_path.rpartition(".")[2]
    for path in filter(None, reversed(settings.get("config") or [])):  # None stands for one given in words
        layer = yaml.safe_load(Path(str(path)).read_text(encoding="utf-8")) or {}
        if layer.get("scheme") != settings.scheme or settings.scheme is None:
            continue
        data = layer.get("data")  # which may be another file's name
        named = (data.get("strategy") if isinstance(data, dict) else None) or class_name
        named = named if isinstance(named, dict) else {"class_path": named}
        if str(named.get("class_path", class_name)).rpartition(".")[2] == class_name:
            break
        kept = {
            key: value
            for key, value in (strategy.init_args.as_dict() if strategy.get("init_args") else {}).items()
            if (named.get("init_args") or {}).get(key) == value
        }
        if kept:
            arguments = ", ".join(f"{key}={value}" for key, value in kept.items())
            rank_zero_info(f"{class_name} takes over {arguments} from {path}.")
        return _snake_case(class_name)
    return str(settings.scheme or _snake_case(class_name))


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _hash_users_code(choices: object) -> dict[str, str]:
    """Hash the files of classes that aren't hml's or a package's that it builds on: they are part of the recipe."""
    if isinstance(choices, list):
        choices = dict(enumerate(choices))
    if not isinstance(choices, dict):
        return {}
    found = {}
    class_path = choices.get("class_path")
    if isinstance(class_path, str) and class_path.partition(".")[0] not in _KNOWN_PACKAGES:
        found[class_path] = _hash_source(class_path)
    for value in choices.values():
        found |= _hash_users_code(value)
    return found


@functools.cache  # what was imported is what runs, though the file may change since
def _hash_source(class_path: str) -> str:
    users_class: Any = pydoc.locate(class_path)
    try:
        source = inspect.getsourcefile(users_class)
    except TypeError:  # it isn't written in Python
        source = None
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else "unknown"
