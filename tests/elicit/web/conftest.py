"""Chromium, for tests that look at the pages; where it is missing they skip, which CI must not."""

import os
import shutil
from contextlib import contextmanager

import pytest

from tests.elicit.web.visitor import SIZES, Visitor


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    if path is None:
        assert not os.environ.get("CI"), "CI has no chromium: .ci/run installs it"
        pytest.skip("no chromium: .ci/run installs it where it may")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path)
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
