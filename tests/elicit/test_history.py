import json

import pytest

from hml.elicit.research.export import export_answers
from hml.elicit.store.history import read_history
from hml.elicit.store.store import Store
from hml.errors import DataError, FolderInUseError
from hml.judgements import CIFAR10, Classes
from tests.elicit.conftest import STUDY
from tests.elicit.people import answer_all, finish, start

REAL = {
    "ethics_reference": "E-17",
    "contact": "ann@example.org",
    "return_url": "https://x.org/?u=62868d1c77a67aae6b2e5012",
}


def test_a_row_is_added_only_when_something_is_asked_otherwise(open_store, monkeypatch):
    store = open_store()
    store.people.enrol("1")
    assert len(read_history(open_store().folder)) == 1
    open_store(instructions="Look twice.")
    open_store(instructions="Look twice.", people_per_image=5, trials=3)
    open_store()
    monkeypatch.setattr("hml.__version__", "9")
    open_store()
    history = read_history(store.folder)
    asked = [[row["study"][key] for key in ("instructions", "people_per_image", "trials")] for row in history]
    assert asked == [["Look.", 3, 4], ["Look twice.", 3, 4], ["Look twice.", 5, 3], ["Look.", 3, 4], ["Look.", 3, 4]]
    assert [row["hml_version"] == "9" for row in history] == [False] * 4 + [True]
    assert history[0]["study"]["stimuli"]["seed"] == STUDY.stimuli.seed
    assert [row["since"] for row in history] == sorted(row["since"] for row in history)


def test_a_study_that_nobody_has_taken_part_in_has_no_past(open_store):
    open_store(instructions="Draft.")
    (row,) = read_history(open_store().folder)
    assert row["study"]["instructions"] == "Look."


def test_answers_about_other_classes_have_another_folder(tmp_path, store):
    store.people.enrol("1")
    others = Classes((*CIFAR10.names[:9], "Lorry"))
    with pytest.raises(FolderInUseError, match="the source's images or classes have changed"):
        Store(store.folder.path, STUDY, store.stimuli, others)


def test_a_folder_of_an_earlier_hml_is_left_to_that_version(store, open_store, tmp_path):
    finish(store, start(store))
    with store.folder.database.writing() as rows:  # as it was before classes were recorded, and sides were drawn
        rows.execute("ALTER TABLE trial DROP COLUMN swapped")
        rows.execute("UPDATE history SET study = json_remove(study, '$.classes')")
    with pytest.raises(DataError, match="An earlier version of hml created this study's folder"):
        open_store()
    with pytest.raises(DataError, match="An earlier version of hml created this study's folder"):
        export_answers(store.folder, tmp_path / "judgements.csv")


def test_it_is_written_beside_the_answers_with_the_first_row(open_store, tmp_path):
    store = open_store(title="Katzen – 猫")
    answer_all(store, start(store))
    changed = open_store(instructions="Look twice.")
    answer_all(changed, start(changed))
    assert export_answers(store.folder, tmp_path / "judgements.csv") == 12
    history = json.loads((tmp_path / "judgements.study.json").read_text(encoding="utf-8"))
    assert [row["first_index"] for row in history] == [0, 6]
    assert history[0]["study"]["title"] == "Katzen – 猫"
    assert history[0]["study"]["consent"] == {"version": "1", "text": "I agree."}


def test_it_holds_nothing_of_people(open_store, tmp_path):
    store = open_store(**REAL)
    code = start(store, "ben@example.org")
    finish(store, code, "Call me.")
    export_answers(store.folder, tmp_path / "judgements.csv")
    text = (tmp_path / "judgements.study.json").read_text(encoding="utf-8")
    person = store.people.find(code)
    assert "E-17" in text
    for secret in (code, person.subject, person.outside_hash, "@example", "62868d1c77a67aae6b2e5012", "Call me"):
        assert secret not in text
