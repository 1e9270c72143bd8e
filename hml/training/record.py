"""`RunRecord`: what a run is, in its `run.json` from the start, with the only reader and writer of that file."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy
import torch

import hml
from hml.files.atomic import write_atomically
from hml.files.strict_json import read_json_object
from hml.training.choices import differences
from hml.training.recipe import Recipe

RECORD = "run.json"


@dataclass(frozen=True)
class RunRecord:
    """What a run is.

    Args:
        scheme: The name of its scheme.
        seed: Its seed.
        recipe: Every other choice that decides its numbers.
        code: The code that runs, as `hash_code` describes it.
        data: What it trains and tests on; empty until the data are read.
        threads: How many threads it uses on a CPU; None on another device, and until it starts.
    """

    scheme: str
    seed: int
    recipe: Recipe
    code: Mapping[str, str]
    data: Mapping[str, Any]
    threads: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the content of `run.json`."""
        return asdict(self) | {"recipe": self.recipe.to_json()}

    def compare(self, asked: "RunRecord", *parts: str) -> dict[str, tuple[Any, Any]]:
        """Find what differs between this run and the one asked for, as `hml.training.choices.differences`.

        Args:
            asked: The run asked for.
            parts: The fields to compare.
        """
        there, wanted = self.to_json(), asked.to_json()
        return differences({part: there[part] for part in parts}, {part: wanted[part] for part in parts})


def write_record(folder: Path, record: RunRecord) -> None:
    """Write a run's `run.json`, whole or not at all."""
    write_atomically(folder / RECORD, json.dumps(record.to_json(), indent=2, allow_nan=False) + "\n")


def read_record(folder: Path) -> RunRecord | None:
    """Read a run's `run.json`; None where there is none, or none that is whole."""
    content = read_json_object(folder / RECORD)
    if content is None:
        return None
    scheme, seed, code, data = (content.get(key) for key in ("scheme", "seed", "code", "data"))
    recipe, threads = Recipe.from_json(content.get("recipe")), content.get("threads")
    if not (isinstance(scheme, str) and isinstance(seed, int) and isinstance(threads, int | None)) or recipe is None:
        return None
    if not (isinstance(code, dict) and isinstance(data, dict)):
        return None
    return RunRecord(scheme, seed, recipe, code, data, threads)


@functools.cache
def hash_code() -> dict[str, str]:
    """Describe the code that runs: hml's own, hashed, and the versions of the packages whose arithmetic it uses."""
    root = Path(hml.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.yaml")]):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    versions = {"torch": torch.__version__, "lightning": lightning.__version__, "numpy": numpy.__version__}
    return {"hml": digest.hexdigest()} | versions
