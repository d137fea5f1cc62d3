"""Rendering with a SoundFont, a file of recorded instruments (.sf2), by the package midirenderer."""

import io
import itertools
import os
import wave
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import mido
import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.display.audio.controllers import EXPRESSION, RESET, without_unregistered_parameters
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError
from pianoroll_seq2seq.midi_io.message_list import Message
from pianoroll_seq2seq.midi_io.write import mido_bytes, to_mido, to_track
from pianoroll_seq2seq.parts import DRUM_CHANNEL
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
    score: Score,
    soundfont: str | os.PathLike[str] | None,
    *,
    num_frames: int,
    messages: Sequence[Message] | None = None,
) -> Float32[np.ndarray, "num_frames channels"]:
    """Renders a score in stereo at 48,000 frames per second. Very loud music exceeds full scale instead of clipping.

    Args:
        score: the notes, with the programs of their parts.
        soundfont: the SoundFont; the one in pretty_midi by default.
        num_frames: length of the sound.
        messages: all messages of the channels of a file, to be played instead of the notes; ``score`` is then its
            score.

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
    if path.exists() and not path.is_file():  # a device may never end
        raise SettingsError(f"{path}: expected a SoundFont, but this is not a regular file. Pass a .sf2 file.")
    try:
        instruments = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: cannot read this SoundFont ({error.strerror or error}).") from error
    for volume in _VOLUMES:
        file = _of_score(score, volume) if messages is None else _of_messages(score, messages, volume)
        midi = _of_length(file, score, num_frames / SAMPLE_RATE)
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


def _of_score(score: Score, volume: int) -> mido.MidiFile:
    """A MIDI file of a score with a volume of 0..127 on all channels."""
    file = to_mido(score)
    for track in file.tracks:
        volumes = [
            mido.Message("control_change", channel=message.channel, control=7, value=volume)
            for message in track
            if message.type == "program_change"
        ]
        track[:0] = volumes
    return file


def _of_messages(score: Score, messages: Sequence[Message], volume: int) -> mido.MidiFile:
    """A MIDI file of the messages of another, with a level of 0..127 on all channels.

    The level is that of the expression, since files set volumes themselves. Notes of drums go to the drum channel.
    """
    drums = {part.channel for part in score.parts if part.drums} - {DRUM_CHANNEL}
    events = [(tick, mido.MetaMessage("set_tempo", tempo=us)) for tick, us in score.tempo.changes]
    events += [
        (0, mido.Message("control_change", channel=channel, control=EXPRESSION, value=volume)) for channel in range(16)
    ]
    for message in without_unregistered_parameters(messages):
        played = mido.Message.from_bytes((message.status, *message.data))
        if played.type in ("note_on", "note_off") and played.channel in drums:
            played.channel = DRUM_CHANNEL
        if played.is_cc(EXPRESSION):
            played.value = round(played.value * volume / 127)
        events.append((message.tick, played))
        if played.is_cc(RESET):
            events.append((message.tick, played.copy(control=EXPRESSION, value=volume)))
    events.sort(key=lambda event: event[0])
    file = mido.MidiFile(type=1, ticks_per_beat=score.ticks_per_beat)
    file.tracks.append(to_track(events))
    return file


def _of_length(file: mido.MidiFile, score: Score, min_seconds: float) -> bytes:
    """The bytes of a file that lasts a little longer than some time.

    It is cut off there: midirenderer renders up to the last event, and a controller may come hours after the music.
    """
    units = round((min_seconds + _EXTRA_SECONDS) * 1e6 * score.ticks_per_beat)
    end = int(score.tempo.nearest_ticks(np.array([units]))[0])
    for track in file.tracks:
        ticks = itertools.accumulate(message.time for message in track)
        del track[sum(1 for _ in itertools.takewhile(lambda tick: tick <= end, ticks)) :]
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("end_of_track", time=min(end, _MAX_DELTA_TICKS))]))
    return mido_bytes(file)


def _pretty_midi_soundfont() -> Path | None:
    found = find_spec("pretty_midi")
    for folder in (found.submodule_search_locations if found else None) or ():
        path = Path(folder, "TimGM6mb.sf2")
        if path.is_file():
            return path
    return None
