"""What stands before every page: which addresses are served, how large a request may be, how many at a time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass
class SecurityHeaders:
    """Sends headers along that let a page load and run nothing but the server's own assets; pages aren't kept."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


@dataclass
class OriginCheck:
    """Answers only at the server's own address, and takes only what its own pages send.

    A name that is made to point at this machine (DNS rebinding) has another `Host`; another site's form has another
    `Origin`.
    """

    app: ASGIApp
    origin: str | None  # the server's, as `read_origin` returns it; None: whatever port of this machine's loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "").lower()
            origin = self.origin or f"http://{host}"
            if not (is_loopback(host) if self.origin is None else host == host_of(origin)):
                refusal = PlainTextResponse("This study isn't served under this address.", 421)
                return await refusal(scope, receive, send)
            if scope["method"] not in _READS and headers.get("origin", "").lower() != origin:
                refusal = PlainTextResponse("This was not sent by one of the study's own pages.", 403)
                return await refusal(scope, receive, send)
        return await self.app(scope, receive, send)


@dataclass
class BodyLimit:
    """Reads bodies whole before anything else has to do with them, and rejects those that are too large or too slow."""

    app: ASGIApp
    max_bytes: int  # larger than any answer or comment is
    max_seconds: float = 20  # for a body to arrive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse to read it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > self.max_bytes:
            return await PlainTextResponse("This is too large.", 413)(scope, receive, send)
        messages: list[Message] = []
        read = 0
        try:
            async with asyncio.timeout(self.max_seconds):
                while not messages or messages[-1].get("more_body"):
                    messages.append(await receive())
                    read += len(messages[-1].get("body", b""))
                    if read > self.max_bytes:  # sent in chunks, without a length
                        return await PlainTextResponse("This is too large.", 413)(scope, receive, send)
        except TimeoutError:
            refusal = PlainTextResponse("This took too long to arrive.", 408, {"Connection": "close"})
            return await refusal(scope, receive, send)

        async def receive_again() -> Message:
            return messages.pop(0) if messages else await receive()

        return await self.app(scope, receive_again, send)


@dataclass
class LoadLimit:
    """Asks whoever comes while too many wait to come again, so that none of them waits until they give up."""

    app: ASGIApp
    max_waiting: int  # requests at a time
    waiting: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or ask for it again."""
        if scope["type"] != "http" or scope["path"].startswith(_LIGHT):
            return await self.app(scope, receive, send)
        if self.waiting >= self.max_waiting:
            return await _busy(scope)(scope, receive, send)
        self.waiting += 1
        try:
            return await self.app(scope, receive, send)
        finally:
            self.waiting -= 1


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
