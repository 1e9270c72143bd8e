import itertools
import json
import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hml.cli import main
from hml.data import DemoImages, FreshMixes
from hml.errors import InputError
from hml.experiments.schemes import ON_THE_FLY
from hml.files.sealed import hash_file
from hml.judgements import Classes
from hml.judgements.curves import Curve, PairCurves
from hml.labels import MixedBatch, smooth_by_confidence
from hml.randomness import Draws
from hml.relabel import CurveLabels, LearnedLabels
from hml.relabel.checkpoint import Checkpoint, curve_at, tabulate_curves

CONFIGS = Path(__file__).parent.parent.parent / "configs"
FLY = [
    *("--config", str(CONFIGS / "demo_fly.yaml"), "--trainer.max_epochs", "1", "--calibration.bin_size", "10"),
    *("--data.images.num_train", "60", "--data.images.num_test", "33", "--model.network.width", "2"),
    *("--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"),
]


@pytest.fixture
def checkpoint(learned):
    return str(learned / "relabeller.pt")


@pytest.fixture
def batch():
    """Twelve mixes of the demo's images, whose class is the last digit of their ids; one is of two of one class."""
    id_1 = torch.arange(12)
    id_2 = torch.tensor([13, 24, 35, 46, 57, 68, 79, 80, 91, 100, 11, 12])
    return MixedBatch(id_1, id_2, id_1 % 10, id_2 % 10, torch.linspace(0.05, 0.95, 12), 10)


@pytest.fixture
def draws():
    return Draws(3, 1, np.arange(12))


def make(checkpoint):
    return [
        LearnedLabels(checkpoint),
        LearnedLabels(checkpoint, gamma=0.005),
        LearnedLabels(checkpoint, draw="sample"),
        LearnedLabels(checkpoint, draw="sample", gamma=0.005, smooth_over="endpoints"),
        LearnedLabels(checkpoint, annotator="demo03"),
        CurveLabels(checkpoint),
    ]


def test_labels_sum_to_one_over_the_endpoints(checkpoint, batch, draws):
    for strategy in make(checkpoint):
        label = strategy.label_batch(batch, draws)
        torch.testing.assert_close(label.sum(1), torch.ones(12))
        assert bool((label >= 0).all())
        if getattr(strategy, "gamma", None) is None:
            ends = label.gather(1, torch.stack([batch.class_1, batch.class_2], 1))
            ends[batch.class_1 == batch.class_2, 1] = 0
            torch.testing.assert_close(ends.sum(1), torch.ones(12))


def test_a_sampled_label_is_the_drawn_answer_smoothed_by_the_drawn_confidence(checkpoint, batch, draws):
    lambda_h, omega = Checkpoint.load(Path(checkpoint)).relabeller.sample(batch, draws)
    expected = smooth_by_confidence(batch.two_hot(lambda_h), omega, 0.005)
    found = LearnedLabels(checkpoint, draw="sample", gamma=0.005).label_batch(batch, draws)
    torch.testing.assert_close(found, expected)


def test_samples_depend_on_seed_epoch_and_index_only(checkpoint, batch):
    strategy = LearnedLabels(checkpoint, draw="sample")
    label = strategy.label_batch(batch, Draws(3, 1, np.arange(12)))
    columns = ("id_1", "id_2", "class_1", "class_2", "lambda_f")
    turned = MixedBatch(*(getattr(batch, name).flip(0) for name in columns), num_classes=10)
    again = strategy.label_batch(turned, Draws(3, 1, np.arange(12)[::-1].copy()))
    torch.testing.assert_close(again.flip(0), label)
    assert not torch.equal(strategy.label_batch(batch, Draws(3, 2, np.arange(12))), label)


def test_a_judged_image_is_labelled_too(checkpoint, make_example):
    example = make_example((0.2, 0.5), lambda_f=0.5, classes=(1, 2))  # image 1 and image 2
    for strategy in make(checkpoint):
        assert strategy.label(example).shape == (1, 10)


def test_curve_labels_are_the_pairs_curves():
    curves = torch.zeros(10, 10, 3)
    curves[3, 5] = torch.tensor([-0.1, 8.0, 0.02])
    lambda_f = torch.tensor([0.1, 0.5, 0.9])
    found = curve_at(curves, torch.full((3,), 3), torch.full((3,), 5), lambda_f)
    np.testing.assert_allclose(found.numpy(), Curve(-0.1, 8.0, 0.02)(lambda_f.numpy()), rtol=1e-5)


@pytest.mark.parametrize("num_classes", [2, 3, 100])
def test_every_two_classes_curve_is_tabulated(num_classes):
    fitted = {(0, 1): Curve(-0.1, 8.0, 0.02)} | ({(0, 2): Curve(0.2, 3.0)} if num_classes > 2 else {})
    curves = PairCurves(Curve(0.05, 5.0, 0.1), fitted)
    started = time.process_time()
    found = tabulate_curves(curves, num_classes)
    assert time.process_time() - started < 1
    assert found.shape == (num_classes, num_classes, 3)
    for a, b in itertools.product(range(min(num_classes, 4)), repeat=2):
        curve = curves.of(a, b)
        assert torch.equal(found[a, b], torch.tensor([curve.bias, curve.slope, curve.lapse]))


def test_images_of_other_classes_are_rejected(checkpoint, tiny):
    class Renamed(DemoImages):
        def load(self, data_dir):
            return replace(super().load(data_dir), classes=Classes(tuple(f"Kind {i}" for i in range(10))))

    for strategy in (LearnedLabels(checkpoint), CurveLabels(checkpoint)):
        with pytest.raises(
            InputError, match=r"was fitted to the classes .* have the classes Kind 0, .*hml relabel fit"
        ):
            tiny(strategy, mixed=FreshMixes(), images=Renamed(60, 33))


