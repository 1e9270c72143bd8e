import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace

import pytest

from hml.elicit.answers import read_answers
from hml.elicit.conflicts import ConflictError, UnknownPersonError
from hml.elicit.database import connect
from hml.elicit.tasks import TASKS
from hml.errors import DataError, FolderInUseError, InputError, StorageError
from tests.elicit.people import ANSWERS, answer, answer_all, finish, out_of_turn, start

REAL = {"ethics_reference": "E-17", "contact": "us"}
OTHER = {"mixingcoeff": 38, "confidence": 56, "moved": ["mixingcoeff", "confidence"]}


@pytest.mark.parametrize("task", TASKS)
def test_a_person_gets_from_consent_to_a_completion_code(open_store, task):
    store = open_store(task=task)
    code = store.enrol("1")
    stages = [store.find(code).stage, store.advance(code, "quiz").stage, store.advance(code, "trials").stage]
    trials = answer_all(store, code)
    stages.append(store.find(code).stage)
    store.comment(code, "Nice.", "client-comment")
    stages.append(store.find(code).stage)
    assert stages == ["instructions", "quiz", "trials", "comment", "done"]
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5, 6]
    assert {trial.total for trial in trials} == {6}
    completion_code = store.complete(code, 6)
    assert len(completion_code) == 10
    assert store.complete(code, 6) == completion_code


def test_two_of_the_images_are_shown_again_at_the_end_and_no_others(store):
    trials = answer_all(store, start(store))
    first, repeats = [[t.stimulus for t in trials if t.is_repeat is again] for again in (False, True)]
    assert [trial.is_repeat for trial in trials] == [False] * 4 + [True] * 2
    assert len(set(first)) == 4
    assert len(set(repeats)) == 2
    assert set(repeats) <= set(first)


def test_steps_are_taken_in_order(store):
    code = store.enrol("1")
    for stage in ("trials", "comment", "done"):
        with pytest.raises(ConflictError, match="instructions comes before"):
            store.advance(code, stage)
    with pytest.raises(ConflictError, match="instructions comes before trials"):
        store.next_trial(code)
    with pytest.raises(ConflictError, match="instructions comes before the comment"):
        store.comment(code, "", "client-comment")
    with pytest.raises(ConflictError, match="instructions is left to do"):
        store.complete(code, 0)


def test_a_wrong_quiz_leads_back_to_the_instructions_and_is_counted_once_a_try(store):
    code = store.enrol("1")
    for _ in range(2):
        store.advance(code, "quiz")
        store.advance(code, "instructions")
        store.advance(code, "instructions")  # a double click
    assert (store.find(code).stage, store.find(code).quiz_wrong) == ("instructions", 2)


def test_an_older_tab_takes_nobody_back(store):
    code = start(store)
    for stage in ("quiz", "instructions"):
        assert store.advance(code, stage).stage == "trials"
    assert store.find(code).quiz_wrong == 0


def test_a_reload_and_a_second_tab_show_the_same_trial(store):
    code = start(store)
    assert store.next_trial(code) == store.next_trial(code)


def test_an_answer_sent_again_gets_its_first_receipt(store):
    code = start(store)
    trial = store.next_trial(code)
    receipt = answer(store, code, trial)
    assert (receipt.trial_id, receipt.count) == (trial.id, 1)
    answer(store, code, store.next_trial(code))
    assert answer(store, code, trial, reaction_ms=9.0) == receipt
    assert store.find(code).answered == 2


def test_another_answer_under_the_same_id_is_refused(store):
    code = start(store)
    trial = store.next_trial(code)
    receipt = answer(store, code, trial)
    with pytest.raises(ConflictError, match="stands for another answer"):
        answer(store, code, trial, OTHER)
    with pytest.raises(ConflictError, match="stands for another answer"):
        store.answer(code, store.next_trial(code).id, receipt.client_id, ANSWERS["rate_mixture"], 1.0)
    assert store.find(code).answered == 1


def test_a_trial_is_answered_once(store):
    code = start(store)
    trial = store.next_trial(code)
    answer(store, code, trial)
    with pytest.raises(ConflictError, match="has an answer already"):
        store.answer(code, trial.id, "another-client-id", ANSWERS["rate_mixture"], 1.0)


@pytest.mark.parametrize("trial_id", ["999", "", "1 OR 1", "１"])
def test_somebody_elses_trial_can_not_be_answered(store, trial_id):
    theirs = store.next_trial(start(store))
    code = start(store)
    for trial in (trial_id, theirs.id):
        with pytest.raises(ConflictError, match="isn't this person's"):
            store.answer(code, trial, "client-of-mine", ANSWERS["rate_mixture"], 1.0)


