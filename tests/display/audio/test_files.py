"""MIDI files as sound: if these fail, a file sounds otherwise than its composer made it, and nobody is told."""

import io
from pathlib import Path

import mido
import numpy as np
import pytest
from announcements import announced
from strategies import file_bytes

from pianoroll_seq2seq import Audio, read_midi, to_audio
from pianoroll_seq2seq._internal.render_options import Synthesizer
from pianoroll_seq2seq.display.audio.additive import synthesize
from pianoroll_seq2seq.display.audio.controllers import channel_curves
from pianoroll_seq2seq.errors import MidiError
from pianoroll_seq2seq.midi_io.message_list import channel_messages

BOTH = pytest.mark.parametrize("synthesizer", ["soundfont", "plain"])
RATE = 48_000
BAR = 1920
"""Ticks: two seconds."""
MIDDLE = 64
ORGAN = (0, mido.Message("program_change", program=19))
"""An instrument that holds its notes."""

Event = tuple[int, mido.Message]


def control(tick: int, controller: int, value: int, channel: int = 0) -> Event:
    return tick, mido.Message("control_change", control=controller, value=value, channel=channel)


def note(begin: int, end: int, pitch: int = 69, channel: int = 0) -> list[Event]:
    return [
        (begin, mido.Message("note_on", note=pitch, velocity=100, channel=channel)),
        (end, mido.Message("note_off", note=pitch, channel=channel)),
    ]


def file_of(*events: Event) -> bytes:
    file = mido.MidiFile(type=0, ticks_per_beat=480)
    track = mido.MidiTrack()
    now = 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    file.tracks.append(track)
    return file_bytes(file)


def sound_of(*events: Event, synthesizer: Synthesizer, mono: bool = False) -> Audio:
    return to_audio(file_of(*events), synthesizer=synthesizer, normalize=False, mono=mono)


def level_db(sound: Audio, begin: float, end: float, side: int | None = None) -> float:
    """Of one side, or of both."""
    samples = sound.samples[round(begin * RATE) : round(end * RATE)]
    samples = samples if side is None else samples[:, side]
    return 20 * float(np.log10(np.sqrt(np.square(samples, dtype=np.float64).mean()) + 1e-12))


def hertz(sound: Audio, begin: float, end: float) -> float:
    """The frequency of the strongest partial."""
    samples = sound.samples[round(begin * RATE) : round(end * RATE)].mean(axis=1)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**20))
    return float(np.fft.rfftfreq(2**20, 1 / RATE)[spectrum.argmax()])


