import json
import os
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hml.cli import main
from hml.data import ImageBank
from hml.elicit.refresh import ANSWERS, LOG, PROPOSED, RELABELLER, Refresher, relabel_commands
from hml.elicit.research.export import export_answers
from hml.elicit.research.overview import overview
from hml.elicit.store.answers import read_answers
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.history import read_history, read_images
from hml.elicit.study import StimulusChoice
from hml.judgements import CIFAR10
from hml.relabel import command
from tests.elicit.conftest import STUDY
from tests.elicit.people import answer_all, finish, start

CHOICE = StimulusChoice(seed=3, refresh_every=6, refresh_images=2)
HEADER = "image_1,class_1,image_2,class_2,lambda_f,score,reason"
NEW = ("20,Cat,21,Dog,0.25,1.5,members differ", "22,Cat,23,Dog,0.5,,")
# What a stand-in for `hml relabel` does in the folder that it is given.
WRITE = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
KILLED = "import os; os.kill(os.getpid(), 9)"
FAILED = "import sys; sys.exit('epoch 1\\nhml: There are too few answers.')"
HUNG = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(3600)"


@pytest.fixture(scope="module")
def bank():
    """Forty images: cats have even ids, dogs odd ones."""
    labels = torch.tensor([3, 5]).repeat(20)
    return ImageBank(torch.zeros(40, 3, 2, 2, dtype=torch.uint8), CIFAR10, labels, torch.arange(40), torch.arange(0))


@pytest.fixture
def refresh_with(bank):
    """Make a refresher whose commands are Python programs, with the file to write and its lines."""

    def make(store, programs, lines=NEW):
        def commands(work, number):
            text = "\n".join([HEADER, *lines])
            return [[sys.executable, "-c", program, str(work / PROPOSED), text] for program in programs]

        return Refresher(store, bank, commands)

    return make


def test_images_join_after_so_many_answers(open_store, refresh_with):
    store = open_store(stimuli=CHOICE)
    refresher = refresh_with(store, [WRITE])
    code = start(store)
    store.trials.next(code)
    assert refresher.refresh() == 0
    answer_all(store, code)
    waiting = start(store)
    before = store.trials.next(waiting)
    assert (refresher.refresh(), refresher.refresh()) == (2, 0)
    assert store.trials.next(waiting) == before
    new = {"mixed_0.25_Cat_20_Dog_21.png", "mixed_0.5_Cat_22_Dog_23.png"}
    assert [stimulus.filename in new for stimulus in store.stimuli] == [False] * 6 + [True] * 2
    # Nobody has judged them, so they come first, with the one image that is left of the others.
    assert new <= {trial.stimulus.filename for trial in answer_all(store, start(store))[:3]}
    assert not list((store.folder.path / "refresh").glob("answers*"))


def test_a_server_started_again_keeps_added_images_and_counts_on(open_store, refresh_with, tmp_path):
    store = open_store(stimuli=CHOICE)
    answer_all(store, start(store))
    refresh_with(store, [WRITE]).refresh()
    rows = read_history(store.folder)
    again = open_store(stimuli=CHOICE)
    assert again.stimuli == store.stimuli
    assert read_history(again.folder) == rows
    refresher = refresh_with(again, [KILLED])
    assert refresher.refresh() == 0
    assert refresher.failure is None  # none was due: six answers were counted before
    answer_all(again, start(again))
    export_answers(again.folder, tmp_path / "judgements.csv")
    asked = json.loads((tmp_path / "judgements.study.json").read_text(encoding="utf-8"))
    assert [(row["first_index"], len(row["study"].get("batches", []))) for row in asked] == [(0, 0), (6, 1)]
    (batch,) = asked[1]["study"]["batches"]
    assert batch == {
        "number": 1,
        "answers": 6,
        "acquisition": None,
        "images": [
            {"filename": "mixed_0.25_Cat_20_Dog_21.png", "score": 1.5, "reason": "members differ"},
            {"filename": "mixed_0.5_Cat_22_Dog_23.png", "score": None, "reason": ""},
        ],
    }
    (shown,) = overview(again).batches
    assert (shown.images, shown.answers) == (2, 6)


def test_a_killed_fitter_is_started_again_after_the_next_interval(open_store, refresh_with):
    store = open_store(stimuli=CHOICE)
    programs = [KILLED]
    refresher = refresh_with(store, programs)
    answer_all(store, start(store))
    assert refresher.refresh() == 0
    assert "was killed by signal 9" in refresher.failure.reason
    assert refresher.failure.next_at == 12
    failure = refresher.failure
    assert (refresher.refresh(), refresher.failure) == (0, failure)
    finish(store, start(store))
    programs[:] = [WRITE]
    assert (refresher.refresh(), refresher.failure) == (2, None)


def test_a_failed_fit_is_reported_with_its_reason(open_store, refresh_with):
    store = open_store(stimuli=CHOICE)
    answer_all(store, start(store))
    refresher = refresh_with(store, [FAILED, WRITE])
    assert refresher.refresh() == 0
    log = store.folder.path / "refresh" / LOG
    assert refresher.failure.reason == f"The process failed: There are too few answers. (more in {log})"
    assert "epoch 1" in log.read_text()


