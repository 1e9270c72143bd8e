"""Middleware of all pages: which hosts are served, how large requests may be, and how many at a time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hml.elicit.web.addresses import host_of, is_loopback

_LIGHT = ("/static/", "/image/")  # they need no disk, and pages don't work without them
_READS = ("GET", "HEAD")
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with it, browsers send `Origin: null` with a site's own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass
class SecurityHeaders:
    """Adds headers that let pages load and run only the server's own assets, and keep pages out of caches."""

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
    """Accepts only requests to the server's own address, and forms only from its own pages.

    Another name that points to this machine (DNS rebinding) has another `Host`. Another site's form has another
    `Origin`.
    """

    app: ASGIApp
    origin: str | None  # the server's, as `read_origin` returns it; None: any port of this machine's loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or reject it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "").lower()
            origin = self.origin or f"http://{host}"
            if not (is_loopback(host) if self.origin is None else host == host_of(origin)):
                rejection = PlainTextResponse("This study isn't served at this address.", 421)
                return await rejection(scope, receive, send)
            if scope["method"] not in _READS and headers.get("origin", "").lower() != origin:
                rejection = PlainTextResponse("This was not sent by one of the study's own pages.", 403)
                return await rejection(scope, receive, send)
        return await self.app(scope, receive, send)


@dataclass
class BodyLimit:
    """Reads whole bodies before anything else handles them, and rejects those that are too large or too slow."""

    app: ASGIApp
    max_bytes: int  # larger than any answer or comment is
    max_seconds: float = 20  # for a body to arrive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or reject it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > self.max_bytes:
            return await PlainTextResponse("The request is too large.", 413)(scope, receive, send)
        messages: list[Message] = []
        read = 0
        try:
            async with asyncio.timeout(self.max_seconds):
                while not messages or messages[-1].get("more_body"):
                    messages.append(await receive())
                    read += len(messages[-1].get("body", b""))
                    if read > self.max_bytes:  # sent in chunks, without a length
                        return await PlainTextResponse("The request is too large.", 413)(scope, receive, send)
        except TimeoutError:
            rejection = PlainTextResponse("The request took too long to arrive.", 408, {"Connection": "close"})
            return await rejection(scope, receive, send)

        async def receive_again() -> Message:
            return messages.pop(0) if messages else await receive()

        return await self.app(scope, receive_again, send)


@dataclass
class LoadLimit:
    """Limits the number of concurrent requests, and asks browsers to repeat the others a little later."""

    app: ASGIApp
    max_waiting: int  # requests at a time
    waiting: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or ask the browser to repeat it."""
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
    words = "Many people are answering at the moment."
    headers = {"Retry-After": "1"}
    if "json" in Headers(scope=scope).get("content-type", ""):
        return JSONResponse({"message": words}, 429, headers)
    if scope["method"] in _READS:
        words, headers = f"{words} This page reloads automatically.", headers | {"Refresh": "2"}
    else:
        words = f"{words} Please go back, and send it again."
    viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    page = f'<!doctype html><html lang="en">{viewport}<title>One moment</title><p>{words}</p>'
    return HTMLResponse(page, 429, headers)
