"""The researcher's page, protected by a token: coverage, pace, agreement, quality and comments."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hml.elicit.research.overview import overview
from hml.elicit.web.site import Site, read_fields


def show(request: Request) -> Response:
    """Show the page to a browser with the token or an admitted session. The address is stripped of the token."""
    site: Site = request.app.state.site
    if (token := request.query_params.get("token")) is not None:
        return _admit(site, token)
    if not site.sessions.is_researcher(request):
        return site.show("token", 403)
    seen = overview(site.store)
    pairs = seen.coverage.by_class_pair.values()
    failure = None if site.refresher is None else site.refresher.failure
    return site.show(
        "researcher", fewest_in_pair=min(pairs), most_in_pair=max(pairs), refresh_failure=failure, **vars(seen)
    )


async def log_in(request: Request) -> Response:
    """Read the token from the page's own form."""
    form = await read_fields(request)
    return _admit(request.app.state.site, form.get("token", "").strip())


def _admit(site: Site, token: str) -> Response:
    if not site.sessions.is_token(token):
        return site.show("token", 403, problem="This is not the token that `hml elicit serve` printed.")
    response = RedirectResponse("/researcher", 303)
    site.sessions.admit_researcher(response)
    return response


ROUTES = [Route("/researcher", show), Route("/researcher", log_in, methods=["POST"])]
"""The form needs no CSRF token: other sites can't guess the researcher's token, and a wrong one has no effect."""
