"""``generate``: new music from a trained model."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.lengths import Length
from pianoroll_seq2seq.cli.outputs import ENDINGS, check_outputs, write_music
from pianoroll_seq2seq.cli.scales import pitch_classes_of
from pianoroll_seq2seq.conditions import pitch_class_vector
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.tempo import TempoMap

if TYPE_CHECKING:
    from pianoroll_seq2seq.sampling import Sampler
    from pianoroll_seq2seq.trained import TrainedModel

_SILENCE, _IN_BEATS, _IN_SECONDS = Length(beats=16), Length(beats=64), Length(seconds=32)


@dataclass(frozen=True)
class Written:
    """A piece that was written."""

    files: tuple[str, ...]
    seconds: float
    """How long it is, the primer included where that is in it."""
    frames: int
    notes: int


@dataclass(frozen=True)
class Generated:
    """What was written.

    Args:
        model: by which model.
        seed: of the draws.
        pieces: the pieces.
    """

    model: str
    seed: int
    pieces: tuple[Written, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def __str__(self) -> str:
        """A line for each file."""
        return "\n".join(
            f"{file}: {piece.seconds:.1f} s, {piece.notes} notes ({self.model}, seed {self.seed})"
            for piece in self.pieces
            for file in piece.files
        )


@dataclass(frozen=True)
class Wishes:
    """What the music begins with, and how long it is.

    Args:
        primer: a MIDI file to go on from; silence by default.
        primer_frames: how much of its beginning to hear, in frames; all of it by default.
        primer_beats: the same, in beats.
        primer_seconds: the same, in seconds.
        outside: what becomes of its notes outside the pitches that the model knows.
        bpm: beats a minute, where there is no primer.
        frames: how much to write, in frames.
        beats: the same, in beats; 64 by default.
        seconds: the same, in seconds; 32 by default for a model whose frames are seconds.
        only_new: whether to leave out the primer.
    """

    primer: Path | None = None
    primer_frames: int | None = None
    primer_beats: float | None = None
    primer_seconds: float | None = None
    outside: Literal["error", "drop"] = "error"
    bpm: float = 120.0
    frames: int | None = None
    beats: float | None = None
    seconds: float | None = None
    only_new: bool = False


@dataclass(frozen=True)
class Choices:
    """How the model chooses.

    Args:
        temperature: below 1 safer, above 1 bolder.
        threshold: instead of drawing, every pitch sounds whose probability reaches this. It tends to freeze the music.
        scale: keeps to a scale, such as 'C major' or f#_dorian.
        condition: what a model with conditions is told: its numbers, or the name of a scale.
        seed: of the draws; equal seeds give equal music.
        count: how many pieces; their files are numbered.
    """

    temperature: float = 1.0
    threshold: float | None = None
    scale: str | None = None
    condition: list[str] | None = None
    seed: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        """Checks what would only be noticed when all is loaded."""
        if self.count < 1:
            raise SettingsError(f"count must be at least 1, got {self.count}.")
        if self.threshold is not None and self.temperature != 1.0:
            raise SettingsError("A threshold draws nothing, so it has no temperature. Leave one of them out.")


@dataclass(frozen=True)
class Files:
    """Where the music goes, and how it sounds.

    Args:
        program: General MIDI program, 0..127 (0 is a grand piano).
        soundfont: a SoundFont (.sf2) to play it with.
        overwrite: whether files that are there may be replaced.
    """

    program: int = 0
    soundfont: Path | None = None
    overwrite: bool = False


def generate(
    output: Sequence[Path],
    *,
    model: str,
    wishes: Wishes = Wishes(),
    choices: Choices = Choices(),
    files: Files = Files(),
    classes: Sequence[str] = (),
    threads: int = 1,
) -> Generated:
    """Writes music with a trained model: the one that comes with the library, or any other.

    It begins from silence, or goes on from a MIDI file. What is written is said by the endings of the files.

    Args:
        output: the files.
        model: its name, the folder of a run, or a checkpoint.
        wishes: what it begins with, and how long it is.
        choices: how the model chooses.
        files: how the music sounds.
        classes: import paths of models and heads of the user's own.
        threads: of the CPU.
    """
    pieces_files = _numbered(output, choices.count)
    check_outputs([path for paths in pieces_files for path in paths], overwrite=files.overwrite)
    import torch

    from pianoroll_seq2seq.cli.building import classes_named
    from pianoroll_seq2seq.sampling import generate as continue_
    from pianoroll_seq2seq.trained import open_model

    torch.set_num_threads(threads)
    trained = open_model(model, classes=classes_named(classes))
    primer = _primer(trained, wishes)
    frames = _frames(trained, wishes, primer)
    condition = _condition(choices, trained)
    written = continue_(
        trained.model,
        [primer] * choices.count,
        frames=frames,
        sampler=_sampler(choices, trained),
        seed=choices.seed,
        onsets=trained.onsets,
        condition=None if condition is None else [condition] * choices.count,
        progress=True,
    )
    heard = 0 if wishes.primer is None or wishes.only_new else len(primer)
    done = []
    for paths, continuation in zip(pieces_files, written, strict=True):
        whole = (primer + continuation if heard else continuation).renamed(primer.name or trained.name)
        for path in paths:
            write_music(
                whole,
                path,
                primer_frames=heard,
                program=files.program,
                soundfont=files.soundfont,
                overwrite=files.overwrite,
            )
        notes = len(whole.notes()[0])
        done.append(Written(tuple(map(str, paths)), round(whole.seconds, 3), len(whole), notes))
    return Generated(trained.name, choices.seed, tuple(done))


def _numbered(output: Sequence[Path], count: int) -> list[list[Path]]:
    """The files of each piece."""
    if count == 1:
        return [list(output)]
    return [[path.with_stem(f"{path.stem}-{number}") for path in output] for number in range(1, count + 1)]


def _primer(trained: "TrainedModel", wishes: Wishes) -> PianoRoll:
    if wishes.primer is None:
        return _silence(trained, wishes)
    length = Length(wishes.primer_frames, wishes.primer_beats, wishes.primer_seconds)
    roll = PianoRoll.from_midi(wishes.primer, grid=trained.grid, pitches=trained.pitches, outside=wishes.outside)
    return roll[: length.in_frames(trained.grid, roll.tempo)] if length else roll


def _silence(trained: "TrainedModel", wishes: Wishes) -> PianoRoll:
    """Silence about as long as what a model has learned to go on from."""
    tempo = TempoMap.from_bpm(wishes.bpm)
    frames = _SILENCE.in_frames(trained.grid, tempo)
    return PianoRoll.silent(frames, grid=trained.grid, pitches=trained.pitches, tempo=tempo)


def _frames(trained: "TrainedModel", wishes: Wishes, primer: PianoRoll) -> int:
    default = _IN_BEATS if isinstance(trained.grid, BeatGrid) else _IN_SECONDS
    length = Length(wishes.frames, wishes.beats, wishes.seconds) or default
    return length.in_frames(trained.grid, primer.tempo, after=len(primer))


def _sampler(choices: Choices, trained: "TrainedModel") -> "Sampler":
    from pianoroll_seq2seq.sampling import Draw, InScale, Threshold

    sampler: Sampler = Draw(choices.temperature)
    if choices.threshold is not None:
        sampler = Threshold(choices.threshold)
    if choices.scale is None:
        return sampler
    return InScale(sampler, pitch_classes_of(choices.scale), trained.pitches)


def _condition(choices: Choices, trained: "TrainedModel") -> np.ndarray | None:
    given = choices.condition
    if not given:
        return None
    try:
        numbers = [float(text) for text in given]
    except ValueError:
        numbers = pitch_class_vector(pitch_classes_of(" ".join(given))).tolist()
    if len(numbers) != trained.condition_size or not all(map(math.isfinite, numbers)):
        raise SettingsError(
            f"--condition: this model is told {trained.condition_size or 'no'} numbers of every frame, got {numbers}."
        )
    return np.array(numbers, dtype=np.float32)


def _options(
    *,
    output: list[str],
    model: str = "bach-chorales",
    classes: list[str] | None = None,
    threads: int = 1,
) -> None:
    """What is written, and by what.

    Args:
        output: the files to write, each by its ending: MIDI, sound or a picture.
        model: a model that comes with the library, the folder of a run, or a checkpoint.
        classes: import paths of your own models and heads that the model is made of, such as my_module.MyModel.
        threads: of the CPU.
    """


def _call(made: Any, _text: str) -> Generated:
    """From options to the function."""
    given = vars(made)
    wishes, choices, files = (_group(kind, given) for kind in (Wishes, Choices, Files))
    classes = given.pop("classes") or ()
    given["output"] = [Path(path) for path in given["output"]]
    return generate(**given, wishes=wishes, choices=choices, files=files, classes=classes)


def _group(kind: type[Any], given: dict[str, Any]) -> Any:
    return kind(**{name: given.pop(name) for name in kind.__dataclass_fields__})


COMMAND = Command(
    generate,
    examples=f"""
    pianoroll-seq2seq generate --output chorale.wav
    pianoroll-seq2seq generate --primer song.mid --primer_beats 16 --beats 64 --output song.mid song.wav song.png
    pianoroll-seq2seq generate --model runs/mine --temperature 0.9 --seed 7 --count 4 --output piece.mid
    (endings: {", ".join(ENDINGS)})
    """,
    groups=(_options, Wishes, Choices, Files),
    call=_call,
    own_classes=True,
)
