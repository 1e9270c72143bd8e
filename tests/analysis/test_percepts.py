"""The command itself: on the real data, on simulated judgements, on small and broken files; its page in a browser."""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import hml
from hml.analysis.sources import read_sources
from hml.cli import main
from hml.data import Cifar10
from hml.judgements import CIFAR10, Endpoint, Judgement, name_stimulus, read_hmix
from hml.judgements.plain_format import write_plain
from hml.reporting.versions import UNKNOWN, find_commit
from tests.drawing import skip_drawing
from tests.elicit.sources import Blots

RELEASED = ("hmix_infer_mixing_factor.csv",)


class Labelled(Blots):
    """Images that people were asked about."""

    def load(self, data_dir):
        bank = super().load(data_dir)
        doubt = torch.linspace(0, 0.5, len(bank.labels))[:, None]
        return replace(bank, human=(1 - doubt) * bank.hard_labels + doubt / 3)


class Page(HTMLParser):
    """A page's images, figures, links and headings."""

    def __init__(self, text):
        super().__init__()
        self.images, self.links, self.figures, self.captions, self.ids = [], [], [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "img":
            self.images.append(attrs)
        elif tag == "a":
            self.links.append(attrs["href"])
        elif tag == "figure":
            self.figures.append(attrs["id"].removeprefix("figure-"))
        elif tag == "figcaption":
            self.captions += 1


def rejected(capsys, code, *args):
    """Run a command that must fail with one message and no traceback; return the message."""
    assert main(["percepts", *map(str, args)]) == code
    message = capsys.readouterr().err
    assert message.startswith("hml: ")
    assert "Traceback" not in message
    return message


def cut_off(monkeypatch):
    """Let no file be downloaded."""

    def unreachable(*args, **kwargs):
        raise requests.ConnectionError("no internet here")

    monkeypatch.setattr("hml.data.download._TRIES", 1)
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", unreachable)


@pytest.fixture
def offline(monkeypatch):
    """No file can be downloaded."""
    cut_off(monkeypatch)


@pytest.fixture
def few_replicates(monkeypatch):
    """Compute intervals, which a test doesn't look at, from few replicates."""
    for name, fewer in (("_PARTS", 2), ("_MOST_PAIRS", 4)):
        monkeypatch.setattr(f"hml.statistics.jackknife.{name}", fewer)


@pytest.fixture(scope="module")
def real(other_tasks, tmp_path_factory):
    """The folder of `hml percepts` on the paper's cohort."""
    out = tmp_path_factory.mktemp("real")
    assert main(["percepts", "--data_dir", str(other_tasks), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The folder of `hml percepts` on a few judgements, with the judgements, without a download."""
    folder = tmp_path_factory.mktemp("small")
    with pytest.MonkeyPatch.context() as patch:
        cut_off(patch)
        skip_drawing(patch)
        own = ["--judgements", str(make_own(folder / "mine.csv")), "--data_dir", str(folder)]
        assert main(["percepts", *own, "--out", str(folder)]) == 0
    return folder


def make_own(path, people=3, ends=((0, 50), (1, 51), (2, 52), (3, 53), (4, 54), (5, 55))):
    """Your own file of judgements: few people, one lambda_f, no repeats, no times."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "filename", "responses"])
        for person in range(people):
            for cat, dog in ends:
                said = {"mixingcoeff": int(rng.integers(101)), "confidence": int(rng.integers(101))}
                name = f"mixed_0.5_Cat_{cat}_Dog_{dog}.png"
                writer.writerow([f"p{person}", name, json.dumps(said)])
    return path


def strict(path):
    """JSON without NaN or infinity."""

    def refuse(name):
        raise AssertionError(f"{name} in {path}")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_the_real_data_give_the_known_numbers(real):
    result = strict(real / "percepts.json")
    assert result["judgements"] == {
        "of": "H-Mix, the paper's first collection",
        "judgements": 1974,
        "images": 810,
        "people": 33,
        "repeats": 66,
    }
    means = {
        row["lambda_f"]: row["value"]
        for row in result["tables"]["generating"]
        if (row["unit"], row["statistic"]) == ("image", "mean")
    }
    assert list(means.values()) == pytest.approx([0.165384, 0.220803, 0.478883, 0.723218, 0.794382], abs=6e-7)
    assert result["claims"]["confidence"]["distance_image"]["value"] == pytest.approx(0.281069, abs=6e-7)
    assert result["claims"]["ceilings"]["disagreement"]["value"] == pytest.approx(0.196, abs=5e-4)
    assert sum(cell["n"] == 0 for cell in result["tables"]["cells"]) == 6
    assert len(result["curves"]["pairs"]) == 45
    assert result["left_out"] == []
    for claims in result["claims"].values():
        for name, claim in claims.items():
            assert claim["n"] > 0
            assert claim["people"] > 0
            assert claim["random"] == "people and images"
            assert name in ("overall_slope", "overall_lapse") or claim["low"] <= claim["value"] <= claim["high"]


def test_the_papers_figure_1_shows_its_coefficients(real):
    shown = pd.read_csv(real / "figures" / "examples.csv")
    assert shown["lambda_f"].tolist() == [0.5, 0.5, 0.25]
    assert shown["lambda_h"].tolist() == pytest.approx([0.99, 0.87, 0.42], abs=0.006)


def test_figure_2_holds_means_intervals_and_n_of_the_papers_pairs(real):
    shown = pd.read_csv(real / "figures" / "pairs.csv")
    assert shown["pair"].unique().tolist() == ["Airplane/Dog", "Bird/Cat", "Cat/Dog", "Automobile/Truck"]
    assert {"lambda_f", "value", "low", "high", "n", "people", "images"} <= set(shown)
    atlas = pd.read_csv(real / "figures" / "atlas.csv")
    assert len(atlas) == 225
    assert (atlas["n"] == 0).sum() == atlas["value"].isna().sum() == 6


def test_every_figure_is_there_as_png_pdf_and_csv_and_on_the_page(real):
    names = strict(real / "percepts.json")["figures"]
    assert {"aggregate", "examples", "surprising", "pairs", "atlas", "curves", "biases", "dominance"} < set(names)
    assert {"confidence", "ceilings", "midpoints", "soft_categories", "quality", "people"} < set(names)
    for name in names:
        for ending in ("png", "pdf", "csv"):
            assert (real / "figures" / f"{name}.{ending}").stat().st_size > 100
    page = Page((real / "percepts.html").read_text())
    assert page.figures == names
    assert page.captions == len(page.images) == len(names)
    for image in page.images:
        assert image["src"].startswith("data:image/png;base64,")
        assert len(image["alt"]) > 20
    for link in page.links:
        assert link.removeprefix("#") in page.ids if link.startswith("#") else (real / link).exists()
    assert not re.search(r'(src|href)="(https?:)?//', (real / "percepts.html").read_text())
    assert list(real.glob("events.out.tfevents.*"))


def test_the_summary_states_the_numbers_of_the_sections(real):
    result = strict(real / "percepts.json")
    text = (real / "percepts.html").read_text()
    summary = text.partition('id="summary"')[2].partition("</section>")[0]
    assert 0 < text.index('id="summary"') < text.index('<section id="generating"')
    assert set(result["findings"]) <= {link.removeprefix("#") for link in Page(summary).links}
    shown = re.sub("<[^>]*>", "", summary)
    for name in ("error_by_image",):
        assert f"{result['claims']['generating'][name]['value']:.3f}" in shown
    for claim in (result["claims"]["confidence"]["distance_image"], result["claims"]["curves"]["overall_bias"]):
        low, high = (f"{claim[end]:.3f}".replace("-", "−") for end in ("low", "high"))
        assert f"{low} to {high}, which excludes 0" in shown


def test_the_pages_numbers_have_three_decimals(real):
    page = re.sub(r"<style>.*?</style>|<[^>]*>", " ", (real / "percepts.html").read_text(), flags=re.DOTALL)
    body = page.partition("Made on")[0]
    assert re.findall(r"(?<![\d.])\d+\.\d{4,}", body) == []
    assert "0.165 " in body
    levels = pd.read_csv(real / "figures" / "aggregate.csv")
    assert levels["value"].round(6).ne(levels["value"].round(3)).any()


def test_captions_name_colours_by_what_is_drawn(real):
    text = re.sub("<[^>]*>", " ", (real / "percepts.html").read_text())
    assert "dark orange line" in text
    assert not re.search(r"\b(red|vermillion)\b", text)


def test_the_foot_says_when_with_what_and_how_to_cite(real):
    foot = (real / "percepts.html").read_text().partition("<footer>")[2]
    assert re.search(r"Made on 20\d\d-\d\d-\d\d \(UTC\) with hml percepts, hml \d", foot)
    assert find_commit() in foot or find_commit() == UNKNOWN
    readme = (Path(hml.__file__).parents[1] / "README.md").read_text()
    for fact in ("Human-in-the-Loop Mixup", "216"):  # as README.md has them
        assert fact in foot
        assert fact in readme
    assert "H-Mix, the judgements" in foot


@pytest.mark.usefixtures("offline", "without_drawing")
def test_a_run_that_replaces_another_says_so_and_what_it_found(small, tmp_path, capsys):
    page = tmp_path / "percepts.html"
    page.write_text("an earlier page")
    args = ["percepts", "--judgements", str(small / "mine.csv"), "--data_dir", str(small), "--out", str(tmp_path)]
    assert main([*args]) == 0
    result = strict(tmp_path / "percepts.json") | {"seconds": 0}
    assert result == strict(small / "percepts.json") | {"seconds": 0}  # a pure function of the arguments
    announced, place, *headlines = capsys.readouterr().out.splitlines()
    assert announced == f"{page} will be replaced: to keep it, stop this and set another --out."
    assert place.startswith(f"Open {page}; ")
    first = [findings[0] for findings in result["findings"].values()]
    assert [line.strip() for line in headlines] == first[:5]
    assert len(first) >= 3


@pytest.mark.parametrize("people", [1, 3])
@pytest.mark.usefixtures("offline", "without_drawing")
def test_too_few_people_or_lambda_f_are_reported(small, tmp_path, people):
    out = small
    if people == 1:
        out, own = tmp_path / "out", str(make_own(tmp_path / "mine.csv", people))
        assert main(["percepts", "--judgements", own, "--out", str(out), "--data_dir", str(tmp_path)]) == 0
    result = strict(out / "percepts.json")
    assert result["claims"]["ceilings"]["retest"]["value"] is None
    assert (result["claims"]["ceilings"]["disagreement"]["value"] is None) == (people == 1)
    assert result["claims"]["confidence"]["distance_image"]["value"] is None
    assert list(result["claims"]["curves"]) == ["overall_bias"]
    page = (out / "percepts.html").read_text()
    assert "too few judgements" in page
    assert "no interval: too few people" in page
    assert "fewer than three different" in page
    assert "other people and other images of these classes" in page
    assert len(result["left_out"]) == 3
    for reason in ("CIFAR-10H", "other tasks", "The images themselves"):
        assert reason in page
    assert "examples" not in result["figures"]


@pytest.mark.usefixtures("offline", "without_drawing")
def test_blends_of_one_class_are_left_out_and_reported(small, tmp_path, capsys):
    header, *rows = (small / "mine.csv").read_text().splitlines(keepends=True)
    same = [row.replace("Dog", "Cat").replace("p0", "cats alone") for row in rows[:4]]
    args = ["--data_dir", str(tmp_path)]
    (tmp_path / "some.csv").write_text("".join([header, *same, *rows]))
    assert main(["percepts", "--judgements", str(tmp_path / "some.csv"), "--out", str(tmp_path / "out"), *args]) == 0
    without, some = (strict(folder / "percepts.json") for folder in (small, tmp_path / "out"))
    assert some["claims"] == without["claims"]
    assert some["left_out"] == [some["left_out"][0], *without["left_out"]]
    assert some["left_out"][0].startswith("4 judgements of 4 blends of two images of one class: ")
    assert some["left_out"][0].partition("λ_h")[0] in (tmp_path / "out" / "percepts.html").read_text()
    (tmp_path / "all.csv").write_text(header + "".join(same))
    message = rejected(capsys, 2, "--judgements", tmp_path / "all.csv", "--out", tmp_path / "new", *args)
    assert "All judgements in all.csv are of blends of two images of one class" in message
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("offline", "without_drawing")
def test_without_omega_all_but_confidence_is_analysed(small, tmp_path):
    judgements = read_hmix(small / "mine.csv", "all")
    judgements = [replace(judgements[0], omega=None), *judgements[1:]]
    (tmp_path / "plain.csv").write_text(write_plain(judgements, CIFAR10))
    own = ["--judgements", str(tmp_path / "plain.csv"), "--data_dir", str(tmp_path)]
    assert main(["percepts", *own, "--out", str(tmp_path / "out")]) == 0
    with_omega, without = (strict(folder / "percepts.json") for folder in (small, tmp_path / "out"))
    assert without["claims"] == {name: said for name, said in with_omega["claims"].items() if name != "confidence"}
    assert set(with_omega["left_out"]) < set(without["left_out"])
    assert "Confidence: 1 of 18 judgements have no ω." in without["left_out"]
    page = (tmp_path / "out" / "percepts.html").read_text()
    assert "mean ω" not in page
    assert "corr(ω" not in page
    assert "mean ω" in (small / "percepts.html").read_text()


@pytest.mark.usefixtures("offline", "without_drawing")
def test_repeats_without_first_answers_are_judgements(small, tmp_path):
    repeats = pd.read_csv(small / "mine.csv").assign(task="rerun_rate_mixture")
    repeats.to_csv(tmp_path / "repeats.csv", index=False)
    args = ["--judgements", str(tmp_path / "repeats.csv"), "--out", str(tmp_path), "--data_dir", str(tmp_path)]
    assert main(["percepts", *args]) == 0
    assert strict(tmp_path / "percepts.json")["claims"] == strict(small / "percepts.json")["claims"]


@pytest.mark.usefixtures("offline", "without_drawing", "few_replicates")
def test_simulated_judgements_of_the_demo_can_be_analysed(tmp_path):
    from hml.data import DemoImages, DemoMixes

    bank = DemoImages(60, 10).load(tmp_path)
    judgements = DemoMixes(images_per_pair=5).load(tmp_path, bank).judgements
    rows = [
        {
            "subject": j.annotator,
            "filename": j.stimulus.filename,
            "responses": json.dumps({"mixingcoeff": 100 - 100 * j.lambda_h, "confidence": 100 * j.omega}),
            "rt": j.reaction_ms,
        }
        for j in judgements
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "demo.csv", index=False)
    args = ["--judgements", str(tmp_path / "demo.csv"), "--data_dir", str(tmp_path), "--out", str(tmp_path / "out")]
    source = ["--source", "hml.data.DemoImages", "--source.num_train", "60", "--source.num_test", "10"]
    first, second = bank.classes.name_pair(0, 9), bank.classes.name_pair(3, 5)
    asked = [bank.classes.name_pair(9, 0), second.lower()]
    assert main(["percepts", *args, *source, "--pairs", *asked]) == 0
    strengths = pd.read_csv(tmp_path / "out" / "figures" / "dominance.csv")
    # The demo's people favour later classes.
    ranks = [bank.classes.index(name) for name in strengths["class"]]
    assert np.corrcoef(ranks, range(10))[0, 1] < -0.9
    shown = pd.read_csv(tmp_path / "out" / "figures" / "pairs.csv")
    assert shown["pair"].unique().tolist() == [first, second]


@pytest.mark.usefixtures("offline", "without_drawing")
@pytest.mark.parametrize("labelled", [False, True])
def test_any_images_and_classes_can_be_analysed(labelled, tmp_path):
    bank = Labelled().load(tmp_path)
    ends = [Endpoint(image, int(bank.labels[image])) for image in (0, 12, 1, 24, 25, 13)]
    stimuli = [name_stimulus(bank.classes, 0.5, *pair) for pair in zip(ends[::2], ends[1::2], strict=True)]
    said = [Judgement(s, f"p{k}", 0.3 + 0.1 * k, 0.4 + 0.2 * k) for s in stimuli for k in range(3)]
    (tmp_path / "mine.csv").write_text(write_plain(said, bank.classes))
    args = ["--judgements", str(tmp_path / "mine.csv"), "--data_dir", str(tmp_path), "--out", str(tmp_path / "out")]
    source = ["--source", f"tests.analysis.test_percepts.{'Labelled' if labelled else 'Blots'}", "--source.width", "24"]
    assert main(["percepts", *args, *source, "--pairs", "benign/t-shirt/top"]) == 0
    result = strict(tmp_path / "out" / "percepts.json")
    pairs = ["benign/T-shirt/top", "benign/ankle_boot 2", "T-shirt/top/ankle_boot 2"]
    assert [cell["pair"] for cell in result["tables"]["cells"]] == pairs
    assert ("ambiguity_image" in result["claims"]["confidence"]) == labelled
    assert len(result["left_out"]) == 2 - labelled
    assert {"surprising", "atlas", "biases", "dominance"} <= set(result["figures"])
    page = (tmp_path / "out" / "percepts.html").read_text()
    assert "Atlas of all 3 class pairs" in page
    assert ("no labels by people" in page) != labelled
    assert "CIFAR-10H" not in page
    # Without the images, the classes are those that the file names.
    assert main(["percepts", *args]) == 0
    without = strict(tmp_path / "out" / "percepts.json")
    pairs = ["T-shirt/top/ankle_boot 2", "T-shirt/top/benign", "ankle_boot 2/benign"]
    assert [cell["pair"] for cell in without["tables"]["cells"]] == pairs
    assert "--source" in without["left_out"][-1]
    assert "surprising" not in without["figures"]


@pytest.mark.usefixtures("offline")
def test_judgements_that_do_not_fit_the_source_exit_with_2(data_dir, tmp_path, capsys):
    source = ("--source", "tests.analysis.test_percepts.Blots", "--out", tmp_path / "out", "--data_dir", data_dir)
    assert "give your own with --judgements" in rejected(capsys, 2, *source)
    message = rejected(capsys, 2, *source, "--judgements", make_own(tmp_path / "mine.csv"))
    assert "unknown class 'Cat'" in message
    assert "row 2" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("offline", "without_drawing", "few_replicates")
def test_sections_without_data_are_left_out_and_reported(data_dir, tmp_path, capsys):
    for name in RELEASED:
        shutil.copy(data_dir / name, tmp_path / name)
    out = tmp_path / "out"
    assert main(["percepts", "--data_dir", str(tmp_path), "--out", str(out)]) == 0
    left_out = strict(out / "percepts.json")["left_out"]
    assert len(left_out) == 5
    page = (out / "percepts.html").read_text()
    for name in ("cifar10h-counts.npy", "hmix_construct_midpoint.csv", "hmix_categorical_soft_labels.csv", "cifar-10-"):
        assert name in page
    name = "mixed_0.5_Bird_7348_Cat_6202.png"
    message = rejected(capsys, 3, "--data_dir", tmp_path, "--out", out, "--images", name)
    assert "hml download" in message


@pytest.mark.usefixtures("without_drawing")
def test_chosen_images_are_shown(data_dir, tmp_path):
    labels = Cifar10().load(data_dir).labels
    ends = [(int(cat), int(dog)) for cat, dog in zip((labels == 3).nonzero(), (labels == 5).nonzero(), strict=False)][
        :4
    ]
    name = f"mixed_0.5_Cat_{ends[2][0]}_Dog_{ends[2][1]}.png"
    own = ["--judgements", str(make_own(tmp_path / "mine.csv", ends=ends))]
    args = ["--data_dir", str(data_dir), "--out", str(tmp_path), "--images", name]
    assert main(["percepts", *own, *args]) == 0
    assert pd.read_csv(tmp_path / "figures" / "chosen.csv")["filename"].tolist() == [name]
    assert not (tmp_path / "figures" / "surprising.csv").exists()


@pytest.mark.usefixtures("without_drawing")
def test_a_second_run_replaces_its_files_and_keeps_the_users(data_dir, tmp_path, capsys):
    labels = Cifar10().load(data_dir).labels
    (cat, *_), (dog, *_) = ((labels == label).nonzero().flatten().tolist() for label in (3, 5))
    out, figures = tmp_path / "out", tmp_path / "out" / "figures"
    own = make_own(tmp_path / "mine.csv", ends=((cat, dog),))
    args = ["--judgements", str(own), "--data_dir", str(data_dir), "--out", str(out)]
    assert main(["percepts", *args]) == 0
    users = [figures / "poster.png", figures / "surprising.txt", out / "events.out.tfevents.1.mine.2.0"]
    for path in users:
        path.write_bytes(b"")
    before = sorted(out.rglob("*"))
    rejected(capsys, 2, *args, "--images", "none.png")
    assert sorted(out.rglob("*")) == before
    assert main(["percepts", *args, "--images", f"mixed_0.5_Cat_{cat}_Dog_{dog}.png"]) == 0
    named = strict(out / "percepts.json")["figures"]
    written = {figures / f"{name}.{ending}" for name in named for ending in ("png", "pdf", "csv")}
    assert written | set(users[:2]) == set(figures.iterdir())
    users[2].unlink()
    events = EventAccumulator(str(out))
    events.Reload()
    assert events.Tags()["images"] == [f"percepts/{name}" for name in named]


def test_judgements_of_other_images_are_not_shown_cifar10s(data_dir, tmp_path):
    sources = read_sources("paper", make_own(tmp_path / "mine.csv"), None, data_dir)
    assert sources.bank is None
    assert sources.human is None
    assert sum("other images were judged" in reason for reason in sources.left_out) == 2


def test_wrong_input_exits_with_2_and_says_what(tmp_path, offline, capsys):
    own, out = make_own(tmp_path / "mine.csv"), ("--out", tmp_path / "out", "--data_dir", tmp_path)
    assert "nowhere.csv: No such file" in rejected(capsys, 2, "--judgements", tmp_path / "nowhere.csv", *out)
    text = own.read_text().replace('""confidence"": ', '""confidence"": 9', 1)
    (tmp_path / "bad.csv").write_text(text)
    message = rejected(capsys, 2, "--judgements", tmp_path / "bad.csv", *out)
    assert re.search(r"responses\.confidence=.*bad\.csv, row 2: it is outside \[0, 100\]", message)
    for option, value, said in (
        ("--pairs", "Cat/Zebra", "Cat/Zebra"),
        ("--pairs", "Cat", "not a pair of classes"),
        ("--images", "mixed_0.5_Cat_0_Dog_51.png", "Did you mean mixed_0.5_Cat_"),
    ):
        assert said in rejected(capsys, 2, "--judgements", own, *out, option, value)
    assert not (tmp_path / "out").exists()


def test_missing_or_wrong_released_data_exit_with_3(tmp_path, offline, capsys):
    out = ("--out", tmp_path / "out", "--data_dir", tmp_path)
    assert "hmix_infer_mixing_factor.csv" in rejected(capsys, 3, *out)
    (tmp_path / "hmix_infer_mixing_factor.csv").write_text("subject\n")
    assert "is not the released file" in rejected(capsys, 3, *out)


def test_a_corrupt_file_of_another_task_is_rejected(data_dir, tmp_path, offline, capsys):
    shutil.copy(data_dir / RELEASED[0], tmp_path / RELEASED[0])
    (tmp_path / "hmix_construct_midpoint.csv").write_text("")
    assert "it is empty" in rejected(capsys, 3, "--out", tmp_path / "out", "--data_dir", tmp_path)


@pytest.mark.usefixtures("offline", "without_drawing")
def test_a_folder_that_cannot_be_written_exits_with_6(tmp_path, capsys):
    own = make_own(tmp_path / "mine.csv")
    (tmp_path / "taken").write_text("")
    rejected(capsys, 6, "--judgements", own, "--data_dir", tmp_path, "--out", tmp_path / "taken" / "out")


MEASURE = """<script>addEventListener("load", () => {
  const figures = [...document.querySelectorAll("figure")];
  const broken = figures.filter(f => { const i = f.querySelector("img"); return !(i.complete && i.naturalWidth > 0
    && i.alt && i.clientWidth > 0 && f.querySelector("figcaption").innerText && f.querySelector("a[href$=csv]")); });
  const wide = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll")
    && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + "." + e.className);
  const scrolling = [...document.querySelectorAll("body *")].filter(e => e.scrollWidth > e.clientWidth + 1
    && getComputedStyle(e).overflowX != "visible" && e.clientWidth > 1);
  document.title = JSON.stringify({scrolling: scrolling.length,
    tables: scrolling.filter(e => e.querySelector("table")).length, figures: figures.length,
    broken: broken.map(f => f.id), wide: wide, scroll: document.documentElement.scrollWidth, inner: innerWidth});
});</script></body>"""


@pytest.mark.parametrize("width", [1200, 390])
def test_a_browser_shows_every_figure_and_only_tables_scroll(real, tmp_path, width, chromium):
    page = real / f"measured_{width}.html"
    page.write_text((real / "percepts.html").read_text().replace("</body>", MEASURE))
    # A headless window can't be narrower than 500 pixels, a frame can.
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<body style="margin:0"><iframe src="{page.as_uri()}" style="border:0;width:{width}px;height:900px"></iframe>'
        "<script>addEventListener('load', () => { document.title = frames[0].document.title; });</script>"
    )
    done = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,1000"),
            *("--virtual-time-budget=20000", "--dump-dom", frame.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title, done.stderr[-2000:]
    found = json.loads(title[1])
    assert found["inner"] == width
    assert found["figures"] == len(strict(real / "percepts.json")["figures"])
    assert found["broken"] == []
    assert found["wide"] == []
    assert found["scroll"] <= width
    assert found["scrolling"] == found["tables"]
    assert (found["tables"] > 0) == (width == 390)
