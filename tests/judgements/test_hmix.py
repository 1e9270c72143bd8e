import csv
import json
from collections import Counter

import numpy as np
import pytest

from hml.errors import InputError
from hml.judgements import CIFAR10, Endpoint, group_by_stimulus, parse_hmix, read_hmix

FIRST_STUDY = "6286131f274e4b5d5357425c"


@pytest.fixture(scope="module")
def released(data_dir):
    return data_dir / "hmix_infer_mixing_factor.csv"


@pytest.fixture(scope="module")
def paper(released):
    return read_hmix(released)


@pytest.fixture(scope="module")
def everything(released):
    return read_hmix(released, cohort="all")


def per_image(judgements):
    """For each image λ_f, its mean λ_h and its mean ω, shape (S, 3)."""
    return np.array(
        [
            (stimulus.lambda_f, np.mean([j.lambda_h for j in group]), np.mean([j.omega for j in group]))
            for stimulus, group in group_by_stimulus(judgements).items()
        ]
    )


def test_cohorts_have_the_released_sizes(paper, everything):
    counts = [
        (len(group_by_stimulus(js)), len({j.annotator for j in js}), len(js), sum(j.is_repeat for j in js))
        for js in (paper, everything)
    ]
    assert counts == [(810, 33, 1974, 66), (2070, 81, 4950, 162)]
    assert set(Counter(j.annotator for j in everything if j.is_repeat).values()) == {2}


def test_paper_cohort_has_the_known_numbers_of_judgements_and_endpoints(paper):
    groups = group_by_stimulus(paper)
    assert Counter(len(group) for group in groups.values()) == {2: 539, 3: 197, 4: 65, 5: 9}
    assert len({end.image_id for stimulus in groups for end in stimulus.endpoints}) == 518
    assert len({stimulus.endpoints for stimulus in groups}) == 270


def test_endpoints_are_in_alphabetical_order_of_class(everything):
    assert all(first.label < second.label for first, second in (j.stimulus.endpoints for j in everything))


@pytest.mark.parametrize(
    "row",
    [
        (0.10, 139, 0.165384, 0.125000, 0.060000, 0.242500, 0.106259, 0.739516),
        (0.25, 131, 0.220803, 0.173333, 0.090000, 0.345000, 0.136869, 0.688496),
        (0.50, 270, 0.478883, 0.490000, 0.366250, 0.572500, 0.144241, 0.601502),
        (0.75, 142, 0.723218, 0.730000, 0.596250, 0.873750, 0.147244, 0.662425),
        (0.90, 128, 0.794382, 0.848333, 0.680000, 0.921250, 0.138743, 0.728477),
    ],
)
def test_paper_cohort_reproduces_the_table_to_six_digits(paper, row):
    images = per_image(paper)
    lambda_f, lambda_h, omega = images[images[:, 0] == row[0]].T
    error = abs(lambda_h - lambda_f).mean()
    found = (lambda_h.mean(), *np.quantile(lambda_h, [0.5, 0.25, 0.75]), error, omega.mean())
    assert len(lambda_h) == row[1]
    assert found == pytest.approx(row[2:], abs=6e-7)


def test_confidence_correlates_with_the_distance_from_the_middle_as_published(paper):
    images = per_image(paper)
    assert np.corrcoef(images[:, 2], abs(images[:, 0] - 0.5))[0, 1] == pytest.approx(0.281069, abs=6e-7)
    pairs = np.array([(j.omega, abs(j.stimulus.lambda_f - 0.5)) for j in paper])
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.203306, abs=6e-7)


def test_the_papers_figure_1_is_in_the_file(paper):
    means = {s.filename: np.mean([j.lambda_h for j in group]) for s, group in group_by_stimulus(paper).items()}
    assert means["mixed_0.5_Bird_7348_Cat_6202.png"] == pytest.approx(0.99, abs=0.006)
    assert means["mixed_0.5_Automobile_9830_Bird_5118.png"] == pytest.approx(0.87, abs=0.006)
    assert means["mixed_0.25_Airplane_7428_Dog_5504.png"] == pytest.approx(0.42, abs=0.006)


