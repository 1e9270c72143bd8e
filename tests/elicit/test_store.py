import sqlite3
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest

from hml.elicit.research.overview import overview
from hml.elicit.store.answers import read_answers
from hml.elicit.store.conflicts import ConflictError, UnknownPersonError
from hml.elicit.store.store import Store
from hml.elicit.store.withdrawal import withdraw
from hml.elicit.tasks import TASKS
from hml.errors import DataError, FolderInUseError, InputError, StorageError
from hml.judgements import CIFAR10
from tests.elicit.conftest import STUDY, make_images
from tests.elicit.people import ANSWERS, answer, answer_all, finish, out_of_turn, start
from tests.processes import CONTEXT

REAL = {"ethics_reference": "E-17", "contact": "us"}
OTHER = {"mixingcoeff": 38, "confidence": 56, "moved": ["mixingcoeff", "confidence"]}


@pytest.mark.parametrize("task", TASKS)
def test_a_person_gets_from_consent_to_a_completion_code(open_store, task):
    store = open_store(task=task)
    code = store.people.enrol("1")
    stages = [
        store.people.find(code).stage,
        store.people.advance(code, "quiz").stage,
        store.people.advance(code, "trials").stage,
    ]
    trials = answer_all(store, code)
    stages.append(store.people.find(code).stage)
    store.people.comment(code, "Nice.", "client-comment")
    stages.append(store.people.find(code).stage)
    assert stages == ["instructions", "quiz", "trials", "comment", "done"]
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5, 6]
    assert {trial.total for trial in trials} == {6}
    completion_code = store.people.complete(code, 6)
    assert len(completion_code) == 10
    assert store.people.complete(code, 6) == completion_code


def test_two_of_the_images_are_shown_again_at_the_end_and_no_others(store):
    trials = answer_all(store, start(store))
    first, repeats = [[t.stimulus for t in trials if t.is_repeat is again] for again in (False, True)]
    assert [trial.is_repeat for trial in trials] == [False] * 4 + [True] * 2
    assert len(set(first)) == 4
    assert len(set(repeats)) == 2
    assert set(repeats) <= set(first)


def test_steps_are_taken_in_order(store):
    code = store.people.enrol("1")
    for stage in ("trials", "comment", "done"):
        with pytest.raises(ConflictError, match="instructions comes before"):
            store.people.advance(code, stage)
    with pytest.raises(ConflictError, match="instructions comes before trials"):
        store.trials.next(code)
    with pytest.raises(ConflictError, match="instructions comes before the comment"):
        store.people.comment(code, "", "client-comment")
    with pytest.raises(ConflictError, match="instructions is left to do"):
        store.people.complete(code, 0)


def test_a_wrong_quiz_leads_back_to_the_instructions_and_is_counted_once_a_try(store):
    code = store.people.enrol("1")
    for _ in range(2):
        store.people.advance(code, "quiz")
        store.people.advance(code, "instructions")
        store.people.advance(code, "instructions")  # a double click
    assert (store.people.find(code).stage, store.people.find(code).quiz_wrong) == ("instructions", 2)


def test_an_older_tab_takes_nobody_back(store):
    code = start(store)
    for stage in ("quiz", "instructions"):
        assert store.people.advance(code, stage).stage == "trials"
    assert store.people.find(code).quiz_wrong == 0


def test_a_reload_and_a_second_tab_show_the_same_trial(store):
    code = start(store)
    assert store.trials.next(code) == store.trials.next(code)


def test_an_answer_sent_again_gets_its_first_receipt(store):
    code = start(store)
    trial = store.trials.next(code)
    receipt = answer(store, code, trial)
    assert (receipt.trial_id, receipt.count) == (trial.id, 1)
    answer(store, code, store.trials.next(code))
    assert answer(store, code, trial, reaction_ms=9.0) == receipt
    assert store.people.find(code).answered == 2


def test_another_answer_with_the_same_id_is_rejected(store):
    code = start(store)
    trial = store.trials.next(code)
    receipt = answer(store, code, trial)
    with pytest.raises(ConflictError, match="is the id of another answer"):
        answer(store, code, trial, OTHER)
    with pytest.raises(ConflictError, match="is the id of another answer"):
        store.trials.answer(code, store.trials.next(code).id, receipt.client_id, ANSWERS["rate_mixture"], 1.0)
    assert store.people.find(code).answered == 1


