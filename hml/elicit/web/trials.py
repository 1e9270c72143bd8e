"""The trials: the image and its questions, and the receipt for an answer."""

import json

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hml.elicit.store.conflicts import StudyFullError
from hml.elicit.store.records import Person
from hml.elicit.tasks import TASKS
from hml.elicit.web.sessions import Session
from hml.elicit.web.site import Site, at_stage
from hml.elicit.web.sizes import size_styles
from hml.errors import InputError
from hml.files.strict_json import parse_json


@at_stage("trials")
def trial(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Show a person's current image: the same one until it is answered."""
    try:
        shown = site.store.trials.next(person.code)
    except StudyFullError:
        return site.render("full", session)
    if shown is None:  # no trial is left for this person, and the store has set their next stage
        return RedirectResponse("/", 303)
    site.images.add([shown.stimulus])  # which may have been added after the server was started
    classes = site.store.classes
    left, right = (classes[endpoint.label] for endpoint in shown.sides)
    return site.render(
        "trial",
        session,
        trial=shown,
        prompt=TASKS[site.store.study.task].prompt,
        left=left,
        right=right,
        class_names=sorted(classes, key=str.casefold, reverse=shown.swapped),
    )


async def answer(request: Request) -> Response:
    """Store an answer, and return the receipt once it is on disk."""
    site: Site = request.app.state.site
    session = site.sessions.read(request)
    site.check_token(session, request.headers.get("x-csrf-token"))
    if (person := await site.person(session)) is None:
        return JSONResponse({"message": "You are no longer taking part."}, 401)
    sent = _read(await request.body())
    receipt = await run_in_threadpool(site.store.trials.answer, person.code, *sent)
    return JSONResponse({"client_id": receipt.client_id, "trial_id": receipt.trial_id, "count": receipt.count})


def _read(body: bytes) -> tuple[str, str, dict[str, object], float]:
    """Read an answer as `trial.js` sends it; raise an InputError if it is invalid."""
    try:
        content = parse_json(body)
        json.dumps(content, ensure_ascii=False).encode()  # fails on lone surrogates, which are not valid UTF-8
    except ValueError as error:
        raise InputError(f"This answer is not JSON: {error}.") from error
    match content:
        case {
            "trial_id": str(trial),
            "client_id": str(client),
            "answer": dict(said),
            "reaction_ms": int() | float() as ms,
        }:
            return trial, client, said, ms
    raise InputError("An answer must have a trial_id, a client_id, an answer and a reaction_ms.")


def sizes(request: Request) -> Response:
    """Return the images' sizes as custom properties of CSS, for the boxes that pages use."""
    height, width = request.app.state.site.stimuli.images.shape[2:]
    return Response(size_styles(width, height), media_type="text/css", headers={"Cache-Control": "no-cache"})


def image(request: Request) -> Response:
    """Return an image."""
    site: Site = request.app.state.site
    found = site.images.find(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    content = site.stimuli.png(*found)
    return Response(content, media_type="image/png", headers={"Cache-Control": "private, max-age=86400, immutable"})


ROUTES = [
    Route("/trial", trial),
    Route("/answer", answer, methods=["POST"]),
    Route("/image/{name}.png", image),
    Route("/static/sizes.css", sizes),
]
