import math
import re
import shlex
from pathlib import Path

import pytest
import yaml

import hml.data
from hml.cli import main
from tests.data.pictures import draw, fill
from tests.data.test_torchvision_images import write_fashion

GUIDE = (
    Path(hml.data.__file__)
    .with_name("README.md")
    .read_text(encoding="utf-8")
    .partition("## Your own judgements")[0]
    .replace("\\\n", "")
)
COMMANDS = [shlex.split(line) for line in re.findall(r"^hml (fit .*)$", GUIDE, re.MULTILINE)]
QUICK = [
    *("--model.network.width", "1", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
    *("--data.batch_size", "4", "--calibration.bin_size", "1", "--trainer.enable_progress_bar", "false"),
    *("--model.network.num_classes", "{}"),
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(args, num_classes):
        assert main([*args, *(word.format(num_classes) for word in QUICK), "--data.data_dir", str(tmp_path)]) == 0

    return run


def command(source):
    (found,) = (args for args in COMMANDS if f"hml.data.{source}" in args)
    return found


def find_row(output, start):
    (row,) = (line for line in output.splitlines() if line.startswith(start))
    return row.split()[-4:]


def test_the_folders_command_and_config_are_one_run(run, tmp_path, capsys):
    fill(tmp_path / "scans/train", 4, ("benign", "malignant"), (64, 64))
    fill(tmp_path / "scans/test", 2, ("benign", "malignant"), (64, 64))
    run(command("ImageFolder"), 2)
    first = capsys.readouterr().out
    (config,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(config, encoding="utf-8")
    run(["fit", "--config", "mine.yaml"], 2)
    assert yaml.safe_load(config)["scheme"] == "mixup_scans"
    assert find_row(capsys.readouterr().out, "mixup_scans, seed 0") == find_row(first, "mixup_fly, seed 0")


def test_human_labels_are_read_as_the_guide_writes_them(run, tmp_path, capsys):
    fill(tmp_path / "scans/train", 4, ("benign", "malignant"), (64, 64))
    (table,) = re.findall(r"```text\n(image,.*?)```", GUIDE, re.DOTALL)
    for image in re.findall(r"^(test.*?),", table, re.MULTILINE):
        (tmp_path / "scans" / image).parent.mkdir(parents=True)
        draw(0, 0, (64, 64)).save(tmp_path / "scans" / image)
    (tmp_path / "people.csv").write_text(table, encoding="utf-8")
    run([*command("ImageFolder"), "--data.images.human_labels", "people.csv"], 2)
    entropies = [-sum(share * math.log(share) for share in shares) for shares in ((0.9, 0.1), (0.4, 0.6))]
    assert find_row(capsys.readouterr().out, "people's labels")[0] == f"{sum(entropies) / 2:.3f}"


def test_torchvisions_command_runs(run, tmp_path):
    write_fashion(tmp_path)
    run(command("TorchvisionImages"), 10)


def test_hugging_faces_command_runs(run, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="needs Hugging Face's datasets: pip install 'hml[hf]'")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    label = datasets.ClassLabel(names=["apple", "aquarium_fish"])
    columns = {"img": [draw(0, number) for number in range(8)], "fine_label": [0, 1] * 4}
    data = datasets.Dataset.from_dict(columns, datasets.Features({"img": datasets.Image(), "fine_label": label}))
    for split in ("train", "test"):
        data.to_parquet(tmp_path / f"cifar100/cifar100/{split}-00000-of-00001.parquet")
    run(command("HuggingFaceImages"), 2)
