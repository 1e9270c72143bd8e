"""Reads `--schemes` and `--seeds`: the configs that a study compares, and their seeds."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

import yaml

from hml.command_line.configs import find_config
from hml.errors import InputError
from hml.evaluation.paper import PAPER_TABLE
from hml.experiments.command import ALL_CONTROLS
from hml.files.strict_yaml import parse_yaml
from hml.randomness import LARGEST_SEED

PAPER_SCHEMES = tuple(PAPER_TABLE)
CONTROLS = ("regular_steps", "mixup_conf", "mixup_smooth", "flip", "shuffled", "uniform")
ON_THE_FLY = ("mixup_fly", "curves_fly", "learned_mean", "learned_sample", "learned_conf")
_MOST_SEEDS = 1000


def find_configs(schemes: Iterable[str]) -> list[Path]:
    """Find the config of each scheme.

    Args:
        schemes: Names or paths of configs, or "controls" for `CONTROLS`. ("controls",) means
            the paper's six and the controls. An empty sequence means the six.

    Raises:
        InputError: there is no such scheme or file.
    """
    return [find_config(name) for name in _expand(schemes)]


def scheme_names(schemes: Iterable[str], known: Collection[str] = ()) -> list[str]:
    """Return the names of schemes, given as for `find_configs` or by a known name, which needs no config.

    Raises:
        InputError: there is no such scheme or file, or its config has no `scheme`.
    """
    return [name if name in known else _read_name(find_config(name)) for name in _expand(schemes)]


def _read_name(path: Path) -> str:
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict) or not content.get("scheme"):
        raise InputError(f"{path} has no `scheme:`, which names its runs: give the scheme's name instead.")
    return str(content["scheme"])


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names of schemes: the paper's, the controls, those mixed on the fly, then all others by name."""
    first = [*PAPER_SCHEMES, *CONTROLS, *ON_THE_FLY]
    return sorted(set(names), key=lambda name: (first.index(name) if name in first else len(first), name))


def _expand(schemes: Iterable[str]) -> list[str]:
    names = [name for part in schemes for name in part.split(",") if name]
    if set(names) <= {ALL_CONTROLS}:
        names = [*PAPER_SCHEMES, *names]
    return list(dict.fromkeys(name for part in names for name in (CONTROLS if part == ALL_CONTROLS else (part,))))


def parse_seeds(text: str) -> list[int]:
    """Read seeds: a range that includes both ends, a list, or both.

    Raises:
        InputError: the text is neither, or a seed is out of range.

    Examples:
        >>> parse_seeds("0..2,7")
        [0, 1, 2, 7]
    """
    seeds: list[int] = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,10})(?:\.\.(\d{1,10}))?", part)
        if match is None:
            raise InputError(f"seeds={text!r} is not a range such as 0..4 or a list such as 0,1,7.")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last <= LARGEST_SEED or last - first >= _MOST_SEEDS:
            raise InputError(f"seeds={text!r}: {part} is not an ascending range of at most {_MOST_SEEDS} seeds.")
        seeds.extend(range(first, last + 1))
    return list(dict.fromkeys(seeds))
