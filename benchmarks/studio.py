"""Measures the studio's page in a browser: how soon it sounds, how long an answer takes, and whether the page stays fluent.

    python benchmarks/studio.py [--model bach-voices] [--repeats 5]

Each time, a headless Chromium opens the page anew and presses Harmonise, or Continue if the model cannot harmonise. The
melody that the page opens with has eight bars. Measured are the time from the click until the page plays, until the
answer is complete, and the tasks of the page over 50 ms from the click until three seconds after the answer.
"""

import argparse
import shutil
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from harness import table
from playwright.sync_api import Browser, sync_playwright
from scrolling import studio

_WATCH = """() => {
    window.longTasks = [];
    new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({duration}) => duration)))
        .observe({type: "longtask"});
    const [play, status, error] = ["play", "status", "error"].map((id) => document.getElementById(id));
    const look = () => {
        if (play.textContent === "Pause") window.sounded ??= performance.now() - window.clicked;
        if (error.textContent || status.textContent.startsWith("Done")) window.done ??= performance.now() - window.clicked;
    };
    new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
    document.addEventListener("click", () => (window.clicked = performance.now()), {capture: true});
}"""


class Pressed(NamedTuple):
    """What followed one click, in milliseconds."""

    sounded: float
    done: float
    long_tasks: list[float]


def press(browser: Browser, address: str) -> Pressed:
    """Opens the page and asks the model once."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address)
    page.evaluate(_WATCH)
    can_harmonise = page.get_attribute("#harmonise", "aria-disabled") is None
    page.click("#harmonise" if can_harmonise else "#continue")
    while not page.evaluate("window.sounded && window.done"):
        page.wait_for_timeout(100)
    page.wait_for_timeout(3000)
    if failure := page.inner_text("#error"):
        raise SystemExit(failure)
    found = Pressed(*page.evaluate("[window.sounded, window.done, window.longTasks]"))
    page.context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="bach-voices", help="a name, a run or a checkpoint")
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
            ("tasks of the page over 50 ms", [len(pressed.long_tasks) for pressed in all_pressed]),
            ("longest of them, ms", [max(pressed.long_tasks, default=0) for pressed in all_pressed]),
        )
    ]
    print(table((f"{options.model}, {options.repeats} times", "median", "most"), rows))


if __name__ == "__main__":
    main()
