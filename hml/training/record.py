"""`RunRecord`: the description of a run that is written to `run.json` at its start. Reads and writes that file."""

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
    """The description of a run."""

    scheme: str
    seed: int
    recipe: Recipe
    code: Mapping[str, str]  # as `hash_code` describes it
    data: Mapping[str, Any]  # the data module's `provenance`; empty until the data are read
    threads: int | None = None  # on a CPU; None on another device, and until the run starts

    def to_json(self) -> dict[str, Any]:
        """Return the content of `run.json`."""
        return asdict(self) | {"recipe": self.recipe.to_json()}

    def compare(self, asked: "RunRecord", *parts: str) -> dict[str, tuple[Any, Any]]:
        """Find the differences from the requested run in these fields, by `hml.training.choices.differences`."""
        recorded, requested = self.to_json(), asked.to_json()
        return differences({part: recorded[part] for part in parts}, {part: requested[part] for part in parts})


def write_record(folder: Path, record: RunRecord) -> None:
    """Write a run's `run.json`, atomically."""
    write_atomically(folder / RECORD, json.dumps(record.to_json(), indent=2, allow_nan=False) + "\n")


def read_record(folder: Path) -> RunRecord | None:
    """Read a run's `run.json`; None if it is missing or damaged."""
    content = read_json_object(folder / RECORD)
    if content is None:
        return None
    kinds = {"scheme": str, "seed": int, "code": dict, "data": dict, "threads": int | None}
    recipe = Recipe.from_json(content.get("recipe"))
    others: dict[str, Any] = {key: content.get(key) for key in kinds}
    if recipe is None or not all(isinstance(others[key], kind) for key, kind in kinds.items()):
        return None
    return RunRecord(recipe=recipe, **others)


@functools.cache
def hash_code() -> dict[str, str]:
    """Return a hash of hml's code, and the versions of the packages that it computes with."""
    root = Path(hml.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.yaml")]):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    versions = {"torch": torch.__version__, "lightning": lightning.__version__, "numpy": numpy.__version__}
    return {"hml": digest.hexdigest()} | versions
