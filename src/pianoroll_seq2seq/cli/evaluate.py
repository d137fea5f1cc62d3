"""``evaluate``: how well a trained model predicts and plays, beside the baselines and the music itself."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

import torch

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.cli.building import classes_named
from pianoroll_seq2seq.cli.command import Command
from pianoroll_seq2seq.cli.learning import Condition, Windows, scales_of
from pianoroll_seq2seq.cli.music import Music, read_all
from pianoroll_seq2seq.cli.words import say
from pianoroll_seq2seq.comparison import MusicComparison, compare_sets
from pianoroll_seq2seq.errors import MissingExtraError, PieceTooShortError
from pianoroll_seq2seq.evaluation import Evaluation
from pianoroll_seq2seq.evaluation import evaluate as scores_of
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.likelihoods import Likelihood, likelihood
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.rasterize import Reading
from pianoroll_seq2seq.sampling import generate
from pianoroll_seq2seq.trained import TrainedModel, open_model

if TYPE_CHECKING:
    from jsonargparse import Namespace

_BEATS, _FRAMES = 16, 50
_BEST = "best.safetensors"


@dataclass(frozen=True)
class Evaluated:
    """The scores of a model.

    Args:
        model: which.
        pieces: how many pieces it was scored on.
        scores: of windows, beside the baselines.
        likelihood: of whole pieces.
        music: what the model plays, beside the music; None where that was not asked for or cannot be measured.
        refused: why files could not be used.
    """

    model: str
    pieces: int
    scores: Evaluation
    likelihood: Likelihood
    music: MusicComparison | None
    refused: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "model": self.model,
            "pieces": self.pieces,
            "windows": self.scores.to_json(),
            "likelihood": asdict(self.likelihood),
            "music": None if self.music is None else self.music.to_json(),
            "refused": dict(self.refused),
        }

    def __str__(self) -> str:
        """Tables."""
        lines = [f"{self.model} on {self.pieces} pieces ({len(self.refused)} files refused)", str(self.scores)]
        lines.append(f"whole pieces: {self.likelihood}")
        if self.music is not None:
            lines += ["what it plays:", str(self.music)]
        return "\n".join(lines)


@dataclass(frozen=True)
class Asked:
    """What is scored.

    Args:
        data: a folder of MIDI files, a corpus made by ingest on the model's grid, or one of the sets that train knows.
        model: a model that comes with the library, the folder of a run, or a checkpoint.
        outside: whether a file with notes outside the model's pitches is refused, or those notes are dropped.
        input_frames: frames that the model hears; those of its training by default, or 16 beats.
        target_frames: frames that it predicts; those of its training by default, or 16 beats.
        condition: what the model is told of each piece: nothing, or its scale.
        continuations: how many pieces to continue, so that what the model plays is held beside them; 0 for none.
        seed: of the continuations.
        classes: import paths of your own models and heads that the model is made of, such as my_module.MyModel.
        threads: of the CPU.
    """

    data: str
    model: str = "bach-chorales"
    outside: Literal["error", "drop"] = "error"
    input_frames: int | None = None
    target_frames: int | None = None
    condition: Condition = "nothing"
    continuations: int = 16
    seed: int = 0
    classes: list[str] | None = None
    threads: int = 1


def evaluate(asked: Asked, reading: Reading) -> Evaluated:
    """Scores a trained model on music, beside copying the frame before and copying the last input frame.

    Windows give nats per frame, precision, recall and F1; whole pieces the exact likelihood; and what the model plays
    is held beside how the pieces go on (extra metrics).

    Args:
        asked: what is scored.
        reading: what counts as a note.
    """
    torch.set_num_threads(asked.threads)
    trained = open_model(asked.model, classes=classes_named(asked.classes or ()))
    grid, pitches = cast(Any, trained.grid), trained.pitches
    rolls, refused = read_all(Music(asked.data, grid=grid, pitches=pitches, outside=asked.outside), reading)
    heard, predicted = learned_frames(asked.model)
    if heard is None:
        heard = predicted = _BEATS * grid.frames_per_beat if isinstance(grid, BeatGrid) else _FRAMES
    windows = Windows(
        input_frames=asked.input_frames or heard,
        target_frames=asked.target_frames or predicted or heard,
        hop=asked.target_frames or predicted or heard,
        onsets=trained.onsets,
        condition=asked.condition,
    )
    say(f"scoring {trained.name} on {len(rolls)} pieces")
    scores = scores_of(trained.model, windows.of(rolls, training=False))
    whole = likelihood(
        trained.model,
        rolls,
        input_frames=windows.input_frames,
        target_frames=windows.target_frames,
        onsets=trained.onsets,
        conditions=scales_of(rolls) if asked.condition == "scale" else None,
    )
    music = _music(trained, rolls, windows, asked)
    return Evaluated(trained.name, len(rolls), scores, whole, music, refused)


def learned_frames(source: str) -> tuple[int | None, int | None]:
    """How many frames a model of ``fit`` was trained to hear and to predict; None where its file does not say."""
    path = Path(source) / _BEST if Path(source).is_dir() else Path(source)
    if not path.is_file():
        return None, None
    data = checkpoint.read_header(path)["details"].get("data", {})
    return data.get("input_frames") or None, data.get("target_frames")


def _music(trained: TrainedModel, rolls: Sequence[PianoRoll], windows: Windows, asked: Asked) -> MusicComparison | None:
    """What the model makes of the beginnings of pieces, beside how they go on."""
    if not asked.continuations:
        return None
    if find_spec("scipy") is None:
        say(f"what it plays is not compared. {MissingExtraError('scipy', 'metrics', 'Comparing sets of music')}")
        return None
    length = windows.input_frames + windows.target_frames
    pieces = [roll for roll in (rolls[index] for index in range(len(rolls))) if len(roll) >= length]
    if not pieces:
        raise PieceTooShortError(f"No piece has {length} frames. Ask for fewer --input_frames or --target_frames.")
    pieces = pieces[: asked.continuations]
    written = generate(
        trained.model,
        [roll[: windows.input_frames] for roll in pieces],
        frames=windows.target_frames,
        seed=asked.seed,
        onsets=trained.onsets,
        condition=scales_of(pieces) if windows.condition == "scale" else None,
        progress=True,
    )
    return compare_sets(written, [roll[windows.input_frames : length] for roll in pieces])


def _call(made: "Namespace", _text: str) -> Evaluated:
    given = vars(made)
    asked = Asked(**{field.name: given.pop(field.name) for field in fields(Asked)})
    return evaluate(asked, cast(Reading, given))


def _reading(**reading: Unpack[Reading]) -> None:
    """What counts as a note, in MIDI files."""


COMMAND = Command(
    evaluate,
    examples="""
    pianoroll-seq2seq evaluate my_midi
    pianoroll-seq2seq evaluate corpora/mine --model runs/mine --json > scores.json
    pianoroll-seq2seq evaluate bach-chorales --continuations 0
    """,
    groups=(Asked, _reading),
    call=_call,
    own_classes=True,
)
