"""Sets a network's number of outputs to the number of classes in the data, unless the user sets it."""

import inspect
import json
import pydoc
from collections.abc import Sequence

from jsonargparse import ArgumentParser, Namespace

from hml.data import Cifar10, HMixDataModule, ImageSource
from hml.data.download import fetch, find_data_dir
from hml.errors import DataError
from hml.judgements import Classes
from hml.training.flag_checks import expand_paths

_NAME = "num_classes"


def follow_data(settings: Namespace, given: Sequence[str]) -> list[str]:
    """Add a flag that sets the network's number of outputs to the number of classes in the data.

    A number that the user sets by a flag or a config takes precedence.

    Args:
        settings: The parsed flags.
        given: The flags.

    Returns:
        The flags with the added one, if it is needed.

    Raises:
        HmlError: the images, or their classes, can't be read.
    """
    network = settings.model.network
    flag = flag_of(network)
    if flag is None:
        return list(given)
    if "dict_kwargs" in flag:
        is_given = _NAME in (network.get("dict_kwargs") or {})
        return [*given] if is_given else [*given, f"{flag}={len(_read_classes(settings.data))}"]
    num_classes = len(_read_classes(settings.data))
    if network.init_args[_NAME] == num_classes:
        return list(given)
    # Added as the first config, so that others override it: parsed settings don't show which values are defaults.
    first = {"model": {"network": {"class_path": network.class_path, "init_args": {_NAME: num_classes}}}}
    return ["--config", json.dumps(first), *given]


def flag_of(network: Namespace) -> str | None:
    """Return the flag that sets a network's number of outputs; None if its class or function has no such argument."""
    if _NAME in (network.get("init_args") or {}):
        return f"--model.network.{_NAME}"
    # A function such as timm's create_model passes **kwargs to the network.
    maker = pydoc.locate(network.class_path)
    parameters = inspect.signature(maker).parameters.values() if callable(maker) else ()
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return f"--model.network.dict_kwargs.{_NAME}" if takes_any and not inspect.isclass(maker) else None


def _read_classes(data: Namespace) -> Classes:
    """Read the classes of the images that the data settings select."""
    data = data.clone()
    expand_paths(data, HMixDataModule)
    source: ImageSource = Cifar10()
    if data.images is not None:
        parser = ArgumentParser(exit_on_error=False)
        parser.add_argument("--images", type=ImageSource)
        source = parser.instantiate_classes(parser.parse_object({"images": data.images})).images
    data_dir = find_data_dir(data.data_dir)
    try:
        return source.classes(data_dir)
    except DataError:  # its files may not be downloaded yet
        fetch(source.remote_files(data_dir), data_dir)
        return source.classes(data_dir)
