"""A browser with people in it, and studies for them to take."""

import secrets
from contextlib import ExitStack, contextmanager

import pytest

from tests.elicit.web.serving import make_study, serve
from tests.elicit.web.visitor import SIZES, Visitor


@pytest.fixture(scope="module")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium)
        yield launched
        launched.close()


@pytest.fixture
def visit(browser):
    """Open the pages as a person with a device of their own; at the end nothing may have gone wrong in it."""

    @contextmanager
    def open_(base, size="desktop"):
        context = browser.new_context(**SIZES[size])
        context.set_default_timeout(10_000)
        visitor = Visitor(context, base, size)
        yield visitor
        assert visitor.errors == []
        context.close()

    return open_


@pytest.fixture
def serve_study(tmp_path):
    """Serve a small study of textures, with changes to it or to how it is served."""
    with ExitStack() as stack:

        def start(base_url=None, max_waiting=40, **changes):
            folder = tmp_path / secrets.token_hex(4)
            study = make_study(**changes)
            return stack.enter_context(serve(folder, study, base_url=base_url, max_waiting=max_waiting))

        yield start


@pytest.fixture
def served(serve_study):
    return serve_study()
