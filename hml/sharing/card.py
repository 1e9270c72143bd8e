"""The model card of an exported run: Markdown under the YAML header that Hugging Face's model cards have."""

import math
from collections.abc import Mapping
from typing import Any

import yaml

from hml.evaluation.metrics import TRUE_CLASS
from hml.evaluation.paper import is_on_hmix
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
        result: The run, whose test figures are shown.
        config: The network.
        why_no_program: Why the folder has no program of `torch.export`'s; empty if it has one.

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
    """Describe the run in the keys of Hugging Face's model index; no licence, which its publisher chooses."""
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
    more = f" and {others} more, which {CONFIG} lists" if others > 0 else ""
    height, width = config.image_size
    return (
        f"An image classifier for {len(config.classes)} classes: {names}{more}. It maps RGB images in [0, 1] of "
        f"{height} × {width} pixels to logits. It is the network `{config.network['class_path']}`, trained with hml. "
        f"The labels of mixed images came from the strategy `{_class_path(result, 'strategy')}`."
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
        "The program normalises images itself and takes batches of any size. `torch.export.load` may run code that "
        "somebody put into such a file, so use it only for files from people whom you trust. `hml.load` runs none."
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
        '**The truth used.** "People\'s labels" is the distribution of the labels that people gave a test image, '
        '"people\'s majority" the most frequent of them, and "true class" the class that the data set has.'
        if asked
        else "**The truth used.** Nobody was asked what they see in the test images: every figure is against the class "
        "that the data set has."
    )
    epsilon = result.recipe.fgsm.get("epsilon")
    attack = (
        f" Figures with `fgsm` are under the fast gradient sign method with epsilon {epsilon:.4g}." if epsilon else ""
    )
    return f"{to_markdown(table)}\n\n{truth}{attack}"


def _training(result: RunResult) -> str:
    assert result.training is not None, "hml export rejects other runs"
    stopped = f", stopped by {stop}" if (stop := result.training.stopped_by) else ""
    weights, versions = result.recipe.weights.get("sha256"), result.versions
    started = f"Training started from the checkpoint with SHA-256 {weights}. " if weights else ""
    return (
        f"{result.training}{stopped}, seed {result.seed}, on {versions.get('device')}, with hml {versions.get('hml')} "
        f"and torch {versions.get('torch')}. {started}The recipe, without what is unset ({RESULT} has all of it, and "
        f"all versions):\n\n{_as_yaml(result.recipe.to_json())}"
    )


def _data(result: RunResult) -> str:
    return (
        f"Images are from `{_class_path(result, 'images')}`, mixed images from `{_class_path(result, 'mixed')}`. This "
        f"folder has none of them. Files are listed with their SHA-256:\n\n{_as_yaml(result.data)}"
    )


def _limits(result: RunResult, config: ModelConfig) -> list[str]:
    height, width = config.image_size
    limits = [
        "The figures are of one run with one seed. Other seeds give other figures.",
        f"They hold for images like the test images, at {height} × {width} pixels. Other images were not measured.",
        "The model gives one of its classes for every image, also for one that shows none of them.",
        "FGSM is a weak attack. Its figures say nothing about stronger attacks.",
        "No licence was chosen. Whoever publishes this folder adds one that the terms of the data allow.",
    ]
    if {_class_path(result, "images"), _class_path(result, "mixed")} & set(_SIMULATED):
        limits.insert(
            0, "**The images are synthetic or the people simulated: the model shows how hml works, no more.**"
        )
    if is_on_hmix(result.data):
        limits.append(
            "Training and test images are both from CIFAR-10's test set, so accuracies can't be compared with those of "
            "models trained on CIFAR-10's training set. The mixed images were judged by few people, who need not "
            "represent others."
        )
    if result.data.get("canonical_pixels") is False:
        limits.append("The pixels come from a stand-in for CIFAR-10's own, and may differ from them.")
    if config.code:
        limits.append(f"Without the code of {', '.join(config.code)} only `{PROGRAM}` can be loaded, if there is one.")
    return limits


def _as_yaml(choices: Mapping[str, Any]) -> str:
    text = yaml.safe_dump(_without_unset(choices), sort_keys=False, allow_unicode=True, width=120)
    return f"```yaml\n{text}```"


def _without_unset(value: Any) -> Any:
    """Leave out what is null or empty."""
    if isinstance(value, Mapping):
        kept = {key: _without_unset(part) for key, part in value.items()}
        return {key: part for key, part in kept.items() if part is not None and part != {} and part != []}
    return [_without_unset(part) for part in value] if isinstance(value, list) else value
