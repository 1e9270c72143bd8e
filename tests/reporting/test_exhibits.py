import io
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hml.reporting.drawing import new_figure
from hml.reporting.exhibits import name_exhibits, to_json, write_events, write_exhibit
from hml.reporting.sections import Exhibit


def make_exhibit():
    figure = new_figure(2, 1)
    figure.subplots().plot([0, 1], [0, 1])
    return Exhibit(
        "line", "A line", "It rises.", "A rising line.", figure, pd.DataFrame({"x": [0, 1], "y": [0.5, None]})
    )


def test_a_figure_is_written_with_its_data_beside(tmp_path):
    png = write_exhibit(make_exhibit(), tmp_path / "figures")
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == ["line.csv", "line.pdf", "line.png"]
    assert (tmp_path / "figures" / "line.csv").read_text() == "x,y\n0,0.5\n1,\n"
    assert (tmp_path / "figures" / "line.png").read_bytes() == png
    assert imread(io.BytesIO(png)).shape[:2] == (120, 240)
    assert (tmp_path / "figures" / "line.pdf").read_bytes().startswith(b"%PDF")


def test_the_same_data_give_the_same_files(tmp_path):
    for place in ("a", "b"):
        write_exhibit(make_exhibit(), tmp_path / place)
    for name in ("line.csv", "line.pdf", "line.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_files_equal_those_of_savefig(tmp_path):
    png = write_exhibit(make_exhibit(), tmp_path)
    figure, expected = make_exhibit().figure, io.BytesIO()
    figure.savefig(expected, dpi=120)
    assert png == expected.getvalue()
    figure.set_layout_engine("none")
    figure.savefig(expected := io.BytesIO(), format="pdf", metadata={"CreationDate": None})
    assert (tmp_path / "line.pdf").read_bytes() == expected.getvalue()


def test_figures_reach_tensorboard(tmp_path):
    png = write_exhibit(make_exhibit(), tmp_path / "figures")
    write_events({"line": png}, tmp_path)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (image,) = events.Images("percepts/line")
    assert (image.encoded_image_string, image.width, image.height) == (png, 240, 120)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ('{"figures": ["line", "people"]}', {"line", "people"}),
        ('{"figures": ["../line", "/line", "", ["line"], null, 3, "people"]}', {"people"}),
        ('{"figures": "line"}', set()),
        ("[]", set()),
        ('{"figures": ["line"', set()),
        (None, set()),
    ],
)
def test_only_figures_by_name_count_as_an_earlier_runs(content, names, tmp_path):
    path = tmp_path / "percepts.json"
    if content is not None:
        path.write_text(content)
    assert name_exhibits(path) == names


def test_json_has_null_for_what_is_not_a_number():
    value = {"a": [np.nan, np.float64(0.5), float("inf")], "b": (np.int64(3), None, np.bool_(True)), 1: "λ"}
    assert json.loads(to_json(value)) == {"a": [None, 0.5, None], "b": [3, None, True], "1": "λ"}


def test_text_that_a_spreadsheet_would_run_is_written_as_text(tmp_path):
    exhibit = make_exhibit()
    exhibit.data["name"], exhibit.data["=y"] = ["=HYPERLINK(1)", "p1"], [-0.5, 1.0]
    write_exhibit(exhibit, tmp_path)
    assert (tmp_path / "line.csv").read_text() == "x,y,name,'=y\n0,0.5,'=HYPERLINK(1),-0.5\n1,,p1,1.0\n"
