from pathlib import Path

import pytest

from hml.errors import InputError
from hml.experiments.schemes import CONTROLS, PAPER_SCHEMES, find_configs, in_order, parse_seeds, scheme_names


def test_no_names_stand_for_the_papers_six():
    assert [path.stem for path in find_configs([])] == ["regular", "mixup", "agg", "sep", "agg_conf", "sep_conf"]


def test_controls_alone_are_added_to_the_six():
    assert scheme_names(["controls"]) == [*PAPER_SCHEMES, *CONTROLS]


def test_names_and_paths_stand_in_the_order_given_each_once(tmp_path):
    (tmp_path / "mine.yaml").write_text("scheme: stubborn")
    asked = ["sep_conf,mixup", f"{tmp_path}/mine.yaml", "mixup", "controls"]
    assert scheme_names(asked) == ["sep_conf", "mixup", "stubborn", *CONTROLS]


def test_configs_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_configs(["mixup"])[0].is_file()
    # One of the same name where one stands comes first.
    Path("configs").mkdir()
    Path("configs/mixup.yaml").write_text("scheme: mixup")
    assert find_configs(["mixup"]) == [Path("configs/mixup.yaml")]


@pytest.mark.parametrize(
    ("name", "said"), [("mixpu", "did you mean mixup"), ("xyz", "by its path"), ("x.yaml", "x.yaml")]
)
def test_unknown_schemes_are_rejected(name, said):
    with pytest.raises(InputError, match=said):
        find_configs([name])


def test_schemes_in_order_are_the_papers_then_controls_then_others():
    assert in_order(["zebra", "uniform", "sep", "apple", "regular"]) == ["regular", "sep", "uniform", "apple", "zebra"]


@pytest.mark.parametrize(
    ("text", "seeds"), [("0..4", [0, 1, 2, 3, 4]), ("7", [7]), ("3,1,3", [3, 1]), ("0..1, 9", [0, 1, 9])]
)
def test_seeds_are_ranges_and_lists(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "4..0", "-1", "1.5", "0..99999", "4294967296", "1,,2"])
def test_wrong_seeds_are_rejected(text):
    with pytest.raises(InputError, match="seeds="):
        parse_seeds(text)
