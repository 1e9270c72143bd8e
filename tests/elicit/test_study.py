from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml

import hml
from hml.elicit.study import TEST_CONSENT, StimulusChoice, demo_study, read_study
from hml.elicit.tasks import GRID, TASKS
from hml.errors import InputError
from tests.elicit.conftest import STUDY

EXAMPLE = Path(hml.__file__).parent.parent / "configs" / "elicit" / "cifar10.yaml"


@pytest.fixture
def write(tmp_path):
    """Write the example with changes; None as a value leaves a key out."""

    def make(**changes):
        content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")) | changes
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value != "left out"}))
        return path

    return make


def test_the_demo_is_marked_as_a_demo():
    study = demo_study()
    assert (study.name, study.images, study.is_demo) == ("demo", "demo", True)


def test_the_example_is_a_demo_until_it_has_an_ethics_reference_and_a_contact(write):
    assert read_study(EXAMPLE).is_demo
    assert read_study(write(ethics_reference="E-17")).is_demo
    assert read_study(write(contact="a@example.org")).is_demo
    assert not read_study(write(ethics_reference="E-17", contact="a@example.org")).is_demo


def test_every_value_is_read(write):
    stimuli = {"per_class_pair": 2, "lambdas": [0.5], "seed": 9}
    study = read_study(
        write(stimuli=stimuli, task="select", hold_minutes=5, return_url="https://x.org/?cc={completion_code}")
    )
    assert (study.task, study.hold_minutes, study.people_per_image, study.trials, study.repeats) == (
        "select",
        5,
        3,
        60,
        2,
    )
    assert (study.stimuli.per_class_pair, study.stimuli.lambdas, study.stimuli.seed) == (2, (0.5,), 9)
    assert study.consent.version == "1"
    assert study.consent.text.startswith("You are asked")
    assert study.return_address("ABC") == "https://x.org/?cc=ABC"


def test_a_return_address_carries_the_participants_id_quoted():
    study = replace(STUDY, return_url="https://x.org/{participant}?cc={completion_code}&id={participant}")
    # RFC 3986: all but letters, digits and -._~ as percent-encoded UTF-8
    assert study.return_address("ABC", "a/b&c=ü d") == (
        "https://x.org/a%2Fb%26c%3D%C3%BC%20d?cc=ABC&id=a%2Fb%26c%3D%C3%BC%20d"
    )
    assert study.return_address("ABC") is None
    assert replace(STUDY, return_url="https://x.org").return_address("ABC") == "https://x.org"


