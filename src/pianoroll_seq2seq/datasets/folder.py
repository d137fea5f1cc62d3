"""A folder of MIDI files as piano rolls."""

import os
from pathlib import Path
from typing import Literal, NamedTuple

from tqdm.auto import tqdm

from pianoroll_seq2seq.errors import MidiError, MidiNotFoundError, PitchRangeError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.pianoroll import PIANO, PianoRoll, PitchRange


class Folder(NamedTuple):
    """What a folder held: the rolls, and the reason for each file that gave none."""

    rolls: list[PianoRoll]
    failures: dict[str, str]


def read_folder(
    folder: str | os.PathLike[str],
    *,
    grid: FrameGrid = SIXTEENTHS,
    pitches: PitchRange = PIANO,
    drums: bool = False,
    outside: Literal["error", "drop"] = "error",
    progress: bool = False,
) -> Folder:
    """Reads every ``.mid`` and ``.midi`` file below a folder, in order of their paths.

    A file that cannot be used does not stop the others: its reason stands in ``failures``, by its path
    below the folder. A roll is named after that path, without the ending.

    Args:
        folder: where to look.
        grid: see :meth:`PianoRoll.from_score`, as are ``pitches``, ``drums`` and ``outside``.
        pitches: the pitches to keep.
        drums: whether the drum kit counts as pitches.
        outside: what becomes of notes outside ``pitches``.
        progress: whether to show a progress bar.

    Raises:
        MidiNotFoundError: no such folder, or no MIDI file in it.
        MidiError: not one file could be used; the message gives the first reasons.
    """
    root = Path(folder)
    if not root.is_dir():
        raise MidiNotFoundError(f"{root}: no such folder. Check the path.")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in (".mid", ".midi") and path.is_file())
    if not paths:
        raise MidiNotFoundError(f"{root}: no .mid or .midi file in it or below. Check the path.")
    rolls: list[PianoRoll] = []
    failures: dict[str, str] = {}
    for path in tqdm(paths, "read", unit="file", disable=not progress):
        below = path.relative_to(root)
        try:
            roll = PianoRoll.from_midi(path, grid=grid, pitches=pitches, drums=drums, outside=outside)
        except (MidiError, PitchRangeError) as error:
            failures[str(below)] = str(error)
        else:
            rolls.append(roll.renamed(str(below.with_suffix(""))))
    if not rolls:
        reasons = "\n".join(f"  {reason}" for reason in list(failures.values())[:5])
        raise MidiError(f"{root}: none of its {len(paths)} MIDI files can be used:\n{reasons}")
    return Folder(rolls, failures)
