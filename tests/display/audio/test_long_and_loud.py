"""Loud, long and held music, parts that end at different times, and a renderer that fails."""

import io
import tracemalloc
import wave
from pathlib import Path

import midirenderer
import numpy as np
import pytest

from pianoroll_seq2seq import NoteTable, Part, PianoRoll, PitchRange, Score, TempoMap, to_audio
from pianoroll_seq2seq._internal.render_options import Synthesizer
from pianoroll_seq2seq.display.audio import soundfont
from pianoroll_seq2seq.errors import SettingsError

BOTH = pytest.mark.parametrize("synthesizer", ["soundfont", "plain"])
ORGAN = 19
TICKS = 960  # a second, at 120 beats a minute


def score_of(*notes: tuple[float, float, int], velocity: int = 100, program: int = 0) -> Score:
    """Notes as (seconds, seconds, pitch)."""
    begin, end, pitch = (np.array(column) for column in zip(*notes, strict=True))
    times = [np.rint(seconds * TICKS).astype(np.int64) for seconds in (begin, end)]
    same = np.zeros_like(pitch)
    return Score(NoteTable(*times, pitch, same + velocity, same), TempoMap(480), (Part("", program),))


def levels_db(samples: np.ndarray, size: int = 6000) -> np.ndarray:
    """Of each eighth of a second."""
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    return 20 * np.log10(np.sqrt(np.square(blocks).mean(axis=1)) + 1e-12)


@BOTH
def test_no_clicks(synthesizer: Synthesizer) -> None:
    """Notes begin, end or repeat with a jump, beyond how the tone itself moves from sample to sample."""
    for pitch in (40, 60, 76):
        score = score_of((0, 1, pitch), (1, 2, pitch), (2.25, 3.25, pitch), (3.25, 3.5, pitch + 7), program=ORGAN)
        sound = to_audio(score, synthesizer=synthesizer, mono=True, tail_seconds=1.0).samples[:, 0]
        steps = np.abs(np.diff(sound))
        tone = max(steps[begin : begin + 24_000].max() for begin in (12_000, 60_000, 120_000))
        bounds = (0, 48_000, 96_000, 108_000, 156_000, 168_000)
        assert max(steps[max(at - 480, 0) : at + 1440].max() for at in bounds) < 2.5 * tone
        assert np.abs(sound[:4]).max() < 0.005
        assert np.abs(sound[-4:]).max() < 1e-4
        assert abs(sound.mean()) < 0.01


@BOTH
def test_an_ending_part_does_not_end_the_others(synthesizer: Synthesizer) -> None:
    """The tail of a long part is cut off where the last part's notes end."""
    notes = NoteTable([0, 0], [4 * TICKS, TICKS], [60, 64], [100, 100], [0, 1])
    score = Score(notes, TempoMap(480), (Part("organ", ORGAN), Part("piano", 0)))
    sound = to_audio(score, synthesizer=synthesizer, mono=True)
    assert sound.seconds == 6.0
    levels = levels_db(sound.samples)
    assert levels[:32].min() > -45
    assert levels[32] > levels[31] - 40, "it rings out"
    steps = np.abs(np.diff(sound.samples[:, 0]))
    assert steps[191_000:].max() < 1.2 * steps[96_000:190_000].max(), "nothing stops at once"


@BOTH
def test_held_notes_are_held(synthesizer: Synthesizer) -> None:
    """A long note of an instrument that does not die away falls silent, or jumps where it was put together."""
    sound = to_audio(score_of((0, 24, 57), program=ORGAN), synthesizer=synthesizer, mono=True, tail_seconds=0)
    levels = levels_db(sound.samples)
    assert levels.min() > -30
    steps = np.abs(np.diff(sound.samples[:, 0]))
    begins = range(5 * 48_000, len(steps), 48_000)
    loudest = [steps[begin : begin + 48_000].max() for begin in begins]
    assert max(loudest) < 1.5 * min(loudest)


def test_loud_music_is_not_cut_off() -> None:
    """Very loud music comes out distorted, its peaks flat, from 16 bits that could not hold them."""
    chord = [(0.0, 1.0, pitch) for pitch in range(30, 100, 2)]
    loud = score_of(*chord, velocity=127, program=ORGAN)
    raw = to_audio(loud, synthesizer="soundfont", normalize=False)
    assert raw.peak_dbfs > 0.5
    soft = to_audio(score_of(*chord, velocity=64, program=ORGAN), synthesizer="soundfont", normalize=False)
    scale = float((raw.samples * soft.samples).sum() / np.square(soft.samples).sum())
    assert 20 * np.log10(scale) == pytest.approx(40 * np.log10(127 / 64), abs=1.0)
    middle = slice(9_600, 43_200)
    difference = raw.samples[middle] - scale * soft.samples[middle]
    assert np.square(difference).mean() < 0.01 * np.square(raw.samples[middle]).mean()
    assert -6.0 <= to_audio(loud, synthesizer="soundfont").peak_dbfs <= -0.5
    with wave.open(io.BytesIO(raw.to_bytes())) as file:
        whole = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    assert whole.max() == 2**15 - 1, "samples above full scale are clipped and do not wrap around"


def test_a_long_note_needs_no_more_memory_than_its_sound() -> None:
    """Half an hour of a held note takes many times the memory of its sound."""
    roll = PianoRoll.from_active(np.ones((12_000, 1), dtype=bool), pitches=PitchRange(60, 60))
    tracemalloc.start()
    try:
        sound = roll.to_audio(synthesizer="plain", sample_rate=8_000, tail_seconds=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sound.seconds == 1500
    assert peak < 1.6 * sound.samples.nbytes


def test_a_damaged_soundfont_is_a_settings_error(tmp_path: Path) -> None:
    """A file with wrong numbers ends the program: the renderer panics, which is not an ordinary exception."""
    there = soundfont._pretty_midi_soundfont()
    assert there is not None
    data = bytearray(there.read_bytes())
    presets = data.rfind(b"pbag") + 8
    data[presets + 4 : presets + 6] = b"\xff\xff"  # a preset whose settings are outside the file
    own = tmp_path / "damaged.sf2"
    own.write_bytes(data)
    with pytest.raises(SettingsError, match=r"damaged\.sf2: not a SoundFont that can be played"):
        to_audio(score_of((0, 1, 60)), soundfont=own)


def test_keyboard_interrupts_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while it plays is reported as a bad SoundFont."""

    def interrupted(instruments: bytes, midi: bytes) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(midirenderer, "render_wave_from", interrupted)
    with pytest.raises(KeyboardInterrupt):
        to_audio(score_of((0, 1, 60)), synthesizer="soundfont")


def test_a_renderer_at_another_rate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the renderer plays everything at a wrong pitch."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", ""))
        file.writeframes(bytes(400))
    monkeypatch.setattr(midirenderer, "render_wave_from", lambda instruments, midi: made.getvalue())
    with pytest.raises(SettingsError, match="rendered 44100 frames per second"):
        to_audio(score_of((0, 1, 60)), synthesizer="soundfont")
