import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hml.elicit.research.overview import overview
from hml.elicit.store import backup, withdrawal
from hml.elicit.store.backup import back_up, remembered_backups
from hml.elicit.store.conflicts import UnknownPersonError
from hml.elicit.store.withdrawal import withdraw
from hml.errors import InputError, StorageError
from tests.elicit.people import answer, answer_all, finish, start

OUTSIDE_ID = "62868d1c77a67aae6b2e5012"


def contents(folder):
    """Everything in a folder, as one string of bytes."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def secrets_of(store, code):
    """Whatever stands for a person anywhere."""
    person = store.people.find(code)
    return [
        code.encode(),
        *(value.encode() for value in (person.subject, person.outside_hash) if value),
        OUTSIDE_ID.encode(),
        b"Ann was here",
    ]


def test_an_outside_id_is_on_the_list_of_payments_only(store):
    code = start(store, OUTSIDE_ID)
    assert store.people.enrol("1", OUTSIDE_ID) == code
    assert OUTSIDE_ID.encode() not in (store.folder.path / "study.sqlite3").read_bytes()
    assert OUTSIDE_ID.encode() in (store.folder.path / "payments.sqlite3").read_bytes()
    assert len(store.people.find(code).outside_hash) == 64


def test_the_same_outside_id_has_another_hash_in_another_study(open_store):
    one, other = open_store("one"), open_store("other")
    first, again, elsewhere = (store.folder.key.hash_outside_id("x") for store in (one, one, other))
    assert first == again != elsewhere


@pytest.mark.parametrize(
    "written",
    [" 5f0aé", "5f0aé \n", "\u20035f0aé\t", "\ufeff5f0aé", "5f0\u200baé\u200e", "5f0ae\u0301"],
)
def test_an_id_is_one_persons_however_it_is_written(store, written):
    code = store.people.enrol("1", "5f0aé")
    assert store.people.enrol("1", written) == code
    assert store.people.find_by_id(written).code == code
    assert [row.outside_id for row in store.folder.payments.read()] == ["5f0aé"]


def test_an_id_is_kept_on_the_list_as_it_is_compared(store):
    code = store.people.enrol("1", " cafe\u0301\u200b ")
    assert store.people.outside_id(code) == "caf\u00e9"
    assert not store.people.find_by_id("CAF\u00c9")  # some services' ids differ in case only


@pytest.mark.parametrize(
    "outside_id", ["", " \u200b", "x" * 129, "a\nb", "a\x00", "{{%PROLIFIC_PID%}}", "%PID%", "${id}"]
)
def test_texts_that_are_no_outside_ids_are_rejected(store, outside_id):
    with pytest.raises(InputError, match="participant id"):
        store.people.enrol("1", outside_id)


def test_the_list_has_who_finished_with_which_code(store):
    completion_code = finish(store, start(store, "bea"))
    start(store, "ann")
    start(store)
    rows = [(row.outside_id, row.completion_code, row.completed_at is not None) for row in store.folder.payments.read()]
    assert rows == [("ann", None, False), ("bea", completion_code, True)]


def test_who_opens_the_last_page_again_finished_when_they_did(store):
    code = start(store, "ann")
    finish(store, code)
    first = [store.folder.payments.read(), overview(store).pace.median_minutes]
    time.sleep(0.01)
    store.people.complete(code, 6)
    assert [store.folder.payments.read(), overview(store).pace.median_minutes] == first


def test_the_list_may_be_deleted_while_people_answer(store):
    code = start(store, OUTSIDE_ID)
    (store.folder.path / "payments.sqlite3").unlink()
    assert OUTSIDE_ID.encode() not in contents(store.folder.path)
    assert finish(store, code)
    assert store.folder.payments.read() == []
    assert store.people.enrol("1", OUTSIDE_ID) == code


def test_people_who_come_at_once_are_all_on_a_list_that_is_new(store):
    for _ in range(5):
        (store.folder.path / "payments.sqlite3").unlink(missing_ok=True)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: store.folder.payments.enrol(f"hash {i}", f"id {i}"), range(16)))
        assert len(store.folder.payments.read()) == 16


def test_withdrawal_deletes_a_person_everywhere(store, tmp_path):
    other = start(store)
    answer_all(store, other)
    code = start(store, OUTSIDE_ID)
    finish(store, code, "Ann was here")
    theirs = secrets_of(store, code)
    back_up(store.folder, tmp_path / "backup.sqlite3")
    assert all(secret in contents(tmp_path) for secret in theirs)
    assert withdraw(store.folder, code) == []
    left = contents(tmp_path)
    assert [secret for secret in theirs if secret in left] == []
    assert store.people.find(code) is None
    assert store.people.find(other).answered == 6
    assert overview(store).pace.answers == 6


def test_who_opens_their_link_while_they_withdraw_is_not_left_on_the_list(store, monkeypatch):
    code = start(store, OUTSIDE_ID)
    delete = withdrawal.delete_person

    def come_again_first(database, code, *payments):
        store.folder.payments.enrol(store.folder.key.hash_outside_id(OUTSIDE_ID), OUTSIDE_ID)
        delete(database, code, *payments)

    monkeypatch.setattr(withdrawal, "delete_person", come_again_first)
    withdraw(store.folder, code)
    assert OUTSIDE_ID.encode() not in contents(store.folder.path)


def test_an_interrupted_withdrawal_leaves_nobody_on_the_list_only(store, monkeypatch):
    code = start(store, OUTSIDE_ID)
    forget = store.folder.payments.__class__.forget

    def be_killed(payments, outside_hash):
        forget(payments, outside_hash)
        raise KeyboardInterrupt

    monkeypatch.setattr("hml.elicit.store.payments.Payments.forget", be_killed)
    with pytest.raises(KeyboardInterrupt):
        withdraw(store.folder, code)
    assert store.folder.payments.read() == []
    assert store.people.find(code) is not None  # so it can be asked for again
    monkeypatch.undo()
    withdraw(store.folder, code)
    assert OUTSIDE_ID.encode() not in contents(store.folder.path)


def test_who_joined_after_the_backup_that_is_restored_is_still_to_be_paid(open_store, tmp_path):
    store = open_store()
    start(store, "ann")
    back_up(store.folder, tmp_path / "backup.sqlite3")
    finish(store, start(store, "ben"))
    owed = store.folder.payments.read()
    store.close()
    (tmp_path / "backup.sqlite3").replace(store.folder.path / "study.sqlite3")
    restored = open_store()
    assert restored.people.find_by_id("ben") is None
    assert restored.folder.payments.read() == owed
    assert [row.outside_id for row in owed] == ["ann", "ben"]


def test_withdrawal_gives_the_places_back(store):
    code = start(store)
    answer_all(store, code)
    withdraw(store.folder, code)
    assert overview(store).coverage.images_by_judgements == {0: 6}


def test_a_person_who_withdrew_may_begin_again_with_other_draws(store):
    code = start(store, OUTSIDE_ID)
    first = [trial.stimulus for trial in answer_all(store, code)]
    withdraw(store.folder, code)
    again = start(store, OUTSIDE_ID)
    assert again != code
    assert [trial.stimulus for trial in answer_all(store, again)] != first


def test_nobody_withdraws_twice(store):
    code = start(store)
    withdraw(store.folder, code)
    with pytest.raises(UnknownPersonError, match="withdrawn already"):
        withdraw(store.folder, code)


def test_a_backup_that_was_moved_is_named(store, tmp_path):
    back_up(store.folder, tmp_path / "backup.sqlite3")
    (tmp_path / "backup.sqlite3").rename(tmp_path / "elsewhere.sqlite3")
    assert withdraw(store.folder, start(store)) == [tmp_path / "backup.sqlite3"]


def test_a_damaged_backup_is_named_and_keeps_nobody_in_the_study(store, tmp_path):
    for name in ("bad", "good"):
        back_up(store.folder, tmp_path / name)
    code = start(store)
    (tmp_path / "bad").write_bytes(b"no database" * 100)
    assert withdraw(store.folder, code) == [tmp_path / "bad"]
    assert store.people.find(code) is None


def test_a_backup_that_is_made_while_somebody_withdraws_holds_them_no_longer(store, tmp_path, monkeypatch):
    code = start(store)
    theirs = secrets_of(store, code)[0]
    delete = withdrawal.delete_person

    def back_up_first(database, code, *payments):
        if not (tmp_path / "backup").exists():
            back_up(store.folder, tmp_path / "backup")
            assert theirs in (tmp_path / "backup").read_bytes()
        delete(database, code, *payments)

    monkeypatch.setattr(withdrawal, "delete_person", back_up_first)
    assert withdraw(store.folder, code) == []
    assert theirs not in (tmp_path / "backup").read_bytes()


def test_a_backup_opens_as_the_study_it_is_of(open_store, tmp_path):
    store = open_store()
    code = start(store)
    answer(store, code, store.trials.next(code))
    assert back_up(store.folder, tmp_path / "restored" / "study.sqlite3") == 1
    (tmp_path / "restored" / "secret.key").write_bytes((store.folder.path / "secret.key").read_bytes())
    assert open_store("restored").people.find(code) == store.people.find(code)


def test_a_backup_writes_over_nothing(store, tmp_path):
    (tmp_path / "there").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        back_up(store.folder, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"


def test_a_backup_during_which_somebody_withdraws_is_to_be_made_again(store, tmp_path, monkeypatch):
    back_up(store.folder, tmp_path / "first")
    code = start(store)
    move = backup.move_durably

    def withdraw_first(source, target):
        withdraw(store.folder, code)
        move(source, target)

    monkeypatch.setattr(backup, "move_durably", withdraw_first)
    with pytest.raises(StorageError, match="Somebody withdrew while"):
        back_up(store.folder, tmp_path / "backup")
    monkeypatch.undo()
    assert remembered_backups(store.folder) == [tmp_path / "first"]
    assert back_up(store.folder, tmp_path / "backup") == 0


def test_a_backup_that_fails_leaves_nothing_behind(store, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        back_up(store.folder, tmp_path / "file" / "backup.sqlite3")
    replace = Path.replace

    def fail_for_backups(path, target):
        if path.suffix == ".partial":
            raise OSError("no")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail_for_backups)
    with pytest.raises(OSError, match="no"):
        back_up(store.folder, tmp_path / "backup.sqlite3")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "study"}
    assert remembered_backups(store.folder) == []
