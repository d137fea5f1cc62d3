"""Renders music as sound."""

import math
import warnings
from typing import Literal, Unpack, get_args

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq._internal.limits import DEFAULT_LIMITS
from pianoroll_seq2seq._internal.render_options import RenderOptions, Synthesizer
from pianoroll_seq2seq.display.audio import additive, loudness, soundfont
from pianoroll_seq2seq.display.audio.controllers import channel_curves, not_heard
from pianoroll_seq2seq.display.audio.resampling import resampled
from pianoroll_seq2seq.display.audio.samples import Audio
from pianoroll_seq2seq.errors import LimitError, SettingsError
from pianoroll_seq2seq.midi_io import read_midi, to_midi_bytes
from pianoroll_seq2seq.midi_io.container import open_container
from pianoroll_seq2seq.midi_io.message_list import Message, channel_messages
from pianoroll_seq2seq.midi_io.source import MidiSource, NamedBytes, bytes_of
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.score import Score

MAX_SECONDS = 3600.0
"""Longer music is refused: its samples would fill gigabytes."""
_FADE_SECONDS = 0.02
_MIN_SAMPLE_RATE = 8000


def to_audio(
    music: PianoRoll | Score | MidiSource,
    *,
    velocity: int | None = None,
    program: int | None = None,
    on_damage: Literal["error", "salvage"] = "error",
    **options: Unpack[RenderOptions],
) -> Audio:
    """Renders music as sound.

    A MIDI file is played as it is, with its controllers, and so is a score that has some. A SoundFont plays volume,
    expression, pan, pitch bend, sustain pedal, banks, modulation, reverb and chorus; the plain synthesizer the first
    five.

    Args:
        music: a piano roll; a score, whose parts have their own programs and velocities; or a MIDI file, as a path, its
            bytes, or a file opened in binary mode.
        velocity: of all notes of a roll, 1..127; see :meth:`PianoRoll.to_score`.
        program: General MIDI program of all parts of a roll but drums, 0..127; their own by default.
        on_damage: what to do with a damaged file: raise an error, or play each track up to its damage.
        **options: the following keyword arguments.
        synthesizer: ``soundfont`` (extra ``audio``), ``plain``, or ``auto`` (the default): a SoundFont if available.
        soundfont: a file (.sf2) with the instruments; by default the one in pretty_midi.
        sample_rate: frames per second, 8,000 to 48,000 (the default).
        mono: one channel instead of two. The plain synthesizer has two only for a file with pan.
        tail_seconds: length of the sound after the music, in which the last notes fade out; 2 by default. With 0 the
            sound ends with the music.
        normalize: whether to normalize the loudness, with a peak between -6 and -1 dBFS; True by default.

    Returns:
        Sound of exactly the length of the music and the tail.

    Raises:
        SettingsError: arguments out of range, or a file that is not a SoundFont.
        MissingExtraError: a SoundFont is requested and midirenderer is not installed, or another sample rate and soxr
            is not installed.
        LimitError: more than an hour.
        GridError: a roll whose tempo map's ticks are too coarse for its grid.
        MidiError: a file that cannot be read.

    Warns:
        UserWarning: a file with controllers that the synthesizer does not play, and which.

    Example:
        >>> roll = PianoRoll.from_active(np.eye(4, 88, dtype=bool))
        >>> to_audio(roll, synthesizer="plain", tail_seconds=1.5).seconds  # 4 sixteenths at 120 beats per minute
        2.0
    """
    defaults = RenderOptions(
        synthesizer="auto",
        soundfont=None,
        sample_rate=soundfont.SAMPLE_RATE,
        mono=False,
        tail_seconds=2.0,
        normalize=True,
    )
    defaults.update(options)
    options = defaults
    _check(options)
    messages = None
    if isinstance(music, Score) and len(music.controllers):
        music = NamedBytes(to_midi_bytes(music), music.name)
    if not isinstance(music, PianoRoll | Score):
        music, messages = _read(music, on_damage)
    seconds = music.seconds if isinstance(music, PianoRoll) else music.end_seconds
    if seconds + options["tail_seconds"] > MAX_SECONDS:
        raise LimitError(
            f"{music.name or 'The music'}: {seconds:.0f} seconds and a tail of {options['tail_seconds']:g}; the limit "
            f"is {MAX_SECONDS:.0f} seconds. Render a part of it: roll[:1000] or score.truncate(600)."
        )
    score = music.to_score(velocity=velocity, program=program) if isinstance(music, PianoRoll) else music
    rate = options["sample_rate"]
    samples = _synthesize(score, messages, options, num_frames=round((seconds + options["tail_seconds"]) * rate))
    end = samples[max(len(samples) - round(_FADE_SECONDS * rate), 0) :]
    end *= np.linspace(1, 0, len(end), dtype=np.float32)[:, None]  # avoids a click
    if options["normalize"]:
        loudness.normalize(samples, rate)
    return Audio(samples, rate)


def _read(source: MidiSource, on_damage: Literal["error", "salvage"]) -> tuple[Score, list[Message]]:
    """The notes of a file, held by the sustain pedal, and all messages of its channels."""
    data, label = bytes_of(source, DEFAULT_LIMITS)
    score = read_midi(NamedBytes(data, label), on_damage=on_damage, sustain=True)
    return score, channel_messages(data, open_container(data, label, salvage=on_damage == "salvage").spans)


def _synthesize(
    score: Score, messages: list[Message] | None, options: RenderOptions, *, num_frames: int
) -> Float32[np.ndarray, "num_frames channels"]:
    rate = options["sample_rate"]
    synthesizer = _select(options["synthesizer"], has_soundfont=options["soundfont"] is not None)
    left_out = not_heard(messages or (), soundfont=synthesizer == "soundfont")
    if left_out:
        names = ", ".join(left_out)
        warnings.warn(f"{score.name}: the {synthesizer} synthesizer does not play {names}.", stacklevel=3)
    if synthesizer == "plain":
        curves = channel_curves(messages or (), score.tempo, rate)
        return additive.synthesize(score, num_frames=num_frames, sample_rate=rate, curves=curves, mono=options["mono"])
    samples = soundfont.synthesize(
        score,
        options["soundfont"],
        num_frames=math.ceil(num_frames * soundfont.SAMPLE_RATE / rate),
        messages=messages,
    )
    if options["mono"]:
        samples = samples.mean(axis=1, keepdims=True)
    return resampled(samples, from_rate=soundfont.SAMPLE_RATE, to_rate=rate, num_frames=num_frames)


def _check(options: RenderOptions) -> None:
    if options["synthesizer"] not in get_args(Synthesizer):
        raise SettingsError(f"synthesizer must be one of {get_args(Synthesizer)}, got {options['synthesizer']!r}.")
    if options["synthesizer"] == "plain" and options["soundfont"] is not None:
        raise SettingsError("The plain synthesizer does not use a SoundFont: leave out soundfont= or synthesizer=.")
    rate = options["sample_rate"]
    if not _MIN_SAMPLE_RATE <= rate <= soundfont.SAMPLE_RATE:
        raise SettingsError(f"sample_rate must be in {_MIN_SAMPLE_RATE}..{soundfont.SAMPLE_RATE}, got {rate}.")
    if not (math.isfinite(options["tail_seconds"]) and options["tail_seconds"] >= 0):
        raise SettingsError(f"tail_seconds must be 0 or above, got {options['tail_seconds']}.")


def _select(synthesizer: Synthesizer, *, has_soundfont: bool) -> Synthesizer:
    if synthesizer != "auto":
        return synthesizer
    return "soundfont" if has_soundfont or soundfont.is_available() else "plain"