def test_a_trial_is_answered_once(store):
    code = start(store)
    trial = store.trials.next(code)
    answer(store, code, trial)
    with pytest.raises(ConflictError, match="has an answer already"):
        store.trials.answer(code, trial.id, "another-client-id", ANSWERS["rate_mixture"], 1.0)


@pytest.mark.parametrize("trial_id", ["999", "", "1 OR 1", "１"])
def test_somebody_elses_trial_can_not_be_answered(store, trial_id):
    theirs = store.trials.next(start(store))
    code = start(store)
    for trial in (trial_id, theirs.id):
        with pytest.raises(ConflictError, match="isn't this person's"):
            store.trials.answer(code, trial, "client-of-mine", ANSWERS["rate_mixture"], 1.0)


def test_an_untouched_answer_is_not_kept(store):
    code = start(store)
    trial = store.trials.next(code)
    with pytest.raises(InputError, match="was not moved"):
        answer(store, code, trial, {"mixingcoeff": 50, "confidence": 50, "moved": []})
    assert store.people.find(code).answered == 0
    assert store.trials.next(code) == trial


@pytest.mark.parametrize("reaction_ms", [-1.0, float("nan"), float("inf"), True])
def test_an_invalid_time_is_rejected(store, reaction_ms):
    code = start(store)
    with pytest.raises(InputError, match="reaction_ms"):
        answer(store, code, store.trials.next(code), reaction_ms=reaction_ms)


@pytest.mark.parametrize("client_id", ["", "short", "x" * 65, "me@example.org"])
def test_a_client_id_is_of_letters_digits_and_hyphens(store, client_id):
    code = start(store)
    with pytest.raises(InputError, match="client_id"):
        store.trials.answer(code, store.trials.next(code).id, client_id, ANSWERS["rate_mixture"], 1.0)


def test_the_code_comes_only_when_both_have_counted_the_same(store):
    code = start(store)
    answer_all(store, code)
    store.people.comment(code, "", "client-comment")
    with pytest.raises(ConflictError, match="has 6 answers, the browser 7"):
        store.people.complete(code, 7)
    assert store.people.complete(code, 6)


def test_a_comment_sent_again_is_kept_once(store):
    code = start(store)
    answer_all(store, code)
    for _ in range(2):
        store.people.comment(code, "Thank you.", "client-comment")
    assert overview(store).comments == ["Thank you."]
    with pytest.raises(ConflictError, match="another comment"):
        store.people.comment(code, "No.", "client-comment")
    with pytest.raises(InputError, match="5,000 characters"):
        store.people.comment(code, "x" * 5001, "client-comment2")


def test_nobody_is_found_by_a_code_that_nobody_has(store):
    assert store.people.find("nobody") is None
    with pytest.raises(UnknownPersonError):
        store.trials.next("nobody")


def test_consent_is_kept_with_its_version_its_text_and_its_time(store):
    store.people.enrol("1")
    database = sqlite3.connect(store.folder.path / "study.sqlite3")
    ((version, text, time),) = database.execute(
        "SELECT version, text, consented_at FROM consent NATURAL JOIN consent_text"
    )
    database.close()
    assert (version, text) == ("1", "I agree.")
    assert time.endswith("+00:00")


def test_consent_to_an_older_text_is_rejected(store):
    with pytest.raises(ConflictError, match="read it again"):
        store.people.enrol("0")


def test_everything_is_there_when_a_store_is_opened_again(open_store):
    store = open_store()
    code = start(store, "outside")
    trial = store.trials.next(code)
    answer(store, code, trial)
    pending = store.trials.next(code)
    store.close()
    again = open_store()
    assert again.people.find(code).answered == 1
    assert again.trials.next(code) == pending
    assert again.people.enrol("1", "outside") == code
    assert again.folder.key.derive("session") == store.folder.key.derive("session")


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"name": "dogs"}, FolderInUseError, "contains the study 'cats'"),
        ({"task": "select"}, FolderInUseError, "(rate_mixture), not 'cats' (select)"),
        ({"number": 7}, FolderInUseError, "other images"),
    ],
)
def test_a_folder_is_one_studys(open_store, changes, error, told):
    open_store().people.enrol("1")
    with pytest.raises(error) as refusal:
        open_store(**changes)
    assert told in str(refusal.value)


