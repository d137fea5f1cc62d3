"""A SoundFont plays: recorded instruments in a file (.sf2), by way of the package midirenderer."""

import io
import math
import os
import wave
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import mido
import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.midi_io import to_midi_bytes
from pianoroll_seq2seq.score import Score

SAMPLE_RATE = 48_000
"""What midirenderer plays at."""
_SPARE_SECONDS = 0.25
_LOUDEST = 127


def can_play() -> bool:
    """Whether midirenderer and the SoundFont that comes with pretty_midi are here."""
    return find_spec("midirenderer") is not None and _of_pretty_midi() is not None


def play(
    score: Score, soundfont: str | os.PathLike[str] | None, *, frames: int
) -> Float32[np.ndarray, "frames channels"]:
    """Plays a score in stereo, at 48,000 frames a second.

    Args:
        score: the notes, with the programs of their parts.
        soundfont: a file of instruments; the one inside pretty_midi by default.
        frames: how long the sound shall be.

    Raises:
        MissingExtraError: midirenderer is not installed.
        SettingsError: no such file, or no SoundFont.
    """
    try:
        from midirenderer import render_wave_from
    except ImportError as error:
        raise MissingExtraError("midirenderer", "audio", "Playing with a SoundFont") from error
    path = _of_pretty_midi() if soundfont is None else Path(soundfont)
    if path is None:
        raise SettingsError("pretty_midi brings no SoundFont here. Give one of your own: soundfont='piano.sf2'.")
    try:
        instruments = _instruments(path, path.stat().st_mtime_ns)
        rendered = render_wave_from(instruments, _lasting(score, frames / SAMPLE_RATE))
    except OSError as error:
        raise SettingsError(f"{path}: this SoundFont cannot be read ({error.strerror or error}).") from error
    except RuntimeError as error:
        raise SettingsError(f"{path}: no SoundFont that can be played ({error}). Give a whole .sf2 file.") from error
    with wave.open(io.BytesIO(rendered)) as file:
        whole = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, file.getnchannels())
    sound = np.zeros((frames, whole.shape[1]), dtype=np.float32)
    sound[: len(whole)] = whole[:frames] / np.float32(2**15)
    return sound


def _lasting(score: Score, seconds: float) -> bytes:
    """A MIDI file of the score that lasts so long at least, played as loud as its velocities allow."""
    file = mido.MidiFile(file=io.BytesIO(to_midi_bytes(score)))
    quickest = min(us_per_beat for _, us_per_beat in score.tempo.changes)
    beats = (seconds - score.end_seconds + _SPARE_SECONDS) * 1e6 / quickest
    last = file.tracks[-1]
    last[-1] = mido.MetaMessage("end_of_track", time=math.ceil(max(beats, 0) * score.ticks_per_beat))
    for track in file.tracks:
        volumes = [
            mido.Message("control_change", channel=message.channel, control=7, value=_LOUDEST)
            for message in track
            if message.type == "program_change"
        ]
        track[:0] = volumes
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()


def _of_pretty_midi() -> Path | None:
    found = find_spec("pretty_midi")
    for folder in (found.submodule_search_locations if found else None) or ():
        path = Path(folder, "TimGM6mb.sf2")
        if path.is_file():
            return path
    return None


@lru_cache(maxsize=1)
def _instruments(path: Path, _changed_ns: int) -> bytes:
    """The file's bytes, kept for the next piece; when it was changed tells whether it is the same file still."""
    return path.read_bytes()
