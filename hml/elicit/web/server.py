"""Runs the app with uvicorn, without an access log: it would contain network addresses and ids."""

import socket

import uvicorn
from starlette.types import ASGIApp

from hml.errors import StorageError


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port of this machine; 0 chooses a free one.

    Raises:
        StorageError: another program uses the port, or the address isn't this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StorageError(f"Can't serve at {host}:{port}: {error.strerror}. Choose another --port.") from error
    listener.listen(1024)
    return listener


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Create the server. Setting its `should_exit` stops it after the current requests."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # they contain people's network addresses
        timeout_graceful_shutdown=5,
        lifespan="off",
    )
    return uvicorn.Server(config)
