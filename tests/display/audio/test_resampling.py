"""Sound at another sample rate."""

import numpy as np
import pytest

from pianoroll_seq2seq import PianoRoll, SecondsGrid
from pianoroll_seq2seq._internal.render_options import Synthesizer
from pianoroll_seq2seq.display.audio.resampling import resampled
from pianoroll_seq2seq.errors import SettingsError

RATE = 48_000


def sine(hertz: float, rate: int, seconds: float = 2.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate).astype(np.float32)[:, None]


def decibels(samples: np.ndarray) -> float:
    middle = samples[len(samples) // 8 : -len(samples) // 8]  # the ends of a tone are not a pure tone
    return 20 * float(np.log10(np.abs(middle).max()))


@pytest.mark.parametrize(
    "rate",
    [
        44_100,
        8_001,
        *(pytest.param(value, marks=pytest.mark.slow) for value in (32_000, 24_000, 22_050, 16_000, 8_000)),
    ],
)
def test_a_tone_stays_as_it_was(rate: int) -> None:
    """Sound at a lower rate is at another pitch, late, louder, or hisses."""
    for hertz in (27.5, 440.0, 0.3 * rate):
        result = resampled(sine(hertz, RATE), from_rate=RATE, to_rate=rate, num_frames=2 * rate)
        assert decibels(result - sine(hertz, rate)) < -60


@pytest.mark.parametrize(
    "rate", [24_000, *(pytest.param(value, marks=pytest.mark.slow) for value in (32_000, 22_050, 16_000, 8_000))]
)
def test_frequencies_above_the_new_limit_are_removed(rate: int) -> None:
    """High notes come back as low ones (aliasing)."""
    for hertz in (0.55 * rate, 0.7 * rate):
        assert decibels(resampled(sine(hertz, RATE), from_rate=RATE, to_rate=rate, num_frames=2 * rate)) < -60


def test_the_ends_are_silence() -> None:
    """Frames after the end are not silent, or a shorter result is not cut."""
    samples = np.ones((4800, 2), dtype=np.float32)
    longer = resampled(samples, from_rate=RATE, to_rate=22_050, num_frames=22_050)
    assert longer.shape == (22_050, 2)
    assert np.abs(longer[300:1900] - 1).max() < 1e-3
    assert not longer[2300:].any()
    assert np.array_equal(resampled(samples, from_rate=RATE, to_rate=22_050, num_frames=1000), longer[:1000])
    assert resampled(samples, from_rate=RATE, to_rate=22_050, num_frames=0).shape == (0, 2)
    assert resampled(samples, from_rate=RATE, to_rate=RATE, num_frames=4800) is samples


@pytest.mark.parametrize("synthesizer", ["soundfont", "plain"])
def test_music_at_other_rates(synthesizer: Synthesizer) -> None:
    """The rate of compact discs is refused; sound is a sample shorter or longer than the music; A4 is not at 440 Hz."""
    active = np.zeros((101, 88), dtype=bool)
    active[:60, 69 - 21] = True
    roll = PianoRoll.from_active(active, grid=SecondsGrid(0.0203))
    for rate in (44_100, 24_000, 22_050, 11_025, 8_000):
        sound = roll.to_audio(synthesizer=synthesizer, sample_rate=rate, mono=True, tail_seconds=0.5)
        assert sound.samples.shape == (round((101 * 0.0203 + 0.5) * rate), 1)
        assert sound.sample_rate == rate
        assert -6.0 <= sound.peak_dbfs <= -0.5
        samples = sound.samples[rate // 10 : rate, 0]
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**19))
        frequency = np.fft.rfftfreq(2**19, 1 / rate)
        near = (frequency > 350) & (frequency < 550)
        assert frequency[near][spectrum[near].argmax()] == pytest.approx(440.0, abs=1.0)
    for rate in (0, 7_999, 96_000):
        with pytest.raises(SettingsError, match=r"must be in 8000\.\.48000"):
            roll.to_audio(synthesizer=synthesizer, sample_rate=rate)
