"""Recorded instruments from the installed SoundFont, as short sounds at some pitches that the page transposes."""

import base64
import json
from functools import lru_cache

import numpy as np

from pianoroll_seq2seq.errors import MissingExtraError
from pianoroll_seq2seq.note_table import NoteTable
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.score import Score
from pianoroll_seq2seq.serving.errors import RequestError
from pianoroll_seq2seq.tempo import TempoMap

PITCHES = range(36, 91, 6)
"""The recorded pitches. A page plays the nearest one faster or slower, by at most three semitones in between."""
SECONDS = 3
"""The length of each sound, in which the note is held."""
SAMPLE_RATE = 24_000
_REST = 1  # seconds in which a note fades out before the next
_TICKS = 480  # in a second
_VELOCITY = 100
_PEAK = 0.7
_CACHED = 8  # programs, of about 2 MB each


@lru_cache(maxsize=_CACHED)
def samples_json(program: int) -> bytes:
    """The sounds of a program.

    Args:
        program: General MIDI program, 0..127.

    Returns:
        JSON: ``{"program": 52, "notes": [{"pitch": 36, "wav": "<base64>"}, ...]}``. Each WAV file has one channel. The
        loudest sound of a program has a peak of 0.7.

    Raises:
        RequestError: no such program, or no SoundFont (status 501).
    """
    from pianoroll_seq2seq.display.audio import Audio, to_audio
    from pianoroll_seq2seq.display.audio.soundfont import is_available

    if not 0 <= program <= 127:
        raise RequestError(404, "program", f"must be in 0..127, got {program}.")
    if not is_available():
        error = MissingExtraError("midirenderer", "audio", "Recorded instruments")
        raise RequestError(501, "program", " ".join(str(error).split()))
    count, length = len(PITCHES), SECONDS + 2 * _REST
    onsets = np.arange(count) * length * _TICKS
    notes = NoteTable(
        onsets, onsets + (SECONDS + _REST) * _TICKS, list(PITCHES), [_VELOCITY] * count, np.zeros(count, np.int64)
    )
    score = Score(notes, TempoMap.from_bpm(60, ticks_per_beat=_TICKS), (Part(program=program),))
    try:
        sound = to_audio(score, synthesizer="soundfont", sample_rate=SAMPLE_RATE, mono=True, normalize=False)
    except MissingExtraError as error:
        raise RequestError(501, "program", " ".join(str(error).split())) from error
    starts = (np.arange(count) * length * SAMPLE_RATE).tolist()
    pieces = [sound.samples[start : start + SECONDS * SAMPLE_RATE] for start in starts]
    peak = max(float(np.abs(piece).max(initial=1e-3)) for piece in pieces)
    scale = np.float32(_PEAK / peak)
    files = [Audio(piece * scale, SAMPLE_RATE).to_bytes("wav") for piece in pieces]
    sounds = [
        {"pitch": pitch, "wav": base64.b64encode(file).decode("ascii")}
        for pitch, file in zip(PITCHES, files, strict=True)
    ]
    return json.dumps({"program": program, "notes": sounds}, separators=(",", ":")).encode()
