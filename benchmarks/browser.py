"""Measures the studio's page in a browser: how soon it sounds, how long an answer takes, and whether it stays fluent.

    python benchmarks/browser.py [--model bach-chorales] [--repeats 5]

Each time, a headless Chromium opens the page anew and presses Harmonize, or Continue if the model cannot harmonize. The
melody that the page opens with has eight bars. Measured are the time from the click until the page plays, until the
answer is complete, and the tasks of the page's main thread from the click until three seconds after the answer: by the
clock, which counts other programs of the machine too, and by the time that the thread itself ran.
"""

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from harness import table
from playwright.sync_api import Browser, sync_playwright
from scrolling import studio

_WATCH = """() => {
    const [play, status, error] = ["play", "status", "error"].map((id) => document.getElementById(id));
    const look = () => {
        const passed = performance.now() - window.clicked;
        if (play.textContent === "Pause") window.sounded ??= passed;
        if (error.textContent || status.textContent.startsWith("Done")) window.done ??= passed;
    };
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
    document.addEventListener("click", () => (window.clicked = performance.now()), {capture: true});
}"""


class Pressed(NamedTuple):
    """What followed one click, in milliseconds."""

    sounded: float
    done: float
    tasks: list[float]
    """Of each task, by the clock."""
    own: list[float]
    """Of each task, the time that the thread ran."""


def press(browser: Browser, address: str) -> Pressed:
    """Opens the page and asks the model once."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address)
    page.evaluate(_WATCH)
    can_harmonize = page.get_attribute("#harmonize", "aria-disabled") is None
    browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"])
    page.click("#harmonize" if can_harmonize else "#continue")
    while not page.evaluate("window.sounded && window.done"):
        page.wait_for_timeout(100)
    page.wait_for_timeout(3000)
    tasks = main_thread(json.loads(browser.stop_tracing())["traceEvents"])
    if failure := page.inner_text("#error"):
        raise SystemExit(failure)
    sounded, done = page.evaluate("[window.sounded, window.done]")
    page.context.close()
    return Pressed(sounded, done, [task["dur"] / 1000 for task in tasks], [task["tdur"] / 1000 for task in tasks])


def main_thread(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tasks of the pages' main threads, in a trace of the browser."""
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return [
        event
        for event in events
        if event["name"] == "RunTask" and (event["pid"], event["tid"]) in threads and "tdur" in event
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="bach-chorales", help="a name, a run or a checkpoint")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    executable = shutil.which("chromium")
    if executable is None:
        parser.error("Chromium is not on the path (on Debian: apt-get install chromium)")
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with (
        studio(options.model) as address,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=executable, args=arguments) as browser,
    ):
        all_pressed = [press(browser, address) for _ in range(options.repeats)]
    rows = [
        [name, *(f"{value:.0f}" for value in (statistics.median(values), max(values)))]
        for name, values in (
            ("click to first sound, ms", [pressed.sounded for pressed in all_pressed]),
            ("click to the end of the answer, ms", [pressed.done for pressed in all_pressed]),
            ("longest task by the clock, ms", [max(pressed.tasks) for pressed in all_pressed]),
            ("longest task by its own time, ms", [max(pressed.own) for pressed in all_pressed]),
            ("tasks over 50 ms of their own", [sum(own > 50 for own in pressed.own) for pressed in all_pressed]),
        )
    ]
    print(table((f"{options.model}, {options.repeats} times", "median", "most"), rows))


if __name__ == "__main__":
    main()
