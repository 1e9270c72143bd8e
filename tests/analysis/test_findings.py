import numpy as np
import pytest

from hml.analysis.chapters.confidence import confidence_section
from hml.analysis.chapters.dominance import dominance_section
from hml.analysis.chapters.generating import generating_section
from hml.analysis.confidence import add_variables
from hml.analysis.findings import conclude, state
from hml.judgements import CIFAR10
from hml.statistics.estimates import Estimate
from hml.statistics.jackknife import Jackknife

TEXTS = ("the gain", "It grows", "It shrinks")


@pytest.mark.parametrize(
    ("estimate", "against", "said"),
    [
        (
            Estimate(1.3, 1.1, 1.5, 9, 9),
            1,
            "It grows: the gain is 1.300 (95 % interval 1.100 to 1.500, which excludes 1).",
        ),
        (Estimate(0.8, 0.7, 0.9, 9, 9), 1, "It shrinks: the gain is 0.800"),
        (
            Estimate(0.8, 0.7, 1.1, 9, 9),
            1,
            "The gain is 0.800: its 95 % interval, 0.700 to 1.100, includes 1, so",
        ),
        (Estimate(-0.1, -0.2, 0.1, 9, 9), 0, "includes 0, so its sign is not known."),
        (Estimate(0.8, None, None, 9, 2), 0, "The gain is 0.800 (no interval: too few people)."),
    ],
)
def test_a_conclusion_follows_the_interval(estimate, against, said):
    (sentence,) = conclude(estimate, *TEXTS, against=against)
    assert said in sentence


def test_without_a_number_there_is_no_finding():
    nothing = Estimate(None, None, None, 0, 0)
    assert conclude(nothing, *TEXTS) == state(nothing, "the mean") == []


@pytest.fixture(scope="module")
def table(simulate):
    return simulate(people=8, each=30)


def test_levels_are_listed_on_the_side_where_people_are(table):
    for shift, said in ((0.05, "larger than"), (-0.05, "smaller than")):
        moved = table.assign(lambda_h=table["lambda_f"] + shift)
        section, _ = generating_section(moved, Jackknife.of(table))
        _, *levels = section.findings
        (sentence,) = levels
        assert sentence.startswith(f"The mean λ_h is {said} λ_f at λ_f = 0.1 ({0.1 + shift:.3f}, ")
        assert sentence.endswith("Each 95 % interval excludes λ_f.")


def test_confidence_turns_with_the_sign_of_its_correlation(table):
    noise = np.random.default_rng(0).uniform(0, 0.2, len(table))
    for sign, said in ((1, "uneven blends: "), (-1, "even blends: ")):
        turned = add_variables(table.assign(omega=0.5 + sign * (table["lambda_f"] - 0.5).abs() + noise), None)
        findings = confidence_section(turned, Jackknife.of(table)).findings
        assert findings[0].startswith(f"People are more confident about {said}")


def test_classes_dominate_in_the_summary_as_in_the_data(simulate):
    def later_dominates(pair):
        return 0.02 * (pair[1] - pair[0])

    table = simulate(people=10, each=120, bias=later_dominates, concentration=40)
    above, below = dominance_section(CIFAR10, table, Jackknife.of(table)).findings
    assert "Truck (" in above
    assert "Airplane (" in below
    assert "Truck" not in below
