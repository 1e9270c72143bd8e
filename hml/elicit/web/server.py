"""Runs the app with uvicorn, which logs neither who asked nor what for: addresses and ids are in both."""

import socket

import uvicorn
from starlette.types import ASGIApp

from hml.errors import StorageError


def listen(host: str, port: int) -> socket.socket:
    """Take a port of this machine; 0 takes any that is free.

    Raises:
        StorageError: another program has it, or the address isn't this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StorageError(f"Can't serve at {host}:{port}: {error.strerror}. Give another --port.") from error
    listener.listen(1024)
    return listener


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Make the server; setting its `should_exit` ends it, and what is under way is finished first."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # which would put people's addresses where they can be kept
        timeout_graceful_shutdown=5,
        lifespan="off",
    )
    return uvicorn.Server(config)
