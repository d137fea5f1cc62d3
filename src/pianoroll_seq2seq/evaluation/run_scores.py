"""The scores in the folder of a run, as the commands and the examples write them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from pianoroll_seq2seq._internal.documents import convert, read_json
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.music_summary import MusicSummary
from pianoroll_seq2seq.evaluation.prediction_scores import Evaluation

_FIX = "Remove the file, or run again."


class RunScores(Struct, frozen=True):
    """The content of ``scores.json``. Scripts may add figures to it."""

    test: Evaluation | None = None
    """Scores on the test pieces."""
    continuation: dict[str, float | None] = {}
    """Metrics of the continuation of a test piece, beside its primer."""
    music: dict[str, float | dict[str, Any] | None] = {}
    """Metrics of generated music, or a comparison of it with data."""
    summary: MusicSummary | None = None
    """Generated music beside the data."""
    primer_frames: Annotated[int, Meta(ge=0, le=2**31)] = 0
    """Frames of the primer at the beginning of the generated music."""
    data: dict[str, int | float | str | None] = {}
    """Such as numbers of pieces."""
    other: Mapping[str, float] = {}
    """Further figures, by their names."""


def read_scores(path: Path) -> RunScores:
    """The scores in a file; none if there is no such file.

    Raises:
        SettingsError: the file holds other content.
    """
    if not path.exists():
        return RunScores()
    content = read_json(path, dict[str, Any], SettingsError, fix=_FIX)
    other = {name: value for name, value in content.items() if isinstance(value, float)}
    return convert({**content, "other": other}, RunScores, str(path), SettingsError, fix=_FIX)
