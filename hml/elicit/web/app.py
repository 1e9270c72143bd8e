"""The app: its routes, middleware and error pages."""

import logging

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from hml.elicit.refresh import Refresher
from hml.elicit.stimuli import Stimuli
from hml.elicit.store.conflicts import ConflictError
from hml.elicit.store.store import Store
from hml.elicit.tasks import GRID, TASKS
from hml.elicit.web import pages, researcher, trials
from hml.elicit.web.addresses import read_origin
from hml.elicit.web.guards import BodyLimit, LoadLimit, OriginCheck, SecurityHeaders
from hml.elicit.web.images import ImageNames
from hml.elicit.web.sessions import Sessions
from hml.elicit.web.site import HERE, Site, load_templates
from hml.errors import HmlError, InputError

MAX_BODY = 64 * 1024  # a comment of 4,000 characters, nine bytes each in a form
MAX_WAITING = 40  # the number of threads that serve them

_LOG = logging.getLogger("uvicorn.error")


def create_app(
    store: Store,
    stimuli: Stimuli,
    *,
    token: str,
    base_url: str | None = None,
    max_waiting: int = MAX_WAITING,
    refresher: Refresher | None = None,
) -> Starlette:
    """Create the app that serves one study.

    Args:
        store: The study and its answers.
        stimuli: The images.
        token: The token for the researcher's page.
        base_url: The public address, as `read_origin` expects it; by default only this machine's loopback is served.
        max_waiting: The maximum number of concurrent requests; others get status 429.
        refresher: Adds images while the study runs. The researcher's page shows its failures.
    """
    origin = None if base_url is None else read_origin(base_url)
    templates = load_templates()
    weights = GRID if TASKS[store.study.task].shows_grid else ()
    site = Site(
        store=store,
        stimuli=stimuli,
        sessions=Sessions(store.folder.key.derive("session"), (origin or "").startswith("https://"), token),
        images=ImageNames(store.folder.key.derive("images"), [*store.stimuli, *stimuli.examples], weights),
        templates=templates,
        refresher=refresher,
    )
    assets = Mount(f"/static/{templates.globals['version']}", _Assets(directory=HERE / "static"))
    app = Starlette(
        routes=[*pages.ROUTES, *trials.ROUTES, *researcher.ROUTES, assets],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(OriginCheck, origin=origin),
            Middleware(BodyLimit, max_bytes=MAX_BODY),
            Middleware(LoadLimit, max_waiting=max_waiting),
        ],
        exception_handlers={
            HTTPException: _reject,
            ClientDisconnect: _left,
            ConflictError: _object,
            InputError: _object,
            HmlError: _unavailable,
        },
    )
    app.state.site = site
    return app


class _Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


async def _reject(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = "There is no such page." if error.status_code == 404 else error.detail
    return _explain(request, error.status_code, words, dict(error.headers or {}))


async def _object(request: Request, error: Exception) -> Response:
    """Report what is wrong with a request."""
    return _explain(request, 409 if isinstance(error, ConflictError) else 422, str(error), {})


async def _unavailable(request: Request, error: Exception) -> Response:
    """Ask the browser to repeat a request that failed because of the disk. It has kept the content."""
    _LOG.error("%s", error)
    return _explain(request, 503, "The study can't store answers at the moment.", {"Retry-After": "5"})


async def _left(request: Request, error: Exception) -> Response:
    """Handle a connection that was lost while a request was read. The browser repeats it."""
    return Response(status_code=400)


def _explain(request: Request, status: int, words: str, headers: dict[str, str]) -> Response:
    if "json" in request.headers.get("content-type", ""):
        return JSONResponse({"message": words}, status, headers)
    site: Site = request.app.state.site
    response = site.show("problem", status, words=words, can_continue=True)
    response.headers.update(headers)
    return response
