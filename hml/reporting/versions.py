"""The commit of hml."""

import subprocess
from pathlib import Path

import hml

UNKNOWN = "unknown"


def find_commit() -> str:
    """Return the commit of the checkout, with `-dirty` if it has changes. Outside a checkout, return `UNKNOWN`."""
    checkout = Path(hml.__file__).parent.parent
    if not (checkout / ".git").exists():
        return UNKNOWN
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, or another user's checkout
        return UNKNOWN
