"""`hml export`: writes a finished run's network to a folder, atomically."""

import io
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from hml.errors import InputError
from hml.files.atomic import new_folder, write_atomically
from hml.sharing.card import write_card
from hml.sharing.command import Options
from hml.sharing.folder import CARD, CONFIG, PROGRAM, WEIGHTS, ModelConfig
from hml.sharing.loading import ImageClassifier, make_model
from hml.training.checkpoints import FOLDER, LAST, read_checkpoint
from hml.training.record import RECORD
from hml.training.result import RESULT, RunResult, read_result, write_result

_NETWORK = "network."
"""The prefix of the network's weights in a checkpoint of `Classifier`."""


def run(options: Options) -> int:
    """Write the network of a run's last checkpoint, which is the one that was tested.

    Args:
        options: The parsed flags, from `hml.sharing.command.parse`.

    Returns:
        The exit code, 0.

    Raises:
        InputError: the run has no figures or no weights, or the network can't be created.
        FolderInUseError: `out` already exists and is not empty.
        StorageError: a file can't be written.
    """
    result = _read_figures(options.run)
    checkpoint = _read_weights(options.run, result)
    config = _describe(options.run, result, checkpoint)
    state = {
        name.removeprefix(_NETWORK): value.contiguous().clone()  # safetensors rejects shared memory
        for name, value in checkpoint["state_dict"].items()
        if name.startswith(_NETWORK)
    }
    model = make_model(config, f"{options.run / RESULT} names")
    model.network.load_state_dict(state)
    with new_folder(options.out) as folder:
        write_atomically(folder / CONFIG, config.to_json())
        write_atomically(folder / WEIGHTS, save(state, {"format": "pt"}))
        write_result(folder, result)
        program, why_not = _make_program(model.eval(), config)
        if program is not None:
            write_atomically(folder / PROGRAM, program)
        write_atomically(folder / CARD, write_card(result, config, why_not))
    print(f"{options.out}: load it with hml.load({str(options.out)!r}). {CARD} is its model card.")
    if why_not:
        print(f"{PROGRAM} was not written: {why_not}")
    return 0


def _read_figures(folder: Path) -> RunResult:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: use that of a run, such as lightning_logs/sep_conf/version_0.")
    if (result := read_result(folder)) is not None:
        return result
    if (folder / RECORD).exists():
        raise InputError(
            f"{folder} has no {RESULT}: the run was interrupted, or not tested. Finish it with hml fit --resume auto, "
            "without --eval_after_fit."
        )
    raise InputError(f"{folder} is not a run's folder: it has no {RESULT}. Use a folder that hml fit wrote.")


def _read_weights(folder: Path, result: RunResult) -> dict[str, Any]:
    """Read the last checkpoint, whose network the figures belong to."""
    path = folder / FOLDER / LAST
    if not path.exists():
        raise InputError(
            f"{folder} has no {FOLDER}/{LAST}: hml test, or hml fit without checkpoints, wrote it. Use the folder of "
            "an hml fit with checkpoints."
        )
    checkpoint = read_checkpoint(path)
    if result.training is None or checkpoint["global_step"] != result.training.steps:
        raise InputError(
            f"{path} is of step {checkpoint['global_step']}, but {folder / RESULT} is of other weights: the folder has "
            "files of two runs. Train again, or use another run."
        )
    return checkpoint


def _describe(folder: Path, result: RunResult, checkpoint: dict[str, Any]) -> ModelConfig:
    own, state = checkpoint.get("hml", {}), checkpoint["state_dict"]
    if not (own.get("classes") and own.get("image_size") and "normalise.mean" in state):
        raise InputError(
            f"{folder / FOLDER / LAST} lacks its classes, its normalisation or the size of its images: an older hml "
            "wrote it. Train again."
        )
    if odd := [name for name, value in state.items() if not isinstance(value, Tensor)]:
        raise InputError(
            f"The network's state has {', '.join(odd)}, which isn't a tensor, so safetensors can't store it: remove "
            "get_extra_state from the network, and train again."
        )
    network = result.recipe.model.get("network", {})
    mean, std = (state[f"normalise.{name}"].flatten() for name in ("mean", "std"))
    return ModelConfig(
        network=network,
        classes=own["classes"],
        image_size=own["image_size"],
        mean=mean.tolist(),
        std=std.tolist(),
        channels_last=result.recipe.model.get("channels_last", True),
        dtype=str(mean.dtype).removeprefix("torch."),  # type: ignore[arg-type]  # which ModelConfig checks
        code={path: digest for path, digest in result.recipe.code.items() if repr(path) in str(network)},
    )


def _make_program(model: ImageClassifier, config: ModelConfig) -> tuple[bytes | None, str]:
    """Export a model by `torch.export`, for batches of any size. Return the file's content, or why it failed."""
    images = torch.rand(3, 3, *config.image_size, generator=torch.Generator().manual_seed(0))
    file = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # torch 2.14 warns of weights with channels last, but saves them correctly.
            warnings.filterwarnings("ignore", message="No complete tensor")
            batch = torch.export.Dim("batch")
            program = torch.export.export(model, (images[:2],), dynamic_shapes=({0: batch},))
            for part in program.graph_module.modules():
                for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
                    node.meta.pop("stack_trace", None)  # contains local paths, for debugging only
            torch.export.save(program, file)
            file.seek(0)
            difference = (torch.export.load(file).module()(images) - model(images)).abs().max().item()
    except Exception as error:  # torch has no public base class for the exporter's errors
        reason = " ".join(str(error).strip().partition("\n\n")[0].split()) or type(error).__name__
        return None, f"torch.export can't export the network: {reason:.300}"
    if not difference <= 1e-4 * max(1.0, model(images).abs().max().item()):
        return None, f"torch.export's logits differ from the network's by {difference:.2g}."
    return file.getvalue(), ""
