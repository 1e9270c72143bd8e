"""Which hml this is: the commit that it was run from."""

import subprocess
from pathlib import Path

import hml

UNKNOWN = "unknown"


def find_commit() -> str:
    """Name the commit that hml was run from, with `-dirty` if it was changed since; `UNKNOWN` outside a checkout."""
    checkout = Path(hml.__file__).parent.parent
    if not (checkout / ".git").exists():
        return UNKNOWN
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, or a checkout of another user's
        return UNKNOWN
