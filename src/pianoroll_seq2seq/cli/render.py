"""``render``: turns MIDI files into sound or pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.left_out import left_out_lines
from pianoroll_seq2seq.cli.music_files import ENDINGS, NOTATION, PICTURE, SHEET, SOUND, check_outputs, draw
from pianoroll_seq2seq.cli.options import BASIC, GridOptions, part_names
from pianoroll_seq2seq.errors import LimitError, MidiError, MidiNotFoundError, SettingsError

if TYPE_CHECKING:
    from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
    from pianoroll_seq2seq.midi_io.source import NamedBytes
    from pianoroll_seq2seq.part_selection import PartsOption
    from pianoroll_seq2seq.pianoroll import PianoRoll
    from pianoroll_seq2seq.score import Score

_MAX_LINES = 20


@dataclass(frozen=True)
class Rendered:
    """The files that were written."""

    files: tuple[str, ...]
    num_sources: int
    """How many MIDI files they were made from."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why MIDI files of a folder could not be used, by their paths below it."""

    def to_json(self) -> dict[str, Any]:
        """The files, and those that were refused."""
        return {"files": list(self.files), "refused": dict(self.refused)}

    def __str__(self) -> str:
        """One line for each file."""
        more = len(self.files) - _MAX_LINES
        lines = [*self.files[:_MAX_LINES], *([f"and {more} more"] if more > 0 else [])]
        return "\n".join([*lines, *left_out_lines(self.refused, self.num_sources)])


@Parameter(name="*", group="Sound")
@dataclass(frozen=True)
class SoundOptions:
    """How the music sounds."""

    synthesizer: Literal["auto", "soundfont", "plain"] = "auto"
    """Play with a SoundFont (extra audio) or with plain tones. auto takes a SoundFont if it can."""
    soundfont: Path | None = None
    """SoundFont (.sf2) to play with."""
    tail_seconds: float = 2.0
    """Seconds to write after the music, in which the last notes fade out."""
    mono: bool = False
    """Write one channel instead of two."""


def render(
    source: Annotated[Path, Parameter(name="SOURCE")],
    /,
    *,
    output: Annotated[list[str], Parameter(group=BASIC)],
    endings: Annotated[list[str] | None, Parameter(group=BASIC)] = None,
    overwrite: Annotated[bool, Parameter(group=BASIC, negative=())] = False,
    on_damage: Annotated[Literal["error", "salvage"], Parameter(group=BASIC)] = "error",
    parts: Annotated[str | None, Parameter(group=BASIC, metavar="PARTS")] = None,
    sound: SoundOptions = SoundOptions(),
    grid: GridOptions = GridOptions(),
) -> Rendered:
    """Turns MIDI or MusicXML files into sound (.wav), sheet music (.pdf, .svg), pictures (.png) or scores (.musicxml).

    All parts and drums are kept. The notes of a score and of sheet music are on the grid. Sheet music of several pages
    as SVG is a file for each page: song.svg, song-2.svg and so on.

    Sound has the file's programs, velocities, volume, expression, pan, pitch bend and sustain pedal; a warning names
    what is not played. Pictures have all pitched notes in one part, unless --parts is given; softer notes are paler.

    Args:
        source: A MIDI or MusicXML file, or a folder of such files.
        output: Files to write, or one folder if SOURCE is a folder.
        endings: What to write for each file of a folder, such as .wav .png; .wav by default.
        overwrite: Replace existing files.
        on_damage: Refuse damaged files, or read them up to the damage.
        parts: Of pictures, scores and sheet music: tracks draws each track in a colour of its own, and drums too; names
            of tracks with commas between them, such as MELODY,PIANO, draw only these.
        sound: how the music sounds.
        grid: of pictures, scores and sheet music; sixteenths by default, and for sheet music the coarsest from
            sixteenths to twenty-fourths of a beat on which all notes are.

    Raises:
        MidiNotFoundError: no such file or folder, or a folder without such files.
        MidiError: a single file that cannot be read.
        SettingsError: an unknown ending, or parts without a picture.
        OverwriteError: a file exists already.
    """
    from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
    from pianoroll_seq2seq._internal.progress import tqdm
    from pianoroll_seq2seq.midi_io.source import NamedBytes
    from pianoroll_seq2seq.musicxml import midi_bytes_of

    plan = _plan(source, output, endings)
    if parts is not None and not any(
        path.suffix.lower() in (*PICTURE, *NOTATION, *SHEET) for paths in plan.values() for path in paths
    ):
        raise SettingsError(f"--parts {parts} is for pictures. Add a {PICTURE[0]} file, or leave it out.")
    chosen = part_names(parts)
    check_outputs([path for paths in plan.values() for path in paths], overwrite=overwrite)
    written: list[str] = []
    refused: dict[str, str] = {}
    for midi, paths in tqdm(plan.items(), "render", unit="file", disable=len(plan) == 1):
        try:
            data, label = midi_bytes_of(midi, DEFAULT_LIMITS)  # once: a pipe cannot be read again
            for path in paths:
                music = NamedBytes(data, label)
                frames = _Frames(grid.grid(), chosen)
                made = _write(music, path, sound, frames, on_damage=on_damage, overwrite=overwrite)
                written += map(str, made)
        except (MidiError, LimitError) as error:
            if not source.is_dir():
                raise
            refused[str(midi.relative_to(source))] = str(error)
    return Rendered(tuple(written), len(plan) - len(refused), refused)


