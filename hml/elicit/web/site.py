"""What every page needs: the study, the store, the images, sessions and templates."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hml.elicit.refresh import Refresher
from hml.elicit.stimuli import Stimuli
from hml.elicit.store.records import Person
from hml.elicit.store.store import Store
from hml.elicit.web.images import ImageNames
from hml.elicit.web.quiz import in_sentence
from hml.elicit.web.sessions import Session, Sessions

HERE = Path(__file__).parent
PAGE_OF = {"instructions": "/instructions", "quiz": "/quiz", "trials": "/trial", "comment": "/comment", "done": "/done"}
"""The page of each stage."""


@dataclass(frozen=True)
class Site:
    """One study being served."""

    store: Store
    stimuli: Stimuli
    sessions: Sessions
    images: ImageNames
    templates: jinja2.Environment
    refresher: Refresher | None = None  # adds images while the study runs
    enrolling: asyncio.Lock = field(default_factory=asyncio.Lock)  # held while a person is enrolled
    enrolled: dict[str, Session] = field(default_factory=dict)  # sessions that agreed since the start, by nonce

    def show(self, template: str, status: int = 200, **context: object) -> Response:
        """Render a page without changing the session."""
        defaults = {"study": self.store.study, "has_person": False, "problem": ""}
        page = self.templates.get_template(f"{template}.html.jinja").render(defaults | context)
        return HTMLResponse(page, status)

    def render(self, template: str, session: Session, status: int = 200, **context: object) -> Response:
        """Render a page, and set its session."""
        height, width = self.stimuli.images.shape[2:]
        response = self.show(
            template,
            status,
            width=width,
            height=height,
            csrf=self.sessions.csrf(session),
            # Distinguishes the answers of people who share a device, without naming them.
            owner=hashlib.sha256((session.code or session.nonce).encode()).hexdigest()[:16],
            has_person=session.code is not None,
            withdrawal_code=None if session.is_by_id else session.code,
            image=self.images.address,
            **context,
        )
        self.sessions.write(response, session)
        return response

    async def person(self, session: Session) -> Person | None:
        """Look up a session's person; None if they haven't agreed, or have withdrawn."""
        if session.code is None:
            return None
        return await run_in_threadpool(self.store.people.find, session.code)

    async def read_form(self, request: Request, session: Session) -> QueryParams:
        """Read a form of one of the session's own pages; raise an HTTPException if it isn't one."""
        form = await read_fields(request)
        self.check_token(session, form.get("csrf"))
        return form

    def check_token(self, session: Session, token: object) -> None:
        """Raise an HTTPException if a request wasn't sent by one of the session's own pages."""
        if not self.sessions.is_own_form(session, token):
            raise HTTPException(
                403,
                "This page is no longer valid. Reload it, and send it again. "
                "If that does not help, allow this site's cookies in your browser.",
            )


async def read_fields(request: Request) -> QueryParams:
    """Read a form's fields; raise an HTTPException if they can't be read."""
    try:
        return QueryParams((await request.body()).decode())
    except UnicodeDecodeError as error:
        raise HTTPException(400, "This form can't be read.") from error


Handler = Callable[[Site, Session, Person, QueryParams], Response]
"""Returns a page for a form's fields or a URL's parameters. It runs in a thread."""


def at_stage(*stages: str) -> Callable[[Handler], Callable[[Request], Awaitable[Response]]]:
    """Show a page only to people at these stages; redirect others to their current page."""

    def wrap(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            site: Site = request.app.state.site
            session = site.sessions.read(request)
            person = await site.person(session)
            if person is None:
                return RedirectResponse("/", 303)
            if person.stage not in stages:
                return RedirectResponse(PAGE_OF[person.stage], 303)
            sent = await site.read_form(request, session) if request.method == "POST" else request.query_params
            return await run_in_threadpool(handler, site, session, person, sent)

        return handle

    return wrap


def load_templates() -> jinja2.Environment:
    """Load the templates. Undefined names raise an error, and everything is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["paragraphs"] = lambda text: [part.strip() for part in text.split("\n\n") if part.strip()]
    environment.filters["in_sentence"] = in_sentence
    # A new version of an asset has a new address, so that browsers may cache assets permanently.
    assets = sorted((HERE / "static").iterdir())
    environment.globals["version"] = hashlib.sha256(b"".join(path.read_bytes() for path in assets)).hexdigest()[:12]
    return environment
