"""A folder of MIDI and MusicXML files as piano rolls."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Unpack

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq._internal.progress import tqdm
from pianoroll_seq2seq.errors import MidiError, PitchRangeError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, FrameGrid
from pianoroll_seq2seq.midi_io import music_paths
from pianoroll_seq2seq.midi_io.folder import piece_names
from pianoroll_seq2seq.midi_io.planes import Reading
from pianoroll_seq2seq.musicxml import midi_source_of
from pianoroll_seq2seq.part_selection import check_option
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PIANO, PitchRange


class Folder(NamedTuple):
    """The rolls of a folder, and the reason for each file that was not read."""

    rolls: list[PianoRoll]
    failures: dict[str, str]

    def __repr__(self) -> str:
        """The number of rolls, and the files that were not read."""
        names = ", ".join(list(self.failures)[:3]) + (", ..." if len(self.failures) > 3 else "")
        return f"Folder({len(self.rolls)} rolls, {len(self.failures)} files not read{names and ': '}{names})"


def read_folder(
    folder: str | os.PathLike[str],
    *,
    grid: FrameGrid = SIXTEENTHS,
    pitches: PitchRange | Mapping[str, PitchRange] = PIANO,
    outside: Literal["error", "drop"] = "error",
    progress: bool = False,
    **reading: Unpack[Reading],
) -> Folder:
    """Reads every MIDI file and MusicXML file below a folder, in order of their paths.

    MIDI files end with ``.mid``, ``.midi``, ``.kar`` or ``.rmi``, MusicXML files with ``.musicxml`` or ``.mxl``. The
    latter are read as the MIDI files of the same notes; unpitched notes whose drum is unknown are left out, with a
    warning.

    A file that cannot be used does not stop the others: ``failures`` has its reason, by its path below the folder. A
    roll is named after that path, without the ending (with it where two files differ in nothing else). Linked folders
    are read too, none of them twice.

    Args:
        folder: the folder to read.
        grid: see :meth:`PianoRoll.from_midi`, as for ``pitches``, ``outside`` and all further arguments.
        pitches: the pitches to keep, of all parts or of each by its name.
        outside: what to do with notes outside ``pitches``.
        progress: whether to show a progress bar.
        **reading: such as ``parts=["MELODY", "PIANO"]``, ``track="MELODY"``, ``drums=True`` or ``sustain=True``. With
            ``parts`` a file without one of them fails, and so does one in which the selections overlap.

    Raises:
        MidiNotFoundError: no such folder, or no such file in it.
        SettingsError: an unknown value of a reading option.
        MidiError: no file could be used; the message lists the first reasons.

    Example:
        >>> import tempfile
        >>> from pianoroll_seq2seq import write_midi
        >>> from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = write_midi(scale_chords()["scale_c_major"], f"{folder}/scale.mid")
        ...     _ = Path(folder, "notes.mid").write_text("no music")
        ...     rolls, failures = read_folder(folder)
        >>> [roll.name for roll in rolls], list(failures)
        (['scale'], ['notes.mid'])
    """
    check_option(reading.get("parts"))
    root = Path(folder)
    paths = music_paths(root)
    rolls: list[PianoRoll] = []
    failures: dict[str, str] = {}
    names = piece_names(path.relative_to(root).as_posix() for path in paths)
    for path in tqdm(paths, "read", unit="file", disable=not progress):
        below = path.relative_to(root)
        try:
            source = midi_source_of(path, reading.get("limits", DEFAULT_LIMITS))
            roll = PianoRoll.from_midi(source, grid=grid, pitches=pitches, outside=outside, **reading)
        except (MidiError, PitchRangeError) as error:
            failures[str(below)] = str(error)
        except SettingsError as error:
            if reading.get("parts") is None:
                raise
            failures[str(below)] = str(error)  # selections that overlap in this file
        else:
            rolls.append(roll.renamed(names[below.as_posix()]))
    if not rolls:
        reasons = "\n".join(f"  {reason}" for reason in list(failures.values())[:5])
        raise MidiError(f"{root}: none of its {len(paths)} files can be used:\n{reasons}")
    return Folder(rolls, failures)
