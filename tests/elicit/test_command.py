import json
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import hml.elicit
from hml.cli import main
from hml.data import DemoImages
from hml.data.demo import TEXTURES
from hml.elicit.research.overview import overview
from hml.elicit.simulated import simulate_people
from hml.elicit.stimuli import load_stimuli
from hml.elicit.store.answers import count_answers, read_answers
from hml.elicit.store.conflicts import StudyFullError
from hml.elicit.store.database import Database
from hml.elicit.study import demo_study
from hml.elicit.tasks import TASKS
from hml.files.locks import claim
from hml.judgements import parse_judgements, read_hmix
from tests.elicit.conftest import make_images
from tests.elicit.people import answer, answer_all, finish, start
from tests.elicit.test_study import EXAMPLE

CONFIGS = Path(hml.__file__).parent.parent / "configs"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "studies" / "cats"


@pytest.fixture
def served(open_store, folder):
    """A store in the folder that commands look into by themselves."""
    folder.parent.mkdir()
    return open_store(folder)


def guide_commands(section):
    """The commands of the first block in a section of the guide, without their comments."""
    guide = Path(hml.elicit.__file__).with_name("README.md").read_text(encoding="utf-8")
    block = re.search(r"```bash\n(.*?)```", guide.partition(f"\n## {section}\n")[2], re.DOTALL)[1]
    return [re.sub(" +#.*", "", line) for line in block.splitlines()]


@pytest.mark.usefixtures("without_drawing")
def test_simulated_people_take_the_demo_and_a_model_learns_from_them(tmp_path, capsys):
    serve, export, *following = guide_commands("Try the demo")
    assert (serve, export) == ("hml elicit serve", "hml elicit export judgements.csv")
    assert main(["elicit", "simulate", "--people", "12"]) == 0
    assert main(shlex.split(export)[1:]) == 0
    assert following == [line.strip() for line in capsys.readouterr().out.partition("Next:")[2].splitlines() if line]
    judgements = read_hmix("judgements.csv", "all", classes=TEXTURES)
    stimuli = load_stimuli(demo_study(), None).all
    firsts = [j for j in judgements if not j.is_repeat]
    # Everybody judges 15 images and two of them again, and 12 people come to each of the 180 images once.
    assert len(firsts) == len(stimuli) == 180
    assert {j.stimulus for j in firsts} == set(stimuli)
    percepts, fit = (shlex.split(line)[1:] for line in following)
    assert main([*percepts, "--data_dir", str(tmp_path)]) == 0
    percepts = json.loads(Path("lightning_logs", "percepts", "percepts.json").read_text())
    assert "judgements.csv" in json.dumps(percepts)
    Path("configs").symlink_to(CONFIGS)
    small = [
        "--trainer.max_epochs",
        "1",
        "--model.network.init_args.width",
        "2",
        "--trainer.enable_progress_bar",
        "false",
    ]
    assert main([*fit, *small]) == 0
    metrics = json.loads(Path("lightning_logs", "sep_conf", "version_0", "metrics.json").read_text())
    assert metrics["data"]["mixed_images"] == 180
    assert metrics["data"]["judgements"] == len(judgements) == 12 * 17
    assert metrics["data"]["annotators"] == 12
    assert metrics["metrics"]["test/cross_entropy"] > 0


def test_an_export_of_cifar10_s_images_names_the_commands_of_the_guide(open_store, folder, capsys):
    folder.parent.mkdir()
    finish(store := open_store(folder, images="cifar10"), start(store))
    *_, export, percepts, fit = guide_commands("Run a study")
    assert main(["elicit", "export", "judgements.csv"]) == 0
    assert export == "hml elicit export judgements.csv --folder studies/my_study"
    assert capsys.readouterr().out.partition("Next:")[2].split("\n")[1:] == [f"  {percepts}", f"  {fit}", ""]
    assert main(["elicit", "export", "my answers.csv"]) == 0
    assert "hml percepts --judgements 'my answers.csv'\n" in capsys.readouterr().out


