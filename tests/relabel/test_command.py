import contextlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hml.cli import main
from hml.data import DemoImages
from hml.relabel.checkpoint import Checkpoint
from hml.relabel.figures import said_of
from tests.drawing import skip_drawing
from tests.elicit.sources import AWKWARD
from tests.relabel.conftest import QUICK, few_steps


@pytest.fixture(scope="module")
def evaluated(learned):
    """The folder of `hml relabel evaluate --demo`, and what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), few_steps(), pytest.MonkeyPatch.context() as patch:
        skip_drawing(patch)  # test_any_images_and_classes_can_be_learned draws
        args = ["--folds", "2", "--pairs", "rings/Antidiagonal stripes", "Diagonal stripes/Checks"]
        assert main(["relabel", "evaluate", *QUICK, *args, "--out", str(learned)]) == 0
    return learned, printed.getvalue()


def test_evaluate_scores_every_model_in_both_splits(evaluated):
    folder, printed = evaluated
    result = json.loads((folder / "relabel.json").read_text())
    assert list(result["scores"]) == ["pair", "annotator"]
    names = {"lambda_f_point", "lambda_f", "histogram", "pair_curves", "boosting", "relabeller"}
    for split, models in (("pair", names | {"relabeller_person"}), ("annotator", names)):
        rows = result["scores"][split]
        assert {row["model"] for row in rows} == models
        assert all(np.isfinite(row["value"]) for row in rows)
        differences = [row for row in rows if row["compared"]]
        assert {row["measure"] for row in differences} == {"bits", "bits_joint", "crps", "mae"}
        assert all(row["low"] <= row["value"] <= row["high"] for row in differences)
    assert {"others", "another"} <= set(result["ceilings"])
    for text in ("image pairs held out", "people held out", "gradient boosting", "the mean of the other people"):
        assert text in printed


def test_evaluate_draws_held_out_images_and_boundaries(evaluated):
    folder, _ = evaluated
    for name in ("held_out", "boundary_3_5", "boundary_2_4"):
        assert {path.suffix for path in (folder / "figures").glob(f"{name}.*")} == {".png", ".pdf", ".csv"}
    page = (folder / "relabel.html").read_text()
    assert "the learned boundary" in page
    assert page.count("data:image/png") == 3


def test_the_images_description_is_kept(learned, capsys):
    before = {path: path.stat().st_mtime_ns for path in learned.glob("features-*.pt")}
    assert len(before) == 1
    assert main(["relabel", "fit", *QUICK, "--out", str(learned)]) == 0
    assert {path: path.stat().st_mtime_ns for path in learned.glob("features-*.pt")} == before
    printed = capsys.readouterr().out
    assert "1,350 judgements of 450 images by 12 people" in printed
    assert f"{learned / 'relabeller.pt'} will be replaced: to keep it, stop this and set another --out.\n" in printed


def test_your_own_judgements_of_the_demos_images_are_learned_from(learned, tmp_path, capsys):
    (kept,) = learned.glob("features-*.pt")
    shutil.copy(kept, tmp_path)
    answer = '"{""mixingcoeff"": 40, ""confidence"": 70}"'
    rows = [
        f"{who},mixed_0.5_Antidiagonal stripes_{first}_Rings_{first + 2}.png,{answer}\n"
        for who in ("ann", "bob")
        for first in (3, 13, 23)  # the demo's classes are the last digits of its images' ids
    ]
    (tmp_path / "mine.csv").write_text("".join(["subject,filename,responses\n", *rows]))
    own = ["--judgements", str(tmp_path / "mine.csv"), "--out", str(tmp_path)]
    assert main(["relabel", "fit", *QUICK, *own]) == 0
    assert "Learned from 6 judgements of 3 images by 2 people" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["fit", "--judgements", "nowhere.csv"], 2, "nowhere.csv"),
        (["evaluate", "--judgements", "nowhere.csv"], 2, "nowhere.csv"),
        (["evaluate", "--folds", "13"], 2, "--folds 13"),
        (["evaluate", "--pairs", "Cat/Unicorn"], 2, "Cat/Unicorn"),
        (["fit", "--members", "0"], 2, "--members 0"),
        (["fit", "--steps", "0"], 2, "--steps 0"),
        (["fit", "--seed", "-1"], 2, "--seed -1"),
    ],
)
def test_wrong_flags_exit_with_2(args, code, said, learned, capsys):
    verb, *flags = args
    assert main(["relabel", verb, *QUICK, *flags, "--out", str(learned)]) == code
    message = capsys.readouterr().err
    assert said in message
    assert "Traceback" not in message


def test_judgements_that_are_missing_or_wrong_exit_with_2(data_dir, tmp_path, capsys):
    out = ["--out", str(tmp_path), "--data_dir", str(data_dir)]
    assert main(["relabel", "fit", "--judgements", "nowhere.csv", *out]) == 2
    assert "nowhere.csv" in capsys.readouterr().err
    Path(tmp_path / "mine.csv").write_text("subject,filename\n")
    assert main(["relabel", "fit", "--judgements", str(tmp_path / "mine.csv"), *out]) == 2
    assert "responses" in capsys.readouterr().err


def test_any_images_and_classes_can_be_learned(tmp_path, capsys):
    header = "annotator,image_1,class_1,image_2,class_2,lambda_f,lambda_h,omega\n"
    ends = [
        ("0", "benign", "12", "T-shirt/top"),
        ("24", "ankle_boot 2", "1", "benign"),
        ("13", "T-shirt/top", "2", "benign"),
    ]
    rows = [
        f"{who},{','.join(pair)},{x},{y},0.7\n"
        for who in ("ann", "bob", "cy")
        for pair in ends
        for x, y in ((0.25, 0.1), (0.5, 0.4), (0.75, 0.8))
    ]
    (tmp_path / "mine.csv").write_text("".join([header, *rows]))
    own = ["--judgements", str(tmp_path / "mine.csv"), "--out", str(tmp_path)]
    source = ["--source", "tests.elicit.sources.Blots", "--source.width", "24", "--source.height", "20"]
    assert main(["relabel", "fit", *source, *own, *QUICK[1:]]) == 0
    checkpoint = Checkpoint.load(tmp_path / "relabeller.pt")
    assert checkpoint.classes == AWKWARD
    assert checkpoint.curves.shape == (3, 3, 3)
    assert checkpoint.relabeller.table.human.unique().tolist() == [0, 1]  # nobody was asked
    with few_steps():
        assert main(["relabel", "evaluate", *source, *own, *QUICK[1:], "--folds", "2"]) == 0
    drawn = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert drawn == {"held_out", "boundary_0_1"}  # the pair judged most, whose names a file's name can't hold
    assert "benign/T-shirt/top: the learned boundary" in (tmp_path / "relabel.html").read_text()
    capsys.readouterr()
    assert main(["relabel", "fit", *source, *own, *QUICK]) == 2
    assert "--demo and --source both choose the images" in capsys.readouterr().err


def test_a_relabeller_of_the_demo_is_used_with_demo(learned, tmp_path, capsys):
    relabeller = ["--relabeller", str(learned / "relabeller.pt")]
    no_data = ["--data_dir", str(tmp_path / "nothing"), "--out", str(tmp_path / "proposed.csv")]
    for verb in ("propose", "plan"):
        assert main(["relabel", verb, *relabeller, *no_data]) == 2
        assert "other classes: add --demo, which hml relabel fit was given. It knows" in capsys.readouterr().err
    source = ["--source", "tests.elicit.sources.Blots"]
    assert main(["relabel", "propose", *relabeller, *no_data, *source, "--source.width", "24"]) == 2
    assert "other classes: run hml relabel fit on the same images." in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


def test_boundaries_show_answers_of_either_order():
    table = pd.DataFrame(
        {"class_1": [0, 2, 1], "class_2": [2, 0, 2], "lambda_f": [0.25, 0.1, 0.5], "lambda_h": [0.2, 0.3, 0.5]}
    )
    said = said_of(table, (0, 2))
    assert said["lambda_f"].tolist() == [0.25, 0.9]
    assert said["lambda_h"].tolist() == [0.2, 0.7]


@pytest.mark.parametrize("verb", ["fit", "evaluate"])
def test_judgements_without_confidence_exit_with_2_before_any_work(verb, tmp_path, capsys):
    header = "annotator,image_1,class_1,image_2,class_2,lambda_f,lambda_h,omega\n"
    first, second = DemoImages().classes(tmp_path).names[3:6:2]
    rows = [f"{who},3,{first},5,{second},0.5,0.4,{omega}\n" for who, omega in (("ann", 0.9), ("bob", ""))]
    (tmp_path / "mine.csv").write_text("".join([header, *rows]))
    own = ["--judgements", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "out")]
    assert main(["relabel", verb, *QUICK, *own]) == 2
    said = capsys.readouterr()
    assert "1 of 2 judgements have no omega" in said.err
    assert "Describing" not in said.out
    assert not (tmp_path / "out").exists()


def test_a_broken_description_of_images_is_rejected(learned, tmp_path, capsys):
    (kept,) = learned.glob("features-*.pt")
    (tmp_path / kept.name).write_bytes(b"broken")
    assert main(["relabel", "fit", *QUICK, "--out", str(tmp_path)]) == 2
    assert "Delete it" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_exits_with_6(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["relabel", "fit", *QUICK, "--out", str(tmp_path / "file")]) == 6
    assert "file" in capsys.readouterr().err


def test_the_verbs_are_shown(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["relabel", "--help"])
    assert stop.value.code == 0
    assert "evaluate" in capsys.readouterr().out
