"""A SoundFont plays: recorded instruments in a file (.sf2), by way of the package midirenderer."""

import io
import os
import wave
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
_VOLUMES = (127, 64, 32)
"""Volumes (controller 7) of the channels, one after the other until nothing is too loud for 16 bits."""
_AT_ONCE = 2**16
_LATEST_TICK = 2**28 - 1
"""What a MIDI file can say of one stretch of time."""


def can_play() -> bool:
    """Whether midirenderer and the SoundFont that comes with pretty_midi are here."""
    return find_spec("midirenderer") is not None and _of_pretty_midi() is not None


def play(
    score: Score, soundfont: str | os.PathLike[str] | None, *, frames: int
) -> Float32[np.ndarray, "frames channels"]:
    """Plays a score in stereo, at 48,000 frames a second; what is very loud goes beyond full scale and is not cut off.

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
        instruments = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: this SoundFont cannot be read ({error.strerror or error}).") from error
    for volume in _VOLUMES:
        midi = _lasting(score, frames / SAMPLE_RATE, volume)
        try:
            rendered = render_wave_from(instruments, midi)
        except BaseException as error:  # what its Rust code did not expect is an exception of no ordinary kind
            if not isinstance(error, RuntimeError) and type(error).__name__ != "PanicException":
                raise
            raise SettingsError(
                f"{path}: no SoundFont that can be played ({error}). Give a whole .sf2 file."
            ) from error
        sound, cut_off = _samples(rendered, frames)
        if not cut_off:
            break
    sound *= np.float32((_VOLUMES[0] / volume) ** 2)  # General MIDI: the level goes with the square of the volume
    return sound


def _samples(rendered: bytes, frames: int) -> tuple[Float32[np.ndarray, "frames channels"], bool]:
    """A WAV file's samples, and whether some were too loud for it."""
    with wave.open(io.BytesIO(rendered)) as file:
        if file.getframerate() != SAMPLE_RATE:
            raise SettingsError(
                f"midirenderer played at {file.getframerate()} frames a second, not at {SAMPLE_RATE}. Install a "
                f"version that does (0.1.3), or pass synthesizer='plain'."
            )
        sound = np.zeros((frames, file.getnchannels()), dtype=np.float32)
        cut_off = False
        for begin in range(0, min(frames, file.getnframes()), _AT_ONCE):
            whole = np.frombuffer(file.readframes(_AT_ONCE), dtype="<i2").reshape(-1, sound.shape[1])
            whole = whole[: frames - begin]
            cut_off |= bool((whole == 2**15 - 1).any() or (whole == -(2**15)).any())
            sound[begin : begin + len(whole)] = whole / np.float32(2**15)
    return sound, cut_off


def _lasting(score: Score, seconds: float, volume: int) -> bytes:
    """A MIDI file of the score that lasts so long at least, all its channels at a volume of 0..127."""
    file = mido.MidiFile(file=io.BytesIO(to_midi_bytes(score)))
    for track in file.tracks:
        volumes = [
            mido.Message("control_change", channel=message.channel, control=7, value=volume)
            for message in track
            if message.type == "program_change"
        ]
        track[:0] = volumes
    units = round((seconds + _SPARE_SECONDS) * 1e6 * score.ticks_per_beat)
    end = int(score.tempo.nearest_ticks(np.array([units]))[0])
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("end_of_track", time=min(end, _LATEST_TICK))]))
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
