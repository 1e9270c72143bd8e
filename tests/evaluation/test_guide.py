import re
import sys
from pathlib import Path

import numpy as np
import pytest

import hml
from hml.cli import main
from hml.evaluation.metrics import AttackedMetrics, CalibrationMetrics, HumanAlignmentMetrics, TemperatureMetrics
from hml.training.result import read_result

GUIDE = Path(hml.__file__).with_name("evaluation").joinpath("README.md").read_text(encoding="utf-8")
QUICK = [
    *("--trainer.max_epochs", "1", "--data.images.num_train", "60", "--data.images.num_test", "40"),
    *("--model.network.width", "1", "--data.mixed.images_per_pair", "1", "--calibration.bin_size", "10"),
]


@pytest.mark.usefixtures("without_drawing")
def test_own_metric_reaches_metrics_json_and_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (code,) = re.findall(r"`my_metrics.py`:\n\n```python\n(.*?)```", GUIDE, re.DOTALL)
    (line,) = re.findall(r"```yaml\n(trainer: .*\n)```", GUIDE)
    (command,) = re.findall(r"^hml (table1 .*)$", GUIDE, re.MULTILINE)
    Path("my_metrics.py").write_text(code, encoding="utf-8")
    Path("sharp.yaml").write_text(line, encoding="utf-8")
    assert main([*command.replace("mixup,sep_conf", "sep_conf").split(), "--seeds", "0", "--root", "runs", *QUICK]) == 0
    del sys.modules["my_metrics"]
    shown = capsys.readouterr().out
    (folder,) = (path.parent for path in Path("runs").rglob("metrics.json"))
    value = read_result(folder).metrics["test/sharpness"]
    with np.load(folder / "per_image.npz") as file:
        assert value == pytest.approx(file["test/sharpness"].mean(), abs=1e-6)
    assert 0.1 < value < 1
    row = next(line for line in shown.splitlines() if line.startswith("| sep_conf"))
    assert f"{value:.3f}"[1:] in row


def test_the_guide_has_every_figure_and_its_truth():
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| .* \| (.*) \| [↓↑–] \|$", GUIDE, re.MULTILINE)
    listed = {name: truth for names, truth in rows for name in re.findall(r"`(\w+)`", names)}
    kinds = (HumanAlignmentMetrics, CalibrationMetrics, AttackedMetrics, TemperatureMetrics)
    expected = {name: truth for kind in kinds for name, truth in kind.truth.items()}
    assert listed == expected | {f"{name}_scaled": expected[name] for kind in kinds for name in kind.scaled}
