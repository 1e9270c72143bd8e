import csv
import io
import json
import random
import sqlite3
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hml.data import HMix, HMixDataModule
from hml.elicit.research.export import export_answers
from hml.elicit.research.overview import overview
from hml.elicit.research.privacy import check_cell
from hml.elicit.simulated import simulate_people
from hml.elicit.stimuli import load_stimuli
from hml.elicit.store.answers import correct, count_answers, read_answers
from hml.elicit.store.store import Store
from hml.elicit.study import StimulusChoice, read_study
from hml.elicit.tasks import TASKS
from hml.errors import InputError
from hml.judgements import (
    CIFAR10,
    Classes,
    parse_construct,
    parse_hmix,
    parse_select,
    parse_soft_categories,
    read_hmix,
)
from hml.judgements.hmix_format import FORMATS, Categories
from hml.judgements.plain_format import parse_plain
from hml.judgements.soft_categories import spread
from hml.labels import SeparateLabels
from tests.elicit.conftest import STUDY
from tests.elicit.people import answer_all, finish, start
from tests.elicit.test_study import EXAMPLE

RELEASED = {
    "rate_mixture": "hmix_infer_mixing_factor.csv",
    "construct": "hmix_construct_midpoint.csv",
    "select": "hmix_select_shuffled_midpoint.csv",
    "categorical": "hmix_categorical_soft_labels.csv",
}


@pytest.fixture
def export(tmp_path):
    """Export a store's answers; returns the path."""

    def export_(store):
        export_answers(store.folder, tmp_path / "judgements.csv")
        return tmp_path / "judgements.csv"

    return export_


def say(trial):
    """Answer by the trial's number: slider 10, 20, …, confidence 1, 2, …."""
    return {"mixingcoeff": 10 * trial.number, "confidence": trial.number, "moved": ["mixingcoeff", "confidence"]}


@pytest.mark.parametrize("task", TASKS)
def test_columns_are_those_of_the_released_file(other_tasks, task):
    with (other_tasks / RELEASED[task]).open(newline="", encoding="utf-8") as file:
        assert list(FORMATS[task].columns) == next(csv.reader(file))


def test_judgements_are_read_as_they_were_answered(store, export):
    people = [start(store), start(store)]
    shown = [trial for code in people for trial in answer_all(store, code, say)]
    judgements = read_hmix(export(store), cohort="all")
    assert [j.stimulus for j in judgements] == [trial.stimulus for trial in shown]
    # The slider's 0 is "100 % class 1", and lambda_h is class 1's share.
    assert [j.lambda_h for j in judgements] == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.5, 0.4] * 2)
    assert [j.omega for j in judgements] == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05, 0.06] * 2)
    assert [j.is_repeat for j in judgements] == ([False] * 4 + [True] * 2) * 2
    assert [j.reaction_ms for j in judgements] == [2000.0] * 12
    assert len({j.annotator for j in judgements[:6]}) == len({j.annotator for j in judgements[6:]}) == 1
    assert len({j.annotator for j in judgements}) == 2
    assert not {j.annotator for j in judgements} & set(people)  # codes, which withdraw people, aren't published


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_share_is_exported_the_same_for_either_order_of_sides(open_store, export, seed):
    store = open_store(number=40, trials=40, repeats=9, stimuli=StimulusChoice(seed=seed))
    rng, code = random.Random(seed), start(store)
    cats, positions, sides = [], [], set()
    while trial := store.trials.next(code):
        cats.append(rng.randrange(101))  # how much of the cat, in percent
        names = [CIFAR10[end.label] for end in trial.sides]
        # At the left end all is of the class named there, and the cat is the first in each filename.
        positions.append({"Cat": 100 - cats[-1], "Dog": cats[-1]}[names[0]])
        said = {"mixingcoeff": positions[-1], "confidence": 50, "moved": ["mixingcoeff", "confidence"]}
        store.trials.answer(code, trial.id, f"client-{trial.id}", said, 1.0)
        sides.add(tuple(names))
    assert sides == {("Cat", "Dog"), ("Dog", "Cat")}
    judgements = read_hmix(export(store), "all")
    assert [j.lambda_h for j in judgements] == pytest.approx([cat / 100 for cat in cats])
    table = pd.read_csv(export(store))
    sliders = np.array([json.loads(text)["mixingcoeff"] for text in table["responses"]])
    assert np.where(table["sides_swapped"] == 1, 100 - sliders, sliders).tolist() == positions


