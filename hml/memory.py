"""Available memory."""

import re
from pathlib import Path


def available_memory() -> int | None:
    """Return the available memory in bytes if Linux reports it, otherwise None."""
    info, limit = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")  # the second is a container's
    if not info.exists():
        return None
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", info.read_text(), re.MULTILINE)
    available = 1024 * int(found[1]) if found else None
    bound = limit.read_text().strip() if limit.exists() else ""
    return min([size for size in (available, int(bound) if bound.isdecimal() else None) if size], default=None)
