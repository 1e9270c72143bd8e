import json
import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

import hml
from hml.cli import main
from hml.files.sealed import hash_file, write_sealed
from hml.training.checkpoints import read_checkpoint
from hml.training.result import read_result

IMAGES = torch.rand(7, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_program_gives_the_same_logits_where_hml_cannot_be_imported(exported, monkeypatch):
    with torch.no_grad():
        expected = hml.load(exported)(IMAGES)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("hml", "own_network", "safetensors")]:
        monkeypatch.setitem(sys.modules, name, None)  # as if it weren't installed
    with pytest.raises(ImportError):
        import_module("hml.models")
    program = torch.export.load(exported / "model.pt2").module()
    for count in (1, 2, 7):
        torch.testing.assert_close(program(IMAGES[:count]), expected[:count])


def test_folder_has_the_runs_figures_and_a_card_with_them(run, exported):
    assert sorted(path.name for path in exported.iterdir()) == [
        *("README.md", "config.json", "metrics.json", "model.pt2", "model.safetensors"),
    ]
    result = read_result(exported)
    assert result == read_result(run)
    _, header, card = (exported / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    (results,) = yaml.safe_load(header)["model-index"][0]["results"]
    found = {metric["type"]: metric["value"] for metric in results["metrics"]}
    assert found["cross_entropy"] == result.metrics["test/cross_entropy"]
    assert f"{result.metrics['test/rms_calibration']:.4f}" in card
    for told in ("people's majority", "33 test images", "hml.labels.SeparateLabels", "gamma: 0.005", "1 epoch, seed 0"):
        assert told in card
    assert "the strategy `hml.labels.LastJudgement(hml.labels.SeparateLabels)`" in card
    assert "synthetic or the people simulated" in card
    assert f"own_network.Net` (its file's SHA-256: {result.recipe.code['own_network.Net']})" in card


def test_program_has_no_paths_of_this_machine(exported):
    content = (exported / "model.pt2").read_bytes()
    assert str(Path(hml.__file__).parent).encode() not in content


def test_network_that_torch_cannot_export_is_shared_without_a_program(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("own_network.Net.looks_at_pixels", True)
    assert main(["export", str(run), "--out", str(tmp_path / "model")]) == 0
    said = capsys.readouterr().out
    assert "model.pt2 was not written: torch.export can't export the network: " in said
    assert not (tmp_path / "model/model.pt2").exists()
    assert said.partition("model.pt2 was not written: ")[2].strip() in (tmp_path / "model/README.md").read_text()
    assert hml.load(tmp_path / "model")(IMAGES).shape == (7, 10)


def spoil_step(run):
    result = json.loads((run / "metrics.json").read_text())
    result["training"]["steps"] += 1
    (run / "metrics.json").write_text(json.dumps(result))


def spoil_image_size(run):
    checkpoint = read_checkpoint(run / "checkpoints/last.ckpt")
    del checkpoint["hml"]["image_size"]
    write_sealed(run / "checkpoints/last.ckpt", checkpoint)


def cut_checkpoint(run):
    path = run / "checkpoints/last.ckpt"
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (shutil.rmtree, 2, "There is no folder"),
        (lambda run: (run / "metrics.json").unlink(), 2, "Finish it with hml fit --resume auto"),
        (lambda run: [(run / name).unlink() for name in ("metrics.json", "run.json")], 2, "is not a run's folder"),
        (lambda run: shutil.rmtree(run / "checkpoints"), 2, "has no checkpoints/last.ckpt: hml test"),
        (cut_checkpoint, 2, "Can't use the checkpoint"),
        (spoil_step, 2, "files of two runs"),
        (spoil_image_size, 2, "Train again"),
        (lambda run: (run.parent / "out").mkdir() or (run.parent / "out/mine.txt").touch(), 5, "exists already"),
        (lambda run: (run.parent / "out").touch(), 5, "exists already"),
    ],
)
def test_what_cannot_be_exported_is_an_error_and_nothing_is_written(spoil, code, said, run, tmp_path, capsys):
    own = Path(shutil.copytree(run, tmp_path / "run"))
    spoil(own)
    before = {path: path.is_file() and hash_file(path) for path in tmp_path.rglob("*")}
    assert main(["export", str(own), "--out", str(tmp_path / "out")]) == code
    message = capsys.readouterr().err
    assert message.startswith("hml: ")
    assert said in message
    assert {path: path.is_file() and hash_file(path) for path in tmp_path.rglob("*")} == before


def test_export_needs_a_run_and_a_folder(capsys):
    assert main(["export", "some/run"]) == 2
    assert "out" in capsys.readouterr().err
