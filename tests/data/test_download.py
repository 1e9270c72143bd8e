import errno
import hashlib
import os
import socket
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hml.data.download import RemoteFile, fetch, find_data_dir, read_verified
from hml.errors import DataError, StorageError

GOOD, OTHER = b"what was released\n", b"something else\n"


@pytest.fixture
def server(monkeypatch):
    """Serve a dictionary of contents on this machine, and note what was asked for."""
    monkeypatch.setattr("hml.data.download._TRIES", 1)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.asked.append(self.path)
            content = served.contents.get(self.path)
            if self.path == "/hung":
                served.released.wait(20)
                return
            self.send_response(404 if content is None else 200)
            cut_off = 7 if self.path == "/cut_off" else 0
            self.send_header("Content-Length", str(len(content or b"") + cut_off))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.contents, served.asked = {"/good": GOOD, "/other": OTHER, "/cut_off": GOOD[:5]}, []
    served.released = threading.Event()
    served.address = f"http://127.0.0.1:{served.server_port}"
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.released.set()
    served.shutdown()
    thread.join()
    served.server_close()


def make_file(server, *paths, name="data.bin", content=GOOD, **options):
    addresses = tuple(f"{server.address}{path}" for path in paths)
    return RemoteFile(name, hashlib.sha256(content).hexdigest(), addresses, **options)


def test_a_file_is_downloaded_once_into_a_new_folder(server, tmp_path):
    file, folder = make_file(server, "/good"), tmp_path / "new" / "data"
    fetch([file], folder)
    fetch([file], folder)
    assert read_verified(file, folder) == GOOD
    assert server.asked == ["/good"]
    assert [path.name for path in folder.iterdir()] == ["data.bin"]


def test_wrong_content_is_an_error_and_leaves_no_file(server, tmp_path):
    with pytest.raises(DataError, match=r"data\.bin"):
        fetch([make_file(server, "/other")], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_next_address_is_tried_after_wrong_content_or_none(server, tmp_path):
    fetch([make_file(server, "/missing", "/other", "/good")], tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == GOOD
    assert server.asked == ["/missing", "/other", "/good"]


def test_a_missing_file_is_listed_and_the_finished_one_kept(server, tmp_path):
    missing = make_file(server, "/missing", name="missing.bin")
    with pytest.raises(DataError) as caught:
        fetch([missing, make_file(server, "/good")], tmp_path)
    for expected in ("missing.bin", missing.addresses[0], missing.sha256, "404", str(tmp_path), "HML_DATA_DIR"):
        assert expected in str(caught.value)
    assert "data.bin" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]


def test_the_users_mirror_is_tried_first(server, tmp_path, monkeypatch):
    file = make_file(server, "/missing", mirror_variable="HML_TEST_MIRROR")
    assert file.all_addresses == file.addresses
    monkeypatch.setenv("HML_TEST_MIRROR", f"{server.address}/good")
    fetch([file], tmp_path)
    assert server.asked == ["/good"]


def test_a_server_that_is_down_is_a_data_error(server, tmp_path):
    file = RemoteFile("data.bin", hashlib.sha256(GOOD).hexdigest(), ("http://127.0.0.1:9/data.bin",))
    with pytest.raises(DataError, match="ConnectionError"):
        fetch([file], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_internet_one_reason_is_printed_and_no_host_tried_again(server, tmp_path, monkeypatch, capsys):
    asked = []

    def resolve(host, *args):
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("hml.data.download._TRIES", 3)
    monkeypatch.setattr("socket.getaddrinfo", resolve)
    addresses = ("https://first.example/a.bin", "https://second.example/a.bin")
    files = [RemoteFile(name, "0" * 64, addresses) for name in ("a.bin", "b.bin", "c.bin")]
    with pytest.raises(DataError) as caught:
        fetch(files, tmp_path)
    assert asked == ["first.example", "second.example"]
    told = str(caught.value)
    assert told.count("no connection to the internet: Name or service not known") == 1
    for said in ("a.bin  sha256 000", "b.bin", "c.bin", *addresses, f"copy DIR's files into {tmp_path}"):
        assert said in told
    assert told.endswith("run the demo: hml fit --config sep_conf --config demo")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (OTHER, f"is not the released file: its sha256 is {hashlib.sha256(OTHER).hexdigest()}, expected"),
        (GOOD[:-1], "is not the released file:"),
        (b"", r"\(it is empty\)"),
        (b"\n<!DOCTYPE html><html>404</html>", r"\(it is a web page\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", r"\(it is a Git LFS pointer\)"),
    ],
)
def test_a_wrong_existing_file_is_an_error_and_not_changed(server, tmp_path, content, message):
    (tmp_path / "data.bin").write_bytes(content)
    file = make_file(server, "/good")
    for use in (lambda: fetch([file], tmp_path), lambda: read_verified(file, tmp_path)):
        with pytest.raises(DataError, match=message):
            use()
    assert (tmp_path / "data.bin").read_bytes() == content
    assert server.asked == []


