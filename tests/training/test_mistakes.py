"""What a user did wrong is told in words; what hml did wrong is a traceback."""

from pathlib import Path

import pytest
import torch

from hml.errors import InputError
from hml.evaluation.metrics import HumanAlignmentMetrics
from hml.training import run as training
from hml.training.mistakes import find_mistake
from tests.processes import QUICK

FIT = ["fit", *QUICK, "--trainer.max_epochs", "1", "--trainer.logger", "false"]


@pytest.fixture(autouse=True)
def stand_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def write_module(name, code):
    Path(f"{name}.py").write_text(f"from hml.labels import MixupLabels\nclass Mine(MixupLabels):\n{code}")
    return ["--data.strategy", f"{name}.Mine"]


def test_a_syntax_error_in_a_users_file_names_its_line():
    with pytest.raises(InputError, match=r"unclosed\.py, line 4: '\(' was never closed: return \("):
        training.run([*FIT, *write_module("unclosed", "    def label(self, example):\n        return (\n")])


def test_an_error_in_a_users_code_names_its_lines():
    code = "    def label(self, example):\n        return helper()\ndef helper():\n    return [][1]\n"
    with pytest.raises(InputError) as raised:
        training.run([*FIT, *write_module("careless", code)])
    first, *lines = str(raised.value).splitlines()
    assert first == "IndexError: list index out of range"
    assert [line.partition("careless.py, ")[2] for line in lines] == [
        "line 4, in label: return helper()",
        "line 6, in helper: return [][1]",
    ]


def test_a_network_that_does_not_fit_images_is_reported_in_torchs_words():
    args = [*FIT, "--model.network", "torch.nn.Linear", "--model.network.in_features", "5"]
    with pytest.raises(InputError, match=r"torch: .*shapes cannot be multiplied"):
        training.run([*args, "--model.network.out_features", "10"])


@pytest.mark.parametrize("name", ["hml.training.classifier.soft_cross_entropy", "hml.training.run.Report"])
def test_a_bug_of_hmls_is_raised_as_it_is(name, monkeypatch):
    monkeypatch.setattr(name, None)
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        training.run(FIT)


def test_a_librarys_words_about_hmls_own_call_are_a_bug(monkeypatch):
    monkeypatch.setattr(HumanAlignmentMetrics, "compute", lambda self: {"accuracy": torch.ones(2)})
    with pytest.raises(ValueError, match="must have a single element"):
        training.run(FIT)


def test_a_bug_that_a_library_reports_in_its_own_words_is_a_bug():
    with pytest.raises(ValueError, match="empty parameter list") as raised:
        torch.optim.SGD([], lr=0.1)
    error = raised.value.with_traceback(raised.value.__traceback__.tb_next)  # as if no code of ours had called it
    assert find_mistake(error) == "torch: optimizer got an empty parameter list"
    with pytest.raises(AttributeError) as bug:
        find_mistake(3)  # so that code of hml's fails
    error.__cause__ = bug.value
    assert find_mistake(error) is None
