import subprocess

from hml.experiments.runs import Failure, Run
from hml.experiments.worker import Worker


def test_a_process_of_its_own_that_finds_the_folder_in_use_writes_no_failure_into_it(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.run", lambda command, **options: subprocess.CompletedProcess(command, 5))
    run = Run("sep", 3, tmp_path, devices=2)
    assert Worker().carry_out(run) == Failure("sep", 3, f"Another run writes into {tmp_path}.", 5)
    assert not (tmp_path / "failed.json").exists()
