"""The part that the player plays."""

import pytest
from live_models import trained

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.live.keys import KeyFrame
from pianoroll_seq2seq.live.part_keys import PartKeys

CHORD = KeyFrame({59: 30, 60: 50, 64: 70, 90: 100}, frozenset({64}))


def test_a_chord_is_read_whole_or_by_its_highest_note() -> None:
    """A part of one note at a time gets two, which its model cannot read; or a chord loses notes."""
    frame = PartKeys.of(trained("velocities"), None).frame(CHORD)
    assert frame.nonzero()[0].tolist() == [0, 4, 12 + 4, 24 + 4]
    assert frame[28] == 70
    melody = PartKeys.of(trained("filling"), "melody")
    assert melody.highest
    assert melody.frame(CHORD).nonzero()[0].tolist() == [4, 16 + 4]
    assert not PartKeys.of(trained("parts"), None).highest


def test_a_part_is_found_by_its_name() -> None:
    """The player plays another part than they chose, or an unknown name is taken for the first part."""
    bass = PartKeys.of(trained("filling"), "bass")
    assert (bass.is_read(40), bass.is_read(48)) == (True, False)
    assert bass.frame(KeyFrame({40: 80}, frozenset())).nonzero()[0].tolist() == [8]
    with pytest.raises(
        SettingsError, match=r"The model filling has no part 'oboe'\. Its parts are \['melody', 'bass'\]"
    ):
        PartKeys.of(trained("filling"), "oboe")
