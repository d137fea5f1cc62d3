"""What ``evaluate`` does."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.cli.building import classes_named
from pianoroll_seq2seq.cli.learning import Windows, scales_of
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
    from pianoroll_seq2seq.cli.evaluate import Asked

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


def score(asked: "Asked", reading: Reading) -> Evaluated:
    """Scores a model as was asked.

    Args:
        asked: what is scored.
        reading: what counts as a note.

    Raises:
        CheckpointError: no such model.
        PieceTooShortError: no piece is as long as a window.
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


def _music(
    trained: TrainedModel, rolls: Sequence[PianoRoll], windows: Windows, asked: "Asked"
) -> MusicComparison | None:
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
