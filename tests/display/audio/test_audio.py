"""Measurements of rendered music."""

import io
import itertools
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pianoroll_seq2seq import (
    Audio,
    BeatGrid,
    NoteTable,
    Part,
    PianoRoll,
    Score,
    SecondsGrid,
    TempoMap,
    to_audio,
)
from pianoroll_seq2seq._internal.render_options import Synthesizer
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords
from pianoroll_seq2seq.display.audio import soundfont
from pianoroll_seq2seq.errors import LimitError, MissingExtraError, OverwriteError, SettingsError, ShapeError

BOTH = pytest.mark.parametrize("synthesizer", ["soundfont", "plain"])


def roll_of(*notes: tuple[int, int, int], frames: int) -> PianoRoll:
    """Notes as (first frame, frame after the last, pitch), in sixteenths: 0.125 seconds each."""
    active = np.zeros((frames, 88), dtype=bool)
    for start, end, pitch in notes:
        active[start:end, pitch - 21] = True
    return PianoRoll.from_active(active)


def scale() -> PianoRoll:
    return PianoRoll.from_score(next(iter(scale_chords().values())))[:128]


def loudness_db(samples: np.ndarray) -> float:
    return 20 * np.log10(np.sqrt(np.square(samples).mean()) + 1e-12)


@BOTH
@pytest.mark.parametrize(("pitch", "hertz"), [(69, 440.0), (57, 220.0)])
def test_a_pitch_is_in_tune(synthesizer: Synthesizer, pitch: int, hertz: float) -> None:
    """A4 at anything but 440 Hz."""
    sound = roll_of((0, 16, pitch), frames=16).to_audio(synthesizer=synthesizer, mono=True)
    samples = sound.samples[4800:86400, 0]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**21))
    frequency = np.fft.rfftfreq(2**21, 1 / sound.sample_rate)
    near = (frequency > hertz * 0.8) & (frequency < hertz * 1.25)
    assert frequency[near][spectrum[near].argmax()] == pytest.approx(hertz, abs=1.0)


@BOTH
def test_it_lasts_as_long_as_the_music_and_its_tail(synthesizer: Synthesizer) -> None:
    """Sound and picture drift apart, or the end is cut off."""
    for roll in (
        roll_of((0, 3, 60), frames=7),
        PianoRoll.from_active(np.eye(33, 88, dtype=bool), grid=SecondsGrid(0.02)),
    ):
        for tail in (0.0, 1.5):
            sound = roll.to_audio(synthesizer=synthesizer, tail_seconds=tail)
            assert len(sound.samples) == round((roll.seconds + tail) * 48_000)
            assert abs(sound.samples[-1]).max() < 1e-3


@BOTH
def test_notes_sound_when_they_are_played(synthesizer: Synthesizer) -> None:
    """Notes come late, or at another tempo than the roll's; or nothing sounds in a frame with notes."""
    tempo = TempoMap(480, [(0, 500_000), (960, 250_000)])  # twice as fast from the third beat on
    active = np.zeros((16, 88), dtype=bool)
    active[[0, 1, 4, 5, 12, 13], 40] = True
    roll = PianoRoll.from_active(active, grid=BeatGrid(4), tempo=tempo)
    sound = roll.to_audio(synthesizer=synthesizer, mono=True)
    lines = np.rint(roll.grid.seconds_at(np.arange(17), roll.tempo) * 48_000).astype(int)
    levels = np.array([loudness_db(sound.samples[begin:end]) for begin, end in itertools.pairwise(lines)])
    assert levels[active.any(axis=1)].min() > -40
    assert levels[[8, 9, 10, 11]].max() < levels[[4, 12]].min() - 15
    before, after = (loudness_db(sound.samples[lines[12] + begin :][:480]) for begin in (-480, 480))
    assert after > before + 15


@BOTH
def test_loudness(synthesizer: Synthesizer) -> None:
    """One piece is too loud, the next one inaudible, or samples are clipped."""
    chord = [(0, 16, pitch) for pitch in range(30, 100, 2)]
    pieces = {
        "sparse": roll_of((0, 1, 60), frames=64),
        "low": roll_of((0, 16, 21), frames=16),
        "high": roll_of((0, 16, 108), frames=16),
        "dense": roll_of(*chord, frames=16),
        "scale": scale(),
    }
    for name, roll in pieces.items():
        for velocity in (10, 127):
            sound = roll.to_audio(synthesizer=synthesizer, velocity=velocity)
            assert -6.0 <= sound.peak_dbfs <= -0.5, name
    raw = [scale().to_audio(synthesizer=synthesizer, velocity=v, normalize=False).peak_dbfs for v in (30, 120)]
    assert raw[0] < raw[1] - 6


@BOTH
def test_music_of_real_pieces_is_never_silent(synthesizer: Synthesizer) -> None:
    """A frame with notes without sound."""
    roll = scale()
    sound = roll.to_audio(synthesizer=synthesizer, mono=True)
    size = round(0.125 * sound.sample_rate)
    levels = [loudness_db(sound.samples[frame * size : (frame + 1) * size]) for frame in range(len(roll))]
    assert min(level for level, any_sounds in zip(levels, roll.active.any(axis=1), strict=True) if any_sounds) > -50


def test_silence_is_silent() -> None:
    """A division by no loudness, or noise out of nothing."""
    for synthesizer in ("soundfont", "plain"):
        sound = roll_of(frames=8).to_audio(synthesizer=synthesizer)
        assert sound.seconds == 3.0
        assert sound.peak_dbfs == -np.inf
    assert len(roll_of(frames=0).to_audio(tail_seconds=0).samples) == 0


