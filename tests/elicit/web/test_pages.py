import re

import pytest
from starlette.responses import Response

from hml.elicit.research.overview import overview
from hml.elicit.store.backup import back_up
from hml.elicit.store.withdrawal import withdraw
from hml.elicit.web.sessions import Session, Sessions
from tests.elicit.people import answer_all, finish, start
from tests.elicit.web.client import Client
from tests.elicit.web.serving import TOKEN


def test_a_form_without_its_sessions_token_is_rejected(served):
    client, other = Client(served), Client(served)
    fields = {"version": "demo-2", "agree": "yes"}
    client.get("/")
    assert client.post("/", data=fields).status_code == 403
    assert client.post("/", data=fields | {"csrf": other.token()}).status_code == 403
    assert client.post("/", content=b"\xff").status_code == 400
    assert client.post("/", data=fields | {"csrf": client.token()}).status_code == 303


def test_a_forged_or_foreign_cookie_is_no_session(served):
    client = Client(served)
    client.start()
    name = served.app.state.site.sessions.person_cookie
    cookie = client.cookies[name]
    response = Response()
    Sessions(b"another key", False, TOKEN).write(response, Session("n", "c"))
    forged = response.headers["set-cookie"].partition("=")[2].partition(";")[0]
    for content in (("A" if cookie[0] != "A" else "B") + cookie[1:], forged, "x"):
        assert Client(served, cookies={name: content}).get("/trial").headers["location"] == "/"
    assert Client(served, cookies={name: cookie}).get("/trial").status_code == 200


def test_two_studies_on_one_computer_have_separate_sessions(serve_study):
    one, other = Client(serve_study()), Client(serve_study())
    one.start()
    other.cookies = one.cookies  # browsers keep cookies by host, whatever the port
    other.start()
    one.cookies = other.cookies
    assert one.get("/trial").status_code == other.get("/trial").status_code == 200


def test_cookies_are_readable_by_the_server_only(served):
    cookie = Client(served).get("/").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_sessions_csrf_tokens_differ():
    sessions = Sessions(b"key", False, TOKEN)
    assert sessions.csrf(Session("a")) != sessions.csrf(Session("b"))
    assert not sessions.is_own_form(Session("a"), None)


def test_a_studys_own_words_are_marked_as_of_its_language_and_hmls_as_english(serve_study):
    client = Client(serve_study(language="pt-BR"))
    consent = client.get("/").text
    client.agree()
    for page in (consent, client.get("/instructions").text):
        assert '<html lang="en">' in page
        assert re.findall(r'class="([a-z]+)" lang="([^"]+)"', page) == [("name", "pt-BR"), ("prose", "pt-BR")]


@pytest.mark.parametrize(("fields", "words"), [({}, "tick the box"), ({"agree": "yes", "version": "0"}, "has changed")])
def test_nobody_is_taken_in_who_hasnt_agreed_to_the_present_text(served, fields, words):
    client = Client(served)
    page = client.submit("/", **({"version": "demo-2"} | fields))
    assert page.status_code == 422
    assert words in page.text
    assert client.get("/instructions").headers["location"] == "/"


def test_agreeing_twice_makes_one_person(served):
    client = Client(served)
    fields = {"csrf": client.token(), "version": "demo-2", "agree": "yes"}
    before = dict(client.cookies)
    client.post("/", data=fields)
    client.cookies.clear()
    client.cookies.update(before)  # as if the answer to the first had been lost on its way
    assert client.post("/", data=fields).headers["location"] == "/instructions"
    assert client.get("/instructions").status_code == 200
    assert overview(served.store).pace.enrolled == 1


def test_another_persons_link_on_the_same_device_begins_their_own_session(served):
    client = Client(served)
    client.get("/?participant=ann")
    client.start(outside_id="ann")
    ann = client.code()
    assert client.get("/?participant=ann").headers["location"] == "/trial"
    assert client.get("/").headers["location"] == "/trial"
    client.forget_token()
    assert 'value="bea"' in client.get("/?participant=bea").text
    client.start(outside_id="bea", token_of="/?participant=bea")
    assert client.code() != ann
    assert client.get("/?participant=bea").headers["location"] == "/trial"
    client.forget_token()
    assert client.agree(outside_id="ann", token_of="/?participant=ann").headers["location"] == "/instructions"
    assert client.code() == ann  # and ann goes on where she was
    assert client.get("/instructions").headers["location"] == "/trial"


