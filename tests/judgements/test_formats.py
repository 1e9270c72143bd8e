import re
from pathlib import Path

import pytest

import hml
from hml.errors import InputError
from hml.judgements import CIFAR10, Classes, parse_hmix
from hml.judgements.formats import find_classes, parse_judgements
from hml.judgements.plain_format import parse_plain, write_plain


def make_hmix(*filenames):
    """A file in H-Mix's columns."""
    answer = '"{""mixingcoeff"": 30, ""confidence"": 80}"'
    return "\n".join(["subject,filename,responses", *(f"ann,{name},{answer}" for name in filenames)]).encode()


CONTENT = make_hmix("mixed_0.75_Cat_12_Dog_5.png")


def test_either_format_is_recognised_by_its_columns():
    judgements = parse_hmix(CONTENT, "mine.csv", "all")
    plain = write_plain(judgements, CIFAR10).encode()
    assert parse_judgements(CONTENT, "mine.csv", CIFAR10) == judgements
    assert parse_judgements(plain, "mine.csv", CIFAR10) == parse_plain(plain, "mine.csv", CIFAR10) == judgements


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("annotator,image_1,class_1,image_2,class_2,lambda_f", "lambda_h"),
        ("subject,filename", "responses"),
        ("annotator;image_1;class_1;image_2;class_2;lambda_f;lambda_h", "annotator, image_1"),
        ("", "annotator, image_1"),
    ],
)
def test_a_file_in_neither_format_is_rejected_with_both(header, missing):
    with pytest.raises(InputError, match=rf"mine\.csv has no column {missing}") as caught:
        parse_judgements(f"{header}\n".encode(), "mine.csv", CIFAR10)
    assert "annotator, image_1, class_1, image_2, class_2, lambda_f, lambda_h" in str(caught.value)
    assert "H-Mix's: subject, filename, responses" in str(caught.value)
    assert ("Separate columns by commas" in str(caught.value)) == (";" in header)


def test_the_classes_are_found_in_either_format():
    content = make_hmix("mixed_0.5_ankle_boot_12_T-shirt/top 2_5.png", "mixed_0.5_猫_1_ankle_boot_3.png")
    classes = Classes(("T-shirt/top 2", "ankle_boot", "猫"))
    assert find_classes(content, "mine.csv") == classes
    plain = write_plain(parse_judgements(content, "mine.csv", classes), classes)
    assert find_classes(plain.encode(), "mine.csv") == classes


@pytest.mark.parametrize(
    ("filename", "said"),
    [("mixed_0.5_a_1_b_2_c_3.png", "its classes are ambiguous"), ("mixed_0.5_a_1.png", "expected mixed_")],
)
def test_a_filename_with_several_readings_names_no_classes(filename, said):
    with pytest.raises(InputError, match=f"filename='{filename}' in mine.csv, row 3: .*{said}"):
        find_classes(make_hmix("mixed_0.75_Cat_12_Dog_5.png", filename), "mine.csv")


def test_the_guides_examples_are_one_judgement_in_both_formats():
    guide = (Path(hml.__file__).parent / "data" / "README.md").read_text(encoding="utf-8")
    plain, other = (block.encode() for block in re.findall(r"```csv\n(.*?)```", guide, re.DOTALL))
    classes = Classes(("benign", "malignant"))
    images = ["train/benign/17.png", *map(str, range(1, 41)), "train/malignant/4.png"]
    (judgement,) = parse_judgements(plain, "mine.csv", classes, images)
    assert parse_judgements(other, "mine.csv", classes, images) == [judgement]
    assert (judgement.stimulus.lambda_f, judgement.lambda_h, judgement.omega) == (0.75, 0.6, 0.9)
