"""The script for REAPER, run by Lua in a stand-in of its host, against the studio's own server."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import torch
from reaper_host import TICKS, Item, Project
from studio_server import Served, served

from pianoroll_seq2seq import BeatGrid, FillingLSTM, FrameLayout, Part, PitchRange
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.studio.access import AccessToken


def filling_model(name: str = "duet") -> TrainedModel:
    torch.manual_seed(1)
    layout = FrameLayout(
        BeatGrid(4),
        planes=("active", "onset"),
        parts=(Part("high", pitches=PitchRange(60, 83)), Part("low", pitches=PitchRange(36, 59))),
    )
    model = FillingLSTM(layout, hidden_size=8, encoder_size=4, num_copy_heads=0)
    return TrainedModel(model.eval(), layout, name=name)


TOKEN = AccessToken()


@pytest.fixture(scope="module")
def studio(one_thread: None) -> Iterator[Served]:
    if shutil.which("curl") is None:
        if os.environ.get("CI"):
            pytest.fail("curl is not installed")
        pytest.skip("curl is not installed")
    with served([filling_model()], token=TOKEN) as running:
        yield running


def address(studio: Served) -> str:
    return f"{studio.address}/?token={TOKEN.text}"


def item(track: str, *pitches: int, first: float = 0, last: float = 16, channel: int = 0) -> Item:
    """An item with a note of a quarter at each quarter."""
    notes = [[TICKS * at, TICKS * (at + 1), channel, pitch, 80, False] for at, pitch in enumerate(pitches) if pitch]
    return Item(track, first, last, notes)


def duet() -> list[Item]:
    return [item("high", *[72, 74, 76, 77] * 4), item("low", *[48, 50, 52, 53] * 4, channel=1)]


def outside(part: Item, first: float, last: float) -> list[tuple[float, float, int]]:
    return [key for key in part.music() if key[1] <= first or key[0] >= last]


@pytest.mark.parametrize("version", ["5.3", "5.4"])
def test_the_selected_bars_are_written_anew(version: Literal["5.3", "5.4"], studio: Served) -> None:
    """Other bars change, notes come at other places, or the old ones stay below the new ones."""
    project = Project(duet(), (4, 12), [address(studio), "duet", "", ""])
    project.items[0].notes[5][5] = True  # muted
    before = [list(part.music()) for part in project.items]
    muted = list(project.items[0].notes[5])
    project.run(version)
    assert project.messages == []
    assert muted in project.items[0].notes, "the model did not read it"
    for part, old in zip(project.items, before, strict=True):
        assert outside(part, 4, 12) == [key for key in old if key[1] <= 4 or key[0] >= 12]
        assert part.music() != old
        inside = [key for key in part.music() if 4 <= key[0] < 12]
        assert inside, "the model writes notes"
        assert all((4 * at) % 1 == 0 for key in inside for at in key[:2]), "on the model's grid"
    assert {one[2] for one in project.items[1].notes} == {1}, "on the channel of the item"
    (undo,) = project.undo_points
    assert undo.startswith("Fill bars: ")


def test_parts_without_notes_are_added_to_a_melody(studio: Served) -> None:
    """The melody is written over; or the empty item, which ends too early, stays empty."""
    project = Project(
        [item("high", *[72, 74, 76, 77] * 4), item("low", first=4, last=6)],
        (0, 16),
        [address(studio), "duet", "harmonize", "0.9"],
    )
    melody = project.items[0].music()
    project.run()
    assert project.messages == []
    assert project.items[0].music() == melody
    assert (project.items[1].first, project.items[1].last) == (0, 16)
    assert project.items[1].notes


def test_bars_are_those_of_the_project(studio: Served) -> None:
    """After bars of another length the script fills other bars than are selected."""
    project = Project(duet(), (7, 10), [address(studio), "duet", "", ""], bars=(0, 4, 7))
    before = project.items[0].music()
    project.run()
    assert project.messages == []
    assert outside(project.items[0], 7, 10) == [key for key in before if key[1] <= 7 or key[0] >= 10]
    project = Project(duet(), (0, 10), [address(studio), "duet", "", ""], bars=(0, 4, 7))
    project.run()
    assert "several metres" in project.messages[0]


def test_the_dialog_remembers(studio: Served) -> None:
    """The address has to be pasted before every use; or a token is kept on the disk."""
    project = Project(duet(), (4, 8), [address(studio), "duet", "", "0.8"])
    project.run()
    project.answers, project.undo_points = ["", "", "", ""], []
    project.run()
    assert project.messages == []
    kept = {key: value for (_, key), value in project.kept.items()}
    assert kept["address"] == (address(studio), False)
    assert kept["model"] == ("duet", True)
    project.answers = None
    count = len(project.commands)
    project.run()
    assert len(project.commands) == count, "cancelled"


def test_other_users_do_not_see_the_token(studio: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is in the arguments of a program, or in a file that others can read or that stays."""
    seen: list[tuple[int, bool]] = []
    written: list[Path] = []
    project = Project(duet(), (4, 8), [address(studio), "duet", "", ""])
    run = project._ExecProcess

    def watched(command: str, timeout_ms: int) -> str:
        assert TOKEN.text not in command
        if command.startswith("curl"):
            options = Path(command.partition('"')[2].rstrip('"'))
            seen.append((options.stat().st_mode & 0o077, TOKEN.text in options.read_text(encoding="utf-8")))
            written.append(options)
        return run(command, timeout_ms)

    monkeypatch.setattr(project, "_ExecProcess", watched)
    project.run()
    assert project.messages == []
    assert seen == [(0, True)]
    assert not written[0].exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"answers": ["http://127.0.0.1:9/?token=x", "duet", "", ""]},
            "Start it in a terminal: pianoroll-seq2seq studio",
        ),
        ({"answers": ["studio", "duet", "", ""]}, "what it prints when it starts"),
        ({"answers": ["http://music.example:80/?token=x", "duet", "", ""]}, "what it prints when it starts"),
        ({"token": "wrong"}, "open the address that the studio printed"),
        ({"model": "nosuch"}, "Open models: duet"),
        ({"temperature": "hot"}, "The temperature must be a number"),
        ({"items": []}, "Select a MIDI item"),
        ({"items": duet()[:1]}, "writes 2 parts, high, low, and the piece has 1"),
        ({"selection": (4, 4)}, "Select the bars to fill"),
    ],
)
def test_problems_are_said(studio: Served, changes: dict, message: str) -> None:
    """A user reads a line of Lua's stack, or nothing, and the notes are gone."""
    answers = [
        f"{studio.address}/?token={changes.get('token', TOKEN.text)}",
        changes.get("model", "duet"),
        "fill",
        changes.get("temperature", "1"),
    ]
    items = changes.get("items", duet())
    project = Project(items, changes.get("selection", (4, 8)), changes.get("answers", answers))
    before = [list(part.music()) for part in items]
    project.run()
    (shown,) = project.messages
    assert message in shown
    assert ".lua" not in shown
    assert "[string" not in shown
    assert [list(part.music()) for part in items] == before
    assert project.undo_points == []
