import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hml.errors import InputError
from hml.judgements import Classes, Endpoint, Judgement, name_stimulus
from hml.judgements.plain_format import OPTIONAL, REQUIRED, find_plain_classes, parse_plain, write_plain

SCANS = Classes(("benign", "malignant", "not clear"))
IMAGES = ("train/benign/1.png", "train/malignant/one, two.png", "test/not clear/3.png")
CELLS = ("ann", "train/benign/1.png", "benign", "1", "malignant", "0.75", "0.4", "0.9", "1200", "1")
ROW = dict(zip((*REQUIRED, *OPTIONAL), CELLS, strict=True))
MIXTURE = name_stimulus(SCANS, 0.75, Endpoint(0, 0), Endpoint(1, 1))


def make_csv(*rows):
    """A file's bytes, in the columns of its first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parse(*rows, **options):
    return parse_plain(make_csv(*rows), "mine.csv", SCANS, IMAGES, **options)


def test_a_row_is_read_as_the_judgement_that_it_describes():
    assert parse(ROW) == [Judgement(MIXTURE, "ann", 0.4, 0.9, 1200.0, True)]
    assert MIXTURE.filename == "mixed_0.75_benign_0_malignant_1.png"


def test_seven_columns_written_by_hand_are_enough():
    text = "annotator, image_1, class_1, image_2, class_2, lambda_f, lambda_h\nann, 0, benign, 1, malignant, .75, .4\n"
    assert parse_plain(text.encode(), "mine.csv", SCANS, IMAGES) == [Judgement(MIXTURE, "ann", 0.4)]
    quoted = 'ann, "train/benign/1.png", benign , "train/malignant/one, two.png", malignant, 0.750, 0.40'
    assert parse_plain(f"{text}\n{quoted}\n".encode(), "mine.csv", SCANS, IMAGES)[1].stimulus == MIXTURE


def test_optional_cells_may_be_empty():
    assert parse(ROW | {"omega": "", "reaction_ms": " ", "is_repeat": ""}) == [Judgement(MIXTURE, "ann", 0.4)]


def test_repeats_can_be_left_out():
    rows = [ROW | {"is_repeat": "false"}, ROW | {"is_repeat": "True"}, ROW | {"annotator": "bob"}]
    kept = parse(*rows, include_repeats=False)
    assert [(judgement.annotator, judgement.is_repeat) for judgement in kept] == [("ann", False), ("bob", True)]


def test_without_the_images_names_are_numbered_and_ids_kept():
    rows = [ROW | {"image_1": "b.png", "image_2": "7"}, ROW | {"image_1": "a.png", "image_2": "b.png"}]
    rows[1] |= {"class_2": "benign"}
    ids = [[end.image_id for end in j.stimulus.endpoints] for j in parse_plain(make_csv(*rows), "mine.csv", SCANS)]
    assert ids == [[0, 1], [2, 0]]
    (judgement,) = parse_plain(make_csv(ROW | {"image_1": "40", "image_2": "007"}), "mine.csv", SCANS)
    assert [end.image_id for end in judgement.stimulus.endpoints] == [40, 7]


def test_the_classes_that_a_file_names_are_in_alphabetical_order():
    rows = [ROW | {"class_1": "猫", "class_2": "not clear"}, ROW | {"class_1": "not clear", "class_2": "benign"}]
    assert find_plain_classes(make_csv(*rows), "mine.csv") == Classes(("benign", "not clear", "猫"))
    with pytest.raises(InputError, match="'Benign' and 'benign' differ in case at most"):
        find_plain_classes(make_csv(ROW, ROW | {"class_1": "Benign"}), "mine.csv")


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"annotator": "  "}, "annotator", "code for the person"),
        ({"image_1": "train/benign/2.png"}, "image_1", "did you mean train/benign/1.png?"),
        ({"image_1": ""}, "image_1", "its path in the folder, or its id"),
        ({"image_2": "3"}, "image_2", "'3' in mine.csv, row 4: there is no such image"),
        ({"image_2": "-1"}, "image_2", "there is no such image"),
        ({"image_2": "1.0"}, "image_2", "there is no such image"),
        ({"image_2": "0"}, "class_2", "this image is benign in class_1"),
        ({"class_1": "bening"}, "class_1", "did you mean benign?"),
        ({"class_2": ""}, "class_2", "the classes are benign, malignant, not clear"),
        ({"lambda_f": "75"}, "lambda_f", "divide percentages by 100"),
        ({"lambda_f": "half"}, "lambda_f", "give a number from 0 to 1"),
        ({"lambda_h": ""}, "lambda_h", "give a number from 0 to 1"),
        ({"lambda_h": "nan"}, "lambda_h", "outside [0, 1]"),
        ({"lambda_h": "-0.1"}, "lambda_h", "outside [0, 1]"),
        ({"omega": "1e999"}, "omega", "outside [0, 1]"),
        ({"omega": "sure"}, "omega", "give a number from 0 to 1"),
        ({"reaction_ms": "-3"}, "reaction_ms", "give milliseconds"),
        ({"reaction_ms": "soon"}, "reaction_ms", "give milliseconds"),
        ({"is_repeat": "2"}, "is_repeat", "use 1 for"),
    ],
)
def test_bad_rows_are_rejected_by_file_row_field_and_value(change, field, said):
    with pytest.raises(InputError) as caught:
        parse(ROW, ROW, ROW | change)
    value = change.get(field, ROW[field]).strip()
    assert str(caught.value).startswith(f"{field}={value!r} in mine.csv, row 4: ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_without_judgements_is_rejected():
    with pytest.raises(InputError, match=r"mine\.csv has no judgements"):
        parse_plain(",".join(REQUIRED).encode(), "mine.csv", SCANS)


lines = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" "), max_size=12)
words = lines.map(str.strip).filter(bool)
class_names = st.lists(words, min_size=2, max_size=5, unique_by=str.casefold).map(lambda names: Classes(tuple(names)))
units = st.floats(0, 1)


@st.composite
def questionnaires(draw):
    """Classes, the images' names or None, and judgements of mixtures of them."""
    classes = draw(class_names)
    images = draw(st.none() | st.lists(words, min_size=2, max_size=6, unique=True))
    ids = st.integers(0, 10**9 - 1 if images is None else len(images) - 1)
    labels = st.integers(0, len(classes) - 1)
    pairs = st.tuples(st.builds(Endpoint, ids, labels), st.builds(Endpoint, ids, labels))
    stimuli = st.builds(
        lambda share, pair: name_stimulus(classes, share, *pair),
        units,
        pairs.filter(lambda pair: pair[0].image_id != pair[1].image_id or pair[0].label == pair[1].label),
    )
    times = st.none() | st.floats(0, 1e9)
    judgements = st.builds(Judgement, stimuli, words, units, st.none() | units, times, st.booleans())
    return classes, images, draw(st.lists(judgements, min_size=1, max_size=4))


@given(questionnaires())
def test_judgements_that_are_written_are_read_as_the_same(questionnaire):
    classes, images, judgements = questionnaire
    content = write_plain(judgements, classes, images).encode()
    assert parse_plain(content, "mine.csv", classes, images) == judgements


def test_names_are_written_as_they_are_not_as_their_canonical_form():
    decomposed = unicodedata.normalize("NFD", "Zürich")
    classes = Classes(("a", decomposed))
    content = write_plain([Judgement(name_stimulus(classes, 0.5, Endpoint(0, 0), Endpoint(1, 1)), "é", 0.5)], classes)
    assert find_plain_classes(content.encode(), "mine.csv") == Classes((decomposed, "a"))
