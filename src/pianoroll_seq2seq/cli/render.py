"""``render``: MIDI files as sound, or as pictures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from tqdm.auto import tqdm

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.ingest import reason_of
from pianoroll_seq2seq.cli.outputs import ENDINGS, SOUND, check_outputs, draw
from pianoroll_seq2seq.errors import LimitError, MidiError, MidiNotFoundError, SettingsError
from pianoroll_seq2seq.grid import SIXTEENTHS, BeatGrid, SecondsGrid
from pianoroll_seq2seq.midi_io import midi_paths, read_midi, write_midi
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.rendering import Rendering
from pianoroll_seq2seq.score import Score

_ALL = PitchRange(0, 127)
_SHOWN = 20


@dataclass(frozen=True)
class Rendered:
    """What was written.

    Args:
        files: the files.
        refused: why MIDI files of a folder could not be used, by their paths below it.
    """

    files: tuple[str, ...]
    refused: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Both."""
        return asdict(self)

    def __str__(self) -> str:
        """A line for each file."""
        shown = (
            self.files if len(self.files) <= _SHOWN else (*self.files[:_SHOWN], f"and {len(self.files) - _SHOWN} more")
        )
        refused = [f"not used: {reason_of(path, reason)}" for path, reason in self.refused.items()]
        return "\n".join([*shown, *refused])


def render(
    source: Path,
    *,
    output: list[str],
    endings: list[str] | None = None,
    synthesizer: Literal["auto", "soundfont", "plain"] = "auto",
    soundfont: Path | None = None,
    tail_seconds: float = 2.0,
    mono: bool = False,
    grid: BeatGrid | SecondsGrid = SIXTEENTHS,
    overwrite: bool = False,
) -> Rendered:
    """Turns MIDI files into sound (.wav, .flac, .ogg) or pictures (.png), with all parts and drums in their own sounds.

    Args:
        source: a MIDI file, or a folder of them.
        output: the files to write; for a folder of MIDI files one folder.
        endings: what to write of each file of a folder, such as .wav .png; .wav by default.
        synthesizer: plays with a SoundFont where that can be (extra audio), or plainly.
        soundfont: a SoundFont (.sf2) to play with.
        tail_seconds: how long it goes on after the music.
        mono: whether to write one channel instead of two.
        grid: of the pictures: frames_per_beat, or frame_seconds.
        overwrite: whether files that are there may be replaced.

    Raises:
        MidiNotFoundError: no such file or folder.
        MidiError: a single file that cannot be read.
        SettingsError: endings that say nothing.
        OverwriteError: a file is there already.
    """
    rendering = Rendering(synthesizer=synthesizer, soundfont=soundfont, tail_seconds=tail_seconds, mono=mono)
    plan = _plan(source, output, endings)
    check_outputs([path for paths in plan.values() for path in paths], overwrite=overwrite)
    written: list[str] = []
    refused: dict[str, str] = {}
    for midi, paths in tqdm(plan.items(), "render", unit="file", disable=len(plan) == 1):
        try:
            score = read_midi(midi)
            for path in paths:
                _write(score, path, rendering, grid, overwrite=overwrite)
                written.append(str(path))
        except (MidiError, LimitError) as error:
            if not source.is_dir():
                raise
            refused[str(midi.relative_to(source))] = str(error)
    return Rendered(tuple(written), refused)


def _plan(source: Path, output: list[str], endings: list[str] | None) -> dict[Path, list[Path]]:
    """Which files are made of which."""
    if not source.is_dir():
        if not source.exists():
            raise MidiNotFoundError(f"{source}: no such file or folder. Check the path.")
        if endings:
            raise SettingsError("--endings is for folders: the endings of --output say what to write of a file.")
        return {source: [Path(path) for path in output]}
    if len(output) != 1:
        raise SettingsError(f"{source} is a folder: give one folder as --output, and --endings for what to write.")
    wanted = [ending if ending.startswith(".") else f".{ending}" for ending in endings or [SOUND[0]]]
    unknown = [ending for ending in wanted if ending not in ENDINGS]
    if unknown:
        raise SettingsError(f"--endings: {unknown[0]} is none of {', '.join(ENDINGS)}.")
    folder = Path(output[0])
    return {
        path: [(folder / path.relative_to(source)).with_suffix(ending) for ending in wanted]
        for path in midi_paths(source)
    }


def _write(score: Score, path: Path, rendering: Rendering, grid: BeatGrid | SecondsGrid, *, overwrite: bool) -> None:
    if path.suffix.lower() in SOUND:
        from pianoroll_seq2seq.audio import to_audio

        to_audio(score, **rendering).save(path, overwrite=overwrite)
    elif path.suffix.lower() == ".png":
        draw(PianoRoll.from_score(score, grid=grid, pitches=_ALL), path, overwrite=overwrite)
    else:
        write_midi(score, path, overwrite=overwrite)


COMMAND = Command(
    render,
    examples="""
    pianoroll-seq2seq render song.mid --output song.wav song.png
    pianoroll-seq2seq render song.mid --output song.flac --soundfont piano.sf2
    pianoroll-seq2seq render my_midi --output heard --endings .ogg .png
    """,
)
