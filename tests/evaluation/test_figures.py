import io

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from hml.evaluation.figures import attack_grid, mixed_grid, reliability_diagram
from hml.judgements import CIFAR10, Classes


def test_reliability_shows_the_means_of_each_bin():
    confidence = torch.tensor([0.1, 0.15, 0.6, 0.9, 1.0]).double()
    correct = torch.tensor([False, True, True, False, True])
    top, bottom = reliability_diagram(confidence, correct, "people's majority", num_bins=4).axes
    diagonal, model = top.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert model.get_xdata() == pytest.approx([0.125, 0.6, 0.95])
    assert model.get_ydata() == pytest.approx([0.5, 1, 0.5])
    assert [bar.get_height() for bar in bottom.patches] == [2, 1, 2]
    assert [bar.get_center()[0] for bar in bottom.patches] == pytest.approx([0.125, 0.625, 0.875])
    assert "n = 5" in top.get_title()
    assert top.get_ylabel() == "accuracy against people's majority"


def test_mixed_images_stand_under_what_people_said(tiny):
    examples = tiny().examples[:8]
    (axes,) = mixed_grid(CIFAR10, examples, columns=6).axes
    lefts, rights, bottoms, tops = zip(*(image.get_extent() for image in axes.images), strict=True)
    assert len(set(tops)) == 2
    assert lefts[6:] == lefts[:2]
    assert len(set(zip(lefts, tops, strict=True))) == 8
    for example, image, title, *box in zip(
        examples, axes.images, axes.texts, lefts, rights, bottoms, tops, strict=True
    ):
        left, right, bottom, top = box
        assert torch.equal(torch.as_tensor(image.get_array()), example.image.movedim(0, -1))
        x, y = title.get_position()
        assert left < x < right
        assert y < top < bottom  # y runs downwards
        first, second = (CIFAR10[label] for label in example.classes)
        names, numbers = title.get_text().split("\n")
        assert names == f"{first} / {second}"
        lambda_f, said = numbers.split(" → ")
        assert float(lambda_f) == example.lambda_f
        assert said.split(", ") == [f"{judgement.lambda_h:.2f}" for judgement in example.judgements]


def test_a_crowd_is_cut_after_five(make_example):
    example = make_example(*[(0.1 * i, 1.0) for i in range(6)])
    (title,) = mixed_grid(CIFAR10, [example], columns=1).axes[0].texts
    assert title.get_text().endswith("0.00, 0.10, 0.20, 0.30, 0.40, …")


LONG = Classes(("malignant melanocytic", "seborrhoeic keratosis", f"unclear{', very' * 20} unclear", "$a$ and $_"))


def extents(axes):
    """Return the boxes of images' titles, and those of the images, in pixels."""
    renderer = FigureCanvasAgg(axes.figure).get_renderer()
    texts = [text.get_window_extent(renderer) for text in axes.texts if text.get_rotation() == 0 and text.get_text()]
    return texts, [image.get_window_extent(renderer) for image in axes.images]


def test_long_names_of_classes_do_not_run_into_one_another(make_example):
    pairs = [(0, 1), (1, 2), (2, 0), (3, 2)] * 3
    examples = [make_example((0.2, 1.0), (0.9, 1.0), classes=pair, num_classes=4) for pair in pairs]
    (mixed,) = mixed_grid(LONG, examples, columns=4).axes
    clean = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    (attack,) = attack_grid(LONG, clean, 1 - clean, 9 * torch.eye(4), 9 * torch.eye(4)).axes
    for axes in (mixed, attack):
        texts, images = extents(axes)
        assert len(texts) > 7
        for i, box in enumerate(texts):
            assert not any(box.overlaps(other) for other in (*texts[:i], *images))
    assert any("…" in text.get_text() for text in mixed.texts)


@pytest.mark.parametrize("n", [1, 3])
def test_attack_shows_images_before_after_and_the_change(n):
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(n, 3, 32, 32, generator=generator)
    attacked = (clean + 0.01).clamp(0, 1)
    logits = torch.tensor([[0.0] * 9 + [5.0]] * n)
    (axes,) = attack_grid(CIFAR10, clean, attacked, logits, -logits).axes
    shown = [torch.as_tensor(image.get_array()).movedim(-1, 0) for image in axes.images]
    assert torch.equal(torch.stack(shown[: 2 * n]), torch.cat([clean, attacked]))
    assert torch.stack(shown[2 * n :]).amax((1, 2, 3)) == pytest.approx([1] * n, rel=1e-3)
    texts = [text.get_text() for text in axes.texts]
    assert texts[0] == f"{CIFAR10[9]} {logits[0].softmax(0)[9]:.2f}"
    assert texts[n] == f"{CIFAR10[0]} 0.11"
    assert texts[-3:] == ["clean", "attacked", "change, scaled"]


def test_attack_that_changes_nothing_is_drawn_grey():
    clean, logits = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 10)
    (axes,) = attack_grid(CIFAR10, clean, clean, logits, logits).axes
    assert (axes.images[2].get_array() == 0.5).all()


def test_figures_can_be_drawn(tiny):
    clean, logits = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.zeros(2, 10)
    figures = [
        reliability_diagram(torch.rand(9), torch.ones(9), "people's majority"),
        mixed_grid(CIFAR10, tiny().examples[:2]),
        attack_grid(CIFAR10, clean, 1 - clean, logits, logits),
    ]
    for figure in figures:
        figure.savefig(file := io.BytesIO(), format="png")
        assert file.getvalue().startswith(b"\x89PNG")