def test_every_image_equals_the_authors_own_summary(everything, authors_summary):
    summary = json.loads(authors_summary("processed_hmix_inferences.json").read_text())
    groups = {stimulus.filename: group for stimulus, group in group_by_stimulus(everything).items()}
    assert groups.keys() == summary.keys()
    for filename, group in groups.items():
        theirs = summary[filename]
        assert [j.lambda_h for j in group] == pytest.approx(theirs["Predicted Mixing Factor"], abs=1e-12)
        assert [j.omega for j in group] == pytest.approx(theirs["Predicted Confidence"], abs=1e-12)
        assert group[0].stimulus.lambda_f == theirs["True Mixing Factor"]
        assert [CIFAR10[end.label] for end in group[0].stimulus.endpoints] == theirs["Endpoints"]


def test_slider_is_complement_of_lambda_h_in_the_files_order(everything, released):
    with released.open(newline="") as file:
        rows = list(csv.DictReader(file))
    sliders = [json.loads(row["responses"])["mixingcoeff"] for row in rows]
    assert [j.lambda_h for j in everything] == pytest.approx([1 - slider / 100 for slider in sliders])
    assert [(j.annotator, j.stimulus.filename) for j in everything] == [(r["subject"], r["filename"]) for r in rows]
    assert [j.reaction_ms for j in everything] == [float(row["rt"]) for row in rows]


def test_repeats_can_be_left_out(paper, released):
    assert read_hmix(released, include_repeats=False) == [j for j in paper if not j.is_repeat]
    assert len(read_hmix(released, "all", include_repeats=False)) == 4788


# Files of one's own

ANSWER = '{"mixingcoeff": 30, "confidence": 80}'
GOOD = {"subject": "ann", "filename": "mixed_0.75_Cat_12_Dog_5.png", "responses": ANSWER}


def make_csv(*rows, columns=None):
    """CSV text of dictionaries, whose first decides the columns."""
    lines = [columns or list(rows[0])] + [list(row.values()) for row in rows]
    return "\n".join(",".join('"' + str(v).replace('"', '""') + '"' for v in line) for line in lines) + "\n"


def parse(text):
    return parse_hmix(text.encode() if isinstance(text, str) else text, "mine.csv", "all")


def test_a_file_of_ones_own_needs_three_columns_only(tmp_path):
    other = {"subject": "bob", "filename": "mixed_0.1_Truck_0_Bird_9999.png", "responses": ANSWER.replace("30", "7.5")}
    (tmp_path / "mine.csv").write_text(make_csv(GOOD, other, GOOD))
    first, second, third = read_hmix(tmp_path / "mine.csv", cohort="all")
    assert first == third
    assert first.stimulus.endpoints == (Endpoint(12, 3), Endpoint(5, 5))
    assert (first.annotator, first.lambda_h, first.omega, first.reaction_ms) == ("ann", 0.7, 0.8, None)
    assert second.stimulus.endpoints == (Endpoint(0, 9), Endpoint(9999, 2))
    assert (second.stimulus.lambda_f, second.lambda_h) == (0.1, 0.925)


def test_a_repeat_is_left_out_only_where_the_first_answer_is_there():
    first, again = {"task": "rate_mixture"}, {"task": "rerun_rate_mixture"}
    rows = [GOOD | first, GOOD | again, GOOD | again | {"subject": "bob"}]  # bob's first was struck out
    kept = parse_hmix(make_csv(*rows).encode(), "mine.csv", "all", include_repeats=False)
    assert [(judgement.annotator, judgement.is_repeat) for judgement in kept] == [("ann", False), ("bob", True)]


def test_a_second_answer_is_left_out_even_if_the_file_does_not_mark_it():
    rows = [GOOD, GOOD | {"responses": ANSWER.replace("30", "40")}, GOOD | {"subject": "bob"}]
    kept = parse_hmix(make_csv(*rows).encode(), "mine.csv", "all", include_repeats=False)
    assert [(judgement.annotator, judgement.lambda_h) for judgement in kept] == [("ann", 0.7), ("bob", 0.7)]


def test_a_byte_order_mark_is_accepted():
    assert parse(make_csv(GOOD).encode("utf-8-sig")) == parse(make_csv(GOOD))


def test_columns_that_agree_with_the_filename_are_accepted():
    extra = {"label1": "Cat", "id1": "12.0", "label2": "", "id2": "5", "mixtureCoeff": "0.750", "rt": "1200"}
    assert parse(make_csv(GOOD | extra))[0].reaction_ms == 1200


