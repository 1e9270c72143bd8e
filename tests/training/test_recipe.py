import hashlib
import sys

import pytest

from hml.evaluation.paper import labels_of
from hml.training import flags
from hml.training.run import make_record

FUNCTION = """
from hml.labels import LabelStrategy, Rounded, StrategyWrapper


def rounded(strategy: LabelStrategy) -> StrategyWrapper:
    return Rounded(strategy)
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    path = tmp_path / "own_functions.py"
    path.write_text(FUNCTION)
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop("own_functions", None)


def test_a_function_that_wraps_labels_is_recorded_with_its_code(own_module):
    command = flags.parse(["fit", "--config", "sep_conf", "--data.wrap", "own_functions.rounded"])
    recipe = make_record(command).recipe
    assert recipe.code == {"own_functions.rounded": hashlib.sha256(own_module.read_bytes()).hexdigest()}
    assert labels_of(recipe.data) == ("own_functions.rounded(hml.labels.SeparateLabels)", 0.005)
