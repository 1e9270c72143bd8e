import math

import pytest

from hml.errors import InputError
from hml.judgements import Classes, Endpoint, Judgement, name_stimulus
from hml.judgements.plain_format import write_plain
from hml.judgements.stimuli_file import COLUMNS, OPTIONAL, Proposal, parse_stimuli, write_stimuli

SCANS = Classes(("benign", "malignant", "not clear"))
IMAGES = ("benign/1.png", "malignant/one, two.png", "not clear/3.png")
FIRST = Proposal(name_stimulus(SCANS, 0.25, Endpoint(0, 0), Endpoint(1, 1)), 1.5, "bald: the members differ")
SECOND = Proposal(name_stimulus(SCANS, 0.125, Endpoint(2, 2), Endpoint(0, 0)))
HEADER = ",".join((*COLUMNS, *OPTIONAL))


def parse(*lines):
    return parse_stimuli("\n".join([HEADER, *lines]).encode(), "mine.csv", SCANS, IMAGES)


@pytest.mark.parametrize("images", [None, IMAGES], ids=["ids", "names"])
def test_what_is_written_is_read_again(images):
    text = write_stimuli([FIRST, SECOND], SCANS, images)
    assert text.splitlines()[0] == "image_1,class_1,image_2,class_2,lambda_f,score,reason"
    assert parse_stimuli(text.encode(), "mine.csv", SCANS, IMAGES) == [FIRST, SECOND]


def test_score_and_reason_may_be_missing_and_images_be_ids():
    text = "image_1, class_1, image_2, class_2, lambda_f\nbenign/1.png, benign, 1, malignant, .25\n"
    (found,) = parse_stimuli(text.encode(), "mine.csv", SCANS, IMAGES)
    assert found == Proposal(FIRST.stimulus)


def test_a_file_of_judgements_has_the_images_to_ask_about_again():
    text = write_plain([Judgement(FIRST.stimulus, "ann", 0.4)], SCANS)
    assert parse_stimuli(text.encode(), "mine.csv", SCANS) == [Proposal(FIRST.stimulus)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("9,benign,1,malignant,.25,,", "image_1='9' in mine.csv, row 3: there is no such image"),
        ("benign/1.pgn,benign,1,malignant,.25,,", "did you mean benign/1.png?"),
        ("0,benign,1,malignat,.25,,", "class_2='malignat' in mine.csv, row 3: .* did you mean malignant?"),
        ("0,benign,1,malignant,25,,", r"lambda_f='25' in mine.csv, row 3: it is outside \[0, 1\]"),
        ("0,benign,1,malignant,1,,", "mine.csv, row 3: lambda_f=1.0 must be between 0 and 1"),
        ("0,benign,1,malignant,0.0625,,", "mine.csv, row 3: lambda_f=0.0625 .* three decimals"),
        ("0,benign,1,benign,.25,,", "mine.csv, row 3: class_1 and class_2 are the same"),
        ("0,benign,0,malignant,.25,,", "class_2='malignant' in mine.csv, row 3: this image is benign in class_1"),
        ("0,benign,1,malignant,.25,high,", "score='high' in mine.csv, row 3: give a number"),
        ("0,benign,1,malignant,.25,inf,", "mine.csv, row 3: score=inf is not a finite number"),
        ("0,benign,1,malignant", "row 3 has 4 fields where the header has 7"),
    ],
)
def test_a_wrong_row_is_named_with_its_field(line, said):
    with pytest.raises(InputError, match=said):
        parse("2,not clear,0,benign,0.125,,", line)


@pytest.mark.parametrize("again", ["0,benign,1,malignant,.250,,", "1,malignant,benign/1.png,benign,.75,,"])
def test_an_image_listed_twice_is_rejected_also_when_turned(again):
    with pytest.raises(InputError, match=r"row 4: mine.csv, row 2 is the same blend"):
        parse("0,benign,1,malignant,.25,,", "0,benign,1,malignant,.75,,", again)


def test_a_file_without_images_or_columns_is_rejected():
    with pytest.raises(InputError, match=r"mine.csv lists no images"):
        parse()
    with pytest.raises(InputError, match=r"mine.csv has no column class_2, lambda_f"):
        parse_stimuli(b"image_1,class_1,image_2\n", "mine.csv", SCANS)


def test_an_image_that_a_file_cannot_hold_is_no_proposal():
    with pytest.raises(InputError, match=r"lambda_f=0.33333 must be between 0 and 1, with three decimals"):
        Proposal(name_stimulus(SCANS, 0.33333, Endpoint(0, 0), Endpoint(1, 1)))
    with pytest.raises(InputError, match="score=nan"):
        Proposal(FIRST.stimulus, math.nan)