@pytest.mark.parametrize(("first", "then"), [({}, REAL), (REAL, {})])
def test_a_demos_people_and_a_real_studys_are_never_in_one_folder(open_store, first, then):
    store = open_store(**first)
    code = store.people.enrol("1")
    with pytest.raises(FolderInUseError, match=r"contains a (demo|real study)'s answers"):
        open_store(**then)
    withdraw(store.folder, code)
    assert open_store(**then).people.enrol("1")
    with pytest.raises(FolderInUseError, match=r"contains a (demo|real study)'s answers"):
        open_store(**first)


def test_a_study_that_nobody_has_taken_part_in_may_become_another(open_store):
    consent = open_store(name="dogs", task="select").study.consent
    store = open_store(number=4, consent=replace(consent, text="I agree to more."))
    assert len(answer_all(store, start(store))) == 4 + 2
    assert overview(store).coverage.images == 4


def test_the_overview_is_computed_while_answers_are_kept(store):
    finish(store, start(store))
    with store.folder.database.writing():
        seen = overview(store)
    assert (seen.coverage.judgements, seen.pace.finished, len(seen.quality), seen.agreement.repeats) == (4, 1, 1, 2)


def test_a_consent_text_changes_with_its_version_only(open_store):
    store = open_store()
    store.people.enrol("1")
    consent = type(store.study.consent)
    with pytest.raises(InputError, match="change it too"):
        open_store(consent=consent("1", "I agree to more."))
    assert open_store(consent=consent("2", "I agree to more.")).people.enrol("2")


def test_a_study_whose_key_is_gone_or_cut_off_is_not_opened(open_store):
    path = open_store().folder.path / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:31])
    with pytest.raises(DataError, match="31 bytes"):
        open_store()
    path.unlink()
    with pytest.raises(DataError, match="Restore the study's key"):
        open_store()


def test_a_study_that_was_killed_before_it_had_a_database_starts_with_the_key_it_has(open_store):
    store = open_store()
    key = store.folder.key.derive("session")
    store.close()
    (store.folder.path / "study.sqlite3").unlink()
    assert open_store().folder.key.derive("session") == key


def test_a_file_that_is_no_database_is_named(open_store, tmp_path):
    open_store("odd").close()
    (tmp_path / "odd" / "study.sqlite3").write_bytes(b"not a database" * 99)
    with pytest.raises(DataError, match=r"study\.sqlite3 is not a study's database"):
        open_store("odd")


def test_commits_are_as_durable_as_sqlite_makes_them(store):
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    with store.folder.database.reading() as rows:
        values = [rows.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert values == ["delete", 3, 1, 1]  # 3: EXTRA


def test_a_full_disk_keeps_nothing_by_half(store):
    code = start(store)
    answer_all(store, code)
    with store.folder.database.reading() as rows:
        (pages,) = rows.execute("PRAGMA page_count").fetchone()
        rows.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full"):
        store.people.comment(code, "x" * 5000, "client-comment")
    assert store.people.find(code).stage == "comment"
    assert overview(store).comments == []
    with store.folder.database.reading() as rows:
        rows.execute(f"PRAGMA max_page_count = {pages + 100}")
    store.people.comment(code, "x" * 5000, "client-comment")
    assert overview(store).comments == ["x" * 5000]


def test_people_who_answer_at_once_are_all_kept_once(open_store):
    store = open_store(number=30, trials=20, people_per_image=50)
    receipts, errors = [], []

    def take_part():
        try:
            code = start(store)
            while trial := store.trials.next(code):
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
    assert overview(store).pace.answers == 8 * 22
    assert sum(people * images for people, images in overview(store).coverage.images_by_judgements.items()) == 8 * 20
    with store.folder.database.reading() as rows:
        assert out_of_turn(rows) == []


def answer_until_killed(folder, acknowledged):
    store = Store(folder, replace(STUDY, trials=200, people_per_image=1000), make_images(200), CIFAR10)
    while True:
        code = start(store)
        while trial := store.trials.next(code):
            acknowledged.send(answer(store, code, trial).trial_id)


def test_what_was_acknowledged_outlasts_a_killed_process(tmp_path):
    folder = tmp_path / "killed"
    acknowledged = []
    for _ in range(3):
        receiver, sender = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=answer_until_killed, args=(folder, sender))
        process.start()
        sender.close()
        acknowledged += [receiver.recv() for _ in range(40)]
        process.kill()
        with suppress(EOFError, OSError):  # which says that the last receipt was cut off
            while True:
                acknowledged.append(receiver.recv())
        process.join()
        receiver.close()
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
    kept = read_answers(store.folder)
    assert len(kept) == 6
    assert all(one.answer == {"mixingcoeff": 37, "confidence": 56} for one in kept)
