import pytest

from hml.elicit.web.addresses import host_of, is_loopback, read_origin
from hml.errors import InputError


@pytest.mark.parametrize(
    "base_url",
    [
        *(
            "study.example.org",
            "ftp://x.org",
            "https://x.org/study",
            "https://",
            "https://x.org?a=b",
            "https://x.org#a",
        ),
        *("https://[", "https://a@x.org", "https://x.org:port", "https://x y.org", ""),
    ],
)
def test_an_invalid_public_address_is_rejected(base_url):
    with pytest.raises(InputError, match=r"like https://study\.example\.org"):
        read_origin(base_url)


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("HTTPS://Study.Example.org/", "https://study.example.org"),
        ("https://x.org:443", "https://x.org"),
        ("https://x.org:80", "https://x.org:80"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://localhost:9", "http://localhost:9"),
        ("http://[::1]", "http://[::1]"),
    ],
)
def test_a_public_address_is_read_as_browsers_say_it(base_url, origin):
    assert read_origin(base_url) == origin


@pytest.mark.parametrize("base_url", ["http://study.example.org", "http://192.168.0.2:8000", "http://localhost.x.org"])
def test_people_elsewhere_come_over_https_only(base_url):
    with pytest.raises(InputError, match="must start with https://"):
        read_origin(base_url)


def test_the_host_of_an_origin_has_its_port():
    assert host_of("https://x.org:8443") == "x.org:8443"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(
            (name, True)
            for name in ("localhost", "localhost:8000", "127.0.0.1:1", "[::1]", "[::1]:8000", "127.8.0.1:80")
        ),
        *((name, False) for name in ("", "[", "[::2]", "localhost:x", "localhost.evil.org", "127.0.0.1.evil.org:80")),
    ],
)
def test_only_this_computers_own_names_are_loopback(host, expected):
    assert is_loopback(host) is expected
