"""Names that control terminals and pages, wherever the program prints or draws names; and names that few have."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import SMALL, SMALL_MODEL, Done, Run

from pianoroll_seq2seq import PianoRoll, open_model, read_midi, save_pretrained, write_midi
from pianoroll_seq2seq.serving import Service
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.page import page_html

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names"),
    pytest.mark.usefixtures("one_thread"),
]

CONTROLS = "\x1b]0;title\x07\x1b[31m\u202e\n"
TAG = "<img src=x onerror=alert(1)>"
NAME = f"{CONTROLS}{TAG}|`x`"
"""It sets the title and the colour of a terminal, turns text around, begins a line, a tag, a cell and code."""
GIVEN = NAME.replace("\n", "")
"""What a user types has no ends of lines."""
PART = f"{NAME}</script><script>alert(2)</script>"
"""As much for what may hold a slash."""


@pytest.fixture(scope="module")
def music(midi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Music under such names, in a folder of one, with tracks of one, and a file that is no music."""
    folder = tmp_path_factory.mktemp("names") / GIVEN
    folder.mkdir()
    for number, path in enumerate(sorted(midi.iterdir())):
        score = read_midi(path)
        write_midi(replace(score, parts=(replace(score.parts[0], name=PART),)), folder / f"{NAME}{number}.mid")
    shutil.copy(folder / f"{NAME}1.mid", folder / f"{GIVEN}.mid")
    (folder / f"{NAME}.mid").write_bytes(b"no music")
    os.mkfifo(folder / f"{NAME}pipe.mid")  # a warning names it
    return folder


def check_terminal(done: Done) -> None:
    """What a command printed does not control a terminal, and has its names on one line each."""
    printed = done.out + done.err
    assert not set(printed) & set("\x1b\x07\u202e"), printed
    assert f"\n{TAG}" not in printed, printed
    printed.encode("utf-8")


def check_page(page: str) -> None:
    """A page, or a part of one, has no tag of a name's."""
    for tag in ("<img src=x", "<script>alert", "</script><script>alert"):
        assert tag not in page, page[max(0, page.index(tag) - 200) : page.index(tag) + 100]


def test_commands(run: Run, music: Path, tmp_path: Path) -> None:
    """A song changes the terminal, or the page of a run sends what it shows to somebody."""
    song, runs = music / f"{GIVEN}.mid", [tmp_path / GIVEN, tmp_path / f"{GIVEN}2"]
    page, piece = tmp_path / f"{GIVEN}.html", tmp_path / f"{GIVEN}.mid"
    for command in (
        ("inspect", music),
        ("inspect", song.with_name(f"{GIVEN}.mid")),
        ("inspect", tmp_path / GIVEN),
        ("train", "--data", music, *SMALL, *SMALL_MODEL, "--output", runs[0]),
        ("train", "--data", tmp_path / f"{GIVEN}none", "--output", tmp_path / "x"),
        ("generate", "--model", runs[0], "--primer", song, "--beats", 2, "--output", piece),
        ("generate", "--model", tmp_path / f"{GIVEN}none", "--output", tmp_path / "x.mid"),
        ("evaluate", "--model", runs[0], music),
        ("report", runs[0], "--output", page),
        ("report", runs[0], "--output", page),
        ("compare", *runs, "--page", tmp_path / "compare.html", "--picture", tmp_path / "compare.png"),
        ("render", song, "--output", tmp_path / f"{GIVEN}.png"),
        ("render", music, "--output", tmp_path / GIVEN / "sounds", "--endings", f".{GIVEN}"),
        ("ingest", music, tmp_path / "corpus"),
        (GIVEN,),
        ("inspect", f"--{GIVEN}"),
        ("train", "--model", GIVEN, "--output", tmp_path / "x"),
    ):
        check_terminal(run(*command))
        if command[0] == "train" and not runs[1].exists():
            shutil.copytree(runs[0], runs[1])
    assert piece.exists()
    for written in (page, tmp_path / "compare.html"):
        check_page(written.read_text(encoding="utf-8"))


def test_pages_and_cards(music: Path, tmp_path: Path) -> None:
    """A roll, a model or a studio from a stranger runs a script in a notebook or in the browser."""
    roll = PianoRoll.from_midi(music / f"{NAME}1.mid").renamed(PART)
    trained = replace(open_model("bach-chords"), name=PART)
    pieces = trained.generate(num_frames=4, seed=1)
    line = PART.replace("\n", "")  # a card has several
    texts = {"name": line, "what": line, "data": line, "not_for": line, "own": {line: line}}
    shared = open_model(save_pretrained(trained.model, tmp_path / "shared", card=texts))
    for value in (roll, pieces.renamed(PART)):
        check_page(value._repr_html_())
    check_page(page_html([trained, shared], StudioLimits()))
    check_page(shared.card._repr_markdown_())
    for text in (repr(roll), repr(trained), repr(read_midi(music / f"{NAME}1.mid")), repr(shared.card)):
        check_terminal(Done(0, text, ""))
    note = {"pitch": 60, "start_beat": 0, "duration_beats": 1}
    answer = Service(trained.model, trained.layout).answer({"primer_notes": [note], "num_frames": 2})
    assert sorted(answer) == ["midi", "notes", "num_frames", "seed"]


@pytest.mark.parametrize("name", ["x🎵", "-", "a b=%41", "[x]'\"", "é" * 120])
def test_names_that_few_have(run: Run, music: Path, tmp_path: Path, name: str) -> None:
    """``generate --output x🎵.mid`` is refused, or another file is written."""
    folder = tmp_path / name
    folder.mkdir()
    song = folder / f"{name}.mid"
    shutil.copy(music / f"{NAME}1.mid", song)
    for command in (("inspect", song), ("inspect", folder)):
        done = run(*command)
        assert done.code == 0, done.err
    made = [tmp_path / f"{name}{ending}" for ending in (".mid", ".png", ".wav")]
    done = run("generate", "--primer", song, "--beats", 1, "--output", *made, "--overwrite")
    assert done.code == 0, done.err
    assert all(path.stat().st_size > 50 for path in made)


def test_a_name_of_300_bytes(run: Run, tmp_path: Path) -> None:
    """It is found after the music is written only, or the message does not say what is wrong."""
    for arguments in (
        ("generate", "--beats", 1, "--output", tmp_path / f"{'n' * 300}.mid"),
        ("inspect", tmp_path / f"{'n' * 300}.mid"),
        ("report", tmp_path / ("n" * 300)),
    ):
        done = run(*arguments)
        assert done.code in (1, 2)
        assert "Traceback" not in done.err
        assert "error: " in done.err
        assert "too long" in done.err or "no such file" in done.err or "not the folder" in done.err
        assert not list(tmp_path.iterdir())
