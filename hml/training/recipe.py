"""`Recipe`: the choices that decide a run's numbers; and what a run is called."""

import functools
import hashlib
import inspect
import json
import pydoc
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace
from lightning.pytorch.utilities import rank_zero_info

from hml.errors import InputError
from hml.offered import module_path
from hml.training.choices import differences, flatten

# What a Trainer may be told without changing what it trains and tests.
_NOT_RECIPE_OF_TRAINER = {
    *("accelerator", "logger", "default_root_dir", "log_every_n_steps", "profiler", "detect_anomaly"),
    *("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "enable_autolog_hparams"),
    *("num_sanity_val_steps", "limit_val_batches", "val_check_interval", "check_val_every_n_epoch"),
    *("limit_predict_batches", "inference_mode", "model_registry", "max_time"),
}
_KNOWN_PACKAGES = ("hml", "lightning", "torch", "torchvision")  # their versions stand in metrics.json
_NOT_RECIPE = ("data_dir", "seed")  # where files lie changes nothing, and the seed has its own place
_WEIGHTS = "from"


@dataclass(frozen=True)
class Recipe:
    """Every choice that decides a run's numbers, but for its seed: the arguments of its parts, of JSON's types only.

    `code` has the SHA-256 of the files of users' classes, by class. `weights` has that of the checkpoint that training
    started from, or that is evaluated; files name it `from`.
    """

    code: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    trainer: Mapping[str, Any] = field(default_factory=dict)  # only what changes what it trains and tests
    calibration: Mapping[str, Any] = field(default_factory=dict)
    fgsm: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what files hold."""
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        weights = parts.pop("weights")
        return parts | ({_WEIGHTS: weights} if weights else {})

    def compare(self, other: "Recipe") -> dict[str, tuple[Any, Any]]:
        """Find the choices that differ, as `hml.training.choices.differences`."""
        return differences(self.to_json(), other.to_json())

    @classmethod
    def from_json(cls, content: object) -> "Recipe | None":
        """Read what files hold; None where that is no recipe."""
        if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
            return None
        names = {part.name for part in fields(cls)}
        known = {("weights" if name == _WEIGHTS else name): part for name, part in content.items()}
        return cls(**known) if known.keys() <= names else None


def make_recipe(choices: Mapping[str, Any]) -> Recipe:
    """Gather every choice that decides a run's numbers, but for its seed, from a verb's settings.

    Raises:
        InputError: one is a number that isn't finite, which JSON can't hold.
    """
    choices = _name_modules(choices)
    weights = choices.get("ckpt_path")
    recipe = Recipe(
        code=_hash_users_code(choices),
        data={key: value for key, value in choices["data"].items() if key not in _NOT_RECIPE},
        model=choices["model"],
        # Lightning takes 1 and "1" devices for the same.
        trainer={key: value for key, value in choices["trainer"].items() if key not in _NOT_RECIPE_OF_TRAINER}
        | {"devices": str(choices["trainer"]["devices"])},
        calibration=choices["calibration"],
        fgsm={key: value for key, value in choices["fgsm"].items() if key != "num_pictures"},
        weights={} if weights is None else {"sha256": hashlib.sha256(Path(weights).read_bytes()).hexdigest()},
    )
    content = recipe.to_json()
    try:
        content = json.loads(json.dumps(content, allow_nan=False))  # as it will be read again
    except ValueError as error:
        infinite = {key: value for key, value in flatten(content).items() if str(value) in ("nan", "inf", "-inf")}
        named = [f"{key.replace('/', '.')}={value}" for key, value in infinite.items()]
        raise InputError(f"{', '.join(named) or 'A choice'} is not a finite number.") from error
    made = Recipe.from_json(content)
    assert made is not None, "a recipe is read as it was written"
    return made


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


def _name_modules(choices: Any) -> Any:
    """Name hml's classes by their modules: jsonargparse shortens `hml.labels.NoMixed` to `hml.NoMixed`."""
    if isinstance(choices, list):
        return [_name_modules(value) for value in choices]
    if not isinstance(choices, Mapping):
        return choices
    named = {key: _name_modules(value) for key, value in choices.items()}
    if isinstance(path := named.get("class_path"), str):
        named["class_path"] = module_path(path)
    return named


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