def _plan(source: Path, output: list[str], endings: list[str] | None) -> dict[Path, list[Path]]:
    """The files to write for each MIDI file."""
    if not source.is_dir():
        if not source.exists():
            raise MidiNotFoundError(f"{source}: no such file or folder. Check the path.")
        if endings:
            raise SettingsError(
                f"--endings {' '.join(endings)} is for folders. For one file, give --output with endings."
            )
        return {source: [Path(path) for path in output]}
    if len(output) != 1:
        raise SettingsError(f"{source} is a folder: give one folder as --output, and what to write as --endings.")
    wanted = [ending if ending.startswith(".") else f".{ending}" for ending in endings or [SOUND[0]]]
    unknown = [ending for ending in wanted if ending not in ENDINGS]
    if unknown:
        raise SettingsError(f"--endings {unknown[0]}: unknown ending. Give one of {', '.join(ENDINGS)}.")
    from pianoroll_seq2seq.midi_io.folder import music_paths, piece_names

    folder = Path(output[0])
    paths = {path: path.relative_to(source).as_posix() for path in music_paths(source)}
    names = piece_names(paths.values())
    return {path: [folder / f"{names[below]}{ending}" for ending in wanted] for path, below in paths.items()}


@dataclass(frozen=True)
class _Frames:
    """The frames of pictures, scores and sheet music."""

    grid: "BeatGrid | SecondsGrid | None"
    parts: "PartsOption"

    def roll_of(self, score: "Score", *, parts: "PartsOption", grid: "BeatGrid | None" = None) -> "PianoRoll":
        """The roll of a score; the arguments are what is taken if an option was not given (sixteenths for None)."""
        from pianoroll_seq2seq.grid import SIXTEENTHS
        from pianoroll_seq2seq.pianoroll import PianoRoll
        from pianoroll_seq2seq.pitches import ALL_PITCHES

        return PianoRoll.from_score(
            score, grid=self.grid or grid or SIXTEENTHS, pitches=ALL_PITCHES, parts=self.parts or parts
        )


def _write(
    music: "NamedBytes",
    path: Path,
    sound: SoundOptions,
    frames: _Frames,
    *,
    on_damage: Literal["error", "salvage"],
    overwrite: bool,
) -> tuple[Path, ...]:
    """Writes one output, and returns its files."""
    from pianoroll_seq2seq.midi_io import read_midi, write_midi

    ending = path.suffix.lower()
    if ending in SOUND:
        from pianoroll_seq2seq.display.audio import to_audio

        to_audio(music, on_damage=on_damage, **asdict(sound)).save(path, overwrite=overwrite)
    elif ending in SHEET:
        from pianoroll_seq2seq.display.sheet_music import notation_grid

        score = read_midi(music, on_damage=on_damage)
        roll = frames.roll_of(score, grid=notation_grid(score), parts="tracks")
        return roll.to_sheet_music().save(path, overwrite=overwrite)
    elif ending in (*PICTURE, *NOTATION):
        roll = frames.roll_of(read_midi(music, on_damage=on_damage), parts="tracks" if ending in NOTATION else None)
        if ending in NOTATION:
            roll.to_musicxml(path, overwrite=overwrite)
        else:
            draw(roll, path, overwrite=overwrite)
    else:
        write_midi(read_midi(music, on_damage=on_damage), path, overwrite=overwrite)
    return (path,)


COMMAND = Command(
    render,
    examples="""
    pianoroll-seq2seq render song.mid --output song.wav song.png
    pianoroll-seq2seq render song.mid --output tracks.png --parts tracks
    pianoroll-seq2seq render song.mid --output song.pdf song.svg
    pianoroll-seq2seq render song.mid --output song.musicxml --frames-per-beat 12
    pianoroll-seq2seq render song.mid --output song.flac --soundfont piano.sf2
    pianoroll-seq2seq render my_midi --output sounds --endings .ogg .png
    """,
    keeps_result=True,
)
