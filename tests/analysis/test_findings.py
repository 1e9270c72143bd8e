import numpy as np
import pytest

from hml.analysis.chapters.confidence import confidence_section
from hml.analysis.chapters.dominance import dominance_section
from hml.analysis.chapters.generating import generating_section
from hml.analysis.confidence import add_variables
from hml.analysis.findings import conclude, conclude_list, state
from hml.judgements import CIFAR10
from hml.statistics.estimates import Estimate
from hml.statistics.jackknife import Jackknife

TEXTS = ("the gain", "It grows", "It shrinks")
OTHER_IMAGES, SAME_IMAGES = "other people and other images of these classes", "other people and the same images"


def estimate(value, low, high, *same):
    return Estimate(value, low, high, 9, 9, "people and images", *same)


@pytest.mark.parametrize(
    ("found", "against", "said"),
    [
        (
            estimate(1.3, 1.1, 1.5),
            1,
            f"It grows, for {OTHER_IMAGES}: the gain is 1.300 (95 % interval 1.100 to 1.500, which excludes 1).",
        ),
        (estimate(0.8, 0.7, 0.9), 1, f"It shrinks, for {OTHER_IMAGES}: the gain is 0.800"),
        (
            estimate(0.8, 0.7, 1.1),
            1,
            f"The gain is 0.800: its 95 % interval for {OTHER_IMAGES}, 0.700 to 1.100, includes 1, so",
        ),
        (estimate(-0.1, -0.2, 0.1), 0, "includes 0, so its sign is not known."),
        (Estimate(0.8, None, None, 9, 2), 0, "The gain is 0.800 (no interval: too few people)."),
    ],
)
def test_a_conclusion_follows_the_interval(found, against, said):
    (sentence,) = conclude(found, *TEXTS, against=against)
    assert said in sentence


def test_a_conclusion_for_the_same_images_only_is_stated_as_such():
    _, sentence = conclude(estimate(1.3, 0.9, 1.7, 1.1, 1.5), *TEXTS, against=1)
    assert sentence == f"For {SAME_IMAGES} only: it grows (95 % interval 1.100 to 1.500, which excludes 1)."


def test_a_list_names_whom_each_difference_holds_for():
    values = [
        ("Cat", estimate(0.3, 0.2, 0.4, 0.25, 0.35)),
        ("Dog", estimate(0.1, -0.1, 0.3, 0.05, 0.15)),
        ("Deer", estimate(-0.1, -0.3, 0.1, -0.15, -0.05)),
        ("Frog", estimate(0.0, -0.1, 0.1, -0.05, 0.05)),
    ]
    rate = "at a false discovery rate of 5 % (Benjamini–Hochberg)."
    assert conclude_list(values, "Above:", "Below:", "None differs") == [
        f"Above: Cat (0.300, 0.200 to 0.400). For {OTHER_IMAGES}, {rate}",
        f"Above: Dog (0.100, 0.050 to 0.150). For {SAME_IMAGES} only, {rate}",
        f"Below: Deer (−0.100, −0.150 to −0.050). For {SAME_IMAGES} only, {rate}",
    ]


def test_a_list_without_differences_or_intervals_claims_none():
    texts = ("Above:", "Below:", "None differs")
    (sentence,) = conclude_list([("Cat", estimate(0.1, -0.1, 0.3))], *texts)
    assert sentence.startswith(f"None differs, for {OTHER_IMAGES}, ")
    assert conclude_list([("Cat", Estimate(0.1, None, None, 9, 2))], *texts) == []


def test_a_long_list_is_counted():
    values = [(str(number), estimate(0.3, 0.2, 0.4)) for number in range(45)]
    (sentence,) = conclude_list(values, "Above in", "Below in", "None differs")
    assert sentence.startswith("Above in 45 of 45. For ")


def test_without_a_number_there_is_no_finding():
    nothing = Estimate(None, None, None, 0, 0)
    assert conclude(nothing, *TEXTS) == state(nothing, "the mean") == []


@pytest.fixture(scope="module")
def table(simulate):
    return simulate(people=8, each=30)


def test_levels_are_listed_on_the_side_where_people_are(table):
    for shift, said in ((0.05, "larger than"), (-0.05, "smaller than")):
        noise = np.random.default_rng(0).normal(0, 0.01, len(table))
        moved = table.assign(lambda_h=table["lambda_f"] + shift + noise)
        section, levels = generating_section(moved, Jackknife.of(table))
        _, sentence = section.findings
        assert sentence.startswith(f"The mean λ_h is {said} λ_f at λ_f = 0.1 (")
        assert f"For {OTHER_IMAGES}, " in sentence
        means = levels[(levels["unit"] == "image") & (levels["statistic"] == "mean")]
        assert (means["p_adjusted"] < 0.05).all()
        assert set(means["adjustment"]) == {"Benjamini–Hochberg"}


def test_confidence_turns_with_the_sign_of_its_correlation(table):
    noise = np.random.default_rng(0).uniform(0, 0.2, len(table))
    for sign, said in ((1, "uneven blends, for "), (-1, "even blends, for ")):
        turned = add_variables(table.assign(omega=0.5 + sign * (table["lambda_f"] - 0.5).abs() + noise), None)
        findings = confidence_section(turned, Jackknife.of(table)).findings
        assert findings[0].startswith(f"People are more confident about {said}")


def test_classes_dominate_in_the_summary_as_in_the_data(simulate):
    def later_dominates(pair):
        return 0.02 * (pair[1] - pair[0])

    table = simulate(people=10, each=120, bias=later_dominates, concentration=40)
    above, below, *_ = dominance_section(CIFAR10, table, Jackknife.of(table)).findings
    assert "Truck (" in above
    assert "Airplane (" in below
    assert "Truck" not in below
