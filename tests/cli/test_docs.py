"""The commands of the README and of some pages do what they say, one after another."""

import re
import shlex
from pathlib import Path

import pytest
from command_line import Run, quick, write_chorale_files
from documents import DOCS, README, SHELLS, blocks_of

from pianoroll_seq2seq import PianoRoll
from pianoroll_seq2seq.cli.command import find_command, parse
from pianoroll_seq2seq.cli.main import COMMANDS

PAGE = DOCS / "cli.md"
WRITTEN = {
    README: ("chorale.wav", "chorale.mid", "chorale.png", "compared.html", "mine.wav", "mine.mid"),
    DOCS / "start.md": ("chorale.wav", "continued.mid", "continued.png", "runs/terminal/report.html"),
    PAGE: (
        *("chorale.wav", "chorale.flac", "more.png", "piece-4.mid", "sounds", "comparison.html"),
        *("harmony.musicxml", "inner.mid", "take-4.mid", "tenor.mid"),
        "runs/mine/report.html",
    ),
    DOCS / "musescore.md": ("chorale.musicxml", "chorale.pdf", "take-3.musicxml", "longer.svg", "harmony.musicxml"),
}
"""The pages, and some of the files that their commands write."""


def commands(page: Path) -> list[list[str]]:
    lines = "\n".join(block.text for block in blocks_of(page) if block.info in SHELLS).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and line[0] == "pianoroll-seq2seq"]


@pytest.mark.no_cover
@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_command_of_the_page(page: Path, run: Run, midi: Path, here: Path) -> None:
    """A command that was copied from the page fails."""
    for name in ("my_midi", "midi"):
        (here / name).mkdir()
        for path in sorted(midi.iterdir())[:4]:
            (here / name / path.name).symlink_to(path)
    for name in ("song.mid", "another.mid"):
        (here / name).symlink_to(midi / "scale_c_major_pentatonic.mid")
    for path in sorted(midi.iterdir())[:4]:
        one = PianoRoll.from_midi(path)
        PianoRoll.stack({"MELODY": one, "PIANO": one.transpose(-3)}).to_midi(here / "songs" / path.name)
    write_chorale_files(here)
    PianoRoll.from_midi(here / "melody.mid").to_musicxml(here / "melody.musicxml")
    (here / "run.yaml").write_text("epochs: 3\n")
    seen = set()
    for _, command, *arguments in commands(page):
        seen.add(command)
        if command in ("studio", "live", "submit"):  # no page is opened, and nothing is played or sent
            parse(*find_command(command, arguments))
            continue
        done = run(command, *quick(command, arguments))
        assert done.code == 0, f"{arguments}: {done.err}"
    assert page != PAGE or seen == set(COMMANDS)
    assert all((here / name).exists() for name in WRITTEN[page])


def test_the_table_has_every_command() -> None:
    """A command is not on the page."""
    named = re.findall(r"^\| \[`(\w+)`\]", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(named) == set(COMMANDS)