def test_an_outside_id_is_no_password(served):
    victim, other = Client(served), Client(served)
    victim.start(outside_id="ann", token_of="/?participant=ann")
    code = victim.code()
    other.agree(outside_id="ann", token_of="/?participant=ann")
    assert other.code() == code
    assert other.get("/trial").status_code == 200  # they can go on
    for path in ("/trial", "/withdraw"):
        assert code not in other.get(path).text
    for typed in ({}, {"code": ""}, {"code": "abcdefghjkmn"}):
        assert other.submit("/withdraw", sure="yes", **typed).status_code == 422
    assert served.store.people.find(code) is not None
    assert 'name="code"' not in victim.get("/withdraw").text
    assert other.submit("/withdraw", sure="yes", code=f" {code[:4].upper()}-{code[4:]} ").status_code == 200
    assert served.store.people.find(code) is None


def test_who_comes_back_by_their_link_is_shown_the_completion_code_and_not_the_other_one(served):
    code = start(served.store, "ann")
    completion_code = finish(served.store, code)
    client = Client(served)
    assert client.agree(outside_id="ann", token_of="/?participant=ann").headers["location"] == "/instructions"
    page = client.get("/done").text
    assert completion_code in page
    assert code not in page
    (owed,) = served.store.folder.payments.read()
    assert (owed.outside_id, owed.completion_code) == ("ann", completion_code)


def test_who_began_withdraws_without_their_code(served):
    client = Client(served)
    client.start(outside_id="ann", token_of="/?participant=ann")
    assert client.submit("/withdraw", sure="yes").status_code == 200


@pytest.mark.parametrize("query", ["PROLIFIC_PID=%205f0aa", "workerId=5f0aa%20", "participant=&PROLIFIC_PID=5f0aa+"])
def test_an_id_in_a_link_is_read_without_blanks_around_it(served, query):
    client = Client(served)
    assert 'name="outside_id" value="5f0aa"' in client.get(f"/?{query}").text
    client.agree(outside_id="5f0aa")
    assert client.get(f"/?{query}").headers["location"] == "/instructions"  # it is they who come again
    assert [row.outside_id for row in served.store.folder.payments.read()] == ["5f0aa"]


@pytest.mark.parametrize("query", ["", "?PROLIFIC_PID=%20", "?participant=%E2%80%8B&workerId="])
def test_an_empty_id_is_none(served, query):
    client = Client(served)
    assert 'name="outside_id" value=""' in client.get(f"/{query}").text
    client.agree(outside_id=" ")
    assert served.store.folder.payments.read() == []
    assert client.get(f"/{query}").headers["location"] == "/instructions"


@pytest.mark.parametrize(("outside_id", "words"), [("x" * 129, "has 129 characters"), ("a\nb", "a line break")])
def test_a_link_with_an_invalid_id_shows_an_error_and_no_link(served, outside_id, words):
    client = Client(served)
    client.agree()
    page = client.get("/", params={"participant": outside_id})
    assert page.status_code == 422
    assert words in page.text
    assert 'href="/"' not in page.text  # where they would take part without their id
    assert client.get("/").headers["location"] == "/instructions"  # the session that was there is there


def test_the_way_back_carries_the_id_as_long_as_it_is_known(serve_study):
    served = serve_study(return_url="https://x.org/grant?id={participant}&cc={completion_code}")
    store = served.store
    completion_code = finish(store, start(store, "Sona & Söhne"))
    client = Client(served)
    client.agree(outside_id="Sona & Söhne")
    address = f"https://x.org/grant?id=Sona%20%26%20S%C3%B6hne&amp;cc={completion_code}"
    assert f'href="{address}"' in client.get("/done").text
    store.folder.payments.path.unlink()  # as `hml elicit payments --delete` does
    page = client.get("/done").text
    assert "x.org" not in page
    assert "which is no longer stored" in page
    assert completion_code in page


def test_hmls_code_is_hidden_where_the_service_has_its_own(serve_study):
    served = serve_study(return_url="https://app.prolific.com/submissions/complete?cc=C1ABCDEF")
    completion_code = finish(served.store, start(served.store, "5f0aa"))
    client = Client(served)
    client.agree(outside_id="5f0aa")
    page = client.get("/done").text
    assert 'href="https://app.prolific.com/submissions/complete?cc=C1ABCDEF"' in page
    assert completion_code not in page
    assert "ompletion code" not in page


def test_a_browser_translates_no_code(serve_study):
    served = serve_study(contact="Ann Other", ethics_reference="Ethik 17")
    client = Client(served)
    client.start()
    pages = [client.get(path).text for path in ("/trial", "/withdraw")]
    answer_all(served.store, client.code())
    client.submit("/comment", claimed="5")
    pages += [client.get("/done").text, client.get(f"/researcher?token={TOKEN}", follow_redirects=True).text]
    subject = overview(served.store).quality[0].subject
    letters = {client.code(), subject, served.store.people.complete(client.code(), 5), "Ann Other", "Ethik 17"}
    found = set()
    for page in pages:
        for text in letters:
            for tag in re.findall(rf"<([^<>]*)>{text}<", page):
                assert 'translate="no"' in tag, (tag, text)
                assert "notranslate" in tag
                found.add(text)
            assert page.count(text) == len(re.findall(rf">{text}<", page))
    assert found == letters


