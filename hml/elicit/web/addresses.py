"""The addresses that a study is served at."""

import ipaddress
import re
from urllib.parse import urlsplit

from hml.errors import InputError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_ADDRESS = re.compile(rf"(https?)://{_HOST.pattern}/?")
_PORTS = {"http": "80", "https": "443"}


def read_origin(base_url: str) -> str:
    """Read a public address as browsers say it in `Origin`: in small letters, without a slash or its scheme's own port.

    Raises:
        InputError: it isn't an address of scheme and host alone, or other computers would send sessions in the clear.

    Example:
        >>> read_origin("https://Study.example.org:443/")
        'https://study.example.org'
    """
    if (match := _ADDRESS.fullmatch(base_url.lower())) is None:
        raise InputError(f"base_url={base_url!r} must be like https://study.example.org, without a path.")
    scheme, host, port = match.groups()
    if scheme == "http" and not is_loopback(host):
        raise InputError(f"base_url={base_url!r} must start with https://: over http anybody on the way reads along.")
    return f"{scheme}://{host}" if port in (None, _PORTS[scheme]) else f"{scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Check whether a `Host`, with or without a port, is only this computer."""
    name = match[1].strip("[]") if (match := _HOST.fullmatch(host)) else ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(origin: str) -> str:
    """Return what browsers say in `Host` to an origin."""
    return urlsplit(origin).netloc
