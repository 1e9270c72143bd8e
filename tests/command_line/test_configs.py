from pathlib import Path

import pytest

import hml
from hml.command_line.configs import configs_among, find_config, resolve_configs, shipped_folder
from hml.errors import InputError

SHIPPED = Path(hml.__file__).parents[1] / "configs"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("name", ["sep_conf", "configs/sep_conf.yaml", "configs/sep_conf"])
def test_configs_are_found_by_name_and_path_from_anywhere(name):
    assert find_config(name) == SHIPPED / "sep_conf.yaml"


@pytest.mark.parametrize("name", ["cifar10", "configs/elicit/cifar10.yaml"])
def test_studies_are_found_likewise(name):
    assert find_config(name, "elicit") == SHIPPED / "elicit/cifar10.yaml"


def test_files_here_come_before_those_that_hml_has(elsewhere):
    Path("configs").mkdir()
    Path("configs/sep.yaml").write_text("scheme: sep")
    assert find_config("sep") == find_config("configs/sep.yaml") == Path("configs/sep.yaml")
    Path("sep").write_text("scheme: sep")
    assert find_config("sep") == Path("sep")


def test_a_folder_of_a_configs_name_is_not_in_the_way():
    Path("mixup").mkdir()
    assert find_config("mixup") == SHIPPED / "mixup.yaml"


def test_an_installation_has_its_configs_within(tmp_path, monkeypatch):
    (tmp_path / "hml/configs").mkdir(parents=True)
    monkeypatch.setattr(hml, "__file__", str(tmp_path / "hml/__init__.py"))
    assert shipped_folder() == tmp_path / "hml/configs"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sep_cnf", "no config sep_cnf: did you mean sep_conf?"),
        ("configs/mixpu.yaml", "did you mean mixup?"),
        ("sep_conf.yaml", "did you mean sep_conf?"),  # a path, at which there is nothing
        ("mine", "did you mean mine2?"),
        ("xyz", "hml has agg, agg_conf, "),
    ],
)
def test_what_may_be_meant_is_named(name, said):
    Path("configs").mkdir()
    Path("configs/mine2.yaml").write_text("")
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        find_config(name)


def test_names_of_configs_become_paths_and_the_rest_stays(elsewhere):
    (elsewhere / "home").mkdir()
    (elsewhere / "home/mine.yaml").write_text("scheme: mine")
    words = ["--config", "{seed_everything: 3}", "--config=memory://mine.yaml"]
    args = ["fit", "--config", "sep", "-c~/mine.yaml", "--config=demo", "-c", "short", *words, "--scheme", "sep"]
    paths = [str(SHIPPED / "sep.yaml"), str(elsewhere / "home/mine.yaml"), str(SHIPPED / "demo.yaml")]
    resolved = resolve_configs(args)
    assert configs_among(resolved) == [*paths, str(SHIPPED / "short.yaml"), words[1], "memory://mine.yaml"]
    assert resolved[:3] == ["fit", "--config", paths[0]]
    assert resolved[-5:] == [*words, "--scheme", "sep"]
    assert resolve_configs(resolved) == resolved
