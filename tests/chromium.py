"""A headless Chromium, as a person would use it. All tests of a process share one browser."""

import asyncio
import atexit
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
_ALLOWED_ADDRESSES = ("file:", "data:", "blob:", "about:", "http://127.0.0.1")


@contextmanager
def opened_page(
    *, width: int = 1000, height: int = 800, dark: bool = False, touch: bool = False, excused: Sequence[str] = ()
) -> Iterator[Page]:
    """A page of a browser that may play sound without a click and reaches no network but this machine's.

    At the end of the block, the test fails if the page has logged an error or a warning, thrown an exception, or
    requested anything from elsewhere; messages with one of the ``excused`` texts are ignored.
    """
    browser, loop = _browser()
    asyncio._set_running_loop(loop)  # Playwright's, hidden between pages so that other tests may call asyncio.run
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        has_touch=touch,
        accept_downloads=True,
    )
    problems: list[str] = []
    try:
        page = context.new_page()
        page.on("console", lambda entry: problems.append(entry.text) if entry.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith(_ALLOWED_ADDRESSES) else problems.append(request.url),
        )
        yield page
    finally:
        context.close()
        asyncio._set_running_loop(None)
    assert not [problem for problem in problems if not any(text in problem for text in excused)]


def painted_notes(page: Page, figure: str = "") -> list[dict[str, Any]]:
    """The notes that the rolls of a page show, as they were painted; those of one figure if its name is given."""
    figures = page.get_by_role("group", name=figure) if figure else page.locator(".pr-figure")
    notes: list[dict[str, Any]] = figures.evaluate_all(
        "(figures) => figures.flatMap((figure) => figure.pianoroll.view.painted)"
    )
    return notes


def overflowing(page: Page) -> list[str]:
    """What reaches out of the page to the right or to the left; what an element cuts off or scrolls does not."""
    found: list[str] = page.evaluate("""() => {
  const width = document.documentElement.clientWidth;
  const clips = (node) => node && node !== document.body
    && (getComputedStyle(node).overflowX !== "visible" || clips(node.parentElement));
  const found = [...document.querySelectorAll("body *")]
    .filter((node) => !clips(node.parentElement))
    .map((node) => [node, node.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.right > width + 1 || box.left < -1))
    .map(([node, box]) => `${node.outerHTML.slice(0, 60)} ends at ${box.right}`);
  const scrolled = document.documentElement.scrollWidth; // text may reach out of its element
  return scrolled > width ? [...found, `the page is ${scrolled} wide`] : found;
}""")
    return found


@cache
def _browser() -> tuple[Browser, asyncio.AbstractEventLoop]:
    executable = shutil.which("chromium")
    if executable is None:
        message = "Chromium: not on the path (on Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    playwright = sync_playwright().start()
    loop = asyncio.get_running_loop()
    browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)

    def close() -> None:
        asyncio._set_running_loop(loop)
        browser.close()
        playwright.stop()

    atexit.register(close)
    return browser, loop