def test_rows_have_the_cells_that_hmix_s_have(store, export, data_dir):
    finish(store, start(store))
    ours = pd.read_csv(export(store)).iloc[0]
    theirs = pd.read_csv(data_dir / RELEASED["rate_mixture"]).iloc[0]
    assert set(ours.dropna().index) == set(theirs.dropna().index) - {"condition"} | {"sides_swapped"}
    same = ["trial_type", "task", "question_order"]
    assert ours[same].tolist() == theirs[same].tolist()
    pair = ours["class_pair"]
    assert ours["filename"] == f"mixed_{ours['mixtureCoeff']}_{pair}"


def test_constructed_midpoints_are_read_back(open_store, export):
    store = open_store(task="construct")
    answer_all(store, start(store))
    midpoints = parse_construct(export(store).read_bytes(), "x")
    assert [m.lambda_m for m in midpoints] == [0.4] * 6
    assert {m.start for m in midpoints} <= {0.1, 0.9}
    assert [m.is_repeat for m in midpoints] == [False] * 4 + [True] * 2


def test_selected_midpoints_are_read_back(open_store, export):
    store = open_store(task="select")
    answer_all(store, start(store))
    midpoints = parse_select(export(store).read_bytes(), "x")
    assert [m.lambda_m for m in midpoints] == [0.6] * 6
    assert [m.is_repeat for m in midpoints] == [False] * 4 + [True] * 2


def test_soft_labels_are_read_back(open_store, export):
    store = open_store(task="categorical")
    answer_all(store, start(store))
    answers = parse_soft_categories(export(store).read_bytes(), "x")
    assert len(answers) == 6
    assert {a.probabilities for a in answers} == {spread(Categories(3, 0.6, 5, 0.3, frozenset({8})), 10)}


@pytest.mark.parametrize("task", TASKS)
def test_answers_about_a_hundred_classes_are_read_back(tmp_path, export, task):
    classes = Classes(tuple(f'{i}th "T-shirt/top", é_{i} 2' for i in range(100)))
    (tmp_path / "names.txt").write_text("\n".join(classes), encoding="utf-8")
    images = {"class_path": "tests.elicit.sources.Blots", "init_args": {"root": "names.txt", "width": 8, "height": 8}}
    choice = StimulusChoice(pairs=20, per_class_pair=1, lambdas=(0.1, 0.9))
    study = replace(STUDY, task=task, images=images, stimuli=choice)
    stimuli = load_stimuli(study, None, tmp_path)
    store = Store(tmp_path / "study", study, stimuli.all, stimuli.classes)
    count = simulate_people(store, 8)
    content = export(store).read_bytes()
    if task == "rate_mixture":
        assert {j.stimulus for j in parse_hmix(content, "x", "all", classes=classes)} <= set(stimuli.all)
    else:
        parse = {"construct": parse_construct, "select": parse_select, "categorical": parse_soft_categories}[task]
        assert len(parse(content, "x", classes)) == count == 8 * 6
    assert set(pd.read_csv(io.BytesIO(content))["sides_swapped"]) == {0, 1}
    asked = json.loads((tmp_path / "judgements.study.json").read_text(encoding="utf-8"))[0]["study"]
    assert tuple(asked["classes"]) == classes.names
    assert asked["images"] == images
    subject, number = next((kept.subject, kept.number) for kept in read_answers(store.folder))
    correct(store.folder, subject, number, None, "looked away")
    assert len(read_answers(store.folder)) == count - 1
    store.close()


def test_an_empty_study_has_nothing_to_export(store, tmp_path):
    with pytest.raises(InputError, match="no answers yet"):
        export_answers(store.folder, tmp_path / "judgements.csv")


@pytest.mark.parametrize(
    ("column", "text", "what"),
    [
        ("study_id", "someone@example.org", "an email address"),
        ("responses", '{"mixingcoeff":37,"confidence":"a.b@c.de"}', "an email address"),
        ("subject", "62868d1c77a67aae6b2e5012", "24-digit hexadecimal"),
        ("study_id", "62868D1C77A67AAE6B2E5012", "24-digit hexadecimal"),
        ("study_id", "from-192.168.0.17", "an IP address"),
        ("response", '{"select":"fe80::1ff:fe23:4567:890a"}', "an IP address"),
        ("responses", '{"mixingcoeff":37,"note":"I live in Leeds"}', "free text"),
        ("responses", '{"mixingcoeff":37,"note":"Leeds' + "x" * 40 + '"}', "free text"),
        ("response", "nice study", "free text"),
        ("subj_id", "anything", "free text"),
        ("filename", "me.png", "free text"),
        ("subject", "Ann", "free text"),
    ],
)
def test_identifying_data_are_never_exported(column, text, what):
    with pytest.raises(InputError, match=what) as refusal:
        check_cell(column, text, "judgements.csv, row 2", CIFAR10)
    assert text not in str(refusal.value)


