"""What stands before every page: which addresses are served, how large a request may be, how many at a time."""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hml.elicit.web.addresses import host_of, is_loopback

_LIGHT = ("/static/", "/image/")  # they touch no disk, and a page that lacks one is broken
_READS = ("GET", "HEAD")
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer, with which browsers send `Origin: null` along with a form of one's own.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityHeaders:
    """Sends headers along that let a page load and run nothing but the server's own assets; pages aren't kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class OriginCheck:
    """Answers only at the server's own address, and takes only what its own pages send.

    A name that is made to point at this machine (DNS rebinding) has another `Host`; another site's form has another
    `Origin`.

    Args:
        app: What answers.
        origin: The server's, as `read_origin` returns it; by default, whatever port of this machine's loopback.
    """

    def __init__(self, app: ASGIApp, origin: str | None) -> None:
        self._app = app
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "").lower()
            origin = self._origin or f"http://{host}"
            if not (is_loopback(host) if self._origin is None else host == host_of(origin)):
                refusal = PlainTextResponse("This study isn't served under this address.", 421)
                return await refusal(scope, receive, send)
            if scope["method"] not in _READS and headers.get("origin", "").lower() != origin:
                refusal = PlainTextResponse("This was not sent by one of the study's own pages.", 403)
                return await refusal(scope, receive, send)
        return await self._app(scope, receive, send)


class BodyLimit:
    """Reads bodies whole before anything else has to do with them, and refuses those that are too large or too slow.

    Args:
        app: What answers.
        max_bytes: Larger than any answer or comment is.
        max_seconds: For a body to arrive.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_seconds: float = 20) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse to read it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_bytes:
            return await PlainTextResponse("This is too large.", 413)(scope, receive, send)
        messages: list[Message] = []
        read = 0
        try:
            async with asyncio.timeout(self._max_seconds):
                while not messages or messages[-1].get("more_body"):
                    messages.append(await receive())
                    read += len(messages[-1].get("body", b""))
                    if read > self._max_bytes:  # sent in chunks, without a length
                        return await PlainTextResponse("This is too large.", 413)(scope, receive, send)
        except TimeoutError:
            refusal = PlainTextResponse("This took too long to arrive.", 408, {"Connection": "close"})
            return await refusal(scope, receive, send)

        async def receive_again() -> Message:
            return messages.pop(0) if messages else await receive()

        return await self._app(scope, receive_again, send)


class LoadLimit:
    """Asks whoever comes while too many wait to come again, so that none of them waits until they give up.

    Args:
        app: What answers.
        max_waiting: Requests at a time.
    """

    def __init__(self, app: ASGIApp, max_waiting: int) -> None:
        self._app = app
        self._max_waiting = max_waiting
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or ask for it again."""
        if scope["type"] != "http" or scope["path"].startswith(_LIGHT):
            return await self._app(scope, receive, send)
        if self._waiting >= self._max_waiting:
            return await _busy(scope)(scope, receive, send)
        self._waiting += 1
        try:
            return await self._app(scope, receive, send)
        finally:
            self._waiting -= 1


def _busy(scope: Scope) -> Response:
    words = "Many people are answering at this moment."
    headers = {"Retry-After": "1"}
    if "json" in Headers(scope=scope).get("content-type", ""):
        return JSONResponse({"message": words}, 429, headers)
    if scope["method"] in _READS:
        words, headers = f"{words} This page tries again by itself.", headers | {"Refresh": "2"}
    else:
        words = f"{words} Please go back, and send it once more."
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    page = f'<!doctype html><html lang="en">{viewport}<title>One moment</title><p>{words}</p>'
    return HTMLResponse(page, 429, headers)