def test_an_untouched_answer_is_not_kept(store):
    code = start(store)
    trial = store.next_trial(code)
    with pytest.raises(InputError, match="never moved"):
        answer(store, code, trial, {"mixingcoeff": 50, "confidence": 50, "moved": []})
    assert store.find(code).answered == 0
    assert store.next_trial(code) == trial


@pytest.mark.parametrize("reaction_ms", [-1.0, float("nan"), float("inf"), True])
def test_a_time_that_is_none_is_refused(store, reaction_ms):
    code = start(store)
    with pytest.raises(InputError, match="reaction_ms"):
        answer(store, code, store.next_trial(code), reaction_ms=reaction_ms)


@pytest.mark.parametrize("client_id", ["", "short", "x" * 65, "me@example.org"])
def test_a_client_id_is_of_letters_digits_and_hyphens(store, client_id):
    code = start(store)
    with pytest.raises(InputError, match="client_id"):
        store.answer(code, store.next_trial(code).id, client_id, ANSWERS["rate_mixture"], 1.0)


def test_the_code_comes_only_when_both_have_counted_the_same(store):
    code = start(store)
    answer_all(store, code)
    store.comment(code, "", "client-comment")
    with pytest.raises(ConflictError, match="has 6 answers, the browser 7") as refusal:
        store.complete(code, 7)
    assert refusal.value.count == 6
    assert store.complete(code, 6)


def test_a_comment_sent_again_is_kept_once(store):
    code = start(store)
    answer_all(store, code)
    receipts = {store.comment(code, "Thank you.", "client-comment") for _ in range(2)}
    assert len(receipts) == 1
    assert store.comments() == ["Thank you."]
    with pytest.raises(ConflictError, match="another comment"):
        store.comment(code, "No.", "client-comment")
    with pytest.raises(InputError, match="5,000 characters"):
        store.comment(code, "x" * 5001, "client-comment2")


def test_nobody_is_found_by_a_code_that_nobody_has(store):
    assert store.find("nobody") is None
    with pytest.raises(UnknownPersonError):
        store.next_trial("nobody")


def test_consent_is_kept_with_its_version_its_text_and_its_time(store):
    store.enrol("1")
    database = sqlite3.connect(store.folder / "study.sqlite3")
    ((version, text, time),) = database.execute(
        "SELECT version, text, consented_at FROM consent NATURAL JOIN consent_text"
    )
    database.close()
    assert (version, text) == ("1", "I agree.")
    assert time.endswith("+00:00")


def test_consent_to_an_older_text_is_refused(store):
    with pytest.raises(ConflictError, match="read it again"):
        store.enrol("0")


def test_everything_is_there_when_a_store_is_opened_again(open_store):
    store = open_store()
    code = start(store, "outside")
    trial = store.next_trial(code)
    answer(store, code, trial)
    pending = store.next_trial(code)
    store.close()
    again = open_store()
    assert again.find(code).answered == 1
    assert again.next_trial(code) == pending
    assert again.enrol("1", "outside") == code
    assert again.derive_key("session") == store.derive_key("session")


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"name": "dogs"}, FolderInUseError, "holds the study 'cats'"),
        ({"task": "select"}, FolderInUseError, "(rate_mixture), not 'cats' (select)"),
        ({"number": 7}, FolderInUseError, "other images"),
    ],
)
def test_a_folder_is_one_studys(open_store, changes, error, told):
    open_store().enrol("1")
    with pytest.raises(error) as refusal:
        open_store(**changes)
    assert told in str(refusal.value)


@pytest.mark.parametrize(("first", "then"), [({}, REAL), (REAL, {})])
def test_a_demos_people_and_a_real_studys_are_never_in_one_folder(open_store, first, then):
    store = open_store(**first)
    code = store.enrol("1")
    with pytest.raises(FolderInUseError, match=r"holds a (demo|real study)'s answers"):
        open_store(**then)
    store.withdraw(code)
    assert open_store(**then).enrol("1")
    with pytest.raises(FolderInUseError, match=r"holds a (demo|real study)'s answers"):
        open_store(**first)


def test_a_study_that_nobody_has_taken_part_in_may_become_another(open_store):
    consent = open_store(name="dogs", task="select").study.consent
    store = open_store(number=4, consent=replace(consent, text="I agree to more."))
    assert len(answer_all(store, start(store))) == 4 + 2
    assert store.coverage().images == 4


def test_the_overview_is_computed_while_answers_are_kept(store):
    finish(store, start(store))
    with store._lock:
        assert (store.coverage().judgements, store.pace().finished, len(store.quality())) == (4, 1, 1)
        assert store.agreement().repeats == 2