def test_the_released_files_cells_pass_but_for_its_ids(other_tasks):
    for name in RELEASED.values():
        table = pd.read_csv(other_tasks / name, dtype=str, keep_default_na=False).head(100)
        if "trial_type" in table and "survey" in name:
            continue
        table = table[table["trial_type"] != "survey-text"]
        for column in {"subject", "responses", "filename", "label1", "mixtureCoeff", "rt"} & set(table):
            for text in table[column]:
                check_cell(column, text[:15] if column == "rt" else text, name, CIFAR10)
    with pytest.raises(InputError, match="24-digit"):
        check_cell("study_id", table["study_id"].iloc[0], "released", CIFAR10)


def test_a_row_that_should_not_be_there_keeps_the_file_from_being_written(store, tmp_path):
    finish(store, start(store))
    with store.folder.database.writing() as rows:
        rows.execute("UPDATE person SET subject = 'ann@example.org'")
    with pytest.raises(InputError, match=r"judgements\.csv, row 2: subject contains an email address"):
        export_answers(store.folder, tmp_path / "judgements.csv")
    assert not (tmp_path / "judgements.csv").exists()


def test_comments_and_outside_ids_stay_behind(store, export):
    finish(store, start(store, "62868d1c77a67aae6b2e5012"), "Write to me: ann@example.org")
    text = export(store).read_text(encoding="utf-8")
    assert "62868d1c" not in text
    assert "ann@" not in text


def test_a_correction_is_a_new_row_and_the_latest_counts(store, export):
    answer_all(store, start(store), say)
    subject = read_hmix(export(store), "all")[0].annotator
    for slider in (99, 25):
        said = {"mixingcoeff": slider, "confidence": 70}
        correct(store.folder, subject, 2, said, "the trackpad slipped")
    correct(store.folder, subject, 3, None, "looked away")
    judgements = read_hmix(export(store), "all")
    assert [j.lambda_h for j in judgements] == pytest.approx([0.9, 0.75, 0.6, 0.5, 0.4])
    assert judgements[1].omega == 0.7
    assert count_answers(store.folder.database) == 6
    assert overview(store).pace.answers == 5


def test_an_answer_can_not_be_changed_in_its_place(store):
    finish(store, start(store))
    with pytest.raises(sqlite3.IntegrityError, match="add a correction"), store.folder.database.writing() as rows:
        rows.execute("UPDATE answer SET answer = '{}'")


def test_a_correction_must_be_an_answer_to_a_trial_that_has_one(store, export):
    answer_all(store, start(store))
    subject = read_hmix(export(store), "all")[0].annotator
    with pytest.raises(InputError, match="mixingcoeff=101"):
        correct(store.folder, subject, 2, {"mixingcoeff": 101, "confidence": 7}, "why")
    with pytest.raises(InputError, match="no answer to trial 9"):
        correct(store.folder, subject, 9, None, "why")


def test_answers_about_cifar10s_images_are_trained_on_as_h_mix(data_dir, tmp_path, export):
    study = replace(read_study(EXAMPLE), trials=5)
    stimuli = load_stimuli(study, data_dir)
    store = Store(tmp_path / "cifar10", study, stimuli.all, stimuli.classes)
    simulate_people(store, 4)
    module = HMixDataModule(SeparateLabels(), mixed=HMix(judgements=export(store)), data_dir=str(data_dir))
    module.setup("fit")
    store.close()
    assert module.provenance["mixed_images"] == 4 * 5
    assert module.provenance["judgements"] == 4 * 7
    # What people saw, rounded to bytes, is what the network is shown.
    for example in module.examples:
        shown = Image.open(io.BytesIO(stimuli.png(example.stimulus)))
        assert np.abs(np.asarray(shown) / 255 - example.image.permute(1, 2, 0).numpy()).max() <= 0.5001 / 255


def test_plain_judgements_are_those_of_the_export_in_hmix_columns(store, export, tmp_path):
    finish(store, start(store))
    judgements = read_hmix(export(store), "all")
    assert export_answers(store.folder, tmp_path / "plain.csv", "plain") == len(judgements)
    content = (tmp_path / "plain.csv").read_bytes()
    assert parse_plain(content, "plain.csv", CIFAR10) == judgements
    assert content.startswith(b"annotator,image_1,class_1,image_2,class_2,lambda_f,lambda_h,omega,")
    assert (tmp_path / "plain.study.json").exists()


@pytest.mark.parametrize("task", [task for task in TASKS if task != "rate_mixture"])
def test_only_mixing_coefficients_have_a_plain_format(open_store, tmp_path, task):
    store = open_store(task=task)
    answer_all(store, start(store))
    with pytest.raises(InputError, match=f"--format plain is for answers to rate_mixture, .* task is {task}"):
        export_answers(store.folder, tmp_path / "plain.csv", "plain")
    assert not list(tmp_path.glob("plain.*"))
