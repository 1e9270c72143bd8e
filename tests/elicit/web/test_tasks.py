"""Each task's trial, in a real browser: what counts as an answer, by mouse, finger and keyboard."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import expect

from hml.elicit.store.answers import read_answers
from hml.elicit.store.folder import StudyFolder
from tests.elicit.web.serving import make_study, serve


@pytest.fixture
def answers(tmp_path):
    """Read the answers that are kept so far."""

    def read():
        with closing(StudyFolder(tmp_path)) as folder:
            return [answer.answer for answer in read_answers(folder)]

    return read


def test_an_untouched_slider_is_no_answer(visit, tmp_path, answers):
    with serve(tmp_path, make_study()) as served, visit(served.base) as visitor:
        visitor.start_at_trial(served)
        page = visitor.page
        visitor.go_on()
        mix, sure = page.locator("[name=mixingcoeff]"), page.locator("[name=confidence]")
        assert page.get_by_text("Move the slider to where they would put it").is_visible()
        assert mix.evaluate("slider => slider === document.activeElement")
        assert mix.get_attribute("aria-valuetext") == "no answer yet"
        visitor.look()
        page.get_by_text("How sure are you of that?").click()  # a label's click moves nothing
        mix.click(button="right")  # nor does a menu
        page.get_by_text("How sure are you of that?").hover()
        page.mouse.down()
        mix.hover()
        page.mouse.up()  # nor what was pressed elsewhere
        assert mix.get_attribute("aria-valuetext") == "no answer yet"
        page.get_by_role("button", name="Exactly half").click()
        assert mix.get_attribute("aria-valuetext").startswith("50 % ")
        visitor.go_on()
        assert page.get_by_text("Move the slider to say how sure").is_visible()
        assert sure.evaluate("slider => slider === document.activeElement")
        visitor.set_slider("confidence", 0.5)  # pressed where it would have stood: that is an answer
        visitor.go_on()
        visitor.is_at(2)
        assert answers() == [{"confidence": 50, "mixingcoeff": 50}]


def test_a_session_by_keyboard_only(visit, tmp_path, answers):
    with serve(tmp_path, make_study()) as served, visit(served.base) as visitor:
        page, keys = visitor.page, visitor.page.keyboard

        def tab_to(selector):
            for _ in range(30):
                keys.press("Tab")
                if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                    return
            raise AssertionError(f"Tab never reaches {selector} on {page.url}")

        page.goto(served.base)
        tab_to("[name=agree]")
        keys.press("Space")
        tab_to("button")
        keys.press("Enter")
        page.wait_for_url("**/instructions")
        tab_to("button")
        keys.press("Enter")
        page.wait_for_url("**/quiz")
        for name, right in (("others", 1), ("ends", 2), ("sure", 0)):
            tab_to(f"[name={name}]")
            keys.press("Space")
            for _ in range(right):
                keys.press("ArrowDown")
        tab_to("button")
        keys.press("Enter")
        page.wait_for_url("**/trial")
        said = []
        for number in range(1, 6):
            visitor.is_at(number)
            left, right = page.locator(".classes strong").all_text_contents()
            said.append({"mixingcoeff": 49 if left < right else 51, "confidence": 100})  # a step to the left
            if number > 1:  # the new image is where a screen reader goes on
                assert page.evaluate("document.activeElement.textContent") == f"Image {number} of 5"
            tab_to("[name=mixingcoeff]")
            keys.press("ArrowLeft")
            tab_to("[name=confidence]")
            keys.press("End")
            tab_to("button.primary")
            keys.press("Enter")
        page.wait_for_url("**/comment")
        tab_to("textarea")
        tab_to("button")
        keys.press("Enter")
        page.wait_for_url("**/done")
        assert answers() == said


def test_constructing_moves_through_the_mixes_to_both_ends(visit, tmp_path, answers):
    with serve(tmp_path, make_study("construct")) as served, visit(served.base) as visitor:
        visitor.agree()
        visitor.look("phone")
        visitor.press("I have read this", "/quiz")
        visitor.answer_quiz("construct")
        page = visitor.page
        visitor.look("phone")
        visitor.go_on()
        assert page.get_by_text("Move through the mixes first").is_visible()
        visible = page.locator(".stack img:visible")
        left, right = page.locator(".classes strong").all_text_contents()
        ends = []
        for name in (f"← More {left.lower()}", f"More {right.lower()} →"):
            button = page.get_by_role("button", name=name)
            for _ in range(12):  # more often than there are steps
                button.click(force=True)
            assert button.get_attribute("aria-disabled") == "true"
            said = page.locator("[name=final_value]").get_attribute("aria-valuetext")
            assert not re.search("[0-9]", said)  # which of how many would say where the middle is
            ends.append(visible.get_attribute("data-weight"))
            assert visible.evaluate("image => image.naturalWidth") == 32
        assert ends == (["1.0", "0.0"] if left < right else ["0.0", "1.0"])  # weights of A to Z's first class
        visitor.go_on()
        visitor.is_at(2)
        start = float(visible.get_attribute("data-weight"))
        assert start in (0.1, 0.9)
        left, right = page.locator(".classes strong").all_text_contents()
        step = -0.1 if left < right else 0.1
        page.locator("[name=final_value]").press("ArrowRight")
        visitor.go_on()
        visitor.is_at(3)
        assert [answer["final_value"] for answer in answers()] == [float(ends[1]), round(start + step, 1)]
        assert answers()[1]["starting_value"] == start


def test_selecting_is_among_all_mixes_in_another_order_each_time(visit, tmp_path, answers):
    with serve(tmp_path, make_study("select")) as served, visit(served.base, "phone") as visitor:
        visitor.agree()
        visitor.look("desktop")
        visitor.press("I have read this", "/quiz")
        visitor.answer_quiz("select")
        visitor.look("desktop")
        visitor.go_on()
        assert visitor.page.get_by_text("Choose one of the images.").is_visible()
        expect(visitor.page.locator(":focus")).to_have_accessible_description("Choose one of the images.")
        orders, chosen = [], []
        for number in (2, 3):
            choices = visitor.page.get_by_role("radio")
            orders.append([choice.get_attribute("value") for choice in choices.all()])
            chosen.append(orders[-1][4])
            choices.nth(4).check()
            visitor.go_on()
            visitor.is_at(number)
        assert orders[0] != orders[1]
        assert sorted(orders[0]) == sorted(orders[1]) == sorted(f"select{step / 10}" for step in range(11))
        assert answers() == [{"select": value} for value in chosen]


def test_ten_classes_are_named_once_with_percentages_that_add_up(visit, tmp_path, answers):
    with serve(tmp_path, make_study("categorical")) as served, visit(served.base, "phone") as visitor:
        visitor.agree()
        visitor.look("desktop")
        visitor.press("I have read this", "/quiz")
        visitor.answer_quiz("categorical")
        page = visitor.page
        visitor.look("desktop")
        first = page.get_by_role("group", name="Most likely", exact=True)
        second = page.get_by_role("group", name="Second most likely")
        impossible = page.get_by_role("group", name="Impossible")
        visitor.go_on()
        assert page.get_by_text("Choose one.").count() == 2
        first.get_by_label("Cat").check()
        assert second.get_by_label("Cat").is_disabled()
        assert impossible.get_by_label("Cat").is_disabled()
        visitor.go_on()
        assert first.get_by_text("Give a number from 0 to 100.").is_visible()
        first.get_by_label("How probable?").fill("70")
        second.get_by_label("Dog").check()
        second.get_by_label("How probable?").fill("40")
        visitor.go_on()
        assert second.get_by_text("Both together can't be more than 100 %.").is_visible()
        expect(page.locator(":focus")).to_have_accessible_description("Both together can't be more than 100 %.")
        visitor.look("desktop")
        second.get_by_label("How probable?").fill("20")
        expect(page.locator(":focus")).to_have_accessible_description("")
        impossible.get_by_label("Truck").check()
        visitor.go_on()
        visitor.is_at(2)
        first.get_by_label("Frog").check()
        first.get_by_label("How probable?").fill("70.0")
        second.get_by_label("Deer").check()
        second.get_by_label("How probable?").press_sequentially("1e1")
        visitor.go_on()
        visitor.is_at(3)
        first.get_by_label("Frog").check()
        first.get_by_label("How probable?").fill("100")
        second.get_by_label("None").check()
        visitor.go_on()
        visitor.is_at(4)
        assert answers() == [
            {
                "classSelect": "mostProbCat",
                "prob": "70",
                "classSelect2": "secondProbDog",
                "prob2": "20",
                "improbClassSelectTruck": "1",
            },
            {"classSelect": "mostProbFrog", "prob": "70", "classSelect2": "secondProbDeer", "prob2": "10"},
            {"classSelect": "mostProbFrog", "prob": "100", "classSelect2": "secondProbNo", "prob2": ""},
        ]
