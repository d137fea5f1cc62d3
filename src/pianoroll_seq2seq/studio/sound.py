"""A piece as a WAV file in memory."""

import tempfile
from pathlib import Path

from pianoroll_seq2seq.pianoroll import PianoRoll


def wav_bytes(roll: PianoRoll) -> bytes:
    """The bytes of what :meth:`PianoRoll.to_wav` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "piece.wav")
        roll.to_wav(path)
        return path.read_bytes()
