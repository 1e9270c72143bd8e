"""`Recipe`: the choices that determine a run's results; and the name of a run."""

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

# The Trainer's arguments that don't change what it trains and tests.
_NOT_RECIPE_OF_TRAINER = {
    *("accelerator", "logger", "default_root_dir", "log_every_n_steps", "profiler", "detect_anomaly"),
    *("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "enable_autolog_hparams"),
    *("num_sanity_val_steps", "limit_val_batches", "val_check_interval", "check_val_every_n_epoch"),
    *("limit_predict_batches", "inference_mode", "model_registry", "max_time"),
}
_KNOWN_PACKAGES = ("hml", "lightning", "torch", "torchvision")  # their versions are stored in metrics.json
_NOT_RECIPE = ("data_dir", "seed")  # the folder of the files has no effect, and the seed is stored separately
_WEIGHTS = "from"
_FUNCTIONS = ("optimizer", "lr_scheduler", "wrap")  # arguments that may name a function in place of a class


@dataclass(frozen=True)
class Recipe:
    """All choices that determine a run's results, except its seed. Values are of JSON's types.

    `code` has the SHA-256 of the file of each user's class, by class path. `weights` has the SHA-256 of the checkpoint
    that training starts from, or that is evaluated. In files its key is `from`.
    """

    code: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    trainer: Mapping[str, Any] = field(default_factory=dict)  # only what changes what it trains and tests
    calibration: Mapping[str, Any] = field(default_factory=dict)
    fgsm: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the content for a JSON file."""
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        weights = parts.pop("weights")
        return parts | ({_WEIGHTS: weights} if weights else {})

    def compare(self, other: "Recipe") -> dict[str, tuple[Any, Any]]:
        """Find the choices that differ, by `hml.training.choices.differences`."""
        return differences(self.to_json(), other.to_json())

    @classmethod
    def from_json(cls, content: object) -> "Recipe | None":
        """Read the content of a JSON file; None if it isn't a recipe."""
        if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
            return None
        names = {part.name for part in fields(cls)}
        known = {("weights" if name == _WEIGHTS else name): part for name, part in content.items()}
        return cls(**known) if known.keys() <= names else None


def make_recipe(choices: Mapping[str, Any]) -> Recipe:
    """Collect all choices that determine a run's results, except its seed, from a subcommand's settings.

    Raises:
        InputError: a number isn't finite, which JSON can't represent.
    """
    choices = _name_modules(choices)
    weights = choices.get("ckpt_path")
    recipe = Recipe(
        code=_hash_users_code(choices),
        data={key: value for key, value in choices["data"].items() if key not in _NOT_RECIPE},
        model=choices["model"],
        # To Lightning, 1 and "1" devices are the same.
        trainer={key: value for key, value in choices["trainer"].items() if key not in _NOT_RECIPE_OF_TRAINER}
        | {"devices": str(choices["trainer"]["devices"])},
        calibration=choices["calibration"],
        fgsm={key: value for key, value in choices["fgsm"].items() if key != "num_pictures"},
        weights={} if weights is None else {"sha256": hashlib.sha256(Path(weights).read_bytes()).hexdigest()},
    )
    content = recipe.to_json()
    try:
        content = json.loads(json.dumps(content, allow_nan=False))  # the same types as when it is read
    except ValueError as error:
        infinite = {key: value for key, value in flatten(content).items() if str(value) in ("nan", "inf", "-inf")}
        named = [f"{key.replace('/', '.')}={value}" for key, value in infinite.items()]
        raise InputError(f"{', '.join(named) or 'A choice'} is not a finite number.") from error
    made = Recipe.from_json(content)
    assert made is not None, "a written recipe can be read"
    return made


def name_scheme(settings: Namespace) -> str:
    """Return a run's name: that in its config, or that of the strategy if a later one replaces the config's."""
    strategy = settings.data.strategy
    class_name = strategy.class_path.rpartition(".")[2]
    for path in filter(None, reversed(settings.get("config") or [])):  # None: YAML on the command line
        layer = yaml.safe_load(Path(str(path)).read_text(encoding="utf-8")) or {}
        if layer.get("scheme") != settings.scheme or settings.scheme is None:
            continue
        data = layer.get("data")  # may be the name of another file
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
            rank_zero_info(f"{class_name} uses {arguments} from {path}.")
        return _snake_case(class_name)
    return str(settings.scheme or _snake_case(class_name))


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _name_modules(choices: Any) -> Any:
    """Use the full paths of hml's classes, and write a function as a class, under `class_path`.

    jsonargparse shortens `hml.labels.NoMixed` to `hml.NoMixed`, and writes a function as its path only.
    """
    if isinstance(choices, list):
        return [_name_modules(value) for value in choices]
    if not isinstance(choices, Mapping):
        return choices
    named = {
        key: _name_modules({"class_path": value} if key in _FUNCTIONS and isinstance(value, str) else value)
        for key, value in choices.items()
    }
    if isinstance(path := named.get("class_path"), str):
        named["class_path"] = module_path(path)
    return named


def _hash_users_code(choices: object) -> dict[str, str]:
    """Hash the files of classes outside hml and the packages in `_KNOWN_PACKAGES`, as a part of the recipe."""
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


@functools.cache  # the imported code runs, even if the file changes later
def _hash_source(class_path: str) -> str:
    users_class: Any = pydoc.locate(class_path)
    try:
        source = inspect.getsourcefile(users_class)
    except TypeError:  # it isn't written in Python
        source = None
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source else "unknown"
