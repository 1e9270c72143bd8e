import hashlib

import numpy as np
import pytest
import torch

from hml.data.human_labels import read_human_labels
from hml.errors import InputError
from hml.judgements import Classes

CLASSES = Classes(("T-shirt/top", "ankle boot", "Ünklar"))
LABELS = torch.tensor([0, 1, 2, 0, 1])
NAMES = ["a.png", "b/1.png", "c, d.png", "4", "e.png"]
TEST_IDS = torch.tensor([1, 4])
HEADER = "image,Ünklar,T-shirt/top,ankle boot\n"  # columns in any order


def read(folder, content, names=NAMES):
    path = folder / ("people.npy" if isinstance(content, np.ndarray) else "people.csv")
    if isinstance(content, np.ndarray):
        np.save(path, content, allow_pickle=True)
    else:
        path.write_text(content, encoding="utf-8")
    return read_human_labels(path, CLASSES, names, LABELS, TEST_IDS)


def rejected(folder, content, **options):
    with pytest.raises(InputError) as caught:
        read(folder, content, **options)
    return str(caught.value)


def test_counts_of_all_images_become_distributions(tmp_path):
    rows = 'a.png,0,3,1\nb/1.png,1,0,1\n"c, d.png",5,0,0\n4,0,1,0\ne.png,0.25,0.25,0.5\n'
    human, files = read(tmp_path, HEADER + rows)
    expected = [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 1], [1, 0, 0], [0.25, 0.5, 0.25]]
    assert human.tolist() == expected
    assert files == {"people.csv": hashlib.sha256((HEADER + rows).encode()).hexdigest()}
    from_array, _ = read(tmp_path, np.array([[3, 1, 0], [0, 1, 1], [0, 0, 5], [1, 0, 0], [1, 2, 1]]))
    assert torch.equal(from_array, human)


def test_counts_of_evaluation_images_leave_the_others_their_classes(tmp_path):
    expected = torch.eye(3)[LABELS]
    expected[TEST_IDS] = torch.tensor([[0.5, 0, 0.5], [0, 1, 0]])
    assert torch.equal(read(tmp_path, HEADER + "e.png,0,0,2\nb/1.png,4,4,0\n")[0], expected)
    assert torch.equal(read(tmp_path, np.array([[4, 0, 4], [0, 2, 0]], dtype=np.uint8))[0], expected)


def test_images_without_names_go_by_their_ids(tmp_path):
    assert read(tmp_path, HEADER + "4,0,1,1\n1,0,0,1\n", names=None)[0][4].tolist() == [0.5, 0.5, 0]
    # Where there are names, one that looks like an id is a name.
    assert "describes 2 images, not e.png" in rejected(tmp_path, HEADER + "4,0,1,1\n1,0,0,1\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + "e.png,0,0,2\n", "describes 1 images, not b/1.png. It must describe 5, one per image, or 2, one per"),
        (HEADER, "describes 0 images, not b/1.png"),
        (HEADER + "e.png,0,0,2\nf.png,1,0,0\n", "image='f.png' in people.csv, row 3: no such image among 5"),
        (HEADER + "e.png,0,0,2\ne.png,0,0,2\n", "image='e.png' in people.csv, row 3: an earlier row describes it"),
        ("image,T-shirt/top,Ünklar\na.png,1,2\n", "2 columns beside 'image' for 3 classes: 'ankle boot' is missing"),
        ("image,T-shirt/top,Ünklar,ankle boot,x\na.png,1,2,3,4\n", "4 columns beside 'image' for 3 classes: 'x' is no"),
        ("image,T-shirt/top,Unklar,ankle boot\na.png,1,2,3\n", "'Unklar' is not a class, 'Ünklar' is missing"),
        ("name,T-shirt/top,Ünklar,ankle boot\na.png,1,2,3\n", "people.csv has no column image"),
        (HEADER + "a.png,0,two,1\n", "T-shirt/top='two' in people.csv, row 2: give a count"),
        (HEADER + "a.png,0,-1,2\n", r"people.csv, row 2 is [-1.0, 2.0, 0.0]: give counts or probabilities"),
        (HEADER + "a.png,0,0,0\n", "row 2 is [0.0, 0.0, 0.0]"),
        (HEADER + "a.png,nan,1,0\n", "row 2 is [1.0, 0.0, nan]"),
        (HEADER + "a.png,inf,1,0\n", "row 2 is [1.0, 0.0, inf]"),
        (np.ones((5, 4)), "people.npy has shape (5, 4), expected 3 columns, one per class"),
        (np.ones((4, 3)), "people.npy has 4 rows. It must have 5, one per image, or 2, one per evaluation image"),
        (np.ones(5), "people.npy has shape (5,), expected 3 columns"),
        (np.array([[1, 0, 0], [0, 0, 0]]), "people.npy, row 1 is [0.0, 0.0, 0.0]"),
        (np.array([{}, {}]), "people.npy can't be read as an array of numbers"),
    ],
)
def test_the_error_for_a_file_that_does_not_fit_has_both_numbers(tmp_path, content, said):
    assert said in rejected(tmp_path, content)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Can't read human labels from .*none\.csv: No such file"):
        read_human_labels(tmp_path / "none.csv", CLASSES, NAMES, LABELS, TEST_IDS)
