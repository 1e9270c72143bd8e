import io
import re
from collections import Counter
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hml.data import DemoImages
from hml.elicit.stimuli import blend, draw_examples, draw_stimuli, load_stimuli
from hml.elicit.study import StimulusChoice, demo_study, read_study
from hml.elicit.tasks import GRID
from hml.errors import InputError
from tests.elicit.conftest import STUDY
from tests.elicit.test_study import EXAMPLE

LAMBDAS = (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.fixture(scope="module")
def bank():
    return DemoImages().load(None)


@pytest.fixture(scope="module")
def demo():
    return load_stimuli(demo_study(), None)


def read_png(content):
    image = Image.open(io.BytesIO(content))
    assert (image.mode, image.size, image.format) == ("RGB", (32, 32), "PNG")
    return np.asarray(image)


@pytest.mark.parametrize(
    ("first", "second", "lambda_f", "mixed"), [(255, 0, 0.1, 26), (10, 11, 0.5, 11), (7, 200, 0.9, 26)]
)
def test_a_blend_is_rounded_once_with_halves_up(first, second, lambda_f, mixed):
    # .1·255 = 25.5; (10 + 11)/2 = 10.5; .9·7 + .1·200 = 26.3
    one, other = (np.full((3, 1, 1), value, np.uint8) for value in (first, second))
    assert blend(one, other, lambda_f).tolist() == [[[mixed]]] * 3


def test_blends_are_what_decimal_arithmetic_makes_of_every_pair_of_levels():
    first, second = (level.astype(np.uint8)[None] for level in np.mgrid[:256:5, :256:3])
    for lambda_f in (*LAMBDAS, 0.333):
        weight = Decimal(str(lambda_f))
        expected = [
            int((weight * a + (1 - weight) * b).quantize(Decimal(1), ROUND_HALF_UP))
            for a, b in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True)
        ]
        assert blend(first, second, lambda_f).ravel().tolist() == expected


def test_swapped_endpoints_make_the_same_blend():
    first, second = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
    assert (blend(first, second, 0.25) == blend(second, first, 0.75)).all()


def test_the_endpoints_are_the_originals_to_the_bit(demo, bank):
    stimulus = demo.all[0]
    for weight, endpoint in zip((1, 0), stimulus.endpoints, strict=True):
        shown = read_png(demo.png(stimulus, weight))
        assert (shown == bank.images[endpoint.image_id].permute(1, 2, 0).numpy()).all()


def test_a_stimulus_is_shown_by_its_own_weight(demo, bank):
    stimulus = demo.all[0]
    first, second = (bank.images[end.image_id].numpy() for end in stimulus.endpoints)
    expected = blend(first, second, stimulus.lambda_f).transpose(1, 2, 0)
    assert (read_png(demo.png(stimulus)) == expected).all()