@pytest.mark.parametrize("canonical", [False, True])
def test_whether_people_saw_cifar10_s_own_pixels_is_exported(canonical, capsys, monkeypatch):
    load = DemoImages.load
    monkeypatch.setattr(
        DemoImages, "load", lambda self, folder: replace(load(self, folder), canonical_pixels=canonical)
    )
    assert main(["elicit", "simulate", "--people", "1"]) == 0
    assert main(["elicit", "export", "judgements.csv"]) == 0
    (asked,) = json.loads(Path("judgements.study.json").read_text(encoding="utf-8"))
    assert (asked["canonical_pixels"], asked["study"]["name"]) == (canonical, "demo")


def test_simulated_people_say_the_same_again_for_the_same_seed(capsys):
    for folder, seed in (("one", "1"), ("again", "1"), ("other", "2")):
        main(["elicit", "simulate", "--people", "2", "--seed", seed, "--folder", folder])
        main(["elicit", "export", f"{folder}.csv", "--folder", folder])
    capsys.readouterr()
    main(["elicit", "simulate", "--people", "1", "--folder", "again"])  # who join the two before
    assert "again now has 51 answers (17 new) by 3 people (1 new)." in capsys.readouterr().out
    one, again, other = (
        [(j.stimulus, j.lambda_h, j.omega) for j in read_hmix(f"{name}.csv", "all", classes=TEXTURES)]
        for name in ("one", "again", "other")
    )
    assert one == again != other
    assert main(["elicit", "export", "plain.csv", "--format", "plain", "--folder", "one"]) == 0
    plain = parse_judgements(Path("plain.csv").read_bytes(), "plain.csv", DemoImages().classes(Path()))
    assert [(j.stimulus, j.lambda_h, j.omega) for j in plain] == one


def test_simulated_people_stop_when_every_image_has_its_people(open_store):
    store = open_store(number=4, people_per_image=2)
    assert simulate_people(store, 9) == 2 * 6  # two people see four images, and two of them again
    with pytest.raises(StudyFullError):
        simulate_people(store, 1)


@pytest.mark.parametrize("task", TASKS)
def test_simulated_people_know_every_task(open_store, task):
    assert simulate_people(open_store(task=task), 3) == 3 * 6


def test_a_study_beside_its_classes_asks_about_those_it_may_export(capsys):
    Path("mine").mkdir()
    Path("mine", "study.yaml").write_text(
        "name: mine\ntask: rate_mixture\npeople_per_image: 3\ntrials: 4\n"
        "images: {class_path: tests.elicit.sources.Blots, init_args: {root: names.txt}}\n"
    )
    Path("mine", "names.txt").write_text("ann@example.org\nbenign")
    simulate = ["elicit", "simulate", "--people", "1", "--study", "mine/study.yaml"]
    assert main(simulate) == 2
    assert "The class 'ann@example.org': label1 contains an email address" in capsys.readouterr().err
    Path("mine", "names.txt").write_text("T-shirt/top\nbenign")
    assert main(simulate) == 0
    assert main(["elicit", "export", "mine.csv"]) == 0
    source = "tests.elicit.sources.Blots --{0}.root names.txt"
    printed = capsys.readouterr().out
    assert f"hml percepts --source {source.format('source')} --judgements mine.csv" in printed
    assert f"--data.images {source.format('data.images')} --data.mixed.judgements mine.csv" in printed


def test_simulated_people_take_no_real_study(tmp_path, capsys):
    text = EXAMPLE.read_text(encoding="utf-8").replace("images: cifar10", "images: demo")
    text = text.replace("ethics_reference: null", "ethics_reference: E-17").replace("contact: null", "contact: us")
    Path("real.yaml").write_text(text, encoding="utf-8")
    assert main(["elicit", "simulate", "--study", "real.yaml"]) == 2
    assert "is a real study" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--host", "0.0.0.0"], "no ethics_reference, so it is a demo and is served on this computer only"),
        (["--base_url", "https://study.example.org"], "is served on this computer only"),
        (["--port", "65536"], "--port 65536 must be 0 to 65535"),
        (["--base_url", "study.example.org"], "must be like https://study.example.org"),
        (["--base_url", "http://study.example.org"], "must start with https://"),
        (["--study", "nowhere.yaml"], "There is no study nowhere.yaml"),
    ],
)
def test_what_can_not_be_served_exits_with_2(capsys, flags, told):
    assert main(["elicit", "serve", "--no-browser", *flags]) == 2
    assert told in capsys.readouterr().err


