import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import ndtr

from hml.cli import main
from hml.errors import InputError
from hml.judgements.curves import fit_curve
from hml.labels import MixedBatch
from hml.relabel.checkpoint import Checkpoint
from hml.relabel.network import AnswerNetwork, Shape
from hml.relabel.plan_report import Question, recommend
from hml.relabel.planning import (
    Design,
    Planned,
    Population,
    bits_of_images,
    estimate_person_share,
    mean_difference,
    pair_bias,
    plan,
    predict_people,
    simulate_studies,
)
from hml.relabel.relabeller import Relabeller

SD, BETWEEN_PEOPLE = 8.0, 5.0
mean = mean_difference(np.tile(np.arange(101) / 100, (1, 1)))


def gaussian(*means, images=1):
    """The masses of people whose answers scatter by `SD` around means of their own, about every image alike."""
    edges = np.arange(102) - 0.5
    mass = np.stack([np.diff(ndtr((edges - middle) / SD)) for middle in means])
    mass /= mass.sum(1, keepdims=True)
    return np.repeat(mass[:, None], images, axis=1)


@pytest.mark.parametrize(("image_share", "person_share"), [(0.0, 0.0), (0.4, 0.0), (0.3, 0.2)])
def test_the_half_width_equals_theory_for_gaussians(image_share, person_share):
    population = Population(gaussian(50 - BETWEEN_PEOPLE, 50 + BETWEEN_PEOPLE), image_share, person_share)
    design = Design(people=12, each=10, per_image=4)
    planned = plan(population, design, mean, effect=0.05, studies=1000)
    # A mean of 12 people's offsets and own parts, of 30 images' own parts, and of what is left of 120 answers.
    rest = 1 - image_share - person_share
    variance = BETWEEN_PEOPLE**2 / 12 + SD**2 * (rest / 120 + image_share / 30 + person_share / 12)
    assert planned.half_width == pytest.approx(1.96 * np.sqrt(variance) / 100, rel=0.08)
    # A Gaussian estimate detects an effect of 2.8 standard errors with a power of 80 %.
    effect = 2.8 * planned.half_width / 1.96
    assert plan(population, design, mean, effect, studies=1000).power == pytest.approx(0.8, abs=0.05)


def test_power_rises_with_people_and_falls_with_the_effect():
    population = Population(gaussian(40, 50, 60))
    powers = [plan(population, Design(people, 6), mean, effect=0.04).power for people in (6, 12, 24, 48)]
    assert powers == sorted(powers)
    assert powers[-1] - powers[0] > 0.3
    assert plan(population, Design(24, 6), mean, effect=0.02).power < powers[2]


