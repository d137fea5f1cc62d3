"""The options of audio rendering, which several functions pass on."""

import os
from typing import Literal, TypedDict

Synthesizer = Literal["auto", "soundfont", "plain"]


class RenderOptions(TypedDict, total=False):
    """The keyword arguments of :func:`~pianoroll_seq2seq.display.audio.to_audio` that describe the rendering."""

    synthesizer: Synthesizer
    soundfont: str | os.PathLike[str] | None
    sample_rate: int
    mono: bool
    tail_seconds: float
    normalize: bool
