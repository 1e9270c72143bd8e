import io

import pytest
import torch

from hml.evaluation.figures import attack_grid, mixed_grid, reliability_diagram
from hml.judgements import CLASS_NAMES


def test_reliability_shows_the_means_of_each_bin():
    confidence = torch.tensor([0.1, 0.15, 0.6, 0.9, 1.0]).double()
    correct = torch.tensor([False, True, True, False, True])
    top, bottom = reliability_diagram(confidence, correct, num_bins=4).axes
    diagonal, model = top.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert model.get_xdata() == pytest.approx([0.125, 0.6, 0.95])
    assert model.get_ydata() == pytest.approx([0.5, 1, 0.5])
    assert [bar.get_height() for bar in bottom.patches] == [2, 1, 2]
    assert [bar.get_center()[0] for bar in bottom.patches] == pytest.approx([0.125, 0.625, 0.875])
    assert "n = 5" in top.get_title()


def test_mixed_images_stand_under_what_people_said(tiny):
    examples = tiny().examples[:8]
    axes = mixed_grid(examples, columns=6).axes
    assert len(axes) == 12
    assert [len(a.images) for a in axes] == [1] * 8 + [0] * 4
    for a, example in zip(axes, examples, strict=False):
        first, second = (CLASS_NAMES[label] for label in example.classes)
        names, numbers = a.get_title().split("\n")
        assert names == f"{first} / {second}"
        lambda_f, said = numbers.split(" → ")
        assert float(lambda_f) == example.lambda_f
        assert said.split(", ") == [f"{judgement.lambda_h:.2f}" for judgement in example.judgements]


def test_a_crowd_is_cut_after_five(make_example):
    example = make_example(*[(0.1 * i, 1.0) for i in range(6)])
    title = mixed_grid([example], columns=1).axes[0].get_title()
    assert title.endswith("0.00, 0.10, 0.20, 0.30, 0.40, …")


@pytest.mark.parametrize("n", [1, 3])
def test_attack_shows_images_before_after_and_the_change(n):
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(n, 3, 32, 32, generator=generator)
    attacked = (clean + 0.01).clamp(0, 1)
    logits = torch.tensor([[0.0] * 9 + [5.0]] * n)
    axes = attack_grid(clean, attacked, logits, -logits).axes
    assert len(axes) == 3 * n
    assert axes[0].get_title() == f"{CLASS_NAMES[9]} {logits[0].softmax(0)[9]:.2f}"
    assert axes[n].get_title() == f"{CLASS_NAMES[0]} 0.11"
    assert torch.equal(torch.as_tensor(axes[n].images[0].get_array()), attacked[0].movedim(0, -1))
    assert axes[2 * n].images[0].get_array().max() == pytest.approx(1)


def test_attack_that_changes_nothing_is_drawn_grey():
    clean, logits = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 10)
    figure = attack_grid(clean, clean, logits, logits)
    assert (figure.axes[2].images[0].get_array() == 0.5).all()


def test_figures_can_be_drawn(tiny):
    clean, logits = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.zeros(2, 10)
    figures = [
        reliability_diagram(torch.rand(9), torch.ones(9)),
        mixed_grid(tiny().examples[:2]),
        attack_grid(clean, 1 - clean, logits, logits),
    ]
    for figure in figures:
        figure.savefig(file := io.BytesIO(), format="png")
        assert file.getvalue().startswith(b"\x89PNG")