def test_answers_are_kept_while_a_fitter_hangs_until_its_time_is_up(open_store, refresh_with):
    store = open_store(stimuli=replace(CHOICE, refresh_minutes=0.05))
    answer_all(store, start(store))
    refresher = refresh_with(store, [HUNG])
    thread = threading.Thread(target=refresher.refresh)
    thread.start()
    started = store.folder.path / "refresh" / PROPOSED
    while not started.exists() or not started.read_text():
        time.sleep(0.01)
    process = int(started.read_text())
    finish(store, start(store))
    os.kill(process, 0)  # it hangs still
    thread.join(60)
    assert "It took more than refresh_minutes=0.05" in refresher.failure.reason
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert len(read_answers(store.folder)) == 12


def test_closing_the_server_ends_a_fitter(open_store, refresh_with, monkeypatch):
    monkeypatch.setattr("hml.elicit.refresh._POLL_SECONDS", 0.01)
    store = open_store(stimuli=CHOICE)
    answer_all(store, start(store))
    refresher = refresh_with(store, [HUNG])
    thread = threading.Thread(target=refresher.run)
    thread.start()
    started = store.folder.path / "refresh" / PROPOSED
    while not started.exists() or not started.read_text():
        time.sleep(0.01)
    process = int(started.read_text())
    refresher.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert refresher.failure is None
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["20,Cat,22,Dog,0.25,,"], "proposed.csv: mixed_0.25_Cat_20_Dog_22.png: image 22 is of class Cat"),
        (["20,Cat,21,Dog,0.25"], "proposed.csv, row 2 has 5 fields"),
        (["1,Dog,0,Cat,0.9,,"], "The study already has all proposed images."),  # the first one, turned
    ],
)
def test_proposals_that_do_not_fit_are_left_out(open_store, refresh_with, lines, said):
    store = open_store(stimuli=CHOICE)
    answer_all(store, start(store))
    refresher = refresh_with(store, [WRITE], lines=lines)
    assert refresher.refresh() == 0
    assert said in refresher.failure.reason
    assert len(store.stimuli) == 6


def test_images_are_added_so_often_at_most(open_store, refresh_with):
    store = open_store(stimuli=replace(CHOICE, refresh_times=1))
    answer_all(store, start(store))
    assert refresh_with(store, [WRITE]).refresh() == 2
    answer_all(store, start(store))
    assert refresh_with(store, [KILLED]).refresh() == 0
    (batch,) = overview(store).batches
    assert batch.images == 2


def test_a_study_without_refreshes_adds_nothing(store, refresh_with):
    answer_all(store, start(store))
    refresher = refresh_with(store, [WRITE])
    refresher.run()
    assert refresher.refresh() == 0


def test_simulated_people_wait_for_new_images(tmp_path, monkeypatch, capsys):
    def commands(work, number):
        text = f"{HEADER}\n10,Vertical stripes,7,Dots,0.35,,"
        return [[sys.executable, "-c", WRITE, str(work / PROPOSED), text]]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hml.elicit.serving.relabel_commands", lambda study, data_dir: commands)
    stimuli = "{pairs: 2, per_class_pair: 2, refresh_every: 4, refresh_images: 1}"
    Path("few.yaml").write_text(
        f"name: few\ntask: rate_mixture\nimages: demo\npeople_per_image: 3\ntrials: 2\nrepeats: 0\nstimuli: {stimuli}\n"
    )
    assert main(["elicit", "simulate", "--study", "few.yaml", "--people", "7"]) == 0
    assert "has 14 answers (14 new) by 7 people" in capsys.readouterr().out  # of five images; four have twelve places
    with closing(StudyFolder(Path("studies/few"))) as folder:
        assert read_images(folder)[-1].filename == "mixed_0.35_Vertical stripes_10_Dots_7.png"


def test_the_server_refreshes_until_it_is_closed(tmp_path, monkeypatch):
    pytest.importorskip("starlette", reason="the web packages aren't installed: pip install -e '.[elicit]'")
    ran, stopped = threading.Event(), threading.Event()

    class Server:
        def run(self, sockets):
            assert ran.wait(60)
            assert not stopped.is_set()
            sockets[0].close()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hml.elicit.web.server.make_server", lambda app: Server())
    monkeypatch.setattr(Refresher, "run", lambda self: (ran.set(), stopped.wait(60)))
    monkeypatch.setattr(Refresher, "stop", lambda self: stopped.set())
    assert main(["elicit", "serve", "--no-browser", "--port", "0"]) == 0
    assert stopped.is_set()


def test_the_relabellers_commands_have_the_studys_images(tmp_path):
    images = {"class_path": "hml.data.ImageFolder", "init_args": {"root": "photos"}}
    choice = replace(CHOICE, acquisition="hml.relabel.acquisition.Random")
    commands = relabel_commands(replace(STUDY, images=images, stimuli=choice), Path("/data"))(tmp_path, 2)
    fit, propose = (command.parse(line[4:]) for line in commands)
    assert commands[0][:4] == [sys.executable, "-m", "hml", "relabel"]
    assert (fit.judgements, fit.out, fit.seed) == (tmp_path / ANSWERS, tmp_path, 3)
    assert (fit.source.root, fit.data_dir) == (Path("photos"), Path("/data"))
    assert (propose.relabeller, propose.count, propose.per_image) == (tmp_path / RELABELLER, 2, 1)
    assert (propose.out, propose.seed, type(propose.acquisition).__name__) == (tmp_path / PROPOSED, 5, "Random")
