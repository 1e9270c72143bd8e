"""`hml table1 --config as_authors`: the choices of an early version of the authors' code."""

from pathlib import Path

import pytest

import hml
from hml.cli import main
from hml.experiments.command import parse
from hml.experiments.schemes import PAPER_SCHEMES, find_configs
from hml.training import flags
from hml.training.result import read_result

FOLDER = Path(hml.__file__).parents[1] / "configs" / "as_authors"


def test_the_authors_choices_reach_every_scheme():
    options = parse(["--config", "as_authors", "--data.wrap", "Rounded"])
    runs = [flags.parse(["fit", "--config", str(c), *options.flags]).settings for c in find_configs(options.schemes)]
    assert tuple(run.scheme for run in runs) == PAPER_SCHEMES
    for run in runs:
        assert (run.data.batch_size, run.data.label_draw, run.data.augment) == (32, "expand", "crop_flip_once")
        assert run.model.network.class_path.endswith("MixupCifar10ResNet18")
        assert run.model.std == [0.2023, 0.1994, 0.2010]
        assert run.fgsm.num_images == 1000
        assert run.data.wrap.class_path.endswith("Rounded")
    smoothings = {run.scheme: run.data.strategy.init_args.as_dict() for run in runs[-2:]}
    assert {name: (own["gamma"], own["additive"]) for name, own in smoothings.items()} == {
        "agg_conf": (0.0001, 50),
        "sep_conf": (0.0001, 50),
    }
    assert smoothings["agg_conf"]["order"] == "mean_then_smooth"


def test_a_run_with_the_authors_choices_trains(tmp_path, without_drawing):
    args = ["--config", "as_authors/sep", "--config", "as_authors/recipe", "--data.wrap", "Rounded"]
    demo = ["--data.images", "DemoImages", "--data.images.num_train", "60", "--data.images.num_test", "33"]
    quick = ["--model.network.width", "2", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    mixed = ["--data.mixed", "DemoMixes", "--data.mixed.images_per_pair", "1", "--calibration.bin_size", "10"]
    assert main(["fit", *args, *demo, *mixed, *quick, "--run_folder", str(tmp_path / "run")]) == 0
    result = read_result(tmp_path / "run")
    assert result.scheme == "sep"
    assert result.data["train_rows"] == 60 + result.data["judgements"]
    assert result.recipe.data["wrap"]["class_path"] == "hml.labels.Rounded"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_config_is_short_and_says_how_to_use_it(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert len(text.splitlines()) <= 15
    assert f"hml fit --config configs/as_authors/{'sep_conf' if path.stem == 'recipe' else path.stem}.yaml" in text