def test_class_pairs_and_weights_are_balanced_and_no_original_is_shown_twice(bank):
    stimuli = draw_stimuli(StimulusChoice(per_class_pair=7, lambdas=LAMBDAS), bank)
    assert set(Counter(tuple(end.label for end in s.endpoints) for s in stimuli).values()) == {7}
    assert set(Counter(s.lambda_f for s in stimuli).values()) == {7 * 45 // 5}
    by_pair = Counter((s.endpoints[0].label, s.endpoints[1].label, s.lambda_f) for s in stimuli)
    assert set(by_pair.values()) == {1, 2}
    ids = [end.image_id for s in stimuli for end in s.endpoints]
    assert len(ids) == len(set(ids)) == 2 * 7 * 45


def test_drawn_images_are_of_the_training_split_and_of_the_class_they_are_named_for(bank):
    stimuli = draw_stimuli(StimulusChoice(), bank)
    train_ids = set(bank.train_ids.tolist())
    for stimulus in stimuli:
        first, second = stimulus.endpoints
        assert first.label < second.label
        for end in stimulus.endpoints:
            assert end.image_id in train_ids
            assert bank.labels[end.image_id] == end.label


def test_the_same_seed_draws_the_same_images(bank):
    one, again, other = (draw_stimuli(StimulusChoice(seed=seed), bank) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_too_few_originals_are_reported_with_the_largest_number(bank):
    with pytest.raises(InputError, match=r"per_class_pair=9 needs 81 originals .* has 80: use 8 at most"):
        draw_stimuli(StimulusChoice(per_class_pair=9), bank)


def test_some_class_pairs_are_drawn_by_the_seed_or_named(bank):
    def name_pairs(stimuli):
        return [bank.classes.name_pair(*(end.label for end in stimulus.endpoints)) for stimulus in stimuli]

    drawn = [name_pairs(draw_stimuli(StimulusChoice(pairs=7, per_class_pair=2, seed=seed), bank)) for seed in (1, 1, 2)]
    assert set(Counter(drawn[0]).values()) == {2}
    assert len(set(drawn[0])) == 7
    assert drawn[0] == drawn[1] != drawn[2]
    wanted = (bank.classes.name_pair(5, 2), bank.classes.name_pair(0, 9).lower(), bank.classes.name_pair(2, 5))
    named = draw_stimuli(StimulusChoice(pairs=wanted, per_class_pair=1), bank)
    assert set(name_pairs(named)) == {bank.classes.name_pair(2, 5), bank.classes.name_pair(0, 9)}
    with pytest.raises(InputError, match="pairs=46 is more than the 45 class pairs"):
        draw_stimuli(StimulusChoice(pairs=46), bank)


def load_blots(folder=Path(), task="rate_mixture", choice=None, **init_args):
    images = {"class_path": "tests.elicit.sources.Blots", "init_args": init_args}
    return load_stimuli(replace(STUDY, task=task, images=images, stimuli=choice or StimulusChoice()), None, folder)


def test_a_sources_relative_paths_start_from_the_given_folder(tmp_path):
    (tmp_path / "names.txt").write_text("猫\nT-shirt/top", encoding="utf-8")
    stimuli = load_blots(tmp_path, root="names.txt", width=40, height=24)
    assert stimuli.classes.names == ("猫", "T-shirt/top")
    assert Image.open(io.BytesIO(stimuli.png(stimuli.all[0]))).size == (40, 24)
    assert len(stimuli.examples) == 2  # of the one pair that there is


def test_a_hundred_classes_show_the_pairs_that_are_asked_for(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(f"class {i}" for i in range(100)), encoding="utf-8")
    stimuli = load_blots(tmp_path, root="names.txt", width=8, height=8, choice=StimulusChoice(pairs=20))
    pairs = {tuple(end.label for end in stimulus.endpoints) for stimulus in stimuli.all}
    assert (len(stimuli.all), len(pairs)) == (80, 20)
    assert {tuple(end.label for end in stimulus.endpoints) for stimulus in stimuli.examples} <= pairs
    with pytest.raises(InputError, match=r"needs 396 originals of class \d+, .* has 12: use 0 at most"):
        load_blots(tmp_path, root="names.txt", width=8, height=8)


def test_a_class_called_no_is_rejected_where_it_would_mean_none(tmp_path):
    (tmp_path / "names.txt").write_text("Yes\nNo", encoding="utf-8")
    with pytest.raises(InputError, match="a class is called 'No'"):
        load_blots(tmp_path, "categorical", root="names.txt")
    assert load_blots(tmp_path, root="names.txt").classes.names == ("Yes", "No")


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ("hml.data.Nowhere", "images hml.data.Nowhere: .* has no class Nowhere"),
        (
            {"class_path": "hml.data.ImageFolder", "init_args": {"ruut": "x"}},
            "images.ruut: .* It has: root",
        ),
        ({"class_path": "hml.data.HMix"}, "images hml.data.HMix: this is not a subclass of ImageSource"),
        (
            {"class_path": "hml.data.ImageFolder", "init_args": {"root": "nowhere"}},
            "Can.t read the image folder /",
        ),
    ],
)
def test_a_source_that_cant_be_made_is_named(images, told):
    with pytest.raises(InputError, match=told):
        load_stimuli(replace(STUDY, images=images), None)


def serve_file(folder, *lines, **changes):
    """Load a study of the demo's textures whose stimuli file has these lines."""
    (folder / "proposed.csv").write_text("\n".join(["image_1,class_1,image_2,class_2,lambda_f", *lines]))
    study = replace(STUDY, trials=1, repeats=1, stimuli=StimulusChoice(file="proposed.csv"), **changes)
    return load_stimuli(study, None, folder)


def test_a_stimuli_file_beside_the_study_defines_the_images(tmp_path, bank):
    stimuli = serve_file(tmp_path, "10,Vertical stripes,7,Dots,0.35", "11,Horizontal stripes,5,Rings,0.5")
    assert [(s.lambda_f, [end.image_id for end in s.endpoints]) for s in stimuli.all] == [
        (0.35, [10, 7]),
        (0.5, [11, 5]),
    ]
    first, second = bank.images[[10, 7]].numpy()
    assert (read_png(stimuli.png(stimuli.all[0])) == blend(first, second, 0.35).transpose(1, 2, 0)).all()
    assert not {10, 7, 11, 5} & {end.image_id for s in stimuli.examples for end in s.endpoints}