def test_without_a_return_url_there_is_no_return_address():
    assert STUDY.return_address("ABC") is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"trails": 3}, "no key 'trails'"),
        ({"trails": 3}, "Did you mean trials?"),
        ({"trials": "left out"}, "needs trials"),
        ({"trials": "many"}, "trials='many' must be a whole number"),
        ({"trials": True}, "trials=True"),
        ({"trials": 0}, "trials=0 must be 1 or more"),
        ({"trials": 1}, "repeats=2 is more than trials=1"),
        ({"task": "guess"}, "task='guess' must be one of 'rate_mixture'"),
        ({"name": "My Study"}, "name='My Study'"),
        ({"name": "62868d1c77a67aae6b2e5012"}, "no outside id"),
        ({"name": "pilot_62868d1c77a67aae6b2e5012"}, "no outside id"),
        ({"title": " "}, "needs title"),
        ({"hold_minutes": float("nan")}, "hold_minutes=nan must be 1 to 43,200"),
        ({"hold_minutes": float("inf")}, "hold_minutes=inf must be 1 to 43,200"),
        ({"hold_minutes": 1e12}, "must be 1 to 43,200"),
        ({"people_per_image": 10**20}, "must be 1 to 10,000"),
        ({"return_url": "javascript:alert(1)"}, "return_url="),
        ({"return_url": "https://x.org/?cc={code}"}, "unknown placeholder {code}: use {completion_code} and {part"),
        ({"return_url": "https://x.org/?id={Participant}"}, "unknown placeholder {Participant}"),
        ({"return_url": "https://x.org/?cc={}"}, "unknown placeholder {}"),
        ({"return_url": "https://x.org/?cc={completion_code}}"}, "an unmatched brace"),
        ({"return_url": "https://x.org/?id={participant"}, "an unmatched brace"),
        ({"return_url": "https://{participant}.x.org/"}, "a placeholder in its host"),
        ({"return_url": "https://{participant}"}, "a placeholder in its host"),
        ({"language": "German"}, "language='German' must be a BCP 47 tag"),
        ({"language": "de_DE"}, "language='de_DE'"),
        ({"language": False}, "language=False must be text"),  # no, which YAML reads so
        ({"consent": "yes"}, "consent must be a mapping"),
        ({"consent": {"version": 1, "text": "x"}}, "consent.version=1 must be text: put it in quotes."),
        ({"consent": {"version": True, "text": "x"}}, "consent.version=True must be text: put it in quotes."),
        ({"consent": {"version": date(2026, 1, 2), "text": "x"}}, "must be text: put it in quotes."),
        ({"contact": 5}, "contact=5 must be text, or null: put it in quotes."),
        ({"contact": ["us"]}, "contact=['us'] must be text, or null."),
        ({"title": None}, "needs title"),
        ({"trials": None}, "needs trials"),
        ({"repeats": None}, "repeats=None must be 0 or more"),
        ({"stimuli": {"lambdas": None}}, "lambdas=[] must be one weight or more"),
        ({"stimuli": {"lambdas": 0.5}}, "stimuli.lambdas=0.5 must be a list of numbers."),
        ({"stimuli": {"lamdas": [0.5]}}, "stimuli has no key 'lamdas'"),
        ({"stimuli": 3}, "stimuli must be a mapping with cohort"),
        ({"consent": {"version": "1"}}, "needs consent.text"),
        ({"stimuli": {"lambdas": []}}, "lambdas=[] must be one weight or more"),
        ({"stimuli": {"lambdas": [1.5]}}, "lambdas=[1.5] must be between 0 and 1"),
        ({"stimuli": {"lambdas": [0.5, 0.5]}}, "without duplicates"),
        ({"stimuli": {"cohort": "mine"}}, "cohort='mine'"),
        ({"stimuli": {"cohort": "paper"}, "images": "demo"}, "set images: cifar10"),
        ({"stimuli": {"pairs": 0}}, "pairs=0 must be 1 or more"),
        ({"stimuli": {"pairs": []}}, "pairs=0 must be 1 or more"),
        ({"stimuli": {"pairs": "many"}}, "stimuli.pairs='many' must be a whole number, or a list of class pairs."),
        ({"stimuli": {"cohort": "paper", "pairs": 3}}, "leave out pairs."),
        ({"images": "mnist"}, "images='mnist' must be cifar10, demo, or a mapping with class_path and init_args."),
        ({"images": {"root": "photos"}}, "must be cifar10, demo, or a mapping with class_path"),
        ({"images": ["cifar10"]}, "images=['cifar10'] must be cifar10, demo"),
        ({"images": "left out"}, "needs images"),
        ({"stimuli": {"cohort": "paper", "per_class_pair": 4}}, "'paper' already defines the images: leave out per_"),
        ({"stimuli": {"cohort": "paper", "lambdas": [0.5]}}, "leave out lambdas."),
        (
            {"stimuli": {"file": "a.csv", "pairs": 3, "lambdas": [0.5]}},
            "'a.csv' already defines the images: leave out pairs, l",
        ),
        ({"stimuli": {"file": "a.csv", "cohort": "all"}}, "file='a.csv' and cohort='all' both choose the images"),
        ({"stimuli": {"refresh_every": 0}}, "refresh_every=0 must be 1 or more"),
        ({"stimuli": {"refresh_every": "often"}}, "stimuli.refresh_every='often' must be a whole number, or null."),
        ({"stimuli": {"refresh_every": 9, "refresh_minutes": 0}}, "refresh_minutes=0.0 must be 0.01 to 43,200"),
        ({"stimuli": {"refresh_every": 9}, "task": "select"}, "refresh_every is for the task rate_mixture, not select"),
        ({"stimuli": {"refresh_images": 9}}, "stimuli.refresh_images has no effect without stimuli.refresh_every"),
        ({"stimuli": {"acquisition": "my.Choice"}}, "stimuli.acquisition has no effect without"),
        ({"stimuli": {"file": 5}}, "stimuli.file=5 must be text, or null: put it in quotes."),
        (
            {"stimuli": {"cohort": "paper", "lambdas": [0.1], "per_class_pair": 4}, "task": "construct"},
            "leave out per_class_pair.",
        ),
    ],
)
def test_a_wrong_value_is_rejected_with_file_key_and_value(write, changes, told):
    with pytest.raises(InputError) as refusal:
        read_study(write(**changes))
    assert "mine.yaml" in str(refusal.value)
    assert told in str(refusal.value)


