"""A person's whole way through `hml elicit serve`, in a real browser."""

import re
from contextlib import closing

import pytest
import yaml

from hml.elicit.research.export import export_answers
from hml.elicit.research.overview import overview
from hml.elicit.store.answers import read_answers
from hml.elicit.store.folder import StudyFolder
from hml.elicit.store.people import read_people
from hml.judgements import CIFAR10, read_hmix
from tests.elicit.people import answer_all, start
from tests.elicit.web.serving import make_study, serve, serve_by_command
from tests.processes import OUTPUT

STUDY = {
    "name": "session",
    "title": "What do you see?",
    "task": "rate_mixture",
    "images": "tests.elicit.sources.Textures",
    "stimuli": {"per_class_pair": 1, "lambdas": [0.25, 0.5, 0.75]},
    "people_per_image": 3,
    "trials": 5,
    "repeats": 2,
    "consent": {"version": "7", "text": "Please read this.\n\nIt has <two> paragraphs."},
    "instructions": "Say what others would see.",
    "return_url": "https://example.org/back?code={completion_code}",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve a study by the command that researchers use; the address, the researcher's, and the folder."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    flags = ["--study", str(folder / "study.yaml"), "--folder", str(folder / "study")]
    with serve_by_command(folder, *flags) as (process, printed):
        researchers = re.search(r"http\S+token=\S+", printed)[0]
        yield researchers.partition("/researcher")[0], researchers, folder / "study"
        process.terminate()
        process.join(60)
        assert (folder / OUTPUT).read_text() == printed  # neither addresses nor errors were logged


@pytest.fixture
def served_study(serve_study):
    return serve_study()


def export(folder, path):
    with closing(StudyFolder(folder)) as opened:
        export_answers(opened, path)
    return read_hmix(path, cohort="all")


def test_a_whole_session_is_exported_as_it_was_answered(visit, served, tmp_path):
    base, _, folder = served
    said = []
    with visit(base, "phone", clock=True) as visitor:
        page = visitor.page
        page.goto(base)
        assert page.get_by_text("It has <two> paragraphs.").is_visible()
        visitor.look("desktop")
        page.get_by_role("button", name="Begin").click()  # without a tick, the browser refuses
        assert page.url == f"{base}/"
        visitor.agree(f"?participant={7:024x}")
        visitor.look("desktop")
        visitor.press("I have read this", "/quiz")
        visitor.look("desktop")
        visitor.answer_quiz("rate_mixture", right=False)
        assert page.get_by_role("alert").get_by_text("Wrong: “Whose answer are you asked for?”").is_visible()
        visitor.look("desktop")
        visitor.press("I have read this", "/quiz")
        visitor.answer_quiz("rate_mixture")

        # A reload in the middle keeps the image and what was entered.
        visitor.look("desktop")
        shown = page.locator(".picture img").get_attribute("src")
        said.append(visitor.rate(0.2, 0.9))
        page.reload()
        assert page.locator(".picture img").get_attribute("src") == shown
        assert page.locator(".classes strong").all_text_contents() == list(said[0][:2])  # on the same sides
        assert page.locator("[name=mixingcoeff]").input_value() == str(said[0][2])
        visitor.go_on()

        # Ten minutes without a connection.
        visitor.is_at(2)
        said.append(visitor.rate(0.8, 0.3))
        visitor.context.set_offline(True)
        visitor.go_on()
        page.get_by_text("No connection. Your answer is kept").wait_for()
        page.clock.run_for("10:00")
        assert page.get_by_role("heading", name="Image 2 of 7").is_visible()
        visitor.look("desktop")
        visitor.context.set_offline(False)
        page.clock.run_for("00:30")
        page.clock.resume()

        # A reload while the answer waits to be sent.
        visitor.is_at(3)
        said.append(visitor.rate(0.5, 0.5))
        page.route("**/answer", lambda route: route.abort())
        visitor.go_on()
        page.get_by_text("No connection. Your answer is kept").wait_for()
        page.unroute("**/answer")
        page.reload()

        # A double click.
        visitor.is_at(4)
        said.append(visitor.rate(0.1, 0.1))
        page.locator("button.primary").dblclick()

        # "Back", after which the trial is still the same one.
        visitor.is_at(5)
        page.goto(f"{base}/withdraw")
        page.go_back()
        visitor.is_at(5)
        said.append(visitor.rate(0.6, 0.7))
        visitor.go_on()
        for number in (6, 7):
            visitor.is_at(number)
            said.append(visitor.rate(0.3, 0.8))
            visitor.go_on()

        page.wait_for_url("**/comment")
        visitor.look("desktop")
        page.get_by_label("Is there anything").fill("All well.")
        page.reload()
        assert page.get_by_label("Is there anything").input_value() == "All well."
        page.get_by_role("button", name="Finish").dblclick()
        page.wait_for_url("**/done")
        visitor.look("desktop")
        code = page.locator("#completion-code").text_content()
        page.reload()
        assert page.locator("#completion-code").text_content() == code
        link = page.get_by_role("link", name="Go back to where").get_attribute("href")
        assert link == f"https://example.org/back?code={code}"
        visitor.page.goto(f"{base}/")  # who comes again is told the same
        assert visitor.page.url == f"{base}/done"

        judgements = export(folder, tmp_path / "judgements.csv")
        subject = judgements[-1].annotator
        theirs = [judgement for judgement in judgements if judgement.annotator == subject]
        read = []
        for judgement in theirs:
            first, second = (CIFAR10[end.label] for end in judgement.stimulus.endpoints)
            share = round(100 * judgement.lambda_h)
            read.append(({first: share, second: 100 - share}, round(100 * judgement.omega)))
        assert read == [({left: 100 - mix, right: mix}, sure) for left, right, mix, sure in said]
        assert {left < right for left, right, _, _ in said} == {True, False}  # both classes were at the left
        assert [judgement.is_repeat for judgement in theirs] == 5 * [False] + 2 * [True]

        page.goto(f"{base}/withdraw")
        visitor.look("desktop")
        assert page.evaluate("Object.keys(localStorage).length") > 0
        page.get_by_label("Yes, delete").check()
        visitor.press("Delete and leave", "/withdraw")
        page.get_by_role("heading", name="You have withdrawn").wait_for()
        kept = "[...Object.keys(localStorage), ...Object.keys(sessionStorage)]"
        assert page.evaluate(kept) == []
        page.goto(base)
        assert page.get_by_role("heading", name="Before you begin").is_visible()


def test_the_researchers_page_needs_the_token(visit, served):
    base, researchers, _ = served
    with visit(base) as visitor:
        visitor.page.goto(f"{base}/researcher")
        assert visitor.page.get_by_role("heading", name="For researchers").is_visible()
        visitor.look()
        visitor.page.goto(researchers)
        assert visitor.page.url == f"{base}/researcher"  # no token in the history
        assert visitor.page.get_by_role("heading", name="Progress of the study").is_visible()
        visitor.look()
    with visit(base, "phone") as visitor:
        visitor.page.goto(researchers)
        visitor.look()


OLD_BROWSER = """
delete AbortSignal.timeout; delete AbortSignal.any; delete window.structuredClone; delete Object.hasOwn;
delete crypto.__proto__.randomUUID; delete HTMLElement.prototype.inert; delete Promise.any;
for (const kind of [Array, String]) for (const name of ["at", "replaceAll", "findLast", "toSorted", "with"])
  delete kind.prototype[name];
"""


def test_a_browser_of_2020_takes_part(visit, served_study):
    with visit(served_study.base) as visitor:
        visitor.page.add_init_script(OLD_BROWSER)
        visitor.start("rate_mixture")
        visitor.rate(0.2, 0.8)
        visitor.page.route("**/answer", lambda route: route.abort())
        visitor.go_on()
        visitor.page.get_by_text("No connection. Your answer is kept").wait_for()
        visitor.page.unroute("**/answer")
        visitor.page.reload()
        for number in range(2, 6):
            visitor.is_at(number)
            visitor.rate(0.2, 0.8)
            visitor.go_on()
        visitor.page.wait_for_url("**/comment")
        visitor.press("Finish", "/done")
        assert overview(served_study.store).pace.finished == 1


def test_an_answer_that_the_server_never_gives_is_waited_for_20_seconds(visit, served_study):
    with visit(served_study.base, clock=True) as visitor:
        page = visitor.page
        visitor.start_at_trial(served_study)
        visitor.is_at(1)
        visitor.rate(0.2, 0.8)
        page.route("**/answer", lambda route: None)
        visitor.go_on()
        page.get_by_role("button", name="Saving").wait_for()
        page.clock.run_for("00:15")
        assert page.locator("#status").text_content() == ""
        page.unroute("**/answer")
        page.clock.run_for("00:10")
        visitor.is_at(2)


def test_two_tabs_with_one_image_give_one_answer(visit, tmp_path):
    with serve(tmp_path, make_study()) as served, visit(served.base) as visitor:
        visitor.start_at_trial(served)
        second = visitor.open_tab()
        second.goto(f"{served.base}/trial")
        visitor.rate(0.2, 0.8)
        visitor.go_on()
        visitor.is_at(2)
        visitor.page = second
        visitor.rate(0.9, 0.8)
        visitor.go_on()
        visitor.is_at(2)  # the first answer stands, and this tab goes on
        assert second.get_by_text("has an answer already").is_visible()
        assert overview(served.store).pace.answers == 1


def test_an_answer_outlives_a_busy_server_and_a_lost_receipt(visit, tmp_path):
    with serve(tmp_path, make_study()) as served, visit(served.base) as visitor:
        visitor.start_at_trial(served)
        page = visitor.page
        asked = []

        def trouble(route):
            asked.append(route.request.post_data)
            match len(asked):
                case 1:
                    route.fulfill(status=429, headers={"Retry-After": "1"}, body="{}")
                case 2:
                    route.fulfill(status=503, body="")
                case 3:
                    route.fetch()  # it arrives, and its receipt doesn't
                    route.abort()
                case _:
                    route.continue_()

        page.route("**/answer", trouble)
        visitor.rate(0.2, 0.8)
        visitor.go_on()
        page.get_by_text("The study is busy").wait_for()
        visitor.is_at(2)
        assert len(asked) == 4
        assert len(set(asked)) == 1
        assert overview(served.store).pace.answers == 1


def test_an_answer_is_kept_until_the_study_itself_has_given_the_receipt(visit, tmp_path):
    with serve(tmp_path, make_study()) as served, visit(served.base) as visitor:
        visitor.start_at_trial(served)
        page, bodies = visitor.page, ["<h1>Log in to the hotel's network</h1>", '{"client_id": "another"}']
        page.route(
            "**/answer", lambda route: route.fulfill(status=200, body=bodies.pop()) if bodies else route.continue_()
        )
        visitor.rate(0.2, 0.8)
        visitor.go_on()
        page.get_by_text("Another page answered instead of the study").wait_for()
        assert overview(served.store).pace.answers == 0
        page.reload()
        visitor.is_at(2)
        assert bodies == []
        assert overview(served.store).pace.answers == 1


# The headers of one response arrive and its text doesn't, as where the 20 seconds end in between.
BREAK_OFF = """path => {
  const { text } = Response.prototype;
  Response.prototype.text = function () {
    if (new URL(this.url).pathname !== path) return text.call(this);
    Response.prototype.text = text;
    return Promise.reject(new DOMException("", "AbortError"));
  };
}"""


@pytest.mark.parametrize("path", ["/answer", "/trial"])
def test_a_response_that_breaks_off_is_requested_again(visit, served_study, path):
    with visit(served_study.base) as visitor:
        visitor.start_at_trial(served_study)
        visitor.page.evaluate(BREAK_OFF, path)
        visitor.rate(0.2, 0.8)
        visitor.go_on()
        visitor.is_at(2)
        assert visitor.page.evaluate("Response.prototype.text.name") == "text"  # it did break off
        assert overview(served_study.store).pace.answers == 1


def test_nobody_answers_an_image_that_hasnt_arrived(visit, tmp_path):
    with serve(tmp_path, make_study()) as served, visit(served.base) as visitor:
        page = visitor.page
        visitor.agree()
        visitor.press("I have read this", "/quiz")
        page.route("**/image/*", lambda route: route.abort())
        visitor.answer_quiz("rate_mixture")
        page.get_by_text("The image hasn't arrived yet.").wait_for()
        assert page.get_by_role("button", name="Continue").is_disabled()
        page.unroute("**/image/*")
        visitor.is_at(1)
        assert page.locator(".picture img").evaluate("image => image.naturalWidth") == 32
        assert page.locator("#status").text_content() == ""


def test_a_rejected_answer_is_kept_to_be_corrected(visit, served_study):
    with visit(served_study.base) as visitor:
        visitor.start_at_trial(served_study)
        page = visitor.page
        page.route("**/answer", lambda route: route.fulfill(status=422, body='{"message": "mixingcoeff must be"}'))
        said = visitor.rate(0.2, 0.8)
        visitor.go_on()
        page.get_by_text("This answer could not be stored.").wait_for()
        page.unroute("**/answer")
        visitor.is_at(1)
        assert page.locator("[name=mixingcoeff]").input_value() == str(said[2])
        visitor.go_on()
        visitor.is_at(2)


def test_time_is_measured_from_the_first_showing_whatever_is_reloaded(visit, served_study):
    with visit(served_study.base, clock=True) as visitor:
        visitor.start_at_trial(served_study)
        visitor.is_at(1)
        visitor.page.clock.fast_forward("10:00")
        visitor.page.reload()
        visitor.is_at(1)
        visitor.rate(0.2, 0.8)
        visitor.go_on()
        visitor.is_at(2)
        visitor.rate(0.2, 0.8)
        visitor.go_on()
        visitor.is_at(3)
        first, second = (answer.reaction_ms for answer in read_answers(served_study.store.folder))
        assert 600_000 <= first < 1_200_000
        assert second < 600_000


def test_every_page_has_the_withdrawal_code_until_a_person_withdraws(visit, served_study):
    with visit(served_study.base) as visitor:
        page = visitor.page
        visitor.agree()
        (code,) = (person.code for person in read_people(served_study.store.folder))
        for go_on in (
            lambda: visitor.press("I have read this", "/quiz"),
            lambda: visitor.answer_quiz("rate_mixture"),
            lambda: page.goto(f"{served_study.base}/withdraw"),
        ):
            assert page.get_by_role("contentinfo").get_by_text(code).is_visible()
            go_on()
        page.get_by_label("Yes, delete").check()
        page.get_by_role("button", name="Delete and leave").click()
        page.get_by_role("heading", name="You have withdrawn").wait_for()
        assert page.get_by_role("link", name="Withdraw").count() == 0
        assert page.get_by_text(code).count() == 0


def test_a_second_tab_keeps_no_answer_of_somebody_who_has_withdrawn(visit, served_study):
    with visit(served_study.base) as visitor:
        visitor.start_at_trial(served_study)
        visitor.is_at(1)
        second = visitor.open_tab()
        second.goto(f"{served_study.base}/withdraw")
        second.get_by_label("Yes, delete").check()
        second.get_by_role("button", name="Delete and leave").click()
        second.get_by_role("heading", name="You have withdrawn").wait_for()
        visitor.rate(0.2, 0.8)
        visitor.go_on()
        visitor.page.get_by_role("heading", name="Before you begin").wait_for()
        assert visitor.page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]") == []


