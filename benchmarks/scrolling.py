"""Measures how smoothly ten minutes of three parts scroll in a browser: the player of reports, and the studio's editor.

    python benchmarks/scrolling.py [--minutes 10] [--seconds 10]

A headless Chromium scrolls through the whole piece in some seconds, by another stretch in each animation frame, and
plays it for as long, with its sound. Counted are the animation frames that the page gets: 60 a second at most. Without
a GPU, the browser draws on the CPU, so a desktop is faster.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from harness import table
from playwright.sync_api import Page, sync_playwright

from pianoroll_seq2seq import BeatGrid, PianoRoll, PitchRange, TempoMap
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.display.html import asset, player_data, script_json
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.pretrained import open_model
from pianoroll_seq2seq.studio.app import studio_app
from pianoroll_seq2seq.studio.server import listen, make_server

_PARTS = {"flute": (72, 4), "violin": (60, 2), "bass": (40, 1)}
"""The middle pitch of each part, and how many of its notes begin in a beat."""

_FRAMES = """async (seconds) => {
    const move = STEP;
    const times = [];
    const began = performance.now();
    await new Promise((resolve) => {
        function frame(now) {
            times.push(now);
            const passed = (performance.now() - began) / 1000 / seconds;
            if (passed >= 1) return resolve();
            move(passed);
            requestAnimationFrame(frame);
        }
        requestAnimationFrame(frame);
    });
    return times;
}"""
"""The times of the animation frames, in milliseconds; each moves the page to a share of its way."""


def music(minutes: float, *, seed: int = 0) -> PianoRoll:
    """Three parts that walk up and down, at 120 beats per minute."""
    random = np.random.default_rng(seed)
    frames = round(minutes * 120 * 4)
    parts = {}
    for name, (middle, notes_per_beat) in _PARTS.items():
        length = 4 // notes_per_beat
        starts = np.arange(0, frames - length + 1, length)
        pitches = middle + np.clip(np.cumsum(random.integers(-2, 3, len(starts))) % 24 - 12, -12, 12)
        onset = np.zeros((frames, 128), dtype=bool)
        onset[starts, pitches] = True
        active = np.zeros_like(onset)
        for offset in range(length):
            active[starts + offset, pitches] = True
        tempo = TempoMap(480, [(0, 500_000)])
        part = PianoRoll(active[:, 21:109], onset[:, 21:109], BeatGrid(4), PitchRange(21, 108), tempo, name)
        parts[name] = part.with_velocity(int(random.integers(50, 120)))
    return PianoRoll.stack(parts)


def frame_times(page: Page, step: str, seconds: float) -> list[float]:
    """The times between animation frames, in milliseconds, while ``step`` moves the page: a function of 0..1."""
    times: list[float] = page.evaluate(_FRAMES.replace("STEP", step), seconds)
    return np.diff(times).tolist()


def measure_player(page: Page, roll: PianoRoll, seconds: float) -> dict[str, list[float]]:
    """The player of reports and notebooks."""
    page.set_content(f"""<!doctype html><meta charset="utf-8"><title>music</title><style>{asset("page.css")}</style>
    <body class="pr-page"><main></main><script>{asset("pianoroll.js")}
    var figure = mountPlayer(document.querySelector("main"), {script_json(player_data(roll))});</script>""")
    step = "(share) => figure.view.draw(share * figure.player.seconds)"
    scrolling = frame_times(page, step, seconds)
    page.evaluate("figure.player.seek(figure.player.seconds / 2)")
    page.get_by_role("button", name="Play").click()
    return {"player, scrolling": scrolling, "player, playing": frame_times(page, "() => {}", seconds)}


def measure_studio(page: Page, roll: PianoRoll, seconds: float) -> dict[str, list[float]]:
    """The studio's editor, with the piece opened from a MIDI file."""
    with studio() as address, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "music.mid"
        file.write_bytes(to_midi_bytes(roll.to_score()))
        page.goto(address)
        page.set_input_files("#open-file", file)
        num_notes = len(roll.notes().pitch)
        page.locator(f'.roll-canvas[aria-label^="Piece, {num_notes} "]').wait_for()
        step = """(share) => {
            const view = document.querySelector(".roll-scroll");
            view.scrollLeft = share * (view.scrollWidth - view.clientWidth);
        }"""
        scrolling = frame_times(page, step, seconds)
        if not page.locator(".roll-scroll").evaluate("(view) => view.scrollLeft"):
            raise RuntimeError("The editor does not scroll.")
        page.locator(".roll-canvas").press("Space")
        page.locator("#transport").get_by_text("Pause").wait_for()
        return {"editor, scrolling": scrolling, "editor, playing": frame_times(page, "() => {}", seconds)}


@contextmanager
def studio(model: str = "bach-chords") -> Iterator[str]:
    """Serves the studio with a model on a free port; its address."""
    listener = listen(0)
    server = make_server(studio_app([open_model(model)]))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


def row(name: str, milliseconds: Sequence[float]) -> list[str]:
    """A row of the table: frames in a second, and the longest of a hundred frames."""
    rate = 1000 / statistics.mean(milliseconds)
    return [name, f"{rate:.0f}", *(f"{np.percentile(milliseconds, share):.0f}" for share in (50, 99))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="length of the music")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--views", nargs="+", choices=("player", "editor"), default=("player", "editor"))
    parser.add_argument("--output", type=Path, help="writes the times between frames, in milliseconds, as JSON")
    options = parser.parse_args()
    executable = shutil.which("chromium")
    if executable is None:
        parser.error("Chromium is not on the path (on Debian: apt-get install chromium)")
    roll = music(options.minutes)
    measure = {"player": measure_player, "editor": measure_studio}
    times: dict[str, list[float]] = {}
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        with playwright.chromium.launch(executable_path=executable, args=arguments) as browser:
            for view in options.views:
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                times |= measure[view](page, roll, options.seconds)
                page.close()
    if options.output is not None:
        with writing(options.output, overwrite=True) as temporary:
            temporary.write_text(json.dumps(times), encoding="utf-8")
    print(f"{options.minutes:g} minutes, {len(roll.notes().pitch):,} notes")
    print(table(("view", "frames/s", "ms, median", "ms, 99 %"), [row(name, of) for name, of in times.items()]))


if __name__ == "__main__":
    main()
