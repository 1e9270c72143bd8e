import os
import re
import signal
import urllib.error
import urllib.request

import pytest

from tests.processes import OUTPUT, hml

pytest.importorskip("starlette", reason="the web packages aren't installed: pip install -e '.[elicit]'")

from tests.elicit.web.serving import serve_by_command


@pytest.fixture
def server(tmp_path):
    """Run `hml elicit serve` until the test is over; the process, and the two addresses that it prints."""
    with serve_by_command(tmp_path) as (process, printed):
        yield process, *re.findall(r"http\S+", printed)


def fetch(address):
    """Return a page's status and text, as a browser of its own sees it."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with browser.open(address, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_the_demo_is_served_at_once_to_this_computer_until_ctrl_c(server, tmp_path):
    process, address, researcher = server
    status, page = fetch(address)
    assert status == 200
    assert "This is a demonstration" in page
    assert fetch(researcher)[0] == 200
    assert fetch(researcher.replace("token=", "token=0"))[0] == 403
    assert hml(tmp_path, "elicit", "serve", "--no-browser", "--port", "0") == 5
    os.kill(process.pid, signal.SIGINT)
    process.join(30)
    assert process.exitcode == 130
    assert "Traceback" not in (tmp_path / OUTPUT).read_text()
