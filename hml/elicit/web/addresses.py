"""The addresses that a study is served at."""

import ipaddress
import re
from urllib.parse import urlsplit

from hml.errors import InputError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_ADDRESS = re.compile(rf"(https?)://{_HOST.pattern}/?")
_PORTS = {"http": "80", "https": "443"}


def read_origin(base_url: str) -> str:
    """Normalise a public address as in browsers' `Origin`: lower case, without a slash or the scheme's default port.

    Raises:
        InputError: it has more than a scheme and a host, or sessions would be sent unencrypted.

    Examples:
        >>> read_origin("https://Study.example.org:443/")
        'https://study.example.org'
    """
    if (match := _ADDRESS.fullmatch(base_url.lower())) is None:
        raise InputError(f"base_url={base_url!r} must be like https://study.example.org, without a path.")
    scheme, host, port = match.groups()
    if scheme == "http" and not is_loopback(host):
        raise InputError(f"base_url={base_url!r} must start with https://: http is not encrypted.")
    return f"{scheme}://{host}" if port in (None, _PORTS[scheme]) else f"{scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Check whether a `Host`, with or without a port, is this computer's loopback."""
    name = match[1].strip("[]") if (match := _HOST.fullmatch(host)) else ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(origin: str) -> str:
    """Return the `Host` that browsers send to an origin."""
    return urlsplit(origin).netloc
