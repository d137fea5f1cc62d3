"""The voices of rolls, against a slow reading of their notes."""

import numpy as np
import pytest
from hypothesis import given
from strategies import part_rolls

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.evaluation.voices import REST, num_beats, segments, voice_index, voices_of
from pianoroll_seq2seq.grid import BeatGrid, SecondsGrid
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange


@given(part_rolls())
def test_a_voice_has_the_highest_pitch_of_its_part(roll: PianoRoll) -> None:
    """A voice has another pitch than its part, begins a note where none begins, or is that of the drums."""
    voices = voices_of(roll)
    pitched = [part for part in roll.parts if not part.drums]
    assert voices.names == tuple(part.name for part in pitched)
    most = 0
    for voice, part in enumerate(pitched):
        one = roll[part.name]
        for frame, row in enumerate(one.active):
            sounding = [part.pitches.lowest + column for column in np.flatnonzero(row)]
            most = max(most, len(sounding))
            pitch = max(sounding, default=REST)
            assert voices.pitch[frame, voice] == pitch
            before = voices.pitch[frame - 1, voice] if frame else REST
            begins = pitch != REST and (pitch != before or one.onset[frame, pitch - part.pitches.lowest])
            assert voices.onset[frame, voice] == begins
        found = segments(voices.pitch[:, voice], voices.onset[:, voice])
        assert np.array_equal(np.repeat(found.pitch, found.length), voices.pitch[:, voice])
        assert found.begin.tolist() == (np.cumsum(found.length) - found.length).tolist()
        sounding_notes = found.pitch != REST
        assert sounding_notes.sum() == voices.onset[:, voice].sum()
    assert voices.is_monophonic == (most <= 1)


def test_lengths_in_beats() -> None:
    assert num_beats(PianoRoll.silent(12, grid=BeatGrid(8))) == 1.5
    assert num_beats(PianoRoll.silent(100, grid=SecondsGrid(0.02))) == pytest.approx(4)  # 2 s at 120 BPM


def test_the_melody_needs_chords() -> None:
    two = voices_of(PianoRoll.stack({name: PianoRoll.silent(2, pitches=PitchRange(60, 62)) for name in "ab"}))
    assert voice_index(two, None, label="It") == 0
    assert voice_index(two, "b", label="It") == 1
    with pytest.raises(SettingsError, match=r"It has no part 'c' with pitches. It has 'a', 'b'"):
        voice_index(two, "c", label="It")
    with pytest.raises(
        SettingsError, match="It has 1 parts with pitches, but a melody and its harmony are at least two"
    ):
        voice_index(voices_of(PianoRoll.silent(2)), None, label="It")
