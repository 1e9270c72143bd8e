import pandas as pd

from hml.reporting.drawing import new_figure
from hml.reporting.page import render_page
from hml.reporting.sections import Claim, Exhibit, Section, Table, compare, write_interval, write_number
from hml.statistics.estimates import Estimate


def test_numbers_are_written_for_people():
    assert write_number(-0.03049) == "−0.030"
    assert write_number(-0.0004) == write_number(-0.0) == "0.000"
    assert write_number(None) == "–"
    assert write_interval(Estimate(0.5, -0.25, 0.75, 9, 9), 2) == "−0.25 to 0.75"
    assert write_interval(Estimate(0.5, None, None, 9, 2)) == "no interval: too few people"
    assert write_interval(Estimate(None, None, None, 0, 0)) == "too few judgements"


def test_an_interval_lies_on_one_side_of_a_value_or_not():
    sides = [compare(Estimate(0.5, low, high, 9, 9), 0.3) for low, high in ((0.4, 0.6), (0.1, 0.2), (0.2, 0.6))]
    assert sides == ["above", "below", "not clear of"]
    assert compare(Estimate(0.5, None, None, 1, 1)) == "unknown"


def test_the_page_holds_everything_and_escapes_it():
    exhibit = Exhibit("dots", "Dots & λ_f", "They <rise>.", 'Say "dots".', new_figure(2, 1), pd.DataFrame())
    claim = Claim("x", "share of λ_h > ½", Estimate(0.25, 0.125, 0.5, 1234, 56))
    table = Table("A table.", ["what", "n"], [["row", "0.5\n0.1 to 0.9"]])
    page = render_page(
        "Title",
        ["Hello."],
        ["Left & out."],
        [Section("s", "Part", ["<b>"], ["λ_h > λ_f."], [claim], [exhibit], [table])],
        {"dots": b"png"},
        ["End."],
        ["Collins & others"],
    )
    for expected in (
        "<h1>Title</h1>",
        "Left &amp; out.",
        "<li>λ<sub>h</sub> &gt; λ<sub>f</sub>.</li>",
        "<li>Collins &amp; others</li>",
        "&lt;b&gt;",
        "They &lt;rise&gt;.",
        "Dots &amp; λ<sub>f</sub></h3>",
        'alt="Say &#34;dots&#34;."',
        'src="data:image/png;base64,cG5n"',
        'href="figures/dots.csv"',
        "share of λ<sub>h</sub> &gt; ½",
        "0.125 to 0.500",
        "1,234",
        '<span class="interval">0.1 to 0.9</span>',
    ):
        assert expected in page
    bare = render_page("Title", [], [], [], {}, [])
    assert not [words for words in ("Left out", "Summary", "Please cite") if words in bare]
