"""What must be seen: on a small phone, and in colours that aren't the study's own."""

import io
from contextlib import ExitStack

import pytest
from PIL import Image

SMALL = {"width": 390, "height": 664}


@pytest.fixture
def open_trial(visit, serve_study):
    """Open a task's first trial."""
    with ExitStack() as stack:

        def open_(task="rate_mixture", size="phone"):
            served = serve_study(task=task)
            visitor = stack.enter_context(visit(served.base, size))
            visitor.start_at_trial(served, task)
            visitor.is_at(1)
            if size == "phone":
                visitor.page.set_viewport_size(SMALL)
            return visitor

        yield open_


def is_in_view(locator):
    box = locator.bounding_box()
    return box["y"] >= 0 and box["y"] + box["height"] <= SMALL["height"]


def luminance(colour):
    """WCAG 2.2's relative luminance of an RGB colour."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(locator, x, y):
    """Contrast of a place in an element, as shares of its size, with its corner."""
    shown = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
    place = (int(x * shown.width), int(y * shown.height))
    light, dark = sorted((luminance(shown.getpixel(at)) for at in (place, (1, 1))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_lost_connection_is_reported_where_people_look(open_trial):
    visitor = open_trial()
    page = visitor.page
    visitor.rate(0.3, 0.8)
    page.set_viewport_size({"width": 390, "height": 400})  # with the browser's own bars, or larger letters
    page.locator("button.primary").scroll_into_view_if_needed()
    page.route("**/answer", lambda route: route.abort())
    visitor.go_on()
    page.get_by_text("No connection. Your answer is kept").wait_for()
    box = page.locator("#status").bounding_box()
    assert page.evaluate("scrollY") > 100
    assert 0 <= box["y"] <= 400 - box["height"]
    page.unroute("**/answer")
    page.set_viewport_size(SMALL)
    visitor.is_at(2)


def test_on_a_small_phone_a_mix_is_seen_and_rated_on_one_screen(open_trial):
    page = open_trial().page
    for selector in (".picture img", "[name=mixingcoeff]", "[name=confidence]", "button.primary"):
        assert is_in_view(page.locator(selector)), selector


def test_on_a_small_phone_the_image_stays_while_its_classes_are_named(open_trial):
    page = open_trial("categorical").page
    picture, frame = page.locator(".picture img"), page.locator(".picture")
    for name in ("classSelect2", "improbClassSelectTruck"):
        page.locator(f"[name={name}]").first.scroll_into_view_if_needed()
        page.mouse.wheel(0, 150)
        assert is_in_view(picture)
        assert 96 <= picture.bounding_box()["height"] <= 128
        assert frame.bounding_box()["width"] > 300  # no answer shows beside it
    page.locator("button.primary").click()  # back to the first thing that is missing
    focused = page.locator(":focus").bounding_box()
    assert focused["y"] >= frame.bounding_box()["y"] + frame.bounding_box()["height"]


@pytest.mark.parametrize("forced", ["none", "active"])
def test_an_untouched_sliders_line_is_seen(open_trial, forced):
    page = open_trial(size="desktop").page
    page.emulate_media(forced_colors=forced)
    page.mouse.move(0, 0)
    assert contrast(page.locator("[name=mixingcoeff]"), 0.25, 0.5) >= 3
    if forced == "active":
        page.locator("progress").evaluate("bar => (bar.value = bar.max)")
        assert contrast(page.locator(".progress"), 0.9, 0.5) >= 3


@pytest.mark.parametrize(
    ("task", "box"),
    [("select", ".card img"), ("categorical", ".chip:has([name=classSelect]) span")],
)
def test_in_high_contrast_only_the_choice_is_outlined(open_trial, task, box):
    page = open_trial(task, "desktop").page
    page.emulate_media(forced_colors="active")
    page.get_by_role("radio").nth(2).check()
    page.locator("h1").focus()
    outlines = page.locator(box).evaluate_all("boxes => boxes.map((box) => getComputedStyle(box).outlineStyle)")
    assert [index for index, style in enumerate(outlines) if style == "solid"] == [2]


def test_a_browser_without_has_shows_which_mix_is_chosen(open_trial):
    page = open_trial("select", "desktop").page
    page.evaluate(
        """for (const sheet of document.styleSheets)
             for (let i = sheet.cssRules.length - 1; i >= 0; i--)
               if (sheet.cssRules[i].selectorText?.includes(":has(")) sheet.deleteRule(i);"""
    )
    page.get_by_role("radio").nth(2).check()
    page.locator("h1").focus()
    outlines = page.locator(".card img").evaluate_all("all => all.map((one) => getComputedStyle(one).outlineStyle)")
    assert [index for index, style in enumerate(outlines) if style == "solid"] == [2]