@BOTH
@pytest.mark.parametrize("controller", [7, 11], ids=["volume", "expression"])
def test_volume_and_expression(synthesizer: Synthesizer, controller: int) -> None:
    """A fade-out stays loud, a muted channel sounds."""
    start = 100 if controller == 7 else 127
    sounds = [
        sound_of(
            ORGAN,
            control(0, controller, start),
            control(960, controller, value),
            *note(0, BAR),
            synthesizer=synthesizer,
        )
        for value in (start, start // 2)
    ]
    before, after = (level_db(sounds[1], *when) - level_db(sounds[0], *when) for when in ((0.2, 0.9), (1.2, 1.9)))
    assert before == pytest.approx(0, abs=0.1)
    assert after == pytest.approx(-12, abs=0.5)  # a quarter of the amplitude
    silent = sound_of(ORGAN, control(0, controller, 0), *note(0, BAR), synthesizer=synthesizer)
    assert silent.peak_dbfs == -np.inf


@BOTH
def test_pan(synthesizer: Synthesizer) -> None:
    """An orchestra sits on one chair."""
    sound = sound_of(ORGAN, control(0, 10, 0), control(960, 10, 127), *note(0, BAR), synthesizer=synthesizer)
    assert sound.samples.shape[1] == 2
    assert level_db(sound, 0.2, 0.9, 0) > level_db(sound, 0.2, 0.9, 1) + 10
    assert level_db(sound, 1.2, 1.9, 1) > level_db(sound, 1.2, 1.9, 0) + 10
    mono = sound_of(ORGAN, control(0, 10, 0), *note(0, BAR), synthesizer=synthesizer, mono=True)
    assert mono.samples.shape[1] == 1


@BOTH
@pytest.mark.parametrize(
    ("before", "semitones"),
    [
        ((), 2),
        (((101, 0), (100, 0), (6, 12)), 12),
        (((101, 0), (100, 0), (6, 12), (101, 127), (100, 127), (6, 1)), 12),
        (((101, 0), (100, 0), (99, 1), (98, 8), (6, 12)), 2),  # an unregistered parameter is not the range
    ],
    ids=["usual range", "an octave", "no parameter", "unregistered parameter"],
)
def test_pitch_bend(synthesizer: Synthesizer, before: tuple[tuple[int, int], ...], semitones: int) -> None:
    """A slide of a guitar becomes a repeated note, or goes to another pitch."""
    events = [
        ORGAN,
        *(control(0, *each) for each in before),
        *note(0, BAR),
        (960, mido.Message("pitchwheel", pitch=8191)),
    ]
    sound = sound_of(*events, synthesizer=synthesizer)
    assert hertz(sound, 1.2, 1.9) / hertz(sound, 0.2, 0.9) == pytest.approx(2 ** (semitones / 12), rel=1e-3)
    reset = sound_of(*events, control(961, 121, 0), synthesizer=synthesizer)
    assert hertz(reset, 1.2, 1.9) == pytest.approx(hertz(sound, 0.2, 0.9), rel=1e-3)


@BOTH
def test_the_sustain_pedal(synthesizer: Synthesizer) -> None:
    """Played with the pedal, a piece comes out dry; or its last chord is cut off."""
    events = [ORGAN, *note(0, 480), *note(BAR, BAR + 480, 60)]
    dry = sound_of(*events, synthesizer=synthesizer)
    held = sound_of(*events, control(240, 64, 127), control(1440, 64, 0), synthesizer=synthesizer)
    assert level_db(held, 0.8, 1.4) > level_db(dry, 0.8, 1.4) + 20
    assert level_db(held, 1.9, 2.0) < level_db(held, 0.8, 1.4) - 20
    last = sound_of(ORGAN, *note(0, 480), control(240, 64, 127), control(BAR, 64, 0), synthesizer=synthesizer)
    assert last.seconds == 4.0


@BOTH
def test_channels_do_not_touch_one_another(synthesizer: Synthesizer) -> None:
    """A fade of the strings fades the flute."""
    alone = sound_of((0, ORGAN[1].copy(channel=1)), *note(0, BAR, 60, channel=1), synthesizer=synthesizer, mono=True)
    both = sound_of(
        *((0, ORGAN[1].copy(channel=channel)) for channel in (0, 1)),
        *(control(0, controller, 0) for controller in (7, 11)),
        (0, mido.Message("pitchwheel", pitch=8191)),
        *note(0, BAR),
        *note(0, BAR, 60, channel=1),
        synthesizer=synthesizer,
        mono=True,
    )
    assert np.abs(both.samples - alone.samples).max() < 1e-3


@BOTH
def test_what_is_not_played_is_named(synthesizer: Synthesizer) -> None:
    """Something of the file is missing, and the listener believes it was never there."""
    events = [*note(0, 480), control(0, 1, 30), control(0, 91, 30), control(0, 66, 127), control(0, 74, 80)]
    events += [(0, mido.Message("aftertouch", value=5)), control(0, 67, 0), control(0, 64, 127), control(0, 7, 90)]
    _, warned = announced(lambda: sound_of(*events, synthesizer=synthesizer))
    (message,) = warned
    named = message.split("does not play ")[1].rstrip(".").split(", ")
    both = ["aftertouch", "controller 74", "the sostenuto pedal"]
    assert named == (both if synthesizer == "soundfont" else sorted([*both, "modulation", "reverb"]))


@BOTH
def test_a_file_without_controllers_sounds_like_its_score(synthesizer: Synthesizer, tmp_path: Path) -> None:
    """A file and the music read from it are two pieces; or a path, bytes and an open file are three."""
    data = file_of(*note(0, 480), *note(480, 960, 72), *note(480, 960, 38, channel=9))
    path = tmp_path / "song.mid"
    path.write_bytes(data)
    sounds = [to_audio(each, synthesizer=synthesizer).samples for each in (path, str(path), data, io.BytesIO(data))]
    for sound in sounds[1:]:
        assert np.array_equal(sound, sounds[0])
    score = to_audio(read_midi(path), synthesizer=synthesizer).samples
    assert score.shape == sounds[0].shape
    if synthesizer == "plain":
        assert np.array_equal(score, sounds[0])


def test_loud_files_do_not_clip() -> None:
    """Full scale is exceeded by the renderer's 16 bits, and the music crackles; expression keeps its shape."""
    chord = [each for pitch in range(30, 100) for each in note(0, BAR, pitch)]
    fades = [control(0, 7, 127), control(0, 11, 127), control(960, 11, 64), control(960, 121, 0), control(1440, 11, 64)]
    sound = sound_of(ORGAN, *fades, *chord, synthesizer="soundfont")
    assert np.abs(sound.samples).max() > 1
    assert level_db(sound, 1.1, 1.4) - level_db(sound, 1.6, 1.9) == pytest.approx(12, abs=1)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """It ends in the synthesizer's own words, or sounds up to the damage."""
    with pytest.raises(MidiError, match=r"none\.mid: no such file"):
        to_audio(tmp_path / "none.mid")
    with pytest.raises(MidiError, match="cut short"):
        to_audio(file_of(*note(0, 480))[:-6])


@pytest.mark.parametrize(
    "stray",
    [control(20 * 960, 7, 100), (20 * 960, mido.MetaMessage("set_tempo", tempo=400_000))],
    ids=["control", "tempo"],
)
def test_what_comes_after_the_sound_is_not_rendered(stray: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller hours after the last note makes the SoundFont fill the memory with silence."""
    midirenderer = pytest.importorskip("midirenderer")
    played: list[float] = []

    def render_wave_from(instruments: bytes, midi: bytes) -> bytes:
        played.append(mido.MidiFile(file=io.BytesIO(midi)).length)
        return original(instruments, midi)

    original = midirenderer.render_wave_from
    monkeypatch.setattr(midirenderer, "render_wave_from", render_wave_from)
    assert sound_of(*note(0, 480), stray, synthesizer="soundfont").seconds == 2.5
    assert played[0] == pytest.approx(2.75)


@BOTH
def test_a_damaged_file_is_played_up_to_its_damage(synthesizer: Synthesizer) -> None:
    """What is left of a damaged file is silent."""
    whole = [*note(0, 480), *note(480, 960)]
    damaged = file_of(*whole)[:-8]  # within the last end of a note, in a track that is cut short
    sound = to_audio(damaged, synthesizer=synthesizer, on_damage="salvage")
    assert sound.seconds == 2.5
    assert level_db(sound, 0.1, 0.4) > -40
    with pytest.raises(MidiError, match="cut short"):
        to_audio(damaged, synthesizer=synthesizer)


def test_long_notes_bend_without_a_click() -> None:
    """A held note is computed in chunks; between two of them its wave would jump."""
    data = file_of(*note(0, 480 * 50), (480, mido.Message("pitchwheel", pitch=3000)))
    score = read_midi(data)
    spans = [(data.index(b"MTrk") + 8, len(data))]
    curves = channel_curves(channel_messages(data, spans), score.tempo, RATE)
    samples = synthesize(score, num_frames=RATE * 25, sample_rate=RATE, curves=curves)[:, 0]
    steps = np.abs(np.diff(samples))
    for border in (2**19, 2**20):
        assert steps[border - 3 : border + 3].max() <= steps[border + 1000 : border + 3000].max() * 1.01


# ------------------------------------------------------------------------------------- scores with controllers


@BOTH
def test_a_score_with_controllers_sounds_as_its_file(synthesizer: Synthesizer) -> None:
    """A score that was read with its pedal and volume would be played without them, or its notes twice."""
    data = file_of(
        ORGAN, control(0, 7, 40), control(0, 64, 127), *note(0, 480), *note(BAR, BAR + 480, 72), control(2 * BAR, 64, 0)
    )
    options = {"synthesizer": synthesizer, "normalize": False}
    of_file, of_score = to_audio(data, **options), to_audio(read_midi(data, controllers=True), **options)
    assert of_score.samples.shape == of_file.samples.shape
    assert np.allclose(of_score.samples, of_file.samples, atol=1e-3)
    assert not np.allclose(
        to_audio(read_midi(data), **options).samples[: RATE // 2], of_file.samples[: RATE // 2], atol=1e-2
    )
