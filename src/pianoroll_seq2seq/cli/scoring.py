"""The scores of ``evaluate``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from msgspec import Meta, Struct

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq._internal.documents import convert
from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import log
from pianoroll_seq2seq.cli.data import Source, read_pieces, scales_of, scoring_windows
from pianoroll_seq2seq.cli.left_out import log_left_out
from pianoroll_seq2seq.cli.options import ReadingOptions
from pianoroll_seq2seq.cli.train_options import WindowOptions
from pianoroll_seq2seq.errors import CheckpointError, MissingExtraError, PieceTooShortError
from pianoroll_seq2seq.evaluation.likelihood import Likelihood, likelihood
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation, evaluate
from pianoroll_seq2seq.evaluation.set_distance import MusicComparison, compare_sets
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pretrained.opening import open_model
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.sampling import generate
from pianoroll_seq2seq.train.run_files import BEST

if TYPE_CHECKING:
    from pianoroll_seq2seq.cli.evaluate import EvaluateOptions

_DEFAULT_BEATS, _DEFAULT_FRAMES = 16, 50
"""Length of inputs and targets if the file of the model does not have it, on a grid in beats or in seconds."""


@dataclass(frozen=True)
class Evaluated:
    """The scores of a model."""

    model: str
    pieces: int
    """Number of pieces."""
    scores: Evaluation
    """Scores of windows, beside the baselines."""
    likelihood: Likelihood
    """Likelihood of whole pieces."""
    music: MusicComparison | None
    """The model's music compared with the pieces; None if that was not done."""
    refused: Mapping[str, str]
    """Why files could not be used, by their paths."""

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {
            "model": self.model,
            "pieces": self.pieces,
            "windows": self.scores.to_json(),
            "likelihood": asdict(self.likelihood),
            "music": None if self.music is None else self.music.to_json(),
            "refused": dict(self.refused),
        }

    def __str__(self) -> str:
        """The scores as tables."""
        lines = [f"{self.model} on {self.pieces} pieces ({len(self.refused)} files refused)", str(self.scores)]
        lines.append(f"whole pieces: {self.likelihood}")
        if self.music is not None:
            lines += ["generated music:", str(self.music)]
        return "\n".join(lines)


def score(data: str, options: "EvaluateOptions", reading: ReadingOptions) -> Evaluated:
    """Scores a model.

    Args:
        data: a folder of MIDI or MusicXML files, a corpus or a data set.
        options: the model, and how to score it.
        reading: what counts as a note.

    Raises:
        CheckpointError: no such model.
        PieceTooShortError: no piece is as long as a window.
    """
    torch.set_num_threads(options.threads)
    trained = open_model(options.model, classes=find_classes(options.classes or ()))
    source = _source(data, trained.layout, options, reading)
    rolls, refused = read_pieces(source)
    log_left_out(refused, len(rolls))
    windows = _window_options(trained, options)
    log(f"scoring {trained.name} on {len(rolls)} pieces")
    window_scores = evaluate(trained.model, scoring_windows(rolls, windows, trained.layout), progress=True)
    whole_pieces = likelihood(
        trained.model,
        rolls,
        input_frames=windows.input_frames,
        target_frames=windows.target_frames,
        conditions=scales_of(rolls) if windows.condition == "scale" else None,
        layout=trained.layout,
        progress=True,
    )
    return Evaluated(
        trained.name,
        len(rolls),
        window_scores,
        whole_pieces,
        _compare_music(trained, rolls, windows, options),
        refused,
    )


def _source(data: str, layout: FrameLayout, options: "EvaluateOptions", reading: ReadingOptions) -> Source:
    """The pieces, read with the grid, the parts and the pitches of the model."""
    given = reading.given()
    if len(layout.parts) == 1 and not layout.parts[0].drums:
        return Source(data, layout.grid, layout.pitches, options.outside, given, options.verify)
    given.setdefault("parts", layout.parts)
    pitches = {part.name: part.pitches for part in layout.parts}
    return Source(data, layout.grid, pitches, options.outside, given, options.verify)


def _window_options(trained: TrainedModel, options: "EvaluateOptions") -> WindowOptions:
    """The windows of the model's training, or default ones."""
    grid = trained.grid
    default = _DEFAULT_BEATS * grid.frames_per_beat if isinstance(grid, BeatGrid) else _DEFAULT_FRAMES
    trained_input, trained_target = trained_lengths(options.model)
    input_frames = options.input_frames or trained_input or default
    target_frames = options.target_frames or trained_target or trained_input or default
    return WindowOptions(input_frames, target_frames, target_frames, options.short, condition=options.condition)


class _Lengths(Struct, frozen=True):
    """Frames of the windows of a training."""

    input_frames: Annotated[int, Meta(ge=1, le=DEFAULT_LIMITS.max_frames)] | None = None
    target_frames: Annotated[int, Meta(ge=1, le=DEFAULT_LIMITS.max_frames)] | None = None


def trained_lengths(source: str) -> tuple[int | None, int | None]:
    """Input and target frames of a model's training; None if its file does not have them."""
    path = Path(source) / BEST if Path(source).is_dir() else Path(source)
    if not path.is_file():
        return None, None
    details = checkpoint.read_header(path)["details"]
    try:
        lengths = convert(details.get("data"), _Lengths, f"{path}: the data of its training", CheckpointError)
    except CheckpointError:  # a checkpoint of save holds what its user likes
        return None, None
    return lengths.input_frames, lengths.target_frames


def _compare_music(
    trained: TrainedModel, rolls: Sequence[PianoRoll], windows: WindowOptions, options: "EvaluateOptions"
) -> MusicComparison | None:
    """Compares continuations of the beginnings of pieces with the rest of the pieces."""
    if options.continuations < 1:
        return None
    if find_spec("scipy") is None:
        log(f"generated music is not compared. {MissingExtraError('scipy', 'metrics', 'Comparing sets of music')}")
        return None
    length = windows.input_frames + windows.target_frames
    pieces = [roll for roll in (rolls[index] for index in range(len(rolls))) if len(roll) >= length]
    if not pieces:
        raise PieceTooShortError(f"No piece has {length} frames. Give fewer --input-frames or --target-frames.")
    pieces = pieces[: options.continuations]
    continuations = generate(
        trained.model,
        [roll[: windows.input_frames] for roll in pieces],
        num_frames=windows.target_frames,
        seed=options.seed,
        condition=scales_of(pieces) if windows.condition == "scale" else None,
        layout=trained.layout,
        progress=True,
    )
    return compare_sets(continuations, [roll[windows.input_frames : length] for roll in pieces])