def test_parts_play_as_they_are() -> None:
    """A flute and drums come out as a piano."""
    notes = NoteTable([0, 480, 960], [480, 960, 1440], [60, 60, 38], [100, 50, 100], [0, 0, 1])
    piano, flute = (
        to_audio(Score(notes, TempoMap(480), (Part("a", program), Part("b", drums=True))), synthesizer="soundfont")
        for program in (0, 73)
    )
    assert piano.seconds == 3.5
    assert np.abs(piano.samples[:40_000] - flute.samples[:40_000]).max() > 0.05
    for synthesizer in ("soundfont", "plain"):
        score = Score(notes, TempoMap(480), (Part("a"), Part("b", drums=True)))
        sound = to_audio(score, synthesizer=synthesizer, mono=True).samples
        loud, soft, drum = (loudness_db(sound[begin : begin + 20_000]) for begin in (0, 24_000, 48_000))
        assert loud > soft + 3
        assert drum > -45


@BOTH
def test_equal_music_sounds_equal(synthesizer: Synthesizer) -> None:
    """Two renderings of one piece differ."""
    first, second = (scale()[:16].to_audio(synthesizer=synthesizer).samples for _ in range(2))
    assert np.array_equal(first, second)


def test_channels() -> None:
    """Sound for two ears comes from one, or the other way round."""
    roll = roll_of((4, 16, 69), frames=16)
    both = roll.to_audio(synthesizer="soundfont", normalize=False).samples
    assert both.shape == (192_000, 2)
    one = roll.to_audio(synthesizer="soundfont", normalize=False, mono=True).samples
    assert np.abs(one[:, 0] - both.mean(axis=1)).max() < 1e-6


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_files(tmp_path: Path, kind: str) -> None:
    """Other programs read other samples, or an existing file is replaced."""
    roll = scale()[:32]
    path = roll.to_wav(tmp_path / f"new/piece.{kind}")
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sound = roll.to_audio()
    assert rate == 48_000
    assert samples.shape == sound.samples.shape
    assert np.abs(samples - sound.samples).max() < (0.1 if kind == "ogg" else 1e-4)
    with pytest.raises(OverwriteError):
        roll.to_wav(path)
    assert roll.to_wav(path, overwrite=True) == path


def test_a_long_ogg(tmp_path: Path) -> None:
    """The encoder of OGG fails on more than some minutes at once."""
    sound = Audio(np.zeros((48_000 * 200, 1), dtype=np.float32), 48_000)
    path = sound.save(tmp_path / "long.ogg")
    assert soundfile.info(path).frames == 48_000 * 200


def test_wav_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be rendered without the extra."""
    for package in ("midirenderer", "soundfile"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(soundfont, "find_spec", lambda name: None)
    roll = roll_of((0, 4, 60), frames=8)
    with wave.open(io.BytesIO(roll.to_audio().to_bytes())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getnframes()) == (1, 2, 144_000)
    with pytest.raises(MissingExtraError, match=r"pianoroll-seq2seq\[audio\]"):
        roll.to_audio(synthesizer="soundfont")
    with pytest.raises(MissingExtraError, match="FLAC"):
        roll.to_wav(tmp_path / "piece.flac")
    assert not list(tmp_path.iterdir())


def test_a_soundfont_of_ones_own(tmp_path: Path) -> None:
    """Another SoundFont is used than the given one, or a broken one ends the program."""
    roll = roll_of((0, 4, 60), frames=8)
    there = soundfont._pretty_midi_soundfont()
    assert there is not None
    own = tmp_path / "own.sf2"
    own.write_bytes(there.read_bytes())
    assert np.array_equal(roll.to_audio(soundfont=own).samples, roll.to_audio().samples)
    own.write_bytes(there.read_bytes()[:100_000])
    with pytest.raises(SettingsError, match=r"own\.sf2: not a SoundFont that can be played"):
        roll.to_audio(soundfont=own)
    for path in (tmp_path / "none.sf2", tmp_path):
        with pytest.raises(SettingsError, match=r"cannot read this SoundFont|not a regular file"):
            roll.to_audio(soundfont=path)


def test_nonsense_is_refused(tmp_path: Path) -> None:
    roll = roll_of((0, 4, 60), frames=8)
    for settings, message in (
        ({"synthesizer": "organ"}, "synthesizer must be one of"),
        ({"tail_seconds": -1.0}, "tail_seconds"),
        ({"tail_seconds": float("nan")}, "tail_seconds"),
        ({"synthesizer": "plain", "soundfont": "a.sf2"}, "does not use a SoundFont"),
    ):
        with pytest.raises(SettingsError, match=message):
            roll.to_audio(**settings)
    with pytest.raises(SettingsError, match=r"must end in \.wav, \.flac, \.ogg"):
        roll.to_wav(tmp_path / "piece.mp3")
    endless = Score(NoteTable([0], [480 * 20_000], [60], [100], [0]), TempoMap(480))
    with pytest.raises(LimitError, match="the limit is 3600 seconds"):
        to_audio(endless)
    with pytest.raises(ShapeError, match="float32 of shape"):
        Audio(np.zeros((4, 3), np.float32), 48_000)
    with pytest.raises(SettingsError, match="sample_rate"):
        Audio(np.zeros((4, 2), np.float32), 0)
