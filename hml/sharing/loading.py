"""`load`: loads an exported model as a PyTorch module, without running code from the folder."""

from argparse import ArgumentError
from pathlib import Path

import torch
from jsonargparse import ArgumentParser
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from hml.errors import InputError
from hml.judgements import Classes
from hml.models import Normalize
from hml.sharing.folder import CONFIG, PROGRAM, WEIGHTS, ModelConfig, read_config


class ImageClassifier(nn.Module):
    """A network with the normalisation that it was trained with.

    Args:
        network: Maps normalised images, shape (B, 3, H, W), to logits, shape (B, C).
        config: The model's normalisation, classes, memory format and dtype.
    """

    def __init__(self, network: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.network = network
        self.normalise = Normalize(config.mean, config.std)
        self.classes = Classes(tuple(config.classes))
        self.channels_last = config.channels_last
        self.to(getattr(torch, config.dtype))
        if config.channels_last:
            self.network.to(memory_format=torch.channels_last)

    def forward(self, image: Tensor) -> Tensor:
        """Map images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C)."""
        image = image.to(self.normalise.mean.dtype)
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(self.normalise(image))
        return logits


def load(folder: str | Path) -> ImageClassifier:
    """Load a model from a folder that `hml export` wrote.

    The network's class is imported by its path in `config.json`, so your own networks must be importable. The weights
    are read from `model.safetensors`, which contains no code.

    Args:
        folder: The exported folder.

    Returns:
        The model in evaluation mode, on the CPU. It maps images in [0, 1], shape (B, 3, H, W), to logits, shape (B, C).
        Its `classes` are the class names in the order of the logits.

    Raises:
        InputError: a file is missing or damaged, the network can't be created, or the weights don't fit it.

    Examples:
        >>> import hml
        >>> model = hml.load("shared/sep_conf")  # doctest: +SKIP
        >>> model(torch.rand(8, 3, 32, 32)).shape  # doctest: +SKIP
        torch.Size([8, 10])
    """
    folder = Path(folder)
    config = read_config(folder)
    path = folder / WEIGHTS
    try:
        weights = load_file(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. Get the folder again, or write it again with hml export.") from error
    except SafetensorError as error:
        raise InputError(f"{path} is damaged: {error}. Get the folder again.") from error
    model = make_model(config, f"{folder / CONFIG} names")
    try:
        model.network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"{path} doesn't fit the network {config.network['class_path']}: its code has changed since the export. "
            f"Use the code at the time of the export, or {PROGRAM}, which needs no code. {error}"
        ) from error
    return model.eval()


def make_model(config: ModelConfig, who: str) -> ImageClassifier:
    """Create a model with its network's initial weights.

    Args:
        config: The model's description.
        who: The start of the error text, such as "config.json names".

    Raises:
        InputError: the network's code can't be imported, or rejects its arguments.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--network", type=nn.Module)
    try:
        network = parser.instantiate(parser.parse_object({"network": dict(config.network)})).network
    except (ArgumentError, ImportError, TypeError, ValueError) as error:
        reason = " ".join(str(error).removeprefix('Parser key "network":').split())
        raise InputError(
            f"{who} the network {config.network['class_path']}, which can't be created: {reason}. Its code must be "
            f"importable, such as from the working directory or a folder of PYTHONPATH. {PROGRAM} needs no code."
        ) from error
    return ImageClassifier(network, config)