def test_behind_a_proxy_a_port_that_is_taken_is_not_replaced_by_one_that_the_proxy_does_not_know(capsys, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr("hml.elicit.serving.PORT", taken.getsockname()[1])
        assert main(["elicit", "serve", "--no-browser", "--base_url", "http://localhost:9"]) == 6
    assert "Can't serve at 127.0.0.1" in capsys.readouterr().err


def test_a_browser_that_returns_when_it_is_closed_keeps_nobody_from_the_study(capsys, monkeypatch):
    is_served, opened = threading.Event(), []

    def browse(address):
        opened.append((address, is_served.wait(10)))

    def serve(server, sockets):
        sockets[0].close()
        is_served.set()
        while not opened:
            time.sleep(0.01)

    monkeypatch.setattr("webbrowser.open", browse)
    monkeypatch.setattr("uvicorn.Server.run", serve)
    assert main(["elicit", "serve", "--port", "0"]) == 0
    ((address, came_after),) = opened
    assert came_after
    assert f"  {address}\n" in capsys.readouterr().out


def test_without_the_web_packages_serve_names_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["elicit", "serve", "--no-browser"]) == 2
    assert "pip install -e '.[elicit]'" in capsys.readouterr().err


def test_a_folder_is_served_once_at_a_time(capsys):
    from hml.elicit.serving import LOCK

    with claim(Path("studies", "demo", LOCK), "…"):
        assert main(["elicit", "simulate"]) == 5
    assert "served by another process" in capsys.readouterr().err


@pytest.mark.parametrize("args", [["export", "x.csv"], ["backup", "x"], ["withdraw", "abc"], ["payments"]])
def test_without_a_study_the_remedy_is_named(capsys, args):
    assert main(["elicit", *args]) == 2
    assert "--folder" in capsys.readouterr().err
    assert main(["elicit", *args, "--folder", "nowhere"]) == 3
    assert "There is no study in nowhere" in capsys.readouterr().err


def test_of_two_studies_one_has_to_be_named(served, open_store, folder, capsys):
    open_store(folder.parent / "dogs", name="dogs")
    assert main(["elicit", "export", "x.csv"]) == 2
    assert "studies/cats, studies/dogs" in capsys.readouterr().err


def test_a_person_is_withdrawn_by_their_code(served, capsys):
    code = start(served)
    assert main(["elicit", "withdraw", code]) == 0
    assert served.people.find(code) is None
    assert main(["elicit", "withdraw", code]) == 2
    assert "mistyped" in capsys.readouterr().err


def test_a_person_is_withdrawn_by_whatever_is_known_of_them(served, capsys):
    codes = [start(served, outside_id) for outside_id in (None, None, "Ann")]
    subject = overview(served).quality[1].subject
    spoken = f" {codes[0][:6].upper()} - {codes[0][6:]}\u200b"
    for number, args in enumerate(([spoken], [subject.upper()], ["--participant", " Ann\n"])):
        assert main(["elicit", "withdraw", *args]) == 0
        assert [served.people.find(code) is None for code in codes] == [place <= number for place in range(3)]
    for args in ([""], [subject], ["--participant", "Ann"], ["--participant", "%"]):
        assert main(["elicit", "withdraw", *args]) == 2


def test_a_person_only_on_the_list_of_payments_is_deleted_from_it(served, capsys):
    ben = served.folder.key.hash_outside_id("ben")  # who joined after the backup that was restored
    served.folder.payments.enrol(ben, "ben")
    assert main(["elicit", "withdraw", "--participant", "ben"]) == 0
    assert "A later backup may contain the person" in capsys.readouterr().out
    assert served.folder.payments.read() == []
    assert main(["elicit", "withdraw", "--participant", "ben"]) == 2


def test_the_list_of_payments_is_kept_while_somebody_on_it_may_finish(served, capsys):
    code = start(served, "ann")
    answer(served, code, served.trials.next(code))
    assert main(["elicit", "payments"]) == 0
    assert capsys.readouterr().out.splitlines() == ["outside_id,completion_code,completed_at,answers", "ann,,,1"]
    assert main(["elicit", "payments", "--delete"]) == 2
    assert "1 of 1 people on the list haven't finished" in capsys.readouterr().err
    assert served.folder.payments.path.exists()
    assert main(["elicit", "payments", "--delete", "--force"]) == 0
    assert not served.folder.payments.path.exists()


