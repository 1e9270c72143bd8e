"""Finds configs by path or name, and checks them before slow imports."""

import difflib
import reprlib
from collections.abc import Sequence
from pathlib import Path

import yaml

import hml
from hml.errors import InputError
from hml.files.paths import expand
from hml.files.strict_yaml import parse_yaml

STUDIES = "elicit"
"""The folder within `configs/` for the studies of `hml elicit`."""
_FOLDER = Path("configs")
_ENDINGS = (".yaml", ".yml")


def find_config(name: str | Path, kind: str = "") -> Path:
    """Find a config: a file, otherwise a config in `configs/` of the working directory, otherwise a built-in one.

    Args:
        name: A path, or a name without the suffix: "sep_conf" is `configs/sep_conf.yaml`.
        kind: The folder within `configs/` in which to look up names: `STUDIES` for studies.

    Raises:
        InputError: there is no such config. The message suggests the most similar name.
    """
    path = expand(name)
    if path.exists() and not path.is_dir():
        return path
    folders = (_FOLDER, shipped_folder())
    inside = path.relative_to(_FOLDER) if path.parts[:1] == _FOLDER.parts else None
    if path.suffix not in _ENDINGS:
        inside = (Path(kind) / path if inside is None else inside).with_name(f"{path.name}.yaml")
    if inside is not None:
        for folder in folders:
            if (found := folder / inside).is_file():
                return found
    known = sorted({found.stem for folder in folders for found in (folder / kind).glob("*.yaml")})
    nearest = difflib.get_close_matches(path.stem, known, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"hml has {', '.join(known)}. Give your own by its path."
    raise InputError(f"There is no {'study' if kind == STUDIES else 'config'} {name}: {hint}")


def shipped_folder() -> Path:
    """Return the folder of the built-in configs, in an installation or a checkout."""
    package = Path(hml.__file__).parent
    installed = package / _FOLDER
    return installed if installed.is_dir() else package.parent / _FOLDER


def resolve_configs(args: Sequence[str]) -> list[str]:
    """Replace names after `--config` and `-c` by paths, and check each file.

    A value that is YAML, such as '{seed_everything: 3}', is kept.

    Raises:
        InputError: there is no such config, or it is not a YAML mapping. The message has the file and the line.
    """
    resolved: list[str] = []
    flag = ""
    for arg in args:
        if flag in ("--config", "-c"):
            resolved.append(_resolve(arg))
        elif arg.startswith("--config="):
            resolved.append(f"--config={_resolve(arg.partition('=')[2])}")
        elif arg.startswith("-c") and arg != "-c":
            resolved += ["-c", _resolve(arg[2:].removeprefix("="))]
        else:
            resolved.append(arg)
        flag = "" if flag in ("--config", "-c") else arg
    return resolved


def configs_among(args: Sequence[str]) -> list[str]:
    """List the configs of a command line that `resolve_configs` returned, in order."""
    found = []
    for flag, value in zip(["", *args], [*args, ""], strict=True):
        if flag in ("--config", "-c"):
            found.append(value)
        elif flag.startswith("--config="):
            found.append(flag.partition("=")[2])
    return found


def _resolve(value: str) -> str:
    if _is_in_words(value):
        return value
    path = find_config(value)
    _check(path)
    return str(path)


def _is_in_words(value: str) -> bool:
    """Return whether a value is not a path but YAML, an address, or standard input."""
    if value == "-" or "://" in value or "\n" in value:
        return True
    if Path(value).exists():
        return False
    try:
        return not isinstance(yaml.safe_load(value), str)
    except (yaml.YAMLError, ValueError):
        return True


def _check(path: Path) -> None:
    """Reject a config that is not a mapping or repeats a key. Errors of jsonargparse would not name the file."""
    if not path.is_file():
        raise InputError(f"{path} can be read only once, so it can't be checked first: save the config as a file.")
    try:
        config = parse_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8: {error}. Save it as UTF-8.") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not a config: {error}") from error
    if not isinstance(config, dict):
        held = "nothing" if config is None else reprlib.repr(config)
        raise InputError(f"{path} is not a config: it contains {held}, not flags and their values.")
