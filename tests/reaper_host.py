"""A stand-in for REAPER: a project of MIDI items, and the functions of ReaScript that the example calls."""

import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lupa import lua53, lua54

SCRIPT = Path(__file__).resolve().parent.parent / "examples/reaper/fill_bars.lua"
TICKS = 960
"""In a quarter note."""


@dataclass
class Item:
    """A MIDI item on a track of its own; notes are [onset, end, channel, pitch, velocity, muted], times in ticks."""

    track: str
    first: float
    """The quarter note at which it begins, from which its ticks count."""
    last: float
    notes: list[list[Any]] = field(default_factory=list)

    def music(self) -> list[tuple[float, float, int]]:
        """Start and end in quarter notes of the project, and pitch, of each note."""
        return [(self.first + one[0] / TICKS, self.first + one[1] / TICKS, one[3]) for one in self.notes]


@dataclass
class Project:
    """A project with one tempo.

    Attributes:
        items: the selected items.
        selection: the time selection, in quarter notes.
        bars: the beginnings of the first bars, in quarter notes; those after them are as long as the last of them.
        answers: what the user enters into the dialog; None to cancel it.
    """

    items: list[Item]
    selection: tuple[float, float]
    answers: list[str] | None
    bars: tuple[float, ...] = (0, 4)
    beats_per_minute: float = 90
    kept: dict[tuple[str, str], tuple[str, bool]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    undo_points: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    questions: str = ""

    def run(self, version: Literal["5.3", "5.4"] = "5.4") -> None:
        """Runs the script, as the action list does; REAPER 6 has Lua 5.3, and 7 has 5.4."""
        lua = (lua53 if version == "5.3" else lua54).LuaRuntime(unpack_returned_tuples=True)
        lua.globals().reaper = lua.table(
            **{name: getattr(self, f"_{name}") for name in _FUNCTIONS}
        )  # a function that is missing is nil, as in an old REAPER
        lua.execute(SCRIPT.read_text(encoding="utf-8"))

    def _seconds(self, quarters: float) -> float:
        return quarters * 60 / self.beats_per_minute

    def _quarters(self, seconds: float) -> float:
        return seconds * self.beats_per_minute / 60

    def _bar(self, number: int) -> float:
        if number < len(self.bars):
            return self.bars[number]
        return self.bars[-1] + (number + 1 - len(self.bars)) * (self.bars[-1] - self.bars[-2])

    # The functions of ReaScript, as its documentation has them.

    def _GetOS(self) -> str:
        return "Other"

    def _GetResourcePath(self) -> str:
        raise AssertionError("not called but on Windows")

    def _time_precise(self) -> float:
        return 1234.5678

    def _GetSet_LoopTimeRange(self, *_: Any) -> tuple[float, float]:
        first, last = self.selection
        return self._seconds(first), self._seconds(last)

    def _TimeMap2_timeToBeats(self, _: Any, seconds: float) -> tuple[float, int, int, float, int]:
        quarters, number = self._quarters(seconds), 0
        while self._bar(number + 1) <= quarters:
            number += 1
        return quarters - self._bar(number), number, 4, quarters, 4

    def _TimeMap2_timeToQN(self, _: Any, seconds: float) -> float:
        return self._quarters(seconds)

    def _TimeMap_GetMeasureInfo(self, _: Any, number: int) -> tuple[float, float, float, int, int, float]:
        first, last = self._bar(number), self._bar(number + 1)
        return self._seconds(first), first, last, 4, 4, self.beats_per_minute

    def _CountSelectedMediaItems(self, _: Any) -> int:
        return len(self.items)

    def _GetSelectedMediaItem(self, _: Any, index: int) -> Item:
        return self.items[index]

    def _GetActiveTake(self, item: Item) -> Item:
        return item

    def _TakeIsMIDI(self, take: Item) -> bool:
        return take is not None

    def _GetMediaItem_Track(self, item: Item) -> Item:
        return item

    def _GetSetMediaTrackInfo_String(self, track: Item, name: str, _: str, set_it: bool) -> tuple[bool, str]:
        assert (name, set_it) == ("P_NAME", False)
        return True, track.track

    def _GetMediaItemInfo_Value(self, item: Item, name: str) -> float:
        length = self._seconds(item.last) - self._seconds(item.first)
        return {"D_POSITION": self._seconds(item.first), "D_LENGTH": length}[name]

    def _MIDI_SetItemExtents(self, item: Item, first: float, last: float) -> bool:
        for note in item.notes:
            note[0] += (item.first - first) * TICKS
            note[1] += (item.first - first) * TICKS
        item.first, item.last = first, last
        return True

    def _MIDI_CountEvts(self, take: Item) -> tuple[bool, int, int, int]:
        return True, len(take.notes), 0, 0

    def _MIDI_GetNote(self, take: Item, index: int) -> tuple[bool, bool, bool, float, float, int, int, int]:
        if index >= len(take.notes):
            return False, False, False, 0, 0, 0, 0, 0
        onset, end, channel, pitch, velocity, muted = take.notes[index]
        return True, False, muted, onset, end, channel, pitch, velocity

    def _MIDI_DeleteNote(self, take: Item, index: int) -> bool:
        del take.notes[index]
        return True

    def _MIDI_InsertNote(self, take: Item, *note: Any) -> bool:
        _, muted, onset, end, channel, pitch, velocity, _ = note
        assert self.undo_points == ["begin"], "notes change inside an undo block alone"
        assert 0 <= onset < end <= (take.last - take.first) * TICKS + 1
        take.notes.append([onset, end, channel, pitch, velocity, muted])
        return True

    def _MIDI_Sort(self, take: Item) -> None:
        take.notes.sort()

    def _MIDI_GetProjQNFromPPQPos(self, take: Item, ticks: float) -> float:
        return take.first + ticks / TICKS

    def _MIDI_GetPPQPosFromProjQN(self, take: Item, quarters: float) -> float:
        return (quarters - take.first) * TICKS

    def _GetExtState(self, section: str, key: str) -> str:
        return self.kept.get((section, key), ("", False))[0]

    def _SetExtState(self, section: str, key: str, value: str, persist: bool) -> None:
        self.kept[section, key] = (value, persist)

    def _GetUserInputs(self, _: str, count: int, questions: str, before: str) -> tuple[bool, str]:
        asked = [one for one in questions.split(",") if not one.startswith(("extrawidth=", "separator="))]
        assert len(asked) == count == len(before.split("\n"))
        self.questions = questions
        if self.answers is None:
            return False, ""
        given = zip(self.answers, before.split("\n"), strict=True)
        return True, "\n".join(old if new == "" else new for new, old in given)

    def _ExecProcess(self, command: str, timeout_ms: int) -> str:
        self.commands.append(command)
        done = subprocess.run(
            shlex.split(command), capture_output=True, text=True, timeout=timeout_ms / 1000, check=False
        )
        return f"{done.returncode}\n{done.stdout}{done.stderr}"

    def _ShowMessageBox(self, message: str, _: str, __: int) -> int:
        self.messages.append(message)
        return 1

    def _Undo_BeginBlock(self) -> None:
        self.undo_points.append("begin")

    def _Undo_EndBlock(self, description: str, flags: int) -> None:
        assert flags == -1
        self.undo_points[-1] = description

    def _UpdateArrange(self) -> None:
        pass


_FUNCTIONS = [
    name.removeprefix("_")
    for name in vars(Project)
    if name.startswith("_") and not name.startswith("__") and name not in ("_seconds", "_quarters", "_bar")
]
