"""Keys become frames."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq import BeatGrid, TempoMap
from pianoroll_seq2seq.live.clock import FrameClock
from pianoroll_seq2seq.live.keys import KeyFrame, Keys
from pianoroll_seq2seq.quantize import quantize


def frames(keys: Keys, count: int) -> list[dict[int, int]]:
    return [dict(keys.frame(line).sounding) for line in range(count)]


def test_a_note_goes_to_the_nearest_lines_and_has_a_frame_at_least() -> None:
    """A note that is played a little before the beat is read in the frame before it, or a short one not at all."""
    keys = Keys()
    keys.press(60, 80, 0.9)
    keys.press(64, 70, 1.49)
    keys.release(64, 1.5)
    assert frames(keys, 1) == [{}]
    assert keys.frame(1) == KeyFrame({60: 80, 64: 70}, frozenset((60, 64)))
    keys.release(60, 2.6)
    assert keys.frame(2) == KeyFrame({60: 80}, frozenset())
    assert keys.frame(3) == KeyFrame({}, frozenset())


def test_a_key_that_comes_after_its_frame_was_read_begins_in_the_next() -> None:
    """A message that comes late is lost, and its note never ends."""
    keys = Keys()
    keys.begin(4)
    keys.press(60, 80, 4.0)
    assert keys.frame(4).sounding == {60: 80}
    keys.release(60, 4.4)
    keys.press(62, 80, 4.4)
    assert keys.frame(5) == KeyFrame({62: 80}, frozenset({62}))


def test_a_repeated_note_begins_again_and_keys_without_notes_are_ignored() -> None:
    """A repeated note is one long note; or releasing a key that was not pressed fails."""
    keys = Keys()
    keys.release(60, 0.0)
    keys.press(60, 80, 0.0)
    keys.release(60, 0.9)
    assert keys.frame(0).onsets == {60}
    keys.press(60, 90, 1.1)
    assert keys.frame(1) == KeyFrame({60: 90}, frozenset({60}))
    keys.begin(9)
    assert keys.frame(9) == KeyFrame({}, frozenset())


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.01, 8)), min_size=1, max_size=12))
def test_frames_are_those_that_a_file_of_the_same_notes_has(notes: list[tuple[float, float]]) -> None:
    """What is played live is read otherwise than the same music from a file."""
    ticks = np.array([[round(start * 100), round((start + length) * 100)] for start, length in notes])
    keys = Keys()
    events = sorted(
        [(int(end), 0, pitch) for pitch, (_, end) in enumerate(ticks)]
        + [(int(start), 1, pitch) for pitch, (start, _) in enumerate(ticks)]
    )
    active = np.zeros((40, len(notes)), dtype=bool)
    for line in range(40):
        while events and events[0][0] / 100 < line + 0.5:
            tick, is_onset, pitch = events.pop(0)
            if is_onset:
                keys.press(pitch, 80, tick / 100)
            else:
                keys.release(pitch, tick / 100)
        active[line, list(keys.frame(line).sounding)] = True
    first, last = quantize(ticks[:, 0], ticks[:, 1], grid=BeatGrid(4), tempo=TempoMap(400))
    lines = np.arange(40)[:, None]
    np.testing.assert_array_equal(active, (first <= lines) & (lines < last))


def test_the_clock_goes_both_ways() -> None:
    """Positions are not those of the seconds that they came from."""
    clock = FrameClock(0.15, begin=3.0)
    assert abs(clock.position(clock.seconds(7.5)) - 7.5) < 1e-9
