import numpy as np
import pytest

from hml.elicit.simulated import view, write_answer
from hml.elicit.tasks import GRID
from hml.judgements import CIFAR10, Endpoint, name_stimulus
from hml.judgements.hmix_format import FINAL

STIMULI = [
    name_stimulus(CIFAR10, weight, Endpoint(2 * i, i % 9), Endpoint(2 * i + 1, 9))
    for i, weight in enumerate([0.1, 0.25, 0.5, 0.75, 0.9] * 8)
]


def test_people_follow_the_pixels_and_repeat_themselves_more_than_others():
    views = [view(STIMULI, (), seed) for seed in range(20)]
    said = np.array([[[one[0][0] for one in person[s.filename]] for s in STIMULI] for person in views])  # (P, I, 2)
    assert np.corrcoef(said[..., 0].mean(0), [s.lambda_f for s in STIMULI])[0, 1] > 0.8
    first, again = said[..., 0].ravel(), said[..., 1].ravel()
    others = np.roll(said[..., 0], 1, axis=0).ravel()
    assert np.corrcoef(first, again)[0, 1] > np.corrcoef(first, others)[0, 1] + 0.05


def test_a_search_for_the_middle_ends_at_the_blend_seen_nearest_to_half():
    (lambda_h, omega), _ = view(STIMULI[:1], GRID, 3)[STIMULI[0].filename]
    assert lambda_h.shape == omega.shape == (11,)
    (middle,) = (answer[FINAL] for answer in [write_answer("construct", STIMULI[0], CIFAR10, lambda_h, omega)])
    assert abs(lambda_h[GRID.index(middle)] - 0.5) == pytest.approx(np.abs(lambda_h - 0.5).min())
