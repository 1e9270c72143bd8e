import pytest

from hml.analysis.chapters.confidence import _on_ambiguity
from hml.statistics.estimates import Estimate


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate(-0.24, -0.28, -0.2, 810, 33), "people are less sure where the endpoints are more ambiguous"),
        (Estimate(0.24, 0.2, 0.28, 810, 33), "the opposite is true"),
        (Estimate(-0.1, -0.3, 0.1, 810, 33), "includes 0, so no relation is shown"),
        (Estimate(-0.1, None, None, 8, 2), "too few people"),
        (Estimate(None, None, None, 8, 2), "too few judgements"),
    ],
)
def test_the_text_on_ambiguity_follows_the_interval(estimate, said):
    assert said in _on_ambiguity({("ambiguity", "image"): estimate})


def test_without_cifar10h_it_says_so():
    assert "are needed" in _on_ambiguity({})