@pytest.mark.parametrize("content", ["{", "- a\n- b\n", "", "\xff\xfe"])
def test_a_file_that_is_no_study_is_rejected(tmp_path, content):
    path = tmp_path / "odd.yaml"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"odd\.yaml"):
        read_study(path)


def test_five_lines_make_a_study_of_your_own_folder():
    text = (EXAMPLE.parent / "folder.yaml").read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if not line.startswith("#")]) == 5
    study = read_study(EXAMPLE.parent / "folder.yaml")
    assert (study.title, study.consent, study.is_demo) == ("My images", TEST_CONSENT, True)
    assert study.images == {"class_path": "hml.data.ImageFolder", "init_args": {"root": "photos"}}
    assert study.stimuli == StimulusChoice()


@pytest.mark.parametrize("task", TASKS)
def test_what_a_file_leaves_out_fits_its_task(write, task):
    study = read_study(write(task=task, stimuli={"seed": 2}, instructions="left out"))
    assert study.instructions == TASKS[task].instructions
    assert all(weight in GRID for weight in study.stimuli.lambdas) is TASKS[task].shows_grid
    assert study.stimuli.seed == 2


def test_a_real_study_needs_a_consent_of_its_own(write):
    with pytest.raises(InputError, match="consent: a study with an ethics_reference and a contact needs its own text"):
        read_study(write(consent="left out", ethics_reference="E-17", contact="a@example.org"))


def test_a_cohorts_pairs_have_the_weights_that_people_start_from(write):
    stimuli = {"cohort": "paper", "lambdas": [0.1, 0.9], "seed": 3}
    assert read_study(write(stimuli=stimuli, task="construct")).stimuli.lambdas == (0.1, 0.9)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.yaml: No such file"):
        read_study(tmp_path / "nowhere.yaml")


def test_a_study_made_in_python_is_checked_too():
    with pytest.raises(InputError, match="people_per_image=0"):
        replace(STUDY, people_per_image=0)


def test_the_examples_instructions_for_each_other_task_can_be_put_in_place_of_its_own(write):
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "how sure you are" in read_study(EXAMPLE).instructions
    for task in ("construct", "select", "categorical"):
        _, _, after = text.partition(f"\n# {task}:\n")
        lines = [line[2:] for line in after.splitlines() if line.startswith(("# instructions", "#   ")) or line == "#"]
        end = next((n for n, line in enumerate(lines) if n and line.startswith("instructions")), len(lines))
        study = read_study(write(task=task, **yaml.safe_load("\n".join(lines[:end]))))
        assert "100 other people" in study.instructions
        assert "sure" not in study.instructions


def test_the_guides_study_that_adds_images_is_one(tmp_path):
    guide = Path(hml.__file__).parent / "elicit" / "README.md"
    _, _, rest = guide.read_text(encoding="utf-8").partition("`active_study.yaml`:\n\n```yaml\n")
    (tmp_path / "active_study.yaml").write_text(rest.partition("```")[0])
    choice = read_study(tmp_path / "active_study.yaml").stimuli
    assert (choice.refresh_every, choice.refresh_images, choice.refresh_times) == (200, 40, 3)
