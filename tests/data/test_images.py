import dataclasses
import hashlib
import io
import pickle
import re
import tarfile

import numpy as np
import pytest
import torch

from hml.data import Cifar10, ImageBank
from hml.data import images as images_module
from hml.errors import DataError, InputError
from hml.judgements import CIFAR10

COUNT = 10_000
LABELS = (np.arange(COUNT) * 7 % 10).astype(np.uint8)
PIXELS = np.arange(COUNT, dtype=np.uint16)  # each image is of one colour, its id's lower byte
TEST_BATCH, ARCHIVE = "cifar-10-batches-py/test_batch", "cifar-10-python.tar.gz"


def make_test_batch():
    """Pickle a test batch as Python 2 and an old NumPy did, which the released one is."""
    data = np.repeat((PIXELS % 256).astype(np.uint8)[:, None], 3072, axis=1)
    content = pickle.dumps({b"data": data, b"labels": LABELS.tolist()}, protocol=2)
    content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    # np.dtype("u1", align=0, copy=1): whole numbers where NumPy now writes booleans.
    content, count = re.subn(rb"(?<=u1q.)\x89\x88\x87", lambda _: b"K\x00K\x01\x87", content, flags=re.DOTALL)
    assert count == 1
    return content


def make_archive(test_batch, **others):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, content in {**others, TEST_BATCH: test_batch}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def make_npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def make_stand_in(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def contents():
    """Every file that CIFAR-10 may be read from, made up."""
    test_batch = make_test_batch()
    counts = np.ones((COUNT, 10), dtype=np.int64)
    counts[np.arange(COUNT), LABELS] = 11
    images = np.zeros((COUNT, 32, 32, 3), dtype=np.uint8)
    images[:, 0, 1, 2] = 200
    return {
        TEST_BATCH: test_batch,
        ARCHIVE: make_archive(test_batch),
        "cifar10_test.npz": make_stand_in(images=images, labels=LABELS),
        "cifar10h-counts.npy": make_npy(counts),
        "train_indices.npy": make_npy(np.arange(0, 7000)),
        "test_indices.npy": make_npy(np.arange(7000, COUNT)),
    }


@pytest.fixture
def folder(contents, tmp_path, monkeypatch):
    """Fill a folder with everything but pixels, and expect the made-up files' hashes."""

    def expect(file):
        return dataclasses.replace(file, sha256=hashlib.sha256(contents[file.name]).hexdigest())

    arrays = tuple(expect(file) for file in images_module._ARRAYS)
    monkeypatch.setattr(images_module, "_ARRAYS", arrays)
    monkeypatch.setattr(images_module, "CIFAR10_ARCHIVE", expect(images_module.CIFAR10_ARCHIVE))
    monkeypatch.setattr(images_module, "_TEST_BATCH_MD5", hashlib.md5(contents[TEST_BATCH]).hexdigest())
    monkeypatch.setattr(images_module, "_LABELS_SHA256", hashlib.sha256(LABELS.tobytes()).hexdigest())
    for file in arrays:
        (tmp_path / file.name).write_bytes(contents[file.name])
    (tmp_path / "cifar-10-batches-py").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", [ARCHIVE, TEST_BATCH])
def test_released_pixels_are_read(folder, contents, name):
    (folder / name).write_bytes(contents[name])
    bank = Cifar10().load(folder)
    assert bank.images.shape == (COUNT, 3, 32, 32)
    assert torch.equal(bank.images[:, 2, 31, 31].long(), torch.arange(COUNT) % 256)
    assert torch.equal(bank.labels, torch.arange(COUNT) * 7 % 10)
    assert bank.human[1].tolist() == pytest.approx([0.05] * 7 + [0.55] + [0.05] * 2)
    assert (len(bank.train_ids), len(bank.test_ids)) == (7000, 3000)
    assert bank.canonical_pixels
    assert bank.files[name] == hashlib.sha256(contents[name]).hexdigest()
    assert len(bank.files) == 4


def test_an_archive_can_write_nowhere(folder, contents, monkeypatch):
    batch = contents[TEST_BATCH]
    evil = make_archive(batch, **{"../evil": b"x", f"{folder}/evil": b"x"})
    monkeypatch.setattr(
        images_module,
        "CIFAR10_ARCHIVE",
        dataclasses.replace(images_module.CIFAR10_ARCHIVE, sha256=hashlib.sha256(evil).hexdigest()),
    )
    (folder / ARCHIVE).write_bytes(evil)
    before = sorted(folder.parent.rglob("*"))
    Cifar10().load(folder)
    assert sorted(folder.parent.rglob("*")) == before


def test_the_stand_in_is_read_with_a_notice(folder, contents, caplog):
    (folder / "cifar10_test.npz").write_bytes(contents["cifar10_test.npz"])
    bank = Cifar10().load(folder)
    assert re.search("Pixels come from the stand-in .*cifar10_test.npz", caplog.text)
    assert not bank.canonical_pixels
    assert bank.images.shape == (COUNT, 3, 32, 32)
    assert bool((bank.images[:, 2, 0, 1] == 200).all())
    assert int(bank.images.flatten(1).bool().sum()) == COUNT


@pytest.mark.parametrize("name", [ARCHIVE, TEST_BATCH])
def test_released_pixels_are_preferred_to_the_stand_in(folder, contents, name):
    for source in (name, "cifar10_test.npz"):
        (folder / source).write_bytes(contents[source])
    bank = Cifar10().load(folder)
    assert bank.canonical_pixels
    assert "cifar10_test.npz" not in bank.files


def test_the_archive_is_downloaded_where_no_pixels_are(folder, contents):
    assert [file.name for file in Cifar10().remote_files(folder)] == [
        ARCHIVE,
        "cifar10h-counts.npy",
        "train_indices.npy",
        "test_indices.npy",
    ]
    (folder / TEST_BATCH).write_bytes(contents[TEST_BATCH])
    assert ARCHIVE not in [file.name for file in Cifar10().remote_files(folder)]


def test_a_folder_without_pixels_is_an_error(folder):
    with pytest.raises(DataError, match=r"No CIFAR-10 images in .*: run `hml download`"):
        Cifar10().load(folder)


WRONG = {
    "altered": lambda content: content[:-1] + b"?",
    "truncated": lambda content: content[: len(content) // 2],
    "html": lambda content: b"<html>Not Found</html>",
    "pointer": lambda content: b"version https://git-lfs.github.com/spec/v1\n",
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("name", [ARCHIVE, TEST_BATCH, "cifar10h-counts.npy", "test_indices.npy"])
def test_a_file_with_the_wrong_hash_is_not_parsed(folder, contents, monkeypatch, name, spoil):
    if name not in (ARCHIVE, TEST_BATCH):
        (folder / TEST_BATCH).write_bytes(contents[TEST_BATCH])
    else:
        monkeypatch.setattr(images_module.pickle, "loads", lambda *args, **options: pytest.fail("it was unpickled"))
    (folder / name).write_bytes(spoil(contents[name]))
    with pytest.raises(DataError, match=name):
        Cifar10().load(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no zip",
        b"<html></html>",
        make_stand_in(images=np.zeros(3))[:-30],
        make_stand_in(pictures=np.zeros(3)),
        make_stand_in(images=np.zeros((2, 32, 32, 3), np.uint8), labels=LABELS),
        make_stand_in(images=np.zeros((COUNT, 32, 32, 3), bool), labels=LABELS),
        make_stand_in(images=np.zeros((COUNT, 32, 32, 3), np.uint8), labels=LABELS[::-1]),
        make_stand_in(images=np.zeros((COUNT, 32, 32, 3), np.uint8), labels=LABELS.astype(np.int64)),
        make_stand_in(images=np.array([{}], dtype=object), labels=LABELS),
        make_npy(np.zeros(3)),
        pickle.dumps({"images": 0}),
    ],
    ids=["empty", "text", "html", "cut", "names", "few", "bool", "order", "int64", "objects", "npy", "pickle"],
)
def test_a_wrong_stand_in_is_an_error(folder, content):
    (folder / "cifar10_test.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"cifar10_test\.npz"):
        Cifar10().load(folder)


def test_a_stand_in_with_damaged_bytes_is_an_error(folder, contents):
    content = bytearray(contents["cifar10_test.npz"])
    header = 30 + int.from_bytes(content[26:28], "little") + int.from_bytes(content[28:30], "little")
    content[header] = 0xFF  # no such type of deflate block
    (folder / "cifar10_test.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"cifar10_test\.npz"):
        Cifar10().load(folder)


def make_bank(**other):
    """Three images, with something put in another's place."""
    ids = torch.arange(3)
    images = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    known = {"images": images, "classes": CIFAR10, "labels": ids, "human": torch.eye(3, 10), "train_ids": ids[:2]}
    return ImageBank(**known | other)


def test_images_on_both_sides_of_the_split_are_an_error():
    with pytest.raises(InputError, match=r"images \[1\] are in both halves"):
        make_bank(test_ids=torch.tensor([1, 2]))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"images": torch.rand(3, 3, 32, 32)},
            r"images is torch.float32 .* expected torch.uint8 of shape \(M, 3, H, W\)",
        ),
        ({"images": torch.zeros(3, 32, 32, 3, dtype=torch.uint8)}, r"images is torch.uint8 of shape \(3, 32, 32, 3\)"),
        ({"labels": torch.arange(3, dtype=torch.int32)}, "labels is torch.int32 .* expected torch.int64"),
        ({"labels": torch.arange(2)}, r"labels .* shape \(2,\), expected .* \(3,\)"),
        ({"labels": torch.tensor([1, 2, 10])}, "labels has values from 1 to 10, expected 0 to 9"),
        ({"test_ids": torch.tensor([3])}, "test_ids has values from 3 to 3, expected 0 to 2"),
        ({"human": 50 * torch.eye(3, 10)}, "human: row 0 .* sums to 50, not to 1. Divide counts"),
        ({"human": torch.full((3, 5), 0.2)}, r"human: .* shape \(3, 5\), expected \(K, 10\)"),
        ({"human": torch.eye(2, 10)}, "human has 2 rows for 3 images"),
    ],
)
def test_a_bank_that_would_give_wrong_figures_is_an_error(other, said):
    with pytest.raises(InputError, match=said):
        make_bank(**{"test_ids": torch.tensor([2])} | other)