def test_an_answer_waits_for_its_own_person_where_another_uses_the_browser(visit, served_study):
    with visit(served_study.base) as visitor:
        visitor.start("rate_mixture", "?participant=ann")
        visitor.is_at(1)
        first, visitor.page = visitor.page, visitor.open_tab()
        visitor.start("rate_mixture", "?participant=bea")
        visitor.page = first
        visitor.rate(0.2, 0.8)
        with first.expect_navigation():  # to bea's image
            visitor.go_on()
        visitor.is_at(1)
        assert first.evaluate("Object.keys(localStorage).some((key) => key.includes(':answer:'))")
        assert overview(served_study.store).pace.answers == 0
        first.goto(f"{served_study.base}/?participant=ann")
        first.get_by_label("I have read this and agree").check()
        visitor.press("Begin", "/trial")
        visitor.is_at(2)
        assert overview(served_study.store).pace.answers == 1


def test_a_full_study_offers_no_way_on(visit, serve_study):
    served = serve_study(trials=45, repeats=0, people_per_image=1)
    with visit(served.base) as visitor:
        visitor.page.goto(served.base)
        answer_all(served.store, start(served.store))
        visitor.page.get_by_label("I have read this and agree").check()
        visitor.page.get_by_role("button", name="Begin").click()
        visitor.page.get_by_role("heading", name="the study is full").wait_for()
        assert visitor.page.locator(".steps").count() == 0


def test_without_cookies_the_words_name_them(visit, served_study):
    with visit(served_study.base) as visitor:
        visitor.page.goto(served_study.base)
        visitor.context.clear_cookies()
        visitor.page.get_by_label("I have read this and agree").check()
        visitor.page.get_by_role("button", name="Begin").click()
        visitor.page.get_by_text("allow this site's cookies").wait_for()
