import json

import pytest

from hml.errors import FolderInUseError, InputError
from hml.experiments.runs import Failure, Run, clear, read_outcome, write_failure
from hml.experiments.worker import Worker
from hml.training.choices import differences
from hml.training.recipe import Recipe
from hml.training.result import RunResult, Training
from hml.training.run_folder import LOCK, claim_run

WHOLE = {
    "metrics": {"test/accuracy": 0.5},
    "scheme": "sep",
    "seed": 3,
    "training": {"epochs": 1.5, "steps": 9, "stopped_by": "max_steps 9"},
    "recipe": {},
    "data": {},
    "versions": {},
    "compiled": False,
    "processes": 1,
    "threads": 2,
    "seconds": {"fit": 1.0},
}


def test_a_whole_metrics_json_is_a_result(tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps(WHOLE))
    outcome = read_outcome(tmp_path, "sep", 3)
    training = Training(1.5, 9, "max_steps 9")
    assert outcome == RunResult("sep", 3, {"test/accuracy": 0.5}, training, Recipe(), {}, {}, False, 1, 2, {"fit": 1.0})


@pytest.mark.parametrize("content", ["", "{", "[]", "3", json.dumps(WHOLE)[:-5]])
def test_a_damaged_one_is_none_with_a_notice(tmp_path, content, caplog):
    (tmp_path / "metrics.json").write_text(content)
    assert read_outcome(tmp_path, "sep", 3) is None
    assert "metrics.json is damaged" in caplog.text


@pytest.mark.parametrize("content", ['{"metrics": {}}', json.dumps(WHOLE | {"data": 3})])
def test_a_whole_one_of_another_version_is_rejected_rather_than_thrown_away(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(InputError, match="another version"):
        read_outcome(tmp_path, "sep", 3)


def test_what_an_earlier_attempt_left_is_removed_unless_it_is_resumed(tmp_path):
    for resumes, kept in ((True, [LOCK, "config.yaml"]), (False, [LOCK])):
        run = Run("sep", 3, tmp_path, resumes=resumes)
        (tmp_path / "metrics.json").write_text(json.dumps(WHOLE))
        write_failure(run, "…", 1)
        (tmp_path / "config.yaml").write_text("")
        clear(run)
        assert sorted(path.name for path in tmp_path.iterdir()) == kept


def test_a_failure_is_read_as_it_was_written(tmp_path):
    run = Run("sep", 3, tmp_path / "seed_3")
    assert read_outcome(run.folder, "sep", 3) is None
    write_failure(run, "The loss is nan.", 4)
    assert read_outcome(run.folder, "sep", 3) == Failure("sep", 3, "The loss is nan.", 4)


def test_clearing_leaves_an_empty_folder(tmp_path):
    run = Run("sep", 3, tmp_path / "a" / "seed_3")
    clear(run)
    (run.folder / "checkpoints").mkdir()
    write_failure(run, "…", 1)
    clear(run)
    assert [path.name for path in run.folder.iterdir() if path.name != LOCK] == []


def test_a_folder_in_use_is_not_cleared(tmp_path):
    run = Run("sep", 3, tmp_path / "seed_3")
    with claim_run(run.folder):
        (run.folder / "precious").write_text("")
        with pytest.raises(FolderInUseError):
            clear(run)
    assert (run.folder / "precious").exists()


def test_what_another_run_left_since_the_study_began_is_kept(tmp_path):
    run = Run("sep", 3, tmp_path / "seed_3")
    clear(run)
    (run.folder / "metrics.json").write_text(json.dumps(WHOLE))
    failure = Worker().carry_out(run)
    assert "run hml table1 again" in failure.error
    assert failure.exit_code == FolderInUseError.exit_code
    assert read_outcome(run.folder, "sep", 3) is not None


def test_a_run_whose_time_was_up_counts_as_unfinished():
    assert str(Failure("sep", 3, "max_time\nis up.", 7)) == "unfinished: max_time is up."
    assert str(Failure("sep", 3, "The loss is nan.", 4)) == "failed: The loss is nan."


@pytest.mark.parametrize("other", [{"scheme": "mixup"}, {"seed": 4}])
def test_a_run_that_was_copied_into_anothers_place_is_rejected(tmp_path, other):
    (tmp_path / "metrics.json").write_text(json.dumps(WHOLE | {"scheme": "sep", "seed": 3} | other))
    with pytest.raises(InputError, match="it was copied or renamed"):
        read_outcome(tmp_path, "sep", 3)


def test_differences_name_what_either_lacks():
    assert differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 1}, "d": [3]}) == {"c": (2, None), "d": (None, "[3]")}
    assert differences({"a": {}}, {}) == {}
    assert differences({"limit": 1}, {"limit": 1.0}) == {"limit": (1, 1.0)}
