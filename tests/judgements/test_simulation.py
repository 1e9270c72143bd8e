import json
from dataclasses import replace

import numpy as np
import pytest

from hml.errors import InputError
from hml.judgements import CIFAR10, Endpoint, name_stimulus, read_hmix
from hml.judgements.population_fitting import fit_population
from hml.judgements.simulation import Design, Population, shared_population
from hml.judgements.tables import judgement_table


def make_stimuli(count, levels=(0.1, 0.5, 0.9)):
    rng = np.random.default_rng(0)
    pairs = [CIFAR10.pairs[i % 45] for i in range(count)]
    return [
        name_stimulus(CIFAR10, level, Endpoint(2 * i, a), Endpoint(2 * i + 1, b))
        for i, (a, b) in enumerate(pairs)
        for level in rng.permutation(levels)
    ]


@pytest.fixture(scope="module")
def large():
    """So many judgements that moments are near what they estimate."""
    return Design.balanced(make_stimuli(900), people=100, each=6, repeats=20)


def test_every_image_is_judged_by_different_people_and_repeats_follow():
    design = Design.balanced(make_stimuli(10), people=7, each=3, repeats=2)
    first = ~design.is_repeat
    assert (np.bincount(design.image[first]) == 3).all()
    assert len(set(zip(design.person[first], design.image[first], strict=True))) == 90
    assert (np.bincount(design.person[~first]) == 2).all()


def test_answers_are_a_pure_function_of_the_three_seeds():
    design = Design.balanced(make_stimuli(20), people=9, each=3)
    population = shared_population()
    once = population.answer(design, 1, 2, 3)
    assert all((a == b).all() for a, b in zip(once, population.answer(design, 1, 2, 3), strict=True))
    for seeds in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert (once[0] != population.answer(design, *seeds)[0]).any()


def test_images_added_at_the_end_leave_the_other_images_as_they_are():
    stimuli = [
        name_stimulus(CIFAR10, 0.5, Endpoint(90 - i, 3), Endpoint(200 + i, 5)) for i in range(30)
    ]  # the last have the smallest ids
    quiet = replace(shared_population(), view_sd=0, noise_sd=0, lapse=0, untouched=0, step=0)
    whole, part = (
        quiet.answer(Design(shown, np.zeros(len(shown), int), np.arange(len(shown)), np.zeros(len(shown), bool)), 1)[0]
        for shown in (stimuli, stimuli[:20])
    )
    assert whole[:20] == pytest.approx(part)


def test_data_sets_of_the_same_images_agree_on_their_means(large):
    def image_means(people, images):
        return np.bincount(large.image, shared_population().answer(large, people, images)[0]) / np.bincount(large.image)

    centred = [means - means.mean() for means in (image_means(1, 0), image_means(2, 0), image_means(3, 1))]
    lambda_f = np.array([stimulus.lambda_f for stimulus in large.stimuli])
    left = [means - np.poly1d(np.polyfit(lambda_f, means, 2))(lambda_f) for means in centred]
    assert np.corrcoef(left[0], left[1])[0, 1] > 0.3
    assert abs(np.corrcoef(left[0], left[2])[0, 1]) < 0.15


def test_a_fit_finds_the_population_that_answered(large):
    truth = shared_population()
    found = fit_population(truth.judge(large, people=5, images=5, classes=5))
    for name in ("slope", "view_sd", "noise_sd", "endpoints_sd", "image_sd", "bias_sd", "omega", "omega_person_sd"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=0.3), name
    assert found.untouched == pytest.approx(truth.untouched, abs=0.03)


def test_the_shipped_population_is_fitted_to_the_papers_cohort(data_dir):
    shipped = shared_population()
    released = read_hmix(data_dir / "hmix_infer_mixing_factor.csv")
    source = {name: shipped.provenance[name] for name in ("data", "file", "sha256", "source")}
    assert json.loads(fit_population(released, source).to_json()) == json.loads(shipped.to_json())


def test_simulated_answers_scatter_as_the_papers_cohorts(data_dir):
    released = read_hmix(data_dir / "hmix_infer_mixing_factor.csv")
    real, simulated = (judgement_table(said) for said in (released, shared_population().judge(Design.of(released), 1)))
    for statistic in (
        lambda t: t["error"].mean(),
        lambda t: t["lambda_h"].corr(t["lambda_f"]),
        lambda t: t.groupby("image")["lambda_h"].std(ddof=0).mean(),
    ):
        assert statistic(simulated) == pytest.approx(statistic(real), rel=0.25)


def test_impossible_designs_and_populations_are_rejected():
    stimuli = make_stimuli(2)
    with pytest.raises(InputError, match="each=3 must be 1 to people=2"):
        Design.balanced(stimuli, people=2, each=3)
    with pytest.raises(InputError, match="images count from 0"):
        Design(stimuli, np.zeros(1, int), np.array([9]), np.zeros(1, bool))
    values = json.loads(shared_population().to_json())
    for wrong in ({"image_sd": -1}, {"lapse": 0.7, "untouched": 0.4}):
        with pytest.raises(InputError):
            Population(**values | wrong)
    with pytest.raises(InputError, match="each with lambda_h and omega"):
        fit_population([])
