import numpy as np
import pandas as pd
import pytest
import torch

from hml.analysis.chapters.examples import most_surprising, picture
from hml.data import ImageBank
from hml.judgements import CIFAR10, Endpoint, Judgement, Stimulus
from hml.judgements.tables import image_table, judgement_table


def test_a_mixed_image_stands_between_its_endpoints():
    bank = ImageBank(
        images=torch.tensor([0, 100, 200], dtype=torch.uint8)[:, None, None, None].expand(3, 3, 2, 2),
        classes=CIFAR10,
        labels=torch.tensor([0, 1, 2]),
        human=torch.eye(3, 10),
        train_ids=torch.tensor([0, 1, 2]),
        test_ids=torch.tensor([], dtype=torch.int64),
    )
    stimulus = Stimulus("a.png", 0.25, (Endpoint(2, 2), Endpoint(1, 1)))
    table = judgement_table([Judgement(stimulus, "a", 0.3, 1), Judgement(stimulus, "b", 0.5, 1)])
    (shown,) = picture(bank, table, image_table(table), ["a.png"])
    assert shown.first.shape == (2, 2, 3)
    for pixels, expected in ((shown.first, 200), (shown.mixed, 125), (shown.second, 100)):
        assert pixels == pytest.approx(np.full((2, 2, 3), expected / 255), abs=1e-6)
    assert shown.answers == (0.3, 0.5)
    assert shown.image["lambda_h"] == pytest.approx(0.4)


def test_surprise_counts_for_more_the_more_people_share_it():
    images = pd.DataFrame({"filename": ["one", "many", "none"], "error": [0.6, 0.5, 0.0], "n": [1, 9, 9]})
    assert most_surprising(images, 2) == ["many", "one"]
