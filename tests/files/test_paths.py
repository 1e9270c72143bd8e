"""Paths that people write, in every verb: `~` and `$VAR` are expanded, wherever they are written."""

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

import hml.data
import hml.labels
import hml.relabel
from hml.cli import main
from hml.command_line.flags import parse
from hml.data.download import find_data_dir
from hml.elicit.command import Export
from hml.errors import InputError
from hml.files.paths import expand
from hml.judgements import read_hmix
from hml.training import run as training
from hml.training.flag_help import actions_of
from tests.command_line.test_flags import OPTIONS

CONFIGS = ["--config", "sep_conf", "--config", "demo", "--trainer.accelerator", "cpu"]
TEXTS = {
    *("annotator", "answer", "base_url", "baseline", "flags", "host", "images", "job", "metric", "pairs"),
    *("class_names", "dataset", "image", "label", "participant", "reason", "seeds", "subject", "test", "train", "who"),
    "schemes",  # found by hml.command_line.configs, which expands them
}
"""Options and arguments that take text which is no path. One that is a path has the type `Path`."""
NAMES_OF_PATHS = re.compile(r"(^|_)(dir|dirpath|file|filename|folder|path|root)$")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LARGE", str(tmp_path / "large"))
    return tmp_path / "home"


@pytest.mark.parametrize("text", ["~/large/x", "$LARGE/x", "${LARGE}/x"])
def test_home_and_variables_are_expanded(text, home):
    assert expand(text) == (home / "large/x" if text.startswith("~") else home.parent / "large/x")


def test_variables_may_begin_with_the_home_folder(home, monkeypatch):
    monkeypatch.setenv("LARGE", "~/large")
    assert expand("$LARGE/x") == home / "large/x"


def test_a_path_is_expanded_once():
    assert expand(Path("~/x")) == Path("~/x")
    assert expand("costs_5$/a~b") == Path("costs_5$/a~b")


@pytest.mark.parametrize("text", ["$NOWHERE/x", "a/${NOWHERE}"])
def test_a_variable_that_is_not_set_is_named(text):
    with pytest.raises(InputError, match="the environment variable NOWHERE is not set"):
        expand(text)


def test_the_home_of_nobody_is_rejected():
    with pytest.raises(InputError, match="there is no user 'nobody-at-all'"):
        expand("~nobody-at-all/x")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_is_a_path_or_known_as_text(options):
    kinds = get_type_hints(options)
    for name in (field.name for field in fields(options)):
        takes_text = kinds[name] is str or str in get_args(kinds[name])
        assert not takes_text or name in TEXTS, f"{options}: annotate {name} as a Path"


def test_options_of_type_path_are_expanded(home):
    options = parse("hml elicit export", Export, ["~/a", "--folder=$LARGE/b"])
    assert (options.file, options.folder) == (home / "a", home.parent / "large/b")
    with pytest.raises(InputError, match=r"--folder: \$NOWHERE/b: the environment variable NOWHERE is not set"):
        parse("hml elicit export", Export, ["~/a", "--folder", "$NOWHERE/b"])


def test_every_path_that_fit_takes_is_expanded(home):
    parser = training.prepare(["fit", *CONFIGS]).command.parser
    paths = [
        action.dest
        for action in actions_of(parser)
        if re.search("Path|_PATH", str(getattr(action, "_typehint", ""))) or NAMES_OF_PATHS.search(action.dest)
    ]
    assert {"trainer.default_root_dir", "data.data_dir", "run_folder", "ckpt_path"} <= set(paths)
    home.mkdir()
    for path in paths:
        (home / path).write_text("")  # of which the checkpoint has to be there
    cli = training.prepare(["fit", *CONFIGS, *(f"--{path}=~/{path}" for path in paths)])
    paths.remove("run_folder")  # which the saved config leaves open
    assert cli.run_folder == home / "run_folder"
    assert {path: Path(cli.settings[path]) for path in paths} == {path: home / path for path in paths}


@pytest.mark.parametrize("module", [hml.data, hml.labels, hml.relabel], ids=lambda module: module.__name__)
def test_every_argument_of_a_class_is_a_path_or_known_as_text(module):
    named = (hml.labels.LabelStrategy, hml.data.ImageSource, hml.data.MixedSource, hml.data.HMixDataModule)
    exported = [getattr(module, name) for name in module.__all__]
    classes = [one for one in exported if inspect.isclass(one) and issubclass(one, named)]
    assert classes
    for one in classes:
        for name, parameter in inspect.signature(one).parameters.items():
            kinds = re.findall(r"\b(str|Path)\b", str(parameter.annotation))
            assert "str" not in kinds or "Path" in kinds or name in TEXTS, f"{one}: annotate {name} as a Path"


def test_paths_of_classes_in_configs_are_expanded(home):
    Path("mine.yaml").write_text(
        "trainer:\n"
        "  logger: {class_path: lightning.pytorch.loggers.CSVLogger, init_args: {save_dir: $LARGE/csv}}\n"
        "  callbacks:\n"
        "    - {class_path: lightning.pytorch.callbacks.ModelCheckpoint, init_args: {dirpath: ~/best}}\n"
        "data:\n"
        "  mixed: {class_path: hml.data.HMix, init_args: {judgements: ~/mine.csv}}\n"
    )
    cli = training.prepare(["fit", *CONFIGS, "--config", "mine.yaml"])
    assert cli.trainer.logger.root_dir.startswith(str(home.parent / "large/csv"))
    (best,) = [callback for callback in cli.trainer.callbacks if type(callback) is ModelCheckpoint]
    assert best.dirpath == str(home / "best")
    assert cli.datamodule.mixed.judgements == home / "mine.csv"


def test_addresses_are_kept_for_classes_that_write_there():
    csv = ("--trainer.logger", "lightning.pytorch.loggers.CSVLogger", "--trainer.logger.save_dir", "memory://csv")
    cli = training.prepare(["fit", *CONFIGS, *csv])
    assert cli.trainer.logger.save_dir == "memory://csv"


def test_a_runs_files_need_a_folder():
    with pytest.raises(InputError, match=r"default_root_dir memory://runs is a URL"):
        training.prepare(["fit", *CONFIGS, "--trainer.default_root_dir", "memory://runs"])


def test_download_and_fit_agree_on_the_data_folder(home, monkeypatch):
    monkeypatch.setenv("HML_DATA_DIR", "~/data")
    asked = []
    monkeypatch.setattr("hml.data.command.fetch", lambda files, folder: asked.append(folder))
    assert main(["download"]) == main(["download", "--data_dir", "$LARGE"]) == 0
    fit = [training.prepare(["fit", *CONFIGS, *more]) for more in ((), ("--data.data_dir", "$LARGE"))]
    assert asked == [cli.datamodule.data_dir for cli in fit] == [home / "data", home.parent / "large"]


def test_python_callers_may_write_paths_so_too(home):
    assert find_data_dir("~/data") == hml.data.HMixDataModule(hml.labels.NoMixed(), data_dir="~/data").data_dir
    for read in (read_hmix, hml.relabel.LearnedLabels, hml.relabel.CurveLabels):
        with pytest.raises(InputError, match=re.escape(str(home / "nothing"))):
            read("~/nothing")
