"""The guide's way from a folder of images to a table, as its commands say it."""

import json
import re
import shlex
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import hml.data
from hml.cli import main
from hml.training.result import read_result

_, _, WAY = Path(hml.data.__file__).with_name("README.md").read_text(encoding="utf-8").partition("## From a folder of")
CLASSES = ("benign", "malignant", "un_clear 2")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three classes of shapes, 40 images of 64 × 64 each, and the guide's files beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HML_DATA_DIR", raising=False)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    for label, name in enumerate(CLASSES):
        Path("photos", name).mkdir(parents=True)
        for number in range(40):
            (a, b), radius = rng.uniform(20, 44, 2), rng.uniform(8, 18)
            shape = [np.hypot(x - a, y - b), abs(x - a) + abs(y - b), np.maximum(abs(x - a), 2 * abs(y - b))][label]
            image = np.where((shape < radius)[:, :, None], rng.uniform(0, 1, 3), rng.uniform(0.35, 0.65, 3))
            image = (image + rng.normal(0, 0.05, image.shape)).clip(0, 1)
            matplotlib.image.imsave(f"photos/{name}/{number:02d}.png", image)
    study, own = re.findall(r"```yaml\n(.*?)```", WAY, re.DOTALL)
    Path("study.yaml").write_text(study)
    Path("own.yaml").write_text(own)
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*too few for bins of 100")
def test_from_a_folder_to_a_table(folder, capsys):
    (commands,) = re.findall(r"```sh\n(.*?)```", WAY, re.DOTALL)
    printed = {}
    for command in commands.splitlines():
        program, *args = shlex.split(command)
        assert (program, main(args)) == ("hml", 0)
        printed[args[0]] = capsys.readouterr().out
    assert re.search(r"\| agg +\| 2 \|", printed["table1"])
    judgements = Path("judgements.csv").read_text().splitlines()
    assert judgements[0].startswith("annotator,image_1,class_1,image_2,class_2,lambda_f,lambda_h,omega")
    percepts = json.loads(Path("lightning_logs/percepts/percepts.json").read_text())
    assert "un_clear 2" in json.dumps(percepts)
    for scheme in ("agg", "learned_mean"):
        result = read_result(Path("lightning_logs", scheme, "version_0"))
        assert result.truth["test/cross_entropy"] == "true class"
        assert result.data["test_images"] == 24
        assert result.recipe.model["network"]["init_args"]["num_classes"] == 3
        assert np.isfinite(result.metrics["test/rms_calibration"])
    everything = [*Path("lightning_logs").rglob("*.json"), *Path("lightning_logs").rglob("*.md")]
    assert not any("Airplane" in path.read_text() for path in everything)
