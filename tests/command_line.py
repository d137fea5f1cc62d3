"""What tests of the command line share."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pianoroll_seq2seq import FillingLSTM, FrameLayout, MonophonicHead, Part, PianoRoll, PitchRange, save_pretrained


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code and its output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON document."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    def refused(self) -> str:
        """The message of a usage error: exit code 2, no traceback, nothing on standard output."""
        assert self.code == 2, self.err
        assert not self.out
        assert "Traceback" not in self.err
        return self.err.partition("error: ")[2]


Run = Callable[..., Done]

SMALL_WINDOWS = ("--hop", 16, "--input-frames", 8, "--target-frames", 8)
SMALL_MODEL = ("--model", "Seq2SeqLSTM", "--model.hidden-size", 8)
SMALL = ("--epochs", 1, *SMALL_WINDOWS)
"""A run of a second."""

FASTER = {
    "train": {"--data": ("my_midi",), "--epochs": (1,), "--model.hidden-size": (8,), "--head.hidden-size": (4,)}
    | dict(zip(SMALL_WINDOWS[::2], ((value,) for value in SMALL_WINDOWS[1::2]), strict=True)),
    "generate": {"--beats": (2,)},
    "fill": {"--model": ("filling",)},
}
"""Options that make commands quick, in place of their own values."""


def quick(command: str, arguments: list[str]) -> list[object]:
    """The arguments with smaller values."""
    if "--config" in arguments or "--help" in arguments:
        return list(arguments)
    left: list[object] = list(arguments)
    for option, value in FASTER.get(command, {}).items():
        if option in left:
            place = left.index(option)
            keep = option == "--data"
            left[place + 1 : place + 2] = [left[place + 1]] if keep else value
        elif not option.startswith("--head."):
            left += [option, *value]
    return left


def write_chorale_files(folder: Path) -> None:
    """A melody and a piece of four voices, of eight bars, and an untrained model of them that fills."""
    ranges = {"soprano": (60, 81), "alto": (53, 74), "tenor": (48, 69), "bass": (36, 64)}
    parts = tuple(Part(name, pitches=PitchRange(*pitches)) for name, pitches in ranges.items())
    active = np.zeros((128, sum(len(part.pitches) for part in parts)), dtype=bool)
    active[:, np.cumsum([0, *(len(part.pitches) for part in parts[:-1])]) + 4] = True
    piece = PianoRoll.from_active(active, parts=parts)
    piece.to_midi(folder / "piece.mid")
    piece["soprano"].to_midi(folder / "melody.mid")
    layout = FrameLayout.of(piece)
    model = FillingLSTM(layout, hidden_size=8, encoder_size=4, num_copy_heads=0, head=MonophonicHead)
    save_pretrained(model, folder / "filling", layout=layout)