def test_fresh_mixes_are_labelled_on_the_way(checkpoint, tiny):
    module = tiny(LearnedLabels(checkpoint, draw="sample"), mixed=FreshMixes(), images=DemoImages(60, 33))
    targets = torch.cat([b["target"] for b in module.train_dataloader()])
    assert targets.shape == (48, 10)
    assert module.provenance["strategy_files"] == {"relabeller.pt": hash_file(Path(checkpoint))}
    assert "relabeller.pt" not in module.provenance["files"]


def test_the_checkpoint_has_its_provenance(checkpoint, tmp_path):
    loaded = Checkpoint.load(Path(checkpoint))
    assert loaded.provenance["data"]["judgements"] == 1350
    assert loaded.provenance["options"]["steps"] == 15
    assert loaded.relabeller.annotators == tuple(f"demo{i:02d}" for i in range(12))
    loaded.save(tmp_path / "again.pt")
    again = Checkpoint.load(tmp_path / "again.pt").relabeller
    ids = torch.tensor([1]), torch.tensor([2])
    batch = MixedBatch(*ids, *ids, torch.tensor([0.4]), 10)
    assert torch.equal(again.mass(batch), loaded.relabeller.mass(batch))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "There is no .*hml relabel fit"),
        (b"not a checkpoint", "can't be read"),
        ({"members": []}, "lacks format"),
        (
            dict.fromkeys(("shape", "members", "table", "classes", "annotators", "judged", "curves", "provenance"))
            | {"format": 9},
            "9",
        ),
        (
            dict.fromkeys(("shape", "members", "table", "classes", "annotators", "judged", "curves", "provenance"))
            | {"format": 2},
            "no",
        ),
        ({"format": Path("code/that/runs")}, "can't be read"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_rejected(content, said, tmp_path):
    path = tmp_path / "relabeller.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=said):
        LearnedLabels(str(path))


def test_a_flipped_bit_is_rejected(checkpoint, tmp_path):
    good, rng = Path(checkpoint).read_bytes(), random.Random(0)
    for _ in range(50):
        bad = bytearray(good)
        bad[rng.randrange(len(good) - 200)] ^= 1 << rng.randrange(8)  # the rest is the zip's index, and the hash
        (tmp_path / "relabeller.pt").write_bytes(bad)
        with pytest.raises(InputError, match=r"relabeller\.pt can't be read"):
            LearnedLabels(str(tmp_path / "relabeller.pt"))


@pytest.mark.parametrize(
    ("options", "said"), [({"draw": "both"}, "draw='both'"), ({"gamma": 2}, "gamma=2"), ({"annotator": "x"}, "'x'")]
)
def test_wrong_arguments_are_rejected(options, said, checkpoint):
    with pytest.raises(InputError, match=said):
        LearnedLabels(checkpoint, **options)


@pytest.mark.usefixtures("without_drawing")
@pytest.mark.parametrize("scheme", ON_THE_FLY)
def test_every_scheme_on_the_fly_trains_and_tests(scheme, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = [] if scheme == "mixup_fly" else ["--data.strategy.checkpoint", checkpoint]
    assert main(["fit", "--config", str(CONFIGS / f"{scheme}.yaml"), *FLY, *chosen]) == 0
    result = json.loads((Path("lightning_logs") / scheme / "version_0" / "metrics.json").read_text())
    assert result["scheme"] == scheme
    assert result["data"]["train_rows"] == 60
    assert result["recipe"]["data"]["mixed"]["class_path"] == "hml.data.FreshMixes"
    assert ("relabeller.pt" in result["data"]["strategy_files"]) == bool(chosen)


@pytest.mark.usefixtures("without_drawing")
def test_they_join_table1_by_name(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load((CONFIGS / "learned_conf.yaml").read_text())
    config["data"]["strategy"]["init_args"]["checkpoint"] = checkpoint
    Path("mine.yaml").write_text(yaml.safe_dump(config))
    assert main(["table1", "--schemes", "mixup_fly,mine.yaml", "--seeds", "0", "--root", "t", *FLY]) == 0
    table = Path("t/table1.md").read_text()
    assert "learned_conf" in table
    assert "differ in more than labels" not in table


def test_without_a_checkpoint_the_remedy_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", str(CONFIGS / "learned_mean.yaml"), *FLY]) == 2
    message = capsys.readouterr().err
    assert "hml relabel fit" in message
    assert "Traceback" not in message


def test_both_strategies_see_a_plain_image_as_what_it_is(checkpoint):
    ids = torch.tensor([3, 3]), torch.tensor([15, 15])
    batch = MixedBatch(*ids, ids[0] % 10, ids[1] % 10, torch.tensor([0.0, 1.0]), 10)
    for strategy in (LearnedLabels(checkpoint), LearnedLabels(checkpoint, draw="sample"), CurveLabels(checkpoint)):
        assert strategy.label_batch(batch, Draws(0, 0, np.arange(2))).argmax(1).tolist() == [5, 3]
        assert strategy.label_batch(batch, Draws(0, 0, np.arange(2))).amax(1).tolist() == [1, 1]


def test_without_a_relabeller_the_demos_commands_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", "learned_conf", "--config", "demo_fly"]) == 2
    said = capsys.readouterr().err
    for command in ("hml relabel fit --demo", "hml fit --config learned_conf --config demo_fly"):
        assert command in said