def test_a_consent_text_changes_with_its_version_only(open_store):
    store = open_store()
    store.enrol("1")
    consent = type(store.study.consent)
    with pytest.raises(InputError, match="raise it"):
        open_store(consent=consent("1", "I agree to more."))
    assert open_store(consent=consent("2", "I agree to more.")).enrol("2")


def test_a_study_whose_key_is_gone_or_cut_off_is_not_opened(open_store):
    path = open_store().folder / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:31])
    with pytest.raises(DataError, match="31 bytes"):
        open_store()
    path.unlink()
    with pytest.raises(DataError, match="Put the study's key back"):
        open_store()


def test_a_study_that_was_killed_before_it_had_a_database_starts_with_the_key_it_has(open_store):
    store = open_store()
    key = store.derive_key("session")
    store.close()
    (store.folder / "study.sqlite3").unlink()
    assert open_store().derive_key("session") == key


def test_a_study_that_began_before_sides_were_drawn_goes_on(open_store, tmp_path):
    store = open_store()
    code = start(store)
    first = store.next_trial(code)
    answer(store, code, first)
    pending = store.next_trial(code)
    store._database.execute("ALTER TABLE trial DROP COLUMN swapped")
    store.close()
    database = connect(store.folder / "study.sqlite3")  # as `hml elicit export` does
    assert [(kept.filename, kept.swapped) for kept in read_answers(database)] == [(first.stimulus.filename, False)]
    database.close()
    again = open_store()
    assert again.next_trial(code) == replace(pending, swapped=False)
    assert {trial.swapped for trial in answer_all(again, start(again))} == {True, False}


def test_a_file_that_is_no_database_is_named(open_store, tmp_path):
    open_store("odd").close()
    (tmp_path / "odd" / "study.sqlite3").write_bytes(b"not a database" * 99)
    with pytest.raises(DataError, match=r"study\.sqlite3 is not a study's database"):
        open_store("odd")


def test_commits_are_as_durable_as_sqlite_makes_them(store):
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    values = [store._database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert values == ["delete", 3, 1, 1]  # 3: EXTRA


def test_a_full_disk_keeps_nothing_by_half(store):
    code = start(store)
    answer_all(store, code)
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full"):
        store.comment(code, "x" * 5000, "client-comment")
    assert store.find(code).stage == "comment"
    assert store.comments() == []
    store._database.execute(f"PRAGMA max_page_count = {pages + 100}")
    assert store.comment(code, "x" * 5000, "client-comment").count == 6


def test_people_who_answer_at_once_are_all_kept_once(open_store):
    store = open_store(number=30, trials=20, people_per_image=50)
    receipts, errors = [], []

    def take_part():
        try:
            code = start(store)
            while trial := store.next_trial(code):
                receipts.append(answer(store, code, trial))
                answer(store, code, trial)  # sent twice
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=take_part) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len({receipt.trial_id for receipt in receipts}) == len(receipts) == 8 * 22
    assert store.pace().answers == 8 * 22
    assert sum(people * images for people, images in store.coverage().images_by_judgements.items()) == 8 * 20
    assert out_of_turn(store._database) == []


CHILD = """
import sys
from tests.elicit.conftest import STUDY, make_images
from tests.elicit.people import answer, start
from dataclasses import replace
from pathlib import Path
from hml.elicit.store import Store
store = Store(Path(sys.argv[1]), replace(STUDY, trials=200, people_per_image=1000), make_images(200))
while True:
    code = start(store)
    while trial := store.next_trial(code):
        print(answer(store, code, trial).trial_id, flush=True)
"""


def test_what_was_acknowledged_outlasts_a_killed_process(tmp_path):
    folder = tmp_path / "killed"
    acknowledged = []
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True) as child:
            acknowledged += [child.stdout.readline().strip() for _ in range(40)]
            child.send_signal(signal.SIGKILL)
            acknowledged += [line.strip() for line in child.stdout if line.endswith("\n")]
    database = sqlite3.connect(folder / "study.sqlite3")
    kept = Counter(str(row[0]) for row in database.execute("SELECT trial FROM answer"))
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    assert len(acknowledged) >= 120
    assert set(acknowledged) <= set(kept)
    assert len(set(acknowledged)) == len(acknowledged)
    assert set(kept.values()) == {1}
    assert len(kept) - len(acknowledged) <= 3  # each kill may hide one receipt


def test_answers_are_kept_in_hmix_s_words(store):
    finish(store, start(store))
    rows = store._database.execute("SELECT DISTINCT answer FROM answer").fetchall()
    assert [json.loads(row[0]) for row in rows] == [{"mixingcoeff": 37, "confidence": 56}]
