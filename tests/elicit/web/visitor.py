"""Somebody at a browser: goes through the pages as a person would, and looks at each."""

from axe_playwright_python.base import AXE_SCRIPT

from hml.elicit.web.quiz import make_quiz
from hml.judgements import CIFAR10
from tests.elicit.web.client import Client

SIZES = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
# Only violations are returned: what axe approves of is most of its report, and takes longer to send than to find.
_FIND_VIOLATIONS = "axe.run({ resultTypes: ['violations'] }).then((report) => report.violations)"


class Visitor:
    """A person with a device of their own.

    `errors` collects what goes wrong in the browser: scripts that fail, and whatever the content security policy stops.
    """

    def __init__(self, context, base, size):
        self.context, self.base, self.size = context, base, size
        self.errors = []
        self.page = self.open_tab()

    def open_tab(self):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: "Security Policy" in message.text and self.errors.append(message.text))
        return page

    def look(self, *others):
        """Check the page that is there, at other sizes too: axe finds nothing, and nothing is wider than the screen."""
        self.page.evaluate(AXE_SCRIPT)
        for size in (*others, self.size):
            self.page.set_viewport_size(SIZES[size]["viewport"])
            violations = self.page.evaluate(_FIND_VIOLATIONS)
            found = [(v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in violations]
            assert not found, (self.page.url, size, found)
            assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (self.page.url, size)

    def press(self, name, then):
        """Press a button by its name, and wait for the page that comes of it."""
        self.page.get_by_role("button", name=name).click()
        self.page.wait_for_url(f"**{then}")

    def agree(self, query=""):
        self.page.goto(f"{self.base}/{query}")
        self.page.get_by_label("I have read this and agree").check()
        self.press("Begin", "/instructions")

    def answer_quiz(self, task, right=True, classes=CIFAR10):
        for question in make_quiz(task, classes):
            choice = question.right if right else (question.right + 1) % len(question.options)
            self.page.get_by_role("group", name=question.text).get_by_role("radio").nth(choice).check()
        self.press("Check my answers", "/trial" if right else "/instructions?*")

    def start(self, task, query=""):
        self.agree(query)
        self.press("I have read this", "/quiz")
        self.answer_quiz(task)

    def start_at_trial(self, served, task="rate_mixture"):
        """Open the first trial as somebody who has agreed and passed the quiz, without loading those pages."""
        with Client(served) as client:
            client.start(task)
            cookies = [{"name": name, "value": value, "url": self.base} for name, value in client.cookies.items()]
        self.context.add_cookies(cookies)
        self.page.goto(f"{self.base}/trial")

    def go_on(self):
        self.page.locator("button.primary").click()

    def is_at(self, number):
        """Wait for a trial; after a lost connection the next attempt may be 15 seconds away."""
        self.page.get_by_role("heading", name=f"Image {number} of").wait_for(timeout=60_000)
        self.page.locator("button.primary:enabled").wait_for()

    def set_slider(self, name, share):
        """Press or tap a slider somewhere along its line; returns what it then says."""
        slider = self.page.locator(f"[name={name}]")
        box = slider.bounding_box()
        slider.click(position={"x": box["width"] * share, "y": box["height"] / 2})
        return int(slider.input_value())

    def rate(self, mix, sure):
        """Answer the two sliders; returns (class at the left, at the right, mix, sure) as the page says them."""
        ends = self.page.locator(".ends").first.locator("span").all_text_contents()
        left, right = (end.removeprefix("100 % ") for end in (ends[0], ends[2]))
        assert self.page.locator(".classes strong").all_text_contents() == [left, right]
        mix, sure = self.set_slider("mixingcoeff", mix), self.set_slider("confidence", sure)
        assert self.page.locator("output").first.text_content() == f"{100 - mix} % {left}, {mix} % {right}"
        return left, right, mix, sure
