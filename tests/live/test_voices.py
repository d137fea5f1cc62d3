"""Frames as messages: each note that begins ends."""

import mido
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from live_models import PARTS, PLANES, trained

from pianoroll_seq2seq import FrameLayout, Part, PitchRange
from pianoroll_seq2seq.live.voices import Voices, click, is_played

LAYOUT = FrameLayout(parts=PARTS, planes=PLANES)


def frame(*cells: int, size: int = LAYOUT.frame_size) -> np.ndarray:
    return np.isin(np.arange(size), cells)


def played(messages: list[mido.Message]) -> list[tuple[str, int, int]]:
    return [(message.type, message.channel, message.note) for message in messages]


def test_notes_begin_hold_repeat_and_end() -> None:
    """A held note is onsets again, a repeated one is held, or the end of a note comes after the next one's onset."""
    voices = Voices(LAYOUT)
    assert played(voices.frame(frame(0, 8), velocity=50)) == [("note_on", 0, 60), ("note_on", 1, 40)]
    assert voices.frame(frame(0, 8), velocity=50) == []
    assert played(voices.frame(frame(0, 8, 16), velocity=50)) == [("note_off", 0, 60), ("note_on", 0, 60)]
    assert played(voices.frame(frame(1), velocity=50)) == [("note_off", 0, 60), ("note_off", 1, 40), ("note_on", 0, 61)]
    assert played(voices.stop()) == [("note_off", 0, 61)]
    assert voices.stop() == []


def test_velocities_are_those_of_the_model_or_of_the_player() -> None:
    """An expressive model plays evenly, or another model loudly whatever the player does."""
    layout = trained("velocities").layout
    loud = np.zeros(layout.frame_size, dtype=np.uint8)
    loud[[0, 12, 24]] = (1, 1, 99)
    assert [message.velocity for message in Voices(layout).frame(loud, velocity=50)] == [99]
    assert [message.velocity for message in Voices(LAYOUT).frame(frame(0), velocity=50)] == [50]


def test_each_part_has_its_channel_and_program() -> None:
    """All parts sound as a piano, or drums as pitches."""
    parts = (*PARTS, Part("drums", drums=True, pitches=PitchRange(35, 40)), Part("piano", pitches=PitchRange(60, 61)))
    voices = Voices(FrameLayout(parts=parts, planes=("active",)))
    assert [(one.channel, one.program) for one in voices.programs()] == [(0, 73), (1, 32)]
    messages = voices.frame(frame(0, 8, 16, 22, size=24), velocity=50)
    assert played(messages) == [("note_on", 0, 60), ("note_on", 1, 40), ("note_on", 9, 35), ("note_on", 2, 60)]


@given(st.lists(st.sets(st.integers(0, LAYOUT.frame_size - 1)), max_size=20), st.booleans())
def test_all_notes_end(frames: list[set[int]], has_panic: bool) -> None:
    """A note hangs after the answer, or at the end of the program."""
    voices = Voices(LAYOUT)
    messages = [message for cells in frames for message in voices.frame(frame(*cells), velocity=64)]
    messages += voices.panic() if has_panic else voices.stop()
    sounding: set[tuple[int, int]] = set()
    for message in messages:
        if message.type == "note_on":
            assert (message.channel, message.note) not in sounding
            sounding.add((message.channel, message.note))
        elif message.type == "note_off":
            sounding.remove((message.channel, message.note))
    assert not sounding


def test_what_the_player_holds_ends_too() -> None:
    """With --through, a key that is down at the end hangs on."""
    voices = Voices(LAYOUT)
    for message in (
        mido.Message("note_on", channel=4, note=50, velocity=80),
        mido.Message("note_on", channel=4, note=52, velocity=80),
        mido.Message("note_on", channel=4, note=52, velocity=0),
        mido.Message("note_on", channel=4, note=53, velocity=80),
        mido.Message("note_off", channel=4, note=53),
        mido.Message("pitchwheel", channel=4, pitch=100),
    ):
        assert voices.through(message) == message
    messages = voices.panic()
    assert played(messages[:1]) == [("note_off", 4, 50)]
    assert {(one.channel, one.control) for one in messages[1:]} == {(c, n) for c in (0, 1, 4) for n in (64, 123)}


def test_clicks_and_messages_of_devices() -> None:
    """The metronome does not mark bars, or the clock of a device is taken for playing."""
    assert [one.note for one in (*click(downbeat=True), *click(downbeat=False))] == [76, 76, 77, 77]
    assert all(one.channel == 9 for one in click(downbeat=True))
    assert is_played(mido.Message("control_change", control=64, value=127))
    assert not is_played(mido.Message("clock"))
    assert not is_played(mido.Message("active_sensing"))