def answer(text):
    return {"responses": text}


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        (answer(ANSWER.replace("30", "101")), "responses.mixingcoeff", "101"),
        (answer(ANSWER.replace("80", "-1")), "responses.confidence", "-1"),
        (answer('{"mixingcoeff": 30}'), "responses", "mixingcoeff"),
        (answer(ANSWER.replace("30", "NaN")), "responses", "NaN"),
        (answer(ANSWER.replace("30", "1e999")), "responses", "1e999"),
        (answer(ANSWER.replace("30", "true")), "responses", "true"),
        (answer(ANSWER.replace("30", '"30"')), "responses", "30"),
        (answer('{"mixingcoeff": 30, "mixingcoeff": 40, "confidence": 80}'), "responses", "mixingcoeff"),
        (answer("[30, 80]"), "responses", "[30, 80]"),
        (answer("__import__('os')"), "responses", "__import__"),
        (answer(""), "responses", "''"),
        (answer("[" * 100_000), "responses", "[[["),
        ({"filename": "mixed_0.75_Cat_12_Dogg_5.png"}, "filename", "did you mean Dog?"),
        ({"filename": "mixed_0.75_Cat_12_Zebra_5.png"}, "filename", "the classes are Airplane"),
        ({"filename": "mixed_1.5_Cat_12_Dog_5.png"}, "filename", "lambda_f=1.5"),
        ({"filename": "mixed_nan_Cat_12_Dog_5.png"}, "filename", "nan"),
        ({"filename": "mixed_half_Cat_12_Dog_5.png"}, "filename", "'half' is not a number"),
        ({"filename": "mixed_0.5_Cat_12_Dog_12.png"}, "filename", "two classes"),
        ({"filename": "cat.png"}, "filename", "cat.png"),
        ({"label1": "Dog"}, "label1", "Dog"),
        ({"id2": "6"}, "id2", "6"),
        ({"mixtureCoeff": "half"}, "mixtureCoeff", "half"),
        ({"task": "select"}, "task", "select"),
        ({"subject": "  "}, "subject", "  "),
        ({"rt": "-3"}, "rt", "-3"),
        ({"rt": "soon"}, "rt", "soon"),
    ],
)
def test_bad_rows_are_rejected_by_file_row_field_and_value(change, field, value):
    plain = {"label1": "", "id2": "", "mixtureCoeff": "", "task": "rate_mixture", "rt": ""}
    with pytest.raises(InputError) as caught:
        parse(make_csv(GOOD | plain, GOOD | plain, GOOD | plain | change))
    assert str(caught.value).startswith(f"{field}=")
    assert "mine.csv, row 4" in str(caught.value)
    assert value in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"subject,filename,responses\nann,mixed.png\n", "mine.csv, row 2 has 2 fields where the header has 3"),
        (b"subject,filename,responses\nann,a,b,c\n", "mine.csv, row 2 has 4 fields where the header has 3"),
        (b"subject,filename\nann,mixed.png\n", "mine.csv has no column responses .*its columns: subject, filename"),
        (b"subject,filename,responses,subject\n", "mine.csv has two columns called subject"),
        (b'<!DOCTYPE html>\n<html><body class="a">404</body></html>\n', "mine.csv has no column subject"),
        (b"subject,filename,responses\n\xff\xfe,a,b\n", "mine.csv is not a CSV file in UTF-8"),
        (b'subject,filename,responses\nann,mixed.png,"{', "mine.csv, line 2 is not CSV"),
        (b"", "mine.csv has no column subject, filename, responses .its columns: none"),
        (b"subject,filename,responses\n", "mine.csv has no judgements"),
    ],
)
def test_bad_files_are_rejected_by_name(content, message):
    with pytest.raises(InputError, match=message):
        parse(content)


def test_blank_lines_count_as_rows():
    header, row = make_csv(GOOD | {"subject": ""}).splitlines()
    with pytest.raises(InputError, match=r"mine\.csv, row 4"):
        parse(f"{header}\n\n\n{row}\n")


def test_a_missing_file_is_rejected_by_its_path(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv: No such file"):
        read_hmix(tmp_path / "nowhere.csv")


def test_the_papers_cohort_needs_its_study_id():
    with pytest.raises(InputError, match="no column study_id"):
        parse_hmix(make_csv(GOOD).encode(), "mine.csv")
    with pytest.raises(InputError, match="use cohort all"):
        parse_hmix(make_csv(GOOD | {"study_id": "mine"}).encode(), "mine.csv")
    rows = (GOOD | {"study_id": "mine"}, GOOD | {"study_id": FIRST_STUDY})
    assert len(parse_hmix(make_csv(*rows).encode(), "mine.csv")) == 1
