import io

import matplotlib.image
import pytest

from hml.experiments.picture import draw, to_png
from hml.experiments.table import make_table


@pytest.fixture
def table(make_four):
    outcomes = [make_four("mixup", 0, 2.0), make_four("mixup", 1, 2.4), make_four("stubborn", 0, 1.7)]
    return make_table({"mixup": 2, "stubborn": 2}, outcomes)


def test_every_seed_mean_and_figure_of_the_paper_is_drawn(table):
    panel = draw(table).axes[0]
    assert panel.get_title() == "CE"
    assert [label.get_text() for label in panel.get_yticklabels()] == ["mixup (2)", "stubborn (1)"]
    drawn = {}
    for line in panel.lines:
        drawn.setdefault(line.get_marker(), []).append([*map(float, line.get_xdata())])
    assert drawn["."] == [[2.0, 2.4], [1.7]]
    assert drawn["o"] == [[2.2], [1.7]]
    assert drawn["D"] == [[2.19]]


def test_intervals_over_images_are_lines_with_a_name(make_four, give_images):
    outcomes = [make_four("mixup", 0, 2.0), make_four("mixup", 1, 2.4)]
    table = make_table({"mixup": 2}, outcomes, per_images=give_images(outcomes))
    figure, crossed = draw(table), table.rows[0].cells["CE"].crossed.mean
    (line,) = (line for line in figure.axes[0].lines if "interval" in str(line.get_label()))
    assert [*map(float, line.get_xdata())] == pytest.approx([crossed.low, crossed.high])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"mean ± standard error over seeds", "95 % interval over seeds and images"} <= set(names)


def test_each_column_has_a_panel(table):
    assert [panel.get_title() for panel in draw(table).axes] == ["CE", "Calib", "FGSM", "accuracy"]


def test_a_table_without_runs_can_be_drawn():
    pixels = matplotlib.image.imread(io.BytesIO(to_png(make_table({"mixup": 1}, []))))
    assert pixels.shape[2] == 4
