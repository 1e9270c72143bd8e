import pytest

from hml.analysis.chapters.pairs import PAPERS, default_pairs, pairs_section
from hml.analysis.pairs import choose_pairs, summarise_cells
from hml.judgements import CIFAR10, Classes, Endpoint, Judgement, Stimulus
from hml.judgements.curves import Curve, PairCurves
from hml.judgements.tables import judgement_table
from hml.statistics.jackknife import Jackknife


def make_table(*pairs):
    judgements = [
        Judgement(Stimulus(f"{i}.png", 0.5, (Endpoint(1, a), Endpoint(2, b))), f"p{i}", 0.4, 0.5)
        for i, (a, b) in enumerate(pairs)
    ]
    return judgement_table(judgements)


def test_the_papers_pairs_are_drawn_where_they_were_judged():
    assert default_pairs(make_table((3, 5), (0, 5), (6, 7)), CIFAR10) == [(0, 5), (3, 5)]
    assert len(PAPERS) == 4


def test_without_them_the_pairs_judged_most_are():
    assert default_pairs(make_table((6, 7), (8, 9), (8, 9)), CIFAR10) == [(8, 9), (6, 7)]


def test_the_figures_data_and_marks_are_those_of_the_cells():
    table = make_table((3, 5), (3, 5), (3, 5))
    cells = summarise_cells(table, Jackknife.of(table), CIFAR10.pairs)
    chosen, atlas = pairs_section(CIFAR10, cells, PairCurves(Curve(0.0, 5.0)), [(3, 5), (0, 1)]).exhibits
    assert chosen.data["pair"].tolist() == ["Cat/Dog", "Airplane/Automobile"]
    assert chosen.data["n"].tolist() == [3, 0]
    assert chosen.data["value"][0] == pytest.approx(0.4)
    cat_dog, nobody = chosen.figure.axes
    assert "n = 3" in [text.get_text() for text in cat_dog.texts]
    assert [text.get_text() for text in nobody.texts] == ["empty"]
    assert len(atlas.figure.axes) == 45
    colours = {line.get_color() for line in cat_dog.lines}
    assert {"#0072b2", "#d55e00"} <= colours  # people blue, mixup red


@pytest.mark.parametrize(
    ("num_classes", "shown", "title"),
    [(2, 1, "all 1 class pair"), (3, 3, "all 3 class pairs"), (30, 66, "66 class pairs")],
)
def test_the_atlas_has_a_panel_for_each_pair_that_is_shown(num_classes, shown, title):
    classes = Classes(tuple(f"kind_{i} $a_b_c" for i in range(num_classes)))
    table = make_table(*classes.pairs)
    pairs = choose_pairs(table, classes)
    cells = summarise_cells(table, Jackknife.of(table), pairs)
    drawn = default_pairs(table, classes)
    assert drawn == classes.pairs[:4]
    section = pairs_section(classes, cells, PairCurves(Curve(0.0, 5.0)), drawn)
    atlas = section.exhibits[1]
    assert atlas.title == f"Atlas of {title}"
    assert len(atlas.figure.axes) == shown
    assert atlas.data["pair"].unique().tolist() == [classes.name_pair(*pair) for pair in pairs]
    assert any("435 pairs" in text and "only 66" in text for text in section.paragraphs) == (num_classes == 30)
    atlas.figure.draw_without_rendering()  # a name's dollar sign begins no formula