def test_a_link_with_a_placeholder_is_rejected_before_the_text_is_read(served):
    page = Client(served).get("/", params={"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"})
    assert page.status_code == 422
    assert "placeholder" in page.text


def test_an_invalid_outside_id_is_rejected(served):
    refused = Client(served).agree(outside_id="x" * 1_000)
    assert refused.status_code == 422
    assert "participant id" in refused.text


def test_a_person_whom_the_researcher_deleted_can_begin_again(served):
    client = Client(served)
    client.start()
    trial = client.trial()
    (subject,) = [person.subject for person in overview(served.store).quality]
    withdraw(served.store.folder, client.code())
    assert client.answer(trial).status_code == 401
    client.forget_token()
    client.start()
    assert [person.subject for person in overview(served.store).quality] != [subject]


def test_people_are_sent_to_where_they_belong(served):
    client = Client(served)
    assert client.get("/quiz").headers["location"] == "/"
    client.agree()
    for path in ("/", "/quiz", "/trial", "/comment", "/done"):
        assert client.get(path).headers["location"] == "/instructions"
    assert client.submit("/comment", claimed="0").headers["location"] == "/instructions"


def test_the_quizs_right_answers_never_reach_the_browser_and_a_wrong_one_leads_back(served):
    client = Client(served)
    client.agree()
    client.submit("/instructions")
    assert "right" not in client.get("/quiz").text
    led = client.submit("/quiz", others="1", ends="2").headers["location"]  # one is missing
    assert led == "/instructions?wrong=sure"
    page = client.get(led).text
    assert "read this again" in page
    assert page.count("Wrong: “") == 1
    assert "How sure are you?" in page


def test_the_code_comes_only_when_the_counts_agree(served):
    client = Client(served)
    client.start()
    for number in range(5):
        assert client.answer(client.trial(), f"client-{number}").json()["count"] == number + 1
    assert client.get("/trial").headers["location"] == "/comment"
    for claimed in ("4", "6", "x", ""):
        page = client.submit("/comment", claimed=claimed, comment="Hello.")
        assert page.status_code == 409
        assert "The server has 5 of your answers" in page.text
    assert client.get("/done").headers["location"] == "/comment"
    for text in ("Hello.", "Hello.", "From another tab."):
        assert client.submit("/comment", claimed="5", comment=text).headers["location"] == "/done"
    assert overview(served.store).comments == ["From another tab.", "Hello."]
    assert client.get("/done").text == client.get("/done").text


def test_withdrawing_deletes_and_ends_the_session(served):
    client = Client(served)
    client.start()
    client.answer(client.trial())
    store = served.store
    before = overview(store).pace
    assert client.submit("/withdraw").status_code == 422  # not sure
    assert client.submit("/withdraw", sure="yes").status_code == 200
    after = overview(store).pace
    assert (after.enrolled, after.answers) == (before.enrolled - 1, before.answers - 1)
    assert client.get("/trial").headers["location"] == "/"


def test_the_researcher_hears_of_a_backup_that_a_withdrawal_could_not_reach(capsys, served, tmp_path):
    path = tmp_path / "backup.sqlite3"
    back_up(served.store.folder, path)
    path.unlink()
    client = Client(served)
    client.start()
    code = client.code()
    assert client.submit("/withdraw", sure="yes").status_code == 200
    told = capsys.readouterr().err  # to which uvicorn logs
    assert str(path) in told
    assert code not in told


def test_a_full_study_shows_so_and_admits_nobody(serve_study):
    served = serve_study(trials=45, repeats=0, people_per_image=1)
    answer_all(served.store, start(served.store))
    page = Client(served).agree()
    assert page.status_code == 200
    assert "study is full" in page.text
    assert overview(served.store).pace.enrolled == 1


def test_without_images_left_people_see_so_and_get_no_code(serve_study):
    served = serve_study(trials=45, repeats=0, people_per_image=1)
    other = start(served.store)
    served.store.folder.clock.forward(hours=2)  # who seemed to have left, and comes back
    client = Client(served)
    client.start()
    answer_all(served.store, other)
    page = client.get("/trial")
    assert "study is full" in page.text
    assert "Nothing about you was stored" not in page.text
    assert client.get("/done").headers["location"] == "/trial"