def test_the_midpoint_tasks_show_a_files_pairs_once(tmp_path):
    lines = ("10,Vertical stripes,7,Dots,0.35", "10,Vertical stripes,7,Dots,0.5", "11,Horizontal stripes,5,Rings,0.5")
    choice = StimulusChoice(file="proposed.csv", lambdas=(0.1, 0.9))
    serve_file(tmp_path, *lines)
    stimuli = load_stimuli(replace(STUDY, task="select", trials=2, stimuli=choice), None, tmp_path)
    assert [(s.lambda_f, s.endpoints[0].image_id) for s in stimuli.all] == [(0.1, 10), (0.9, 11)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("10,Vertical stripes,7,Dots,1", "proposed.csv, row 3: lambda_f=1.0"),
        ("10,Vertical stripes,7,Spokes,.5", "proposed.csv: mixed_0.5_Vertical stripes_10_Spokes_7.png: image 7 is of"),
        ("900,Vertical stripes,7,Dots,.5", "proposed.csv: originals 900 are outside the training split"),
        ("1300,Vertical stripes,7,Dots,.5", "image_1='1300' in proposed.csv, row 3: there is no such image"),
        ("7,Dots,10,Vertical stripes,.65", "proposed.csv, row 3: proposed.csv, row 2 is the same blend"),
    ],
)
def test_a_stimuli_file_that_does_not_fit_the_images_is_rejected(tmp_path, line, told):
    with pytest.raises(InputError, match=re.escape(told)):
        serve_file(tmp_path, "10,Vertical stripes,7,Dots,0.35", line)


def test_a_missing_or_short_stimuli_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Can't read nowhere.csv: No such file"):
        load_stimuli(replace(STUDY, stimuli=StimulusChoice(file="nowhere.csv")), None, tmp_path)
    with pytest.raises(InputError, match=r"proposed\.csv lists no images"):
        serve_file(tmp_path)
    choice = StimulusChoice(file="proposed.csv")
    serve_file(tmp_path, "10,Vertical stripes,7,Dots,0.35")
    with pytest.raises(InputError, match=r"trials=4 is more than the 1 images.* or list more in proposed.csv"):
        load_stimuli(replace(STUDY, stimuli=choice), None, tmp_path)


def test_examples_share_no_original_with_trials(demo):
    used = {end.image_id for stimulus in demo.all for end in stimulus.endpoints}
    shown = {end.image_id for stimulus in demo.examples for end in stimulus.endpoints}
    assert len(demo.examples) == 2
    assert len(shown) == 4
    assert not used & shown
    assert read_png(demo.png(demo.examples[0])).shape == (32, 32, 3)


def test_examples_are_found_where_trials_leave_one_original_of_a_class_or_none(bank):
    stimuli = draw_stimuli(StimulusChoice(per_class_pair=1), bank)
    used = [end.image_id for stimulus in stimuli for end in stimulus.endpoints]
    labels = bank.labels.numpy()
    spare = [next(i for i in bank.train_ids.tolist() if labels[i] == c and i not in used) for c in range(10)]
    for ids in (used, used + spare):
        few = replace(bank, train_ids=bank.train_ids.new_tensor(ids))
        for seed in range(20):  # some of whose two examples share a class
            assert len(draw_examples(stimuli, few, seed)) == 2


def test_the_midpoint_tasks_show_each_pair_once_and_by_every_step():
    choice = StimulusChoice(per_class_pair=1, lambdas=(0.1, 0.9))
    stimuli = load_stimuli(replace(STUDY, task="construct", stimuli=choice), None)
    assert len({stimulus.endpoints for stimulus in stimuli.all}) == len(stimuli.all) == 45
    assert {stimulus.lambda_f for stimulus in stimuli.all} == {0.1, 0.9}
    shown = {stimuli.png(stimuli.all[0], weight) for weight in GRID}
    assert len(shown) == 11


def test_the_midpoint_tasks_start_from_steps_only():
    with pytest.raises(InputError, match=r"lambdas=\[0\.25, 0\.75\] are not steps of"):
        load_stimuli(replace(STUDY, task="construct", stimuli=StimulusChoice()), None)


def test_more_trials_than_images_are_rejected():
    with pytest.raises(InputError, match="trials=46 is more than the 45 images"):
        load_stimuli(replace(STUDY, trials=46, stimuli=StimulusChoice(per_class_pair=1)), None)


def test_a_refresh_that_is_never_due_is_rejected():
    choice = StimulusChoice(per_class_pair=1, refresh_every=136)
    with pytest.raises(InputError, match=r"refresh_every=136 is more than all 135 judgements"):
        load_stimuli(replace(STUDY, stimuli=choice), None)


def test_the_papers_cohort_is_its_810_images(data_dir):
    stimuli = load_stimuli(replace(read_study(EXAMPLE), stimuli=StimulusChoice(cohort="paper")), data_dir)
    assert len(stimuli.all) == 810
    assert "mixed_0.5_Bird_7348_Cat_6202.png" in {stimulus.filename for stimulus in stimuli.all}
    train_ids = set(np.load(data_dir / "train_indices.npy").tolist())
    assert all(end.image_id in train_ids for s in (*stimuli.all, *stimuli.examples) for end in s.endpoints)


def test_a_cohorts_pairs_serve_the_midpoint_tasks(data_dir):
    choice = StimulusChoice(cohort="paper", lambdas=(0.1, 0.9))
    stimuli = load_stimuli(replace(read_study(EXAMPLE), task="select", stimuli=choice), data_dir)
    assert len(stimuli.all) == 270  # the cohort's endpoint pairs