def test_a_plan_is_a_pure_function_of_its_seed():
    population, design = Population(gaussian(40, 60), 0.3), Design(9, 4)
    one, again, other = (simulate_studies(population, design, mean, 5, seed) for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()


def test_nobody_judges_an_image_twice():
    assert (Design(10, 12, 3).images, Design(3, 12, 3).images, Design(4, 12, 3).images) == (40, 12, 16)
    with pytest.raises(InputError, match="2 people with 5 images each and 3 people per image"):
        Design(2, 5, 3)


def test_the_bias_is_that_of_the_fitted_curve():
    rng = np.random.default_rng(0)
    lambda_f = np.repeat([0.1, 0.25, 0.5, 0.75, 0.9], 8)
    position = (100 * rng.beta(4 * lambda_f + 0.2, 3 * (1 - lambda_f) + 0.6, (2, 40))).round().astype(np.int64)
    estimates = pair_bias(lambda_f)(np.tile(np.arange(40), (2, 1)), position)
    expected = [fit_curve(lambda_f, answers / 100).bias for answers in position]
    assert estimates == pytest.approx(expected, abs=0.01)


def test_bits_compare_an_image_with_all_of_its_class_pair_and_lambda():
    general = np.full((3, 101), 1e-12)
    general[[0, 1, 2], [10, 20, 30]] = 1
    difference = bits_of_images(general, np.array([0, 0, 1]))
    # Two images of one cell are told apart by one bit; the third is alone in its own.
    assert [difference[0, 10], difference[1, 20], difference[2, 30]] == pytest.approx([1, 1, 0], abs=1e-6)
    assert difference[0, 20] < -20


def test_people_are_predicted_by_their_numbers(learned):
    relabeller = Checkpoint.load(learned / "relabeller.pt").relabeller
    ids = [torch.tensor(column) for column in ([0, 10], [1, 11], [0, 0], [1, 1])]
    batch = MixedBatch(*ids, torch.tensor([0.25, 0.5]), 10)
    predicted = predict_people(relabeller, batch, np.array([0, 3]))
    assert predicted.shape == (2, 2, 101)
    assert predicted[1] == pytest.approx(relabeller.mass(batch, torch.tensor([3, 3])).numpy(), abs=1e-6)


def test_the_fewest_judgements_that_are_enough_are_recommended():
    plans = [
        Planned(Design(20, 12), 0.06, 0.7),
        Planned(Design(40, 12), 0.04, 0.9),
        Planned(Design(20, 48), 0.03, 0.99),
    ]
    said = recommend(Question("the bias of Cat/Dog", 0.05), plans, "simulation, seed 0")
    assert said == (
        "With 40 people judging 12 images each (160 images, 3 people per image), the 95 % interval of the bias of "
        "Cat/Dog is expected to be ± 0.040, and a difference of 0.05 is detected with a power of .90 at a level of 5 % "
        "(simulation, seed 0)."
    )
    assert "With 20 people judging 48" in recommend(Question("x", 0.05, power=0.95), plans, "")
    assert recommend(Question("x", 0.02), plans, "").startswith("No design is sufficient: with 20 people judging 48")


def test_what_people_share_beyond_the_prediction_is_estimated(images, simulate):
    """People 0 and 1 add and take away .2, in a class pair's own direction or in all of them."""
    relabeller = Relabeller([AnswerNetwork(Shape(inputs=1, people=1))], images)
    tables = {}
    for of_pairs in (False, True):
        table = simulate(lambda *_: (0.5, 0.5), people=2, repeats=8)
        table["annotator"] = "somebody new"
        rng = np.random.default_rng(1)
        own = rng.choice([-0.2, 0.2], (2, 100)) if of_pairs else np.array([[-0.2], [0.2]]) * np.ones(100)
        shift = own[table["person"], 10 * table["class_1"] + table["class_2"]]
        tables[of_pairs] = table.assign(lambda_h=0.5 + shift + rng.choice([-0.1, 0.1], len(table)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Relabeller, "mean", lambda self, batch, person: torch.full(batch.lambda_f.shape, 0.5))
        shares = {key: estimate_person_share(relabeller, tables[key], 10, key) for key in tables}
        in_general = estimate_person_share(relabeller, tables[True], 10, False)
    assert shares == pytest.approx({False: 0.8, True: 0.8}, abs=0.05)  # .04 of .05
    assert in_general < 0.15


@pytest.mark.usefixtures("without_drawing")
def test_plan_prints_designs_and_a_sentence_to_quote(learned, tmp_path, capsys):
    plan_demo = ["relabel", "plan", "--demo", "--relabeller", str(learned / "relabeller.pt"), "--out", str(tmp_path)]
    few = ["--people", "4", "16", "--images_each", "5", "--studies", "60"]
    assert main([*plan_demo, *few, "--pairs", "rings/dots", "--bias", "0.2"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"The bias of Rings/Dots: ± 0\.2 is wanted; power is for 0\.2", printed)
    assert re.search(
        r"With \d+ people judging 5 images each .* \(simulation of 60 data sets from relabeller\.pt, ", printed
    )
    widths = pd.read_csv(tmp_path / "plan.csv").set_index("people")["half_width"]
    assert widths[16] < widths[4]
    assert main([*plan_demo, *few, "--bits", "0.02"]) == 0
    assert "in bits per judgement between two models: a power of .80 is wanted" in capsys.readouterr().out
    assert main([*plan_demo, "--pairs", "rings/dots", "rings/disc"]) == 2
    assert "give one class pair with --bias" in capsys.readouterr().err
