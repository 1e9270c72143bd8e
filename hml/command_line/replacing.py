"""Announces that a command will replace the results of an earlier one."""

from pathlib import Path


def announce_replacement(path: Path) -> None:
    """Print that a file will be replaced, and how to keep it, if it exists. Call this before anything slow.

    Args:
        path: The main file of the results, whose place `--out` sets.
    """
    if path.exists():
        print(f"{path} will be replaced: to keep it, stop this and set another --out.", flush=True)
