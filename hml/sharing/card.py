"""The model card of an exported run: Markdown with the YAML header of Hugging Face's model cards."""

import math
from collections.abc import Mapping
from typing import Any

import yaml

from hml.evaluation.metrics import TRUE_CLASS
from hml.evaluation.paper import is_on_hmix, labels_of
from hml.reporting.citation import cite
from hml.reporting.tables import Table, to_markdown
from hml.sharing.folder import CONFIG, PROGRAM, WEIGHTS, ModelConfig
from hml.training.result import RESULT, RunResult

_TEST = "test/"
_MOST_NAMES = 20
_SIMULATED = ("hml.data.DemoImages", "hml.data.DemoMixes")


def write_card(result: RunResult, config: ModelConfig, why_no_program: str = "") -> str:
    """Write the card of a run's network.

    Args:
        result: The run. The card shows its test figures.
        config: The network.
        why_no_program: Why the folder has no `torch.export` program; empty if it has one.

    Returns:
        The card: what the model does, how to load it, its figures and what they compare, recipe, data, limits.
    """
    header = yaml.safe_dump(_header(result), sort_keys=False, allow_unicode=True, width=120)
    sections = {
        "How to load it": _loading(config, why_no_program),
        "Figures": _figures(result),
        "Training": _training(result),
        "Data": _data(result),
        "Limits": "\n".join(f"- {limit}" for limit in _limits(result, config)),
        "Cite": "\n".join(f"- {work}" for work in cite(is_on_hmix(result.data))),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"---\n{header}---\n\n# {_name(result)}\n\n{_summary(result, config)}\n\n{body}\n"


def _name(result: RunResult) -> str:
    return f"{result.scheme}, seed {result.seed}"


def _header(result: RunResult) -> dict[str, Any]:
    """Return Hugging Face's model index. It has no licence, which the publisher must choose."""
    task = {"type": "image-classification"}
    images = str(_class_path(result, "images"))
    metrics = [
        {"type": name.removeprefix(_TEST), "name": _explain(result, name), "value": value}
        for name, value in result.metrics.items()
        if name.startswith(_TEST) and value is not None
    ]
    dataset = {"type": images, "name": images.rpartition(".")[2], "split": "test"}
    return {
        "library_name": "hml",
        "pipeline_tag": task["type"],
        "tags": ["image-classification", "mixup", "human-labels", "safetensors"],
        "model-index": [
            {"name": _name(result), "results": [{"task": task, "dataset": dataset, "metrics": metrics}]},
        ],
    }


def _class_path(result: RunResult, part: str) -> object:
    return (result.recipe.data.get(part) or {}).get("class_path", "unknown")


def _explain(result: RunResult, name: str) -> str:
    truth, size = result.truth.get(name, "unknown"), result.bin_size.get(name)
    words = name.removeprefix(_TEST).replace("_", " ")
    return f"{words}, compared with: {truth}{f', in bins of {size}' if size else ''}"


def _summary(result: RunResult, config: ModelConfig) -> str:
    names = ", ".join(config.classes[:_MOST_NAMES])
    others = len(config.classes) - _MOST_NAMES
    more = f" and {others} more (see {CONFIG})" if others > 0 else ""
    height, width = config.image_size
    return (
        f"An image classifier for {len(config.classes)} classes: {names}{more}. It maps RGB images in [0, 1] of "
        f"{height} × {width} pixels to logits. It is the network `{config.network['class_path']}`, trained with hml. "
        f"The labels of mixed images came from the strategy `{labels_of(result.recipe.data)[0]}`."
    )


def _loading(config: ModelConfig, why_no_program: str) -> str:
    with_hml = (
        '```python\nimport hml\n\nmodel = hml.load(".")  # this folder\n'
        "probabilities = model(images).softmax(1)  # images (B, 3, H, W) in [0, 1]\n```\n\n"
        f"The weights are in `{WEIGHTS}`, the network's arguments, the classes and the normalisation in `{CONFIG}`."
    )
    if config.code:
        files = "; ".join(f"`{path}` (its file's SHA-256: {digest})" for path, digest in config.code.items())
        with_hml += f" **This needs code that is not in the folder:** {files}. Python must be able to import it."
    if why_no_program:
        return f"{with_hml}\n\nThere is no `{PROGRAM}`: {why_no_program}"
    return (
        f"{with_hml}\n\nWithout hml or the network's code:\n\n"
        f'```python\nimport torch\n\nmodel = torch.export.load("{PROGRAM}").module()\nlogits = model(images)\n```\n\n'
        "The program also normalises images, and accepts batches of any size. `torch.export.load` may run code from "
        "the file, so use it only for files from people you trust. `hml.load` runs no code from the folder."
    )


def _figures(result: RunResult) -> str:
    rows = []
    for name, value in result.metrics.items():
        if name.startswith(_TEST):
            known = value is not None and math.isfinite(value)
            shown = f"{value:.4f}" if known else f"undefined: {result.undefined.get(name, 'not finite')}"
            size = str(result.bin_size.get(name, ""))
            rows.append([name.removeprefix(_TEST), shown, result.truth.get(name, ""), size])
    table = Table(
        f"On {result.data.get('test_images', 'the')} test images, on which the network was not trained.",
        ["metric", "value", "compared with", "predictions in a bin"],
        rows,
    )
    asked = any(truth != TRUE_CLASS for truth in result.truth.values())
    truth = (
        '**Ground truth.** "People\'s labels" is the distribution of the labels that people gave a test image, '
        '"people\'s majority" is the most frequent of these labels, and "true class" is the class in the data set.'
        if asked
        else "**Ground truth.** There are no human labels of the test images: all figures are relative to the class in "
        "the data set."
    )
    epsilon = result.recipe.fgsm.get("epsilon")
    attack = (
        f" Metrics named `fgsm` are under the fast gradient sign method with epsilon {epsilon:.4g}." if epsilon else ""
    )
    return f"{to_markdown(table)}\n\n{truth}{attack}"


def _training(result: RunResult) -> str:
    assert result.training is not None, "hml export rejects other runs"
    stopped = f", stopped by {stop}" if (stop := result.training.stopped_by) else ""
    weights, versions = result.recipe.weights.get("sha256"), result.versions
    started = f"Training started from the checkpoint with SHA-256 {weights}. " if weights else ""
    return (
        f"{result.training}{stopped}, seed {result.seed}, on {versions.get('device')}, with hml {versions.get('hml')} "
        f"and torch {versions.get('torch')}. {started}The recipe, without unset values ({RESULT} has the full recipe "
        f"and all versions):\n\n{_as_yaml(result.recipe.to_json())}"
    )


def _data(result: RunResult) -> str:
    return (
        f"Images are from `{_class_path(result, 'images')}`, mixed images from `{_class_path(result, 'mixed')}`. This "
        f"folder contains no images. The data's files, with their SHA-256:\n\n{_as_yaml(result.data)}"
    )


def _limits(result: RunResult, config: ModelConfig) -> list[str]:
    height, width = config.image_size
    limits = [
        "The figures are from one run with one seed. Other seeds give other figures.",
        f"They are valid for images like the test images, of {height} × {width} pixels. Other images were not tested.",
        "The model predicts one of its classes for every image, including images that show none of them.",
        "FGSM is a weak attack. Its figures are not evidence of robustness to stronger attacks.",
        "No licence was chosen. Before you publish this folder, add one that the terms of the data allow.",
    ]
    if {_class_path(result, "images"), _class_path(result, "mixed")} & set(_SIMULATED):
        limits.insert(0, "**The images are synthetic or the people simulated: the model only demonstrates hml.**")
    if is_on_hmix(result.data):
        limits.append(
            "Training and test images are both from CIFAR-10's test set, so accuracies can't be compared with those of "
            "models trained on CIFAR-10's training set. Few people judged the mixed images, and they may not be "
            "representative."
        )
    if result.data.get("canonical_pixels") is False:
        limits.append("The pixels come from a substitute for CIFAR-10's files, and may differ slightly.")
    if config.code:
        limits.append(f"Without the code of {', '.join(config.code)}, only `{PROGRAM}` can be loaded, if there is one.")
    return limits


def _as_yaml(choices: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(_without_unset(choices), sort_keys=False, allow_unicode=True, width=120)
    return f"```yaml\n{text}```"


def _without_unset(value: Any) -> Any:
    """Remove values that are null or empty."""
    if isinstance(value, Mapping):
        kept = {key: _without_unset(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part is not None and part != {} and part != []}
    return [_without_unset(part) for part in value] if isinstance(value, list) else value
