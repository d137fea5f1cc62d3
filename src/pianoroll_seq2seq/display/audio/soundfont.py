"""Rendering with a SoundFont, a file of recorded instruments (.sf2), by the package midirenderer."""

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
"""The sample rate of midirenderer."""
_EXTRA_SECONDS = 0.25
_VOLUMES = (127, 64, 32)
"""Channel volumes (controller 7) to try, until nothing clips in 16 bits."""
_CHUNK = 2**16
_MAX_DELTA_TICKS = 2**28 - 1
"""The longest delta time of a MIDI file."""


def is_available() -> bool:
    """Whether midirenderer and the SoundFont of pretty_midi are installed."""
    return find_spec("midirenderer") is not None and _pretty_midi_soundfont() is not None


def synthesize(
    score: Score, soundfont: str | os.PathLike[str] | None, *, num_frames: int
) -> Float32[np.ndarray, "num_frames channels"]:
    """Renders a score in stereo at 48,000 frames per second. Very loud music exceeds full scale instead of clipping.

    Args:
        score: the notes, with the programs of their parts.
        soundfont: the SoundFont; the one in pretty_midi by default.
        num_frames: length of the sound.

    Raises:
        MissingExtraError: midirenderer is not installed.
        SettingsError: the file does not exist, or is not a SoundFont.
    """
    try:
        from midirenderer import render_wave_from
    except ImportError as error:
        raise MissingExtraError("midirenderer", "audio", "Rendering with a SoundFont") from error
    path = _pretty_midi_soundfont() if soundfont is None else Path(soundfont)
    if path is None:
        raise SettingsError("This pretty_midi has no SoundFont. Pass your own: soundfont='piano.sf2'.")
    try:
        instruments = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: cannot read this SoundFont ({error.strerror or error}).") from error
    for volume in _VOLUMES:
        midi = _midi_bytes(score, num_frames / SAMPLE_RATE, volume)
        try:
            rendered = render_wave_from(instruments, midi)
        except BaseException as error:  # a panic of its Rust code is not an Exception
            if not isinstance(error, RuntimeError) and type(error).__name__ != "PanicException":
                raise
            raise SettingsError(
                f"{path}: not a SoundFont that can be played ({error}). Pass a complete .sf2 file."
            ) from error
        sound, clipped = _read_wav(rendered, num_frames)
        if not clipped:
            break
    sound *= np.float32((_VOLUMES[0] / volume) ** 2)  # General MIDI: amplitude is the square of the volume
    return sound


def _read_wav(rendered: bytes, num_frames: int) -> tuple[Float32[np.ndarray, "num_frames channels"], bool]:
    """The samples of a WAV file, and whether they are clipped."""
    with wave.open(io.BytesIO(rendered)) as file:
        if file.getframerate() != SAMPLE_RATE:
            raise SettingsError(
                f"midirenderer rendered {file.getframerate()} frames per second instead of {SAMPLE_RATE}. Install "
                f"version 0.1.3, or pass synthesizer='plain'."
            )
        sound = np.zeros((num_frames, file.getnchannels()), dtype=np.float32)
        clipped = False
        for begin in range(0, min(num_frames, file.getnframes()), _CHUNK):
            chunk = np.frombuffer(file.readframes(_CHUNK), dtype="<i2").reshape(-1, sound.shape[1])
            chunk = chunk[: num_frames - begin]
            clipped |= bool((chunk == 2**15 - 1).any() or (chunk == -(2**15)).any())
            sound[begin : begin + len(chunk)] = chunk / np.float32(2**15)
    return sound, clipped


def _midi_bytes(score: Score, min_seconds: float, volume: int) -> bytes:
    """A MIDI file of the score with a minimum length, and with a volume of 0..127 on all channels."""
    file = mido.MidiFile(file=io.BytesIO(to_midi_bytes(score)))
    for track in file.tracks:
        volumes = [
            mido.Message("control_change", channel=message.channel, control=7, value=volume)
            for message in track
            if message.type == "program_change"
        ]
        track[:0] = volumes
    units = round((min_seconds + _EXTRA_SECONDS) * 1e6 * score.ticks_per_beat)
    end = int(score.tempo.nearest_ticks(np.array([units]))[0])
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("end_of_track", time=min(end, _MAX_DELTA_TICKS))]))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _pretty_midi_soundfont() -> Path | None:
    found = find_spec("pretty_midi")
    for folder in (found.submodule_search_locations if found else None) or ():
        path = Path(folder, "TimGM6mb.sf2")
        if path.is_file():
            return path
    return None
