"""Pages of images of any size, whose classes have any names and number."""

import re

import pytest

from hml.elicit.store.answers import read_answers
from hml.elicit.web.sizes import BOXES, size_styles
from tests.elicit.sources import AWKWARD
from tests.elicit.web.client import Client
from tests.elicit.web.test_style import SMALL, is_in_view

CSS = "hml/elicit/web/static/style.css"


@pytest.fixture
def serve_blots(serve_study, tmp_path):
    """Serve a study of blots, of classes, a size and a number per class."""

    def serve(task="rate_mixture", names=None, **init_args):
        if names is not None:
            file = tmp_path / f"{len(names)}.txt"
            file.write_text("\n".join(names), encoding="utf-8")
            init_args["root"] = str(file)
        images = {"class_path": "tests.elicit.sources.Blots", "init_args": init_args}
        return serve_study(task=task, images=images, trials=1, repeats=1)

    return serve


def test_awkward_names_are_read_chosen_and_kept(serve_blots, visit):
    served = serve_blots("categorical")
    with visit(served.base) as visitor:
        visitor.agree()
        visitor.look("phone")
        page = visitor.page
        assert page.locator(".sum figcaption").nth(1).text_content() in AWKWARD
        visitor.press("I have read this", "/quiz")
        assert page.get_by_label("benign 70 %, T-shirt/top 20 %").count() == 1
        assert page.get_by_label("Say that ankle_boot 2 is impossible").count() == 1
        visitor.look("phone")
        visitor.answer_quiz("categorical", classes=AWKWARD)
        visitor.is_at(1)
        visitor.look("phone")
        shown = page.locator(".picture img").bounding_box()
        assert (shown["width"], shown["height"]) == (320, 320)  # 5 · 64, in 352
        first = page.get_by_role("group", name="Most likely", exact=True)
        assert [name.strip() for name in first.locator(".chip").all_text_contents()] in (
            ["ankle_boot 2", "benign", "T-shirt/top"],
            ["T-shirt/top", "benign", "ankle_boot 2"],
        )
        first.get_by_label("T-shirt/top").check()
        first.get_by_label("How probable?").fill("60")
        page.get_by_role("group", name="Second most likely").get_by_label("benign").check()
        page.get_by_role("group", name="Second most likely").get_by_label("How probable?").fill("40")
        page.get_by_role("group", name="Impossible").get_by_label("ankle_boot 2").check()
        visitor.go_on()
        visitor.is_at(2)
    (kept,) = read_answers(served.store.folder)
    assert kept.answer == {
        "classSelect": "mostProbT-shirt/top",
        "prob": "60",
        "classSelect2": "secondProbbenign",
        "prob2": "40",
        "improbClassSelectankle_boot 2": "1",
    }


@pytest.mark.parametrize(
    ("width", "height", "shown", "scaling"),
    [
        (32, 32, (160, 160), "pixelated"),
        (64, 64, (128, 128), "pixelated"),  # 2 · 64, in 160
        (48, 20, (144, 60), "pixelated"),
        (112, 224, (80, 160), "auto"),
    ],
)
def test_images_of_any_size_are_whole_on_a_small_phone(serve_blots, visit, width, height, shown, scaling):
    served = serve_blots(width=width, height=height)
    with visit(served.base, "phone") as visitor:
        visitor.start_at_trial(served)
        visitor.is_at(1)
        page, picture = visitor.page, visitor.page.locator(".picture img")
        page.set_viewport_size(SMALL)
        assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [width, height]
        box = picture.bounding_box()
        assert (box["width"], box["height"]) == shown
        assert picture.evaluate("image => getComputedStyle(image).imageRendering") == scaling
        assert all(is_in_view(page.locator(each)) for each in (".picture img", "[name=mixingcoeff]", "button.primary"))


def test_each_box_of_the_style_sheet_has_a_width(request):
    used = re.findall(r"var\(--([wr]\d+)\)", (request.config.rootpath / CSS).read_text(encoding="utf-8"))
    assert set(used) == {f"{kind}{box}" for box in BOXES for kind in "wr"}
    styles = size_styles(1000, 2)  # reduced, and still to be seen
    assert re.findall(r"--(\w+): (\w+);", styles)[:2] == [("w64", "64px"), ("r64", "auto")]
    assert "--w64: 1px" in size_styles(2, 1000)


def test_thirty_classes_and_two_are_asked_about(serve_blots):
    for names in (["猫", "A&B"], [f"Class {number:02}" for number in range(30)]):
        client = Client(serve_blots("categorical", names, per_class=40))
        client.start("categorical")
        page = client.get("/trial").text
        shown = re.findall(r'data-class="([^"]+)"', page)
        assert len(shown) == 3 * len(names)
        assert {name.replace("&amp;", "&") for name in shown} == set(names)


def test_images_of_32_pixels_fill_each_box():
    assert re.findall(r"--w(\d+): (\d+)px; --r\d+: pixelated", size_styles(32, 32)) == [(str(b), str(b)) for b in BOXES]


def test_within_a_sentence_only_capitalised_words_are_lowered(serve_blots):
    client = Client(serve_blots("construct", ["Cat", "MRI"]))
    client.start("construct")
    assert sorted(re.findall(r"More (\w+)", client.get("/trial").text)) == ["MRI", "cat"]
