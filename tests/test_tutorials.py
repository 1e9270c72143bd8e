"""The tutorials run as a whole, and what they make is what they say."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

import hml
from hml.cli import main
from hml.training.result import read_result
from tests.networks import narrow_resnet18

TUTORIALS = Path(hml.__file__).parents[1] / "docs" / "tutorials"


@pytest.fixture(autouse=True)
def stand_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HML_DATA_DIR", raising=False)


@pytest.mark.usefixtures("without_drawing")
def test_from_a_folder_of_images_to_a_table(capsys, monkeypatch):
    monkeypatch.setattr("torchvision.models.resnet18", narrow_resnet18)
    runpy.run_path(str(TUTORIALS / "folder_to_study.py"))
    assert re.search(r"\| agg +\| 2 \|", capsys.readouterr().out)
    judgements = Path("judgements.csv").read_text().splitlines()
    assert judgements[0].startswith("annotator,image_1,class_1,image_2,class_2,lambda_f,lambda_h,omega")
    percepts = json.loads(Path("lightning_logs/percepts/percepts.json").read_text())
    assert "half moon" in json.dumps(percepts)
    for scheme in ("agg", "learned_mean"):
        result = read_result(Path("lightning_logs", scheme, "version_0"))
        assert result.truth["test/cross_entropy"] == "true class"
        assert result.data["test_images"] == 24
        assert result.recipe.model["network"]["init_args"]["num_classes"] == 3
        assert np.isfinite(result.metrics["test/rms_calibration"])
    everything = [*Path("lightning_logs").rglob("*.json"), *Path("lightning_logs").rglob("*.md")]
    assert not any("Airplane" in path.read_text() for path in everything)


@pytest.fixture
def threads():
    """Restore PyTorch's number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads", "without_drawing")
def test_the_python_api_gives_hml_fits_figures_bit_for_bit():
    script = runpy.run_path(str(TUTORIALS / "python_api.py"))
    (flags,) = re.findall(r"^    hml (fit .*?)\n\n", f"{script['__doc__']}\n\n", re.DOTALL | re.MULTILINE)
    assert main([*flags.split(), "--trainer.accelerator", "cpu", "--threads", "1"]) == 0
    result = read_result(Path("lightning_logs/sep_conf/version_0"))
    figures = {name: value for name, value in result.metrics.items() if name.startswith("test/")}
    assert figures == script["figures"] == script["same"]
    assert result.recipe.trainer["gradient_clip_val"] == 1.0
    assert script["untrained"].keys() == figures.keys()