def test_a_missing_file_says_how_to_get_it(server, tmp_path):
    with pytest.raises(DataError, match=r"data\.bin .No such file.*: run `hml download`"):
        read_verified(make_file(server, "/good"), tmp_path)


def test_the_data_folder_is_the_one_given_else_the_environments_else_data(monkeypatch):
    monkeypatch.setenv("HML_DATA_DIR", "there")
    assert [str(find_data_dir(given)) for given in ("here", None)] == ["here", "there"]
    monkeypatch.delenv("HML_DATA_DIR")
    assert str(find_data_dir()) == "data"


@pytest.mark.parametrize(
    ("path", "got"),
    [
        ("/missing", "404"),
        ("/cut_off", "5 bytes read, 7 more expected"),
        ("/hung", "timed out"),
        ("/other", hashlib.sha256(OTHER).hexdigest()),
    ],
)
def test_a_failing_download_is_tried_three_times_and_keeps_old_files(server, tmp_path, monkeypatch, path, got):
    monkeypatch.setattr("hml.data.download._TRIES", 3)
    # No longer than it must be where it is waited for, no shorter than a busy machine needs elsewhere.
    monkeypatch.setattr("hml.data.download._TIMEOUT_SECONDS", 1 if path == "/hung" else 20)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    (tmp_path / "kept.bin").write_bytes(OTHER)
    file = make_file(server, path)
    with pytest.raises(DataError) as caught:
        fetch([file, make_file(server, "/good", name="kept.bin", content=OTHER)], tmp_path)
    assert server.asked == [path] * 3
    for told in (f"{server.address}{path}", file.sha256, got):
        assert told in str(caught.value)
    assert caught.value.exit_code == 3
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("kept.bin", OTHER)]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_download_is_readable_by_those_the_umask_allows(server, tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        fetch([make_file(server, "/good")], tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "data.bin").stat().st_mode & 0o777 == mode


def fail_with(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("function", ["read_bytes", "stat"])  # of the file, and of a folder that isn't searchable
@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.EACCES, "chmod -R a+rX {folder}`"), (errno.ESTALE, "try again"), (errno.EIO, "try again")],
)
def test_an_unreadable_file_is_not_reported_missing(server, tmp_path, monkeypatch, number, remedy, function):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "data.bin").write_bytes(GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(Path, function, fail_with(number))
        with pytest.raises(DataError) as caught:
            fetch([make_file(server, "/good")], folder)
    said = str(caught.value)
    assert f"({os.strerror(number)})" in said
    assert remedy.format(folder=folder if function == "read_bytes" else tmp_path) in said
    assert "hml download" not in said
    assert server.asked == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_data_folder_that_cannot_be_written_is_named(server, tmp_path, monkeypatch, number):
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", fail_with(number))
    with pytest.raises(StorageError, match=rf"Can't write .*data\.bin: {os.strerror(number)}"):
        fetch([make_file(server, "/good")], tmp_path)
