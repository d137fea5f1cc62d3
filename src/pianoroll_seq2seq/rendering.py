"""How music is made to sound, as arguments that several functions pass on."""

import os
from typing import Literal, TypedDict

Synthesizer = Literal["auto", "soundfont", "plain"]


class Rendering(TypedDict, total=False):
    """What :func:`~pianoroll_seq2seq.audio.to_audio` may be told, and all that pass it on."""

    synthesizer: Synthesizer
    soundfont: str | os.PathLike[str] | None
    sample_rate: int
    mono: bool
    tail_seconds: float
    normalize: bool
