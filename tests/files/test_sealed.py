"""Files of tensors: what is written is what is read, and nothing else is."""

from pathlib import Path

import pytest
import torch

from hml.files.sealed import hash_file, read_sealed, write_sealed


def test_what_is_written_is_read_here_and_by_torch(tmp_path):
    path = tmp_path / "new" / "a.pt"
    write_sealed(path, {"weight": torch.arange(3), "name": "a"})
    for content in (read_sealed(path), torch.load(path, weights_only=True)):
        assert content["name"] == "a"
        assert content["weight"].tolist() == [0, 1, 2]


def test_the_file_before_is_kept_under_another_name(tmp_path):
    for step in (1, 2):
        write_sealed(tmp_path / "a.pt", {"step": step}, keep_as=tmp_path / "b.pt")
    assert [read_sealed(tmp_path / name) for name in ("a.pt", "b.pt")] == [{"step": 2}, {"step": 1}]


def test_more_than_plain_data_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="Path"):
        write_sealed(tmp_path / "a.pt", {"where": Path("a")})
    assert not list(tmp_path.iterdir())


def test_files_that_are_not_sealed_tensors_raise_errors(tmp_path):
    (tmp_path / "text.pt").write_text("text")
    torch.save({"where": Path("a")}, tmp_path / "code.pt")
    write_sealed(tmp_path / "flipped.pt", {"weight": torch.arange(100)})
    content = bytearray((tmp_path / "flipped.pt").read_bytes())
    content[500] ^= 1
    (tmp_path / "flipped.pt").write_bytes(content)
    for name, said in (("text", "is not a torch file"), ("code", "plain data"), ("flipped", "its sha256 is wrong")):
        with pytest.raises(ValueError, match=said):
            read_sealed(tmp_path / f"{name}.pt")
    for path in (tmp_path, tmp_path / "missing.pt"):
        with pytest.raises(OSError, match=str(path)):
            read_sealed(path)


def test_hash_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
