from pathlib import Path

import pytest
import yaml

from hml.data.download import HMIX_INFERENCES
from hml.evaluation.paper import PAPER_LABELS, PAPER_TABLE, is_on_hmix, labels_of

CONFIGS = Path(__file__).parents[2] / "configs"


def test_table_is_the_papers():
    assert PAPER_TABLE == {
        "regular": (2.25, 0.29, 14.53),
        "mixup": (2.19, 0.28, 14.35),
        "agg": (2.27, 0.28, 15.07),
        "sep": (2.01, 0.27, 13.33),
        "agg_conf": (2.09, 0.27, 14.01),
        "sep_conf": (1.83, 0.24, 11.81),
    }


def test_columns_are_in_the_papers_order():
    row = PAPER_TABLE["sep_conf"]
    assert (row.cross_entropy, row.rms_calibration, row.fgsm_cross_entropy) == (1.83, 0.24, 11.81)


def test_only_the_released_judgements_are_the_papers():
    name = HMIX_INFERENCES.name
    assert is_on_hmix({"files": {name: HMIX_INFERENCES.sha256, "test_indices.npy": "…"}})
    assert not is_on_hmix({"files": {name: "a file of one's own, called so"}})
    assert not is_on_hmix({"files": {}})


@pytest.mark.parametrize("scheme", PAPER_TABLE)
def test_configs_of_the_papers_name_have_the_papers_labels(scheme):
    config = yaml.safe_load((CONFIGS / f"{scheme}.yaml").read_text())
    assert labels_of(config) == PAPER_LABELS[scheme]
