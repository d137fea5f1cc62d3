"""The sound of rolls of several parts: their programs, velocities and drums."""

import itertools
from collections.abc import Iterator
from functools import partial

import mido
import numpy as np
import pytest

from pianoroll_seq2seq import Part, PianoRoll, PitchRange
from pianoroll_seq2seq._internal.render_options import Synthesizer
from pianoroll_seq2seq.display.audio import additive, soundfont
from pianoroll_seq2seq.midi_io.write import to_mido

BOTH = pytest.mark.parametrize("synthesizer", ["soundfont", "plain"])
A4 = PitchRange(69, 69)


def note(part: Part, *, first: int = 0, frames: int = 16, velocity: int | None = None) -> PianoRoll:
    """One note of four sixteenths, half a second, of a part of one pitch."""
    active = np.zeros((frames, 1), dtype=bool)
    active[first : first + 4] = True
    roll = PianoRoll.from_active(active, parts=[part])
    return roll if velocity is None else roll.with_velocity(velocity)


def sound(
    roll: PianoRoll, synthesizer: Synthesizer, *, velocity: int | None = None, program: int | None = None
) -> np.ndarray:
    """Mono samples that are not made louder."""
    audio = roll.to_audio(
        velocity=velocity, program=program, synthesizer=synthesizer, mono=True, normalize=False, tail_seconds=0.5
    )
    return audio.samples[:, 0]


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.square(samples).mean()))


@BOTH
def test_a_louder_note_is_louder(synthesizer: Synthesizer) -> None:
    """A roll of an expressive performance plays all notes alike."""
    levels = [rms(sound(note(Part(pitches=A4), velocity=value), synthesizer)) for value in (30, 60, 90, 120)]
    assert all(louder > 1.3 * softer for softer, louder in itertools.pairwise(levels))
    unknown, middle = (sound(note(Part(pitches=A4), velocity=value), synthesizer) for value in (None, 100))
    np.testing.assert_array_equal(unknown, middle)
    np.testing.assert_array_equal(sound(note(Part(pitches=A4), velocity=30), synthesizer, velocity=100), middle)


@BOTH
def test_each_note_has_its_velocity(synthesizer: Synthesizer) -> None:
    """One velocity of a roll is that of all its notes."""
    soft, loud = note(Part("a", pitches=A4), velocity=40), note(Part("b", pitches=A4), first=8, velocity=110)
    both = sound(PianoRoll.stack([soft, loud]), synthesizer)
    half = 48_000  # the second note begins after a second
    assert rms(both[half:]) > 2 * rms(both[:half])


@BOTH
def test_programs_sound_differently(synthesizer: Synthesizer) -> None:
    """A flute, an organ and a bass are all pianos; or one part has the program of the other."""
    programs = (0, 16, 33, 40, 56, 73)
    sounds = {program: sound(note(Part("x", program, pitches=A4)), synthesizer) for program in programs}
    for program, samples in sounds.items():
        for other, others in sounds.items():
            likeness = np.abs(samples @ others) / np.sqrt((samples @ samples) * (others @ others))
            assert (program == other) == (likeness > 0.999), (program, other)
    np.testing.assert_array_equal(sound(note(Part("x", 0, pitches=A4)), synthesizer, program=73), sounds[73])


@BOTH
def test_parts_sound_together(synthesizer: Synthesizer) -> None:
    """A part is missing from the sound, or sounds with another's program or velocity."""
    flute = note(Part("flute", 73, pitches=A4), velocity=90)
    bass = note(Part("bass", 33, pitches=PitchRange(40, 40)), first=4, velocity=60)
    kit = note(Part("kit", drums=True, pitches=PitchRange(38, 38)), first=8, velocity=110)
    together = sound(PianoRoll.stack([flute, bass, kit]), synthesizer)
    alone = sum(sound(roll, synthesizer) for roll in (flute, bass, kit))
    assert rms(together - alone) < 0.02 * rms(together)


@BOTH
def test_drums_sound_as_drums(synthesizer: Synthesizer) -> None:
    """A snare is a low D of a piano, and lasts as long as its note."""
    pitches = PitchRange(38, 38)
    drum, tone = (sound(note(Part("x", drums=drums, pitches=pitches)), synthesizer) for drums in (True, False))
    share = [rms(samples[20_000:24_000]) / rms(samples[:4_000]) for samples in (drum, tone)]
    assert share[0] < 0.1 < share[1]
    spectrum = np.abs(np.fft.rfft(drum[:8_000]))
    assert spectrum[: len(spectrum) // 12].sum() < 0.8 * spectrum.sum()  # above 2 kHz, where a low D has little


def messages(roll: PianoRoll) -> Iterator[mido.Message]:
    for track in to_mido(roll.to_score()).tracks:
        yield from track


def test_drums_are_on_channel_10() -> None:
    """Other programs, and the SoundFont, play them as a piano; or a melody is on the channel of the drums."""
    kit = note(Part("kit", drums=True, pitches=PitchRange(38, 38)))
    others = [note(Part(f"part {number}", number, pitches=A4)) for number in range(12)]
    by_pitch: dict[int, set[int]] = {}
    for message in messages(PianoRoll.stack([*others[:9], kit, *others[9:]])):
        if message.type == "note_on" and message.velocity:
            by_pitch.setdefault(message.note, set()).add(message.channel)
    assert by_pitch[38] == {9}
    assert by_pitch[69] == set(range(13)) - {9}


def test_a_part_has_the_program_of_the_roll() -> None:
    """The synthesizers are given a score without programs."""
    roll = PianoRoll.stack([note(Part("a", 73, pitches=A4)), note(Part("b", 33, pitches=A4))])
    for synthesize in (
        partial(additive.synthesize, sample_rate=48_000),
        partial(soundfont.synthesize, soundfont=None),
    ):
        own, flutes = (synthesize(roll.to_score(program=program), num_frames=48_000) for program in (None, 73))
        assert rms(own - flutes) > 0.1 * rms(own)
