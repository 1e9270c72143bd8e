"""The folder that `hml export` writes: the names of its files, and `config.json` with its only reader and writer."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from hml.errors import InputError, check_choice
from hml.files.strict_json import read_json_object
from hml.judgements import Classes

CONFIG, WEIGHTS, PROGRAM, CARD = "config.json", "model.safetensors", "model.pt2", "README.md"
FORMAT = 1
DType = Literal["float32", "bfloat16", "float16", "float64"]
_REMEDY = "Get the folder again, or write it again with hml export."


@dataclass(frozen=True)
class ModelConfig:
    """What is needed, beside the weights, to make the model again.

    Raises:
        InputError: a part is not what it should be.
    """

    network: Mapping[str, Any]
    """The network's `class_path`, with `init_args` and `dict_kwargs` where it has arguments."""
    classes: Sequence[str]
    """C names, in the order of the logits."""
    image_size: Sequence[int]
    """Height and width of the training images."""
    mean: Sequence[float]
    """Subtracted from red, green and blue in [0, 1]."""
    std: Sequence[float]
    """Divides them after that."""
    channels_last: bool = True
    """Whether the network gets features with channels last in memory."""
    dtype: DType = "float32"
    """The type of the weights, as PyTorch names it."""
    code: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of the file of each class that is not hml's or a library's: its code is not in the folder."""

    def __post_init__(self) -> None:
        Classes(tuple(self.classes))
        check_choice("dtype", self.dtype, DType)
        sizes = len(self.image_size) == 2 and all(isinstance(size, int) and size > 0 for size in self.image_size)
        colours = all(len(part) == 3 and all(map(math.isfinite, part)) for part in (self.mean, self.std))
        if not (sizes and colours and min(self.std) > 0 and isinstance(self.network.get("class_path"), str)):
            raise InputError("a model has a network's class_path, a height and width, and three means and stds.")

    def to_json(self) -> str:
        """Return the content of `config.json`."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=2, allow_nan=False) + "\n"


def read_config(folder: Path) -> ModelConfig:
    """Read the `config.json` of a folder that `hml export` wrote.

    Raises:
        InputError: there is none, it is damaged, or another version wrote it.
    """
    path = folder / CONFIG
    if (content := read_json_object(path)) is None:
        problem = "is damaged" if path.exists() else "is missing"
        raise InputError(f"{path} {problem}: hml.load reads a folder that hml export wrote. {_REMEDY}")
    if (version := content.pop("format", None)) != FORMAT:
        raise InputError(f"{path} has format {version!r:.50}, and this hml reads format {FORMAT}. Use another hml.")
    if content.keys() != {part.name for part in fields(ModelConfig)}:
        raise InputError(f"{path} has other keys than format {FORMAT}. {_REMEDY}")
    try:
        return ModelConfig(**content)
    except (InputError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path} is not a model's: {error} {_REMEDY}") from error
