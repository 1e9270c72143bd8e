"""The folder that `hml export` writes: its file names, and the reader and writer of `config.json`."""

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
    """The content of `config.json`: all that is needed besides the weights to create the model.

    Raises:
        InputError: a field is invalid.
    """

    network: Mapping[str, Any]
    """The network's `class_path`, with `init_args` and `dict_kwargs` if it has arguments."""
    classes: Sequence[str]
    """The C class names, in the order of the logits."""
    image_size: Sequence[int]
    """Height and width of the training images."""
    mean: Sequence[float]
    """Subtracted from the red, green and blue of pixels in [0, 1]."""
    std: Sequence[float]
    """Divides red, green and blue after that."""
    channels_last: bool = True
    """Whether images are passed to the network in channels-last memory format."""
    dtype: DType = "float32"
    """The PyTorch dtype of the weights."""
    code: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of the file of each user's class, by class path. The folder does not contain this code."""

    def __post_init__(self) -> None:
        Classes(tuple(self.classes))
        check_choice("dtype", self.dtype, DType)
        sizes = len(self.image_size) == 2 and all(isinstance(size, int) and size > 0 for size in self.image_size)
        colours = all(len(part) == 3 and all(map(math.isfinite, part)) for part in (self.mean, self.std))
        if not (sizes and colours and min(self.std) > 0 and isinstance(self.network.get("class_path"), str)):
            raise InputError("a model needs a network's class_path, a height and width, and three means and stds.")

    def to_json(self) -> str:
        """Return the content of `config.json`."""
        return json.dumps({"format": FORMAT} | asdict(self), indent=2, allow_nan=False) + "\n"


def read_config(folder: Path) -> ModelConfig:
    """Read the `config.json` of an exported folder.

    Raises:
        InputError: the file is missing, damaged, or of another version.
    """
    path = folder / CONFIG
    if (content := read_json_object(path)) is None:
        problem = "is damaged" if path.exists() else "is missing"
        raise InputError(f"{path} {problem}: hml.load reads a folder that hml export wrote. {_REMEDY}")
    if (version := content.pop("format", None)) != FORMAT:
        raise InputError(
            f"{path} has format {version!r:.50}, but this hml reads format {FORMAT}. Use another version of hml."
        )
    if content.keys() != {part.name for part in fields(ModelConfig)}:
        raise InputError(f"{path} has other keys than format {FORMAT}. {_REMEDY}")
    try:
        return ModelConfig(**content)
    except (InputError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"{path} is not a valid config: {error} {_REMEDY}") from error
