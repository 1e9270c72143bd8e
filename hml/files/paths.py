"""Expands `~` and `$VAR` in paths, once, when text becomes a `Path`."""

import os
import re
from pathlib import Path

from hml.errors import InputError

_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_]\w*))")


def expand(path: str | Path) -> Path:
    """Expand `~`, `~user`, `$VAR` and `${VAR}` in a path.

    Args:
        path: Text from a flag, a config or an environment variable. A `Path` is returned unchanged, since it is already
            expanded or comes from code.

    Raises:
        InputError: a variable is not set, or there is no such user.

    Examples:
        >>> expand("$HOME/data") == expand("~/data") == Path.home() / "data"
        True
    """
    if isinstance(path, Path):
        return path
    unset = [name for name in map("".join, _VARIABLE.findall(path)) if name not in os.environ]
    if unset:
        raise InputError(f"{path}: the environment variable {unset[0]} is not set. Set it, or write the path in full.")
    text = os.path.expandvars(path)
    try:
        return Path(text).expanduser() if text.startswith("~") else Path(text)
    except RuntimeError as error:
        user = text.partition("/")[0]
        raise InputError(
            f"{path}: there is no user {user[1:]!r}. For a folder of that name, write ./{user}."
        ) from error
