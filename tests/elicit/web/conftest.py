"""A browser with people in it, and studies for them to take."""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache

import pytest

from tests.elicit.web.serving import make_study, serve
from tests.elicit.web.visitor import SIZES, Visitor


@pytest.fixture(scope="session")
def browser(chromium):
    """Start a browser for all tests of this process."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium)
        yield launched
        launched.close()


@pytest.fixture
def run_coroutine():
    """Run a coroutine in another thread: while a browser is open, this one runs playwright's event loop."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda coroutine: pool.submit(asyncio.run, coroutine).result()


@pytest.fixture(scope="session")
def open_device(browser):
    """Open a device of a size, or use the one that is open: a window takes the browser a second, a tab a tenth."""

    def open_(size):
        device = browser.new_context(**SIZES[size])
        device.set_default_timeout(60_000)
        device.new_page()  # stays open, and the window with it
        return device

    return cache(open_)


@pytest.fixture
def visit(browser, open_device):
    """Open the pages as a person with an empty device; at the end nothing may have gone wrong in it.

    With `clock`, its clock can be put forward; until then it runs as usual. It can't be taken out of a device again.
    """

    @contextmanager
    def open_(base, size="desktop", clock=False):
        device = open_device.__wrapped__(size) if clock else open_device(size)
        visitor = Visitor(device, base, size)
        if clock:
            visitor.page.clock.install()
        try:
            yield visitor
            assert visitor.errors == []
        finally:
            everything = {"origin": base, "storageTypes": "all"}
            device.new_cdp_session(visitor.page).send("Storage.clearDataForOrigin", everything)
            device.clear_cookies()
            for page in device.pages[1:]:
                page.close()

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
