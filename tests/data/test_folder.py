import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets.folder import pil_loader

from hml.cli import main
from hml.data import ImageFolder
from hml.data import decoding as decoding_module
from hml.errors import InputError
from tests.data.pictures import FOLDERS, draw, fill


@pytest.fixture
def split(tmp_path):
    """A folder of three training images and two evaluation images per class."""
    fill(tmp_path / "own" / "train", 3)
    fill(tmp_path / "own" / "test", 2)
    return tmp_path / "own"


def load(root, **options):
    return ImageFolder(root, **options).load(root)


def rejected(root, **options):
    with pytest.raises(InputError) as caught:
        load(root, **options)
    return str(caught.value)


def test_train_and_test_folders_are_read_in_order(split):
    bank = load(split)
    assert bank.classes.names == FOLDERS == ImageFolder(split).classes(split).names
    assert bank.images.shape == (15, 3, 12, 16)
    assert bank.train_ids.tolist() == list(range(9))
    assert bank.test_ids.tolist() == list(range(9, 15))
    assert bank.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 1, 1, 2, 2]
    assert bank.images[:, 0, 5, 5].tolist() == [10 + 80 * label for label in bank.labels.tolist()]
    assert bank.images[:, 1, 0, 0].tolist() == [0, 1, 2] * 3 + [0, 1] * 3
    assert (bank.names[3], bank.names[9]) == ("train/benign/0.png", "test/ankle_boot 2/0.png")
    assert bank.human is None
    assert torch.equal(bank.soft_labels, bank.hard_labels)
    assert bank.canonical_pixels


def test_a_folder_of_classes_is_split_by_class(tmp_path):
    fill(tmp_path / "own", 10)
    first, again, other = (load(tmp_path / "own", split_seed=seed) for seed in (0, 0, 1))
    assert first.labels[first.test_ids].bincount().tolist() == [2, 2, 2]
    assert torch.equal(first.test_ids, again.test_ids)
    assert not torch.equal(first.test_ids, other.test_ids)
    assert sorted([*first.train_ids.tolist(), *first.test_ids.tolist()]) == list(range(30))
    assert len(load(tmp_path / "own", test_share=0.5).test_ids) == 15


def test_the_order_is_that_of_code_points_in_any_locale(tmp_path):
    for name in ("b/10.png", "b/2.png", "b/B.png", "b/a.png", "b/é/0.png", "B2/0.png", "B2/1.PNG"):
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        draw(0, 0).save(tmp_path / "own" / name)
    (tmp_path / "own/b/notes.txt").write_text("not a picture")
    (tmp_path / "own/.ipynb_checkpoints").mkdir()
    (tmp_path / "own/b/.hidden.png").write_text("not a picture")
    bank = load(tmp_path / "own")
    assert bank.classes.names == ("B2", "b")
    assert bank.names == ["B2/0.png", "B2/1.PNG", "b/10.png", "b/2.png", "b/B.png", "b/a.png", "b/é/0.png"]


def test_a_class_called_train_is_a_class(tmp_path):
    fill(tmp_path / "own", 2, ("car", "train"))
    assert load(tmp_path / "own").classes.names == ("car", "train")


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_any_kind_of_image_is_rgb_as_torchvisions_loader_has_it(split, mode):
    picture = draw(1, 200).convert(mode)
    picture.save(path := split / "train/benign/0.tiff")
    found = load(split)
    row = found.names.index("train/benign/0.tiff")
    expected = np.asarray(pil_loader(path)).transpose(2, 0, 1)
    assert np.array_equal(found.images[row].numpy(), expected)


def test_orientation_and_transparency_are_ignored_without_a_warning(split):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    draw(1, 9).save(split / "train/benign/turned.png", exif=exif)
    palette = draw(1, 9).quantize(2)
    palette.save(split / "train/benign/palette.png", transparency=bytes([0] * 2))
    bank = load(split)
    rows = [bank.names.index(f"train/benign/{name}.png") for name in ("turned", "palette")]
    assert bank.images.shape[2:] == (12, 16)
    assert bank.images[rows][:, :2, 0, 0].tolist() == [[90, 9], [90, 9]]


def test_other_sizes_become_the_most_common_one(split):
    half = Image.fromarray(np.repeat(np.array([[0, 200]], dtype=np.uint8), 10, axis=0).repeat(10, axis=1))
    half.save(split / "test/benign/square.png")  # 20 wide, 10 high: black to the left, grey to the right
    cropped, stretched = load(split), load(split, resize="stretch", size=(6, 8))
    row = cropped.names.index("test/benign/square.png")
    assert cropped.images.shape[2:] == (12, 16)
    assert cropped.images[row, 0, 0].tolist()[:7] == [0] * 7
    assert cropped.images[row, 2, 11].tolist()[9:] == [200] * 7
    assert stretched.images.shape[2:] == (6, 8)
    assert stretched.images[row, 1, 3].tolist()[:3] == [0] * 3
    assert load(split, size=5).images.shape[2:] == (5, 5)


def test_cropping_keeps_the_aspect_ratio_and_the_centre(split):
    pixels = np.zeros((12, 48, 3), dtype=np.uint8)
    pixels[:, 16:32] = 250  # the middle third
    Image.fromarray(pixels).save(split / "train/benign/wide.png")
    cropped, stretched = load(split), load(split, resize="stretch")
    row = cropped.names.index("train/benign/wide.png")
    assert bool((cropped.images[row] == 250).all())
    assert 0.3 < (stretched.images[row] > 125).double().mean() < 0.4


