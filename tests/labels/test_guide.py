"""The guide's strategy runs, and its table names the strategies that there are."""

import inspect
import re
import shlex
from pathlib import Path

import pytest
import yaml

import hml.labels
import hml.relabel
from hml.cli import main
from hml.training.result import read_result

GUIDE = Path(hml.labels.__file__).with_name("README.md").read_text(encoding="utf-8")
CONFIGS = Path(hml.__file__).parents[1] / "configs"
QUICK = [
    *("--config", "demo", "--model.network", "tests.networks.Tiny", "--trainer.max_epochs", "1"),
    *("--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"),
]


@pytest.mark.usefixtures("without_drawing")
def test_the_guides_strategy_trains_by_flags_and_by_its_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (strategy, *_), (config, *_) = (
        re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL) for kind in ("python", "yaml")
    )
    Path("confident_labels.py").write_text(strategy, encoding="utf-8")
    Path("confident.yaml").write_text(config, encoding="utf-8")
    command, *_ = re.findall(r"^hml (fit .*)$", GUIDE, re.MULTILINE)
    for args in (shlex.split(command), ["fit", "--config", "confident.yaml"]):
        assert main([*args, *QUICK]) == 0
    by_flags, by_config = (
        read_result(Path("lightning_logs", name, "version_0")) for name in ("confident_people", "confident")
    )
    assert by_flags.metrics == by_config.metrics


def test_the_guides_table_has_every_strategy_and_its_configs():
    rows = re.findall(r"^\| `([\w.]+)(?:\(\w+\))?` \| .* \|(.*)\|$", GUIDE, re.MULTILINE)
    listed = {name.rpartition(".")[2]: set() for name, _ in rows}
    for name, configs in rows:
        listed[name.rpartition(".")[2]] |= set(re.findall(r"`(\w+)`", configs))
    named = {name: getattr(package, name) for package in (hml.labels, hml.relabel) for name in package.__all__}
    ours = {name for name, value in named.items() if inspect.isclass(value) and issubclass(value, hml.LabelStrategy)}
    assert ours - {"LabelStrategy", "StrategyWrapper"} <= listed.keys()
    for path in CONFIGS.glob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "scheme" in content:
            class_path = content["data"]["strategy"]["class_path"]
            assert path.stem in listed[class_path.rpartition(".")[2]]