def test_answers_are_corrected_and_struck_out(served, capsys):
    finish(served, start(served))
    main(["elicit", "export", "before.csv"])
    subject = read_hmix("before.csv", "all")[0].annotator
    said = ["--answer", '{"mixingcoeff": 0, "confidence": 100}']
    assert main(["elicit", "correct", subject, "1", *said, "--reason", "asked for"]) == 0
    assert main(["elicit", "correct", f" {subject.upper()}", "2", "--strike", "--reason", "asked for"]) == 0
    assert main(["elicit", "correct", subject, "2", "--answer", "{", "--reason", "asked for"]) == 2
    main(["elicit", "export", "after.csv"])
    judgements = read_hmix("after.csv", "all")
    assert (judgements[0].lambda_h, judgements[0].omega, len(judgements)) == (1.0, 1.0, 5)


@pytest.mark.parametrize("task", TASKS)
def test_the_help_shows_how_each_tasks_answer_is_corrected(task, open_store, folder, capsys):
    with pytest.raises(SystemExit):
        main(["elicit", "correct", "--help"])
    (said,) = re.findall(rf"^  {task} +(\{{.*)$", capsys.readouterr().out, re.MULTILINE)
    folder.parent.mkdir()
    store = open_store(folder, task=task, trials=1, repeats=0)
    while not (kept := read_answers(store.folder)) or kept[-1].filename != make_images()[0].filename:
        answer_all(store, start(store))  # until somebody has judged one that starts from .1, as the example does
    kept = kept[-1]
    assert main(["elicit", "correct", kept.subject, "1", "--answer", said, "--reason", "asked for"]) == 0
    assert [one.answer for one in read_answers(store.folder) if one.subject == kept.subject] == [json.loads(said)]


@pytest.mark.parametrize("args", [["export"], ["payments", "--out"]])
def test_a_slip_of_the_fingers_does_not_write_over_the_study(args, served, capsys):
    database = served.folder.path / "study.sqlite3"
    before = database.read_bytes()
    assert main(["elicit", *args, str(database)]) == 2
    assert "ends in .csv" in capsys.readouterr().err
    assert database.read_bytes() == before


def test_payments_are_listed_and_deleted(served, capsys):
    completion_code = finish(served, start(served, "=ann"))
    assert main(["elicit", "payments"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith(f"'=ann,{completion_code},")
    assert main(["elicit", "payments", "--out", "payments.csv"]) == 0
    assert completion_code in Path("payments.csv").read_text()
    assert Path("payments.csv").stat().st_mode & 0o077 == 0  # nobody else's business
    Path("payments.csv").unlink()
    assert main(["elicit", "payments", "--out", "payments.csv", "--delete"]) == 0
    assert completion_code in Path("payments.csv").read_text()  # written before it was deleted
    assert not (served.folder.path / "payments.sqlite3").exists()


def test_a_backup_made_while_people_answer_is_whole(open_store, folder, capsys):
    folder.parent.mkdir()
    store = open_store(folder, number=400, trials=400)
    code = start(store)
    stop = threading.Event()

    def take_part():
        while not stop.is_set() and (trial := store.trials.next(code)):
            answer(store, code, trial)
            time.sleep(0.01)  # people think

    thread = threading.Thread(target=take_part)
    thread.start()
    try:
        codes = [main(["elicit", "backup", f"backup{i}.sqlite3"]) for i in range(3)]
    finally:
        stop.set()
        thread.join()
    assert codes == [0] * 3
    counts = []
    for i in range(3):
        with closing(Database(Path(f"backup{i}.sqlite3"))) as copy:
            with copy.reading() as rows:
                assert rows.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            counts.append(count_answers(copy))
    assert counts == sorted(counts)
    assert counts[-1] <= overview(store).pace.answers


def test_looking_after_a_study_needs_no_torch():
    code = "import sys, hml.elicit.upkeep; print(sorted({'torch', 'starlette', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
