from concurrent.futures import ThreadPoolExecutor

from hml.training.run_folder import RunTrainer, make_folder


def test_folders_are_numbered_after_the_last(tmp_path):
    parent = tmp_path / "lightning_logs" / "sep"
    assert make_folder(parent) == parent / "version_0"
    for name in ("version_7", "version_x", "version_9x", "other_8"):
        (parent / name).mkdir()
    assert make_folder(parent) == parent / "version_8"


def test_no_two_runs_get_the_same_folder(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        folders = list(threads.map(make_folder, [tmp_path] * 40))
    assert sorted(folders) == sorted(tmp_path / f"version_{number}" for number in range(40))


def test_a_trainer_writes_into_its_folder_and_never_into_the_working_directory(tmp_path):
    trainer = RunTrainer(accelerator="cpu", logger=False)
    trainer.parent = tmp_path
    assert trainer.log_dir is None
    assert trainer.default_root_dir == str(tmp_path)
    trainer.folder = tmp_path / "version_0"
    assert trainer.log_dir == trainer.default_root_dir == str(tmp_path / "version_0")
