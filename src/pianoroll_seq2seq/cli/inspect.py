"""``inspect``: shows what is in a file or a folder of music."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.errors import MidiNotFoundError

if TYPE_CHECKING:
    from pianoroll_seq2seq.cli.inspection import Inspection


def inspect(path: Annotated[Path, Parameter(name="PATH")], /) -> "Inspection":
    """Shows what is in a MIDI or MusicXML file, or in all such files of a folder.

    Length, tempi, parts and pitches; possible problems, such as damage, stray notes or nothing but drums; and the
    grid and pitches that fit the music.

    Args:
        path: A MIDI or MusicXML file, or a folder of such files.

    Raises:
        MidiNotFoundError: no such file or folder, or a folder without such files.
        MidiError: a single file that cannot be read.
    """
    if not path.exists():
        raise MidiNotFoundError(f"{path}: no such file or folder. Check the path.")
    from pianoroll_seq2seq.cli.inspection import inspect_folder, inspect_one

    return inspect_folder(path) if path.is_dir() else inspect_one(path)


COMMAND = Command(
    inspect,
    examples="""
    pianoroll-seq2seq inspect song.mid
    pianoroll-seq2seq inspect my_midi
    pianoroll-seq2seq inspect my_midi --json > facts.json
    """,
)
