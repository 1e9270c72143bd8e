"""The pages before and after the trials: consent, instructions, quiz, comment, completion code, withdrawal."""

import hashlib
import logging
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from hml.elicit.store.conflicts import StudyFullError
from hml.elicit.store.identities import read_code, read_outside_id
from hml.elicit.store.records import Person
from hml.elicit.store.withdrawal import withdraw as withdraw_person
from hml.elicit.web.quiz import make_quiz
from hml.elicit.web.sessions import Session
from hml.elicit.web.site import PAGE_OF, Site, at_stage
from hml.errors import InputError

_LOG = logging.getLogger("uvicorn.error")
_ID_PARAMETERS = ("participant", "PROLIFIC_PID", "workerId")


async def consent(request: Request) -> Response:
    """Show the consent text; people who have agreed are redirected to their current page."""
    site: Site = request.app.state.site
    session = site.sessions.read(request)
    try:  # before the person reads the text, not after
        given = [read_outside_id(request.query_params.get(name, "")) for name in _ID_PARAMETERS]
    except InputError as error:  # no link to continue: people without their id can't be paid
        return site.show("problem", 422, words=str(error), can_continue=False)
    outside_id = next(filter(None, given), "")
    person = await site.person(session)
    # On a device that two people use, the second must not be shown the first one's completion code.
    meant = await run_in_threadpool(site.store.people.find_by_id, outside_id) if outside_id else person
    if person is not None and meant is not None and meant.code == person.code:
        return RedirectResponse(PAGE_OF[person.stage], 303)
    if session.code is not None:  # another person's, or a deleted person's
        session = Session()
    return site.render("consent", session, outside_id=outside_id)


async def agree(request: Request) -> Response:
    """Enrol a person who has agreed to the current text."""
    site: Site = request.app.state.site
    session = site.sessions.read(request)
    form = await site.read_form(request, session)
    if session.code is not None:
        return RedirectResponse("/", 303)
    problem = ""
    if form.get("version") != site.store.study.consent.version:
        problem = "This text has changed since you opened the page. Please read it again."
    elif form.get("agree") != "yes":
        problem = "Please tick the box if you agree. If you don't, simply close this page."
    outside_id = read_outside_id(form.get("outside_id", ""))
    if problem:
        return site.render("consent", session, 422, outside_id=outside_id, problem=problem)
    async with site.enrolling:  # a form sent twice before its cookie arrives enrols one person
        if session.nonce not in site.enrolled:
            try:
                known = await run_in_threadpool(site.store.people.find_by_id, outside_id) if outside_id else None
                code = await run_in_threadpool(site.store.people.enrol, form["version"], outside_id or None)
            except StudyFullError:
                return site.render("full", session)
            site.enrolled[session.nonce] = Session(session.nonce, code, is_by_id=known is not None)
    response = RedirectResponse("/instructions", 303)
    site.sessions.write(response, site.enrolled[session.nonce])
    return response


@at_stage("instructions")
def instructions(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Show the instructions, with worked examples."""
    questions = make_quiz(site.store.study.task, site.store.classes)
    return site.render(
        "instructions",
        session,
        person=person,
        examples_shown=site.stimuli.examples,
        classes=site.store.classes,
        questions=len(questions),
        wrong=[question for question in questions if question.id in sent.getlist("wrong")],
    )


@at_stage("instructions")
def instructions_read(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Continue to the quiz."""
    site.store.people.advance(person.code, "quiz")
    return RedirectResponse("/quiz", 303)


@at_stage("quiz")
def quiz(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Show the quiz about the instructions."""
    return site.render("quiz", session, questions=make_quiz(site.store.study.task, site.store.classes))


@at_stage("quiz")
def quiz_answered(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Continue to the trials, or return to the instructions."""
    questions = make_quiz(site.store.study.task, site.store.classes)
    wrong = [question.id for question in questions if sent.get(question.id) != str(question.right)]
    person = site.store.people.advance(person.code, "instructions" if wrong else "trials")
    query = f"?{urlencode([('wrong', name) for name in wrong])}" if person.stage == "instructions" else ""
    return RedirectResponse(PAGE_OF[person.stage] + query, 303)


@at_stage("comment")
def comment(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Ask for a free comment."""
    return site.render("comment", session, person=person)


@at_stage("comment", "done")
def comment_written(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Store the comment and finish, if the browser has as many receipts as the server has answers."""
    if sent.get("claimed") != str(person.answered):
        problem = (
            f"The server has {person.answered} of your answers, and this browser has receipts for "
            f"{sent.get('claimed', 'none')[:10]}. Please tell the researchers before you continue."
        )
        return site.render("comment", session, 409, person=person, problem=problem)
    text = sent.get("comment", "").replace("\r\n", "\n").strip()
    # The id is a hash of the text: a second tab's comment is stored too, unless it has the same text.
    site.store.people.comment(person.code, text, hashlib.sha256(text.encode()).hexdigest())
    site.store.people.complete(person.code, person.answered)
    return RedirectResponse("/done", 303)


@at_stage("done")
def done(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Show the completion code."""
    code = site.store.people.complete(person.code, person.answered)
    return_url = site.store.study.return_address(code, site.store.people.outside_id(person.code))
    return site.render("done", session, person=person, completion_code=code, return_url=return_url)


@at_stage(*PAGE_OF)
def withdraw(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Ask for confirmation before all data about a person are deleted."""
    return site.render("withdraw", session, person=person, back=PAGE_OF[person.stage])


@at_stage(*PAGE_OF)
def withdrawn(site: Site, session: Session, person: Person, sent: QueryParams) -> Response:
    """Delete all data about a person."""
    problem = ""
    if sent.get("sure") != "yes":
        problem = "Tick the box to delete your answers, or go back."
    elif session.is_by_id and read_code(sent.get("code", "")) != person.code:
        problem = "This is not your withdrawal code: copy it from the browser where you began, or ask the researchers."
    if problem:
        back = PAGE_OF[person.stage]
        return site.render("withdraw", session, 422, person=person, back=back, problem=problem)
    for path in withdraw_person(site.store.folder, person.code):
        _LOG.warning("Somebody has withdrawn. This backup is missing, moved or damaged, and may contain them: %s", path)
    return site.render("withdrawn", Session())


ROUTES = [
    Route("/", consent),
    Route("/", agree, methods=["POST"]),
    Route("/instructions", instructions),
    Route("/instructions", instructions_read, methods=["POST"]),
    Route("/quiz", quiz),
    Route("/quiz", quiz_answered, methods=["POST"]),
    Route("/comment", comment),
    Route("/comment", comment_written, methods=["POST"]),
    Route("/done", done),
    Route("/withdraw", withdraw),
    Route("/withdraw", withdrawn, methods=["POST"]),
]