def test_mixed_sizes_that_may_not_be_resized_are_named(split):
    assert load(split, resize="none").images.shape[2:] == (12, 16)
    draw(1, 1, (9, 7)).save(split / "test/benign/small.png")
    message = rejected(split, resize="none")
    assert "train/ankle_boot 2/0.png is 12 × 16 and test/benign/small.png 7 × 9 pixels" in message
    assert "resize=crop" in message
    assert "small.png (it is 7 × 9 pixels, not 12 × 16)" in rejected(split, resize="none", size=(12, 16))


def test_broken_images_are_all_named(split):
    content = (split / "train/benign/0.png").read_bytes()
    (split / "train/benign/0.png").write_bytes(content[: len(content) // 2])
    (split / "train/benign/1.png").write_bytes(b"")
    (split / "test/benign/0.png").write_text("<html>Not Found</html>")
    Image.fromarray(np.full((12, 16), 3000, dtype=np.uint16)).save(split / "test/benign/1.png")
    message = rejected(split)
    assert message.startswith("4 of 15 images can't be used: train/benign/0.png (")
    assert "train/benign/1.png (not an image), test/benign/0.png (not an image)" in message
    assert "test/benign/1.png (its pixels have more than 8 bits a channel)" in message
    for path in split.rglob("*.png"):
        path.write_bytes(b"")
    assert "and 5 more. Replace them" in rejected(split)


def test_images_that_do_not_fit_into_memory_are_not_decoded(split, monkeypatch):
    monkeypatch.setattr(decoding_module, "available_memory", lambda: 2**30)
    message = rejected(split, size=10_000)
    assert "15 images of 10000 × 10000 pixels take 4.2 GiB of memory, and 1.0 GiB are available" in message
    monkeypatch.setattr(decoding_module, "available_memory", lambda: None)
    assert load(split).images.shape == (15, 3, 12, 16)


def test_folders_that_are_no_data_set_are_named(tmp_path):
    assert f"Can't read the image folder {tmp_path}/none: No such file" in rejected(tmp_path / "none")
    (tmp_path / "own").mkdir()
    assert f"{tmp_path}/own has no folders: put the images of each class" in rejected(tmp_path / "own")
    fill(tmp_path / "own", 1, ("cat",))
    assert f"{tmp_path}/own: there must be two classes or more, and there is cat" in rejected(tmp_path / "own")
    fill(tmp_path / "own", 1, ("dog",))
    assert "own has no images to evaluate on: a class needs two or more" in rejected(tmp_path / "own")
    (tmp_path / "own" / "frog").mkdir()
    assert f"{tmp_path}/own/frog has no images (.jpg, " in rejected(tmp_path / "own")
    fill(tmp_path / "own", 1, ("Cat",))
    assert f"{tmp_path}/own: 'Cat' and 'cat' differ in case at most" in rejected(tmp_path / "own")


def test_half_a_layout_and_different_classes_are_an_error(tmp_path):
    fill(tmp_path / "own" / "train", 1)
    assert "own has a folder train, but no test" in rejected(tmp_path / "own")
    fill(tmp_path / "own" / "test", 1, (*FOLDERS[1:], "extra"))
    assert "in one of them only: ankle_boot 2, extra." in rejected(tmp_path / "own")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 0}, "size=0 must be 1 or more"),
        ({"resize": "pad"}, "resize='pad' is not one of 'crop', 'stretch', 'none'"),
        ({"test_share": 1.0}, "test_share=1.0 must be above 0 and below 1"),
        ({"split_seed": -1}, "split_seed=-1 must be 0 or more"),
    ],
)
def test_options_out_of_range_are_an_error(tmp_path, options, said):
    with pytest.raises(InputError, match=said):
        ImageFolder(tmp_path, **options)


def test_a_rejected_source_is_one_sentence_on_the_command_line(split, capsys):
    args = ["fit", "--config", "mixup_fly", "--data.images", "ImageFolder", "--data.images.root", str(split)]
    assert main([*args, "--data.images.test_share", "2"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "hml: test_share=2.0 must be above 0 and below 1."


def test_provenance_changes_with_a_files_name_or_a_byte(split):
    digest = load(split).files
    assert list(digest) == ["own"]
    assert load(split).files == digest
    (split / "train/benign/2.png").rename(split / "train/benign/3.png")
    renamed = load(split).files
    assert renamed != digest
    draw(1, 77).save(split / "train/benign/3.png")
    assert load(split).files not in (digest, renamed)


def test_a_folder_is_trained_on_and_tested(split, tmp_path, capsys):
    (tmp_path / "people.csv").write_text(
        "image,"
        + ",".join(FOLDERS)
        + "\n"
        + "".join(
            f"test/{name}/{number}.png,{'3,1,0' if name == 'benign' else '0,1,1'}\n"
            for name in FOLDERS
            for number in range(2)
        ),
        encoding="utf-8",
    )
    args = [
        *("fit", "--config", "mixup_fly", "--data.images", "ImageFolder", "--data.images.root", str(split)),
        *("--data.images.size", "16", "--data.images.human_labels", str(tmp_path / "people.csv")),
        *("--model.network", "PreActResNet18", "--model.network.num_classes", "3", "--model.network.width", "1"),
        *("--data.batch_size", "4", "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
        *("--calibration.bin_size", "2", "--trainer.default_root_dir", str(tmp_path), "--data.augment", "crop_flip"),
    ]
    assert main(args) == 0
    metrics = (tmp_path / "lightning_logs/mixup_fly/version_0/metrics.json").read_text()
    assert hashlib.sha256((tmp_path / "people.csv").read_bytes()).hexdigest() in metrics
    assert '"own": "' in metrics
    assert "mixup_fly" in capsys.readouterr().out
