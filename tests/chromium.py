"""A headless Chromium, as a person would use it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright


@contextmanager
def opened_page(
    *, width: int = 1000, height: int = 800, dark: bool = False, excused: Sequence[str] = ()
) -> Iterator[Page]:
    """A page of a browser that plays sound unasked, reaches no network but this machine's, and reports what goes wrong.

    When the block is left, the test fails if the page has written an error to its console, thrown one, or asked for
    anything from elsewhere; unless it holds some words that are excused.
    """
    executable = shutil.which("chromium")
    if executable is None:
        message = "Chromium: not on the path (on Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        page = context.new_page()
        page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        here = ("file:", "data:", "blob:", "about:", "http://127.0.0.1")
        page.on("request", lambda asked: None if asked.url.startswith(here) else problems.append(asked.url))
        try:
            yield page
        finally:
            browser.close()
    assert not [problem for problem in problems if not any(words in problem for words in excused)]
