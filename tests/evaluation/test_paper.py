from pathlib import Path

import pytest
import yaml

from hml.data.download import HMIX_INFERENCES
from hml.evaluation.paper import COLUMNS, PAPER_LABELS, PAPER_TABLE, is_on_hmix, labels_of

CONFIGS = Path(__file__).parents[2] / "configs"


def test_table_is_the_papers():
    assert PAPER_TABLE == {
        "regular": {"CE": 2.25, "Calib": 0.29, "FGSM": 14.53},
        "mixup": {"CE": 2.19, "Calib": 0.28, "FGSM": 14.35},
        "agg": {"CE": 2.27, "Calib": 0.28, "FGSM": 15.07},
        "sep": {"CE": 2.01, "Calib": 0.27, "FGSM": 13.33},
        "agg_conf": {"CE": 2.09, "Calib": 0.27, "FGSM": 14.01},
        "sep_conf": {"CE": 1.83, "Calib": 0.24, "FGSM": 11.81},
    }


@pytest.mark.parametrize("scheme", PAPER_TABLE)
def test_the_papers_figures_are_those_of_columns(scheme):
    assert set(PAPER_TABLE[scheme]) == set(COLUMNS) - {"accuracy"}


def test_only_the_released_judgements_are_the_papers():
    name = HMIX_INFERENCES.name
    assert is_on_hmix({"files": {name: HMIX_INFERENCES.sha256, "test_indices.npy": "…"}})
    assert not is_on_hmix({"files": {name: "a file of one's own, called so"}})
    assert not is_on_hmix({"files": {}})


@pytest.mark.parametrize("scheme", PAPER_TABLE)
def test_configs_of_the_papers_name_have_the_papers_labels(scheme):
    config = yaml.safe_load((CONFIGS / f"{scheme}.yaml").read_text())
    assert labels_of(config["data"]) == PAPER_LABELS[scheme]
