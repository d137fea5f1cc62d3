"""From music to sound."""

import math
from typing import Unpack, get_args

import numpy as np
from jaxtyping import Float32

from pianoroll_seq2seq.audio import loudness, plain, soundfont
from pianoroll_seq2seq.audio.resampling import resampled
from pianoroll_seq2seq.audio.samples import Audio
from pianoroll_seq2seq.errors import LimitError, SettingsError
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.rendering import Rendering, Synthesizer
from pianoroll_seq2seq.score import Score

LONGEST_SECONDS = 3600.0
"""Music beyond this is refused: its samples would fill gigabytes."""
_FADE_SECONDS = 0.02
_LOWEST_RATE = 8000


def to_audio(
    music: PianoRoll | Score, *, velocity: int = 100, program: int = 0, **rendering: Unpack[Rendering]
) -> Audio:
    """Plays music.

    Args:
        music: a piano roll, or a score, whose parts have programs and velocities of their own.
        velocity: how hard the notes of a roll are struck, 1..127.
        program: General MIDI program of a roll, 0..127 (0 is a grand piano).
        **rendering: as follows.
        synthesizer: ``soundfont`` (extra ``audio``), ``plain``, or by default ``auto``: a SoundFont if that can be.
        soundfont: a file (.sf2) with the instruments; by default the one that pretty_midi brings.
        sample_rate: frames a second, 8,000 to 48,000 (by default).
        mono: one channel instead of two. The plain synthesizer has one in any case.
        tail_seconds: how long it goes on after the music, for the last notes to ring out; 2 by default. With 0 it ends
            with the music.
        normalize: whether to bring it to one loudness, its peak between -6 and -1 dB below full scale; True by default.

    Returns:
        Sound that lasts as long as the music and the tail, to a sample.

    Raises:
        SettingsError: arguments out of range, or a file that is no SoundFont.
        MissingExtraError: a SoundFont is asked for and midirenderer, or for another rate soxr, is not installed.
        LimitError: more than an hour.
        GridError: a roll whose tempo map's ticks are too coarse for its grid.

    Example:
        >>> roll = PianoRoll.from_active(np.eye(4, 88, dtype=bool))
        >>> to_audio(roll, synthesizer="plain", tail_seconds=1.5).seconds  # 4 sixteenths at 120 beats a minute
        2.0
    """
    told = Rendering(
        synthesizer="auto",
        soundfont=None,
        sample_rate=soundfont.SAMPLE_RATE,
        mono=False,
        tail_seconds=2.0,
        normalize=True,
    )
    told.update(rendering)
    _check(told)
    seconds = music.seconds if isinstance(music, PianoRoll) else music.end_seconds
    if seconds + told["tail_seconds"] > LONGEST_SECONDS:
        raise LimitError(
            f"{music.name or 'The music'}: {seconds:.0f} seconds and a tail of {told['tail_seconds']:g}, and at most "
            f"{LONGEST_SECONDS:.0f} are played. Play a part of it: roll[:1000] or score.until(600)."
        )
    score = music.to_score(velocity=velocity, program=program) if isinstance(music, PianoRoll) else music
    rate = told["sample_rate"]
    samples = _played(score, told, frames=round((seconds + told["tail_seconds"]) * rate))
    fading = samples[max(len(samples) - round(_FADE_SECONDS * rate), 0) :]
    fading *= np.linspace(1, 0, len(fading), dtype=np.float32)[:, None]  # so that the end does not click
    if told["normalize"]:
        loudness.normalize(samples, rate)
    return Audio(samples, rate)


def _played(score: Score, told: Rendering, *, frames: int) -> Float32[np.ndarray, "frames channels"]:
    rate = told["sample_rate"]
    if _chosen(told["synthesizer"], told["soundfont"] is not None) == "plain":
        return plain.synthesize(score, frames=frames, sample_rate=rate)
    before = soundfont.SAMPLE_RATE
    samples = soundfont.play(score, told["soundfont"], frames=math.ceil(frames * before / rate))
    if told["mono"]:
        samples = samples.mean(axis=1, keepdims=True)
    return resampled(samples, before=before, after=rate, frames=frames)


def _check(told: Rendering) -> None:
    if told["synthesizer"] not in get_args(Synthesizer):
        raise SettingsError(f"synthesizer must be one of {get_args(Synthesizer)}, got {told['synthesizer']!r}.")
    if told["synthesizer"] == "plain" and told["soundfont"] is not None:
        raise SettingsError("The plain synthesizer plays without a SoundFont: leave out soundfont= or synthesizer=.")
    rate = told["sample_rate"]
    if not _LOWEST_RATE <= rate <= soundfont.SAMPLE_RATE:
        raise SettingsError(
            f"sample_rate must be a whole number in {_LOWEST_RATE}..{soundfont.SAMPLE_RATE}, got {rate}."
        )
    if not (math.isfinite(told["tail_seconds"]) and told["tail_seconds"] >= 0):
        raise SettingsError(f"tail_seconds must be 0 or above, got {told['tail_seconds']}.")


def _chosen(asked: Synthesizer, own_file: bool) -> Synthesizer:
    if asked != "auto":
        return asked
    return "soundfont" if own_file or soundfont.can_play() else "plain"
