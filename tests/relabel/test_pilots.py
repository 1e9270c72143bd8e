"""Pilots: judgements by one or two people, of one image or one class pair, which every command takes or rejects."""

import json
import shutil

import pytest

import hml.analysis.percepts
from hml.cli import main
from hml.data.demo import TEXTURES
from hml.judgements import Endpoint, name_stimulus
from tests.processes import CONFIGS
from tests.relabel.conftest import QUICK, few_steps

CAT, DOG, SHIP, TRUCK = 3, 5, 8, 9
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
TWO_PAIRS = ((CAT, DOG), (SHIP, TRUCK))


def answer_all(people, images, pairs=TWO_PAIRS, answer=None):
    """Let everybody judge every image; by default answers differ from person to person and image to image."""
    return [
        (person, image, pairs[image % len(pairs)], answer or (7 * image + 10 * person, 90 - 5 * image))
        for person in range(people)
        for image in range(images)
    ]


PILOTS = {
    "one judgement": answer_all(1, 1),
    "one person": answer_all(1, 6),
    "two people": answer_all(2, 4),
    "one image": answer_all(3, 1),
    "one class pair": answer_all(2, 4, pairs=((CAT, DOG),)),
    "one judgement each": [row for row in answer_all(4, 4) if row[0] == row[1]],
    "one and the same answer": answer_all(3, 4, answer=(50, 50)),
    "one confidence": [(*row[:3], (row[3][0], 70)) for row in answer_all(3, 4)],
}


@pytest.fixture
def write(tmp_path):
    """Write a pilot's judgements of the demo's images, whose last digits are their classes; returns the path."""

    def write_(pilot):
        lines = ["subject,filename,responses"]
        for person, image, (first, second), (slider, confidence) in PILOTS[pilot]:
            ends = (Endpoint(10 * image + label, label) for label in (first, second))
            name = name_stimulus(TEXTURES, LEVELS[image % len(LEVELS)], *ends).filename
            said = json.dumps({"mixingcoeff": slider, "confidence": confidence}).replace('"', '""')
            lines.append(f'p{person},{name},"{said}"')
        (tmp_path / "pilot.csv").write_text("\n".join([*lines, ""]))
        return str(tmp_path / "pilot.csv")

    return write_


@pytest.fixture
def out(learned, tmp_path):
    """A folder that has the images' description already, so that no network is trained for it."""
    (kept,) = learned.glob("features-*.pt")
    shutil.copy(kept, tmp_path)
    return tmp_path


@pytest.mark.parametrize("pilot", PILOTS)
def test_a_relabeller_is_fitted_to_a_pilot(pilot, write, out, capsys):
    assert main(["relabel", "fit", *QUICK, "--judgements", write(pilot), "--out", str(out)]) == 0
    assert f"Learned from {len(PILOTS[pilot])} judgement" in capsys.readouterr().out
    assert (out / "relabeller.pt").exists()


@pytest.mark.parametrize("pilot", ["one judgement", "one person", "one and the same answer"])
@pytest.mark.usefixtures("without_drawing")
def test_a_network_is_trained_on_a_pilot(pilot, write, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    args = ["fit", "--config", str(CONFIGS / "sep_conf.yaml"), "--config", str(CONFIGS / "demo.yaml")]
    args += ["--model.network.width=2", "--trainer.max_epochs=1"]
    args += ["--data.images.num_train=60", "--data.images.num_test=20", "--calibration.bin_size=10"]
    args += ["--trainer.accelerator=cpu", "--data.mixed=hml.data.HMix", "--data.mixed.cohort=all"]
    assert main([*args, "--data.mixed.judgements", write(pilot), "--run_folder", "run"]) == 0
    result = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert result["data"]["judgements"] == len(PILOTS[pilot])


@pytest.mark.parametrize("pilot", ["one judgement", "one and the same answer"])
def test_a_pilot_has_a_page(pilot, write, monkeypatch, tmp_path):
    def draw(exhibit, folder):
        exhibit.figure.set_layout_engine("none")  # which takes longer than all else that is drawn
        exhibit.figure.draw_without_rendering()
        return b""

    monkeypatch.setattr(hml.analysis.percepts, "write_exhibit", draw)
    args = ["--judgements", write(pilot), "--data_dir", str(tmp_path), "--out", str(tmp_path)]
    assert main(["percepts", *args]) == 0
    result = json.loads((tmp_path / "percepts.json").read_text())
    assert result["judgements"]["judgements"] == len(PILOTS[pilot])


def test_one_persons_export_is_learned_from(out, capsys):
    folder, answers = ["--folder", str(out / "study")], str(out / "answers.csv")
    assert main(["elicit", "simulate", "--people", "1", *folder]) == 0
    assert main(["elicit", "export", answers, *folder]) == 0
    assert main(["relabel", "fit", *QUICK, "--judgements", answers, "--out", str(out)]) == 0
    assert "by 1 person in" in capsys.readouterr().out


@pytest.fixture
def evaluate(write, out):
    """Run `hml relabel evaluate` on a pilot; returns the exit code."""

    def evaluate_(pilot, folds):
        args = ["--judgements", write(pilot), "--out", str(out), "--folds", str(folds)]
        with few_steps():
            return main(["relabel", "evaluate", *QUICK, *args])

    return evaluate_


@pytest.mark.usefixtures("without_drawing")
def test_one_persons_judgements_are_evaluated_by_pairs_only(evaluate, out, capsys):
    assert evaluate("one person", 2) == 0
    result = json.loads((out / "relabel.json").read_text())
    assert list(result["scores"]) == ["pair"]
    assert result["left_out"] == ["Scores with people held out: all judgements are by one person."]
    assert "differences have no intervals" in result["verdicts"][0]
    page = (out / "relabel.html").read_text()
    assert result["left_out"][0] in page
    assert result["left_out"][0] in capsys.readouterr().out
    assert "6 mixed images by 1 person, each predicted from judgements of other image pairs." in page


@pytest.mark.usefixtures("without_drawing")
def test_equal_answers_are_evaluated_both_ways(evaluate, out):
    assert evaluate("one and the same answer", 2) == 0
    assert list(json.loads((out / "relabel.json").read_text())["scores"]) == ["pair", "annotator"]


@pytest.mark.parametrize(
    ("pilot", "folds", "said"),
    [
        ("one judgement", 2, "needs judgements of 3 image pairs or more, or of 2 image pairs by 2 people"),
        ("one image", 2, "the judgements are of 1 image pair by 3 people."),
        ("two people", 5, "--folds 5 must be 2: the judgements are of 4 image pairs by 2 people."),
        ("one person", 7, "--folds 7 must be 2 to 6: the judgements are of 6 image pairs by 1 person."),
        ("one person", 1, "--folds 1 must be 2 to 6"),
    ],
)
def test_what_cannot_be_evaluated_is_rejected_first(pilot, folds, said, evaluate, out, monkeypatch, capsys):
    def train(*args):
        raise AssertionError("it is rejected before the images are described")

    monkeypatch.setattr("hml.relabel.workflow.describe_images", train)
    assert evaluate(pilot, folds) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
