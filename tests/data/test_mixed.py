import pytest
import torch

from hml.data import HMix, ImageBank
from hml.data.judged import check_endpoints
from hml.errors import InputError
from hml.judgements import CIFAR10, Classes, Endpoint, Judgement, name_stimulus

CLASSES = Classes(("benign", "T-shirt/top", "ankle_boot 2"))
NAMES = ("benign/1.png", "T-shirt/top/2.png", "ankle_boot 2/3.png")
MIXTURE = name_stimulus(CLASSES, 0.25, Endpoint(2, 2), Endpoint(0, 0))


@pytest.fixture
def bank():
    """Three small images of three classes, called by their paths."""
    return ImageBank(
        images=torch.zeros(3, 3, 16, 16, dtype=torch.uint8),
        classes=CLASSES,
        labels=torch.arange(3),
        train_ids=torch.tensor([0, 2]),
        test_ids=torch.tensor([1]),
        names=NAMES,
    )


@pytest.fixture
def plain(tmp_path):
    """Write a plain file of one judgement, which calls its images something."""

    def write(first="ankle_boot 2/3.png", second="0", class_1="ankle_boot 2"):
        (tmp_path / "mine.csv").write_text(
            "annotator,image_1,class_1,image_2,class_2,lambda_f,lambda_h\n"
            f"ann,{first},{class_1},{second},benign,0.25,0.4\n"
        )
        return HMix(judgements=tmp_path / "mine.csv")

    return write


def test_plain_judgements_name_images_by_path_or_id(plain, bank, tmp_path):
    assert plain().load(tmp_path, bank).judgements == [Judgement(MIXTURE, "ann", 0.4)]
    assert plain("2", "benign/1.png").load(tmp_path, bank).judgements == [Judgement(MIXTURE, "ann", 0.4)]
    with pytest.raises(InputError, match=r"image_1='boot/3.png' in mine.csv, row 2: .* mean ankle_boot 2/3.png\?"):
        plain("boot/3.png").load(tmp_path, bank)


def test_hmix_columns_of_other_images_are_read(bank, tmp_path):
    answer = '"{""mixingcoeff"": 60, ""confidence"": 80}"'
    (tmp_path / "mine.csv").write_text(f"subject,filename,responses\nann,{MIXTURE.filename},{answer}\n")
    found = HMix(judgements=tmp_path / "mine.csv")
    assert found.load(tmp_path, bank).judgements == [Judgement(MIXTURE, "ann", 0.4, 0.8)]
    assert found.classes(tmp_path) == Classes(("ankle_boot 2", "benign"))


def test_without_images_the_classes_come_from_the_file(plain, tmp_path):
    mixed = plain()
    assert mixed.classes(tmp_path) == Classes(("ankle_boot 2", "benign"))
    (judgement,) = mixed.read(tmp_path).judgements
    assert judgement.stimulus.endpoints == (Endpoint(0, 0), Endpoint(1, 1))
    (judgement,) = mixed.read(tmp_path, CLASSES, NAMES).judgements
    assert judgement.stimulus == MIXTURE
    assert HMix().classes(tmp_path) == CIFAR10


def test_endpoints_that_do_not_fit_are_named_as_the_file_names_them(plain, bank, tmp_path):
    wrong = plain("T-shirt/top/2.png").load(tmp_path, bank).judgements[0].stimulus
    with pytest.raises(InputError, match=r"image T-shirt/top/2.png is of class T-shirt/top, not ankle_boot 2"):
        check_endpoints([wrong], bank, "any")
    leaking = plain("T-shirt/top/2.png", class_1="T-shirt/top").load(tmp_path, bank).judgements[0].stimulus
    with pytest.raises(InputError, match=r"invalidate the evaluation: images T-shirt/top/2.png\."):
        check_endpoints([leaking], bank, "not evaluated")
    with pytest.raises(InputError, match=r"originals T-shirt/top/2.png are outside the training split"):
        check_endpoints([leaking], bank, "training")
