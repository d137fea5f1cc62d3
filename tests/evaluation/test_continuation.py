"""Metrics of a continuation, against counts by hand and loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.evaluation.continuation import ContinuationMetrics
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange

PITCHES = PitchRange(62, 65)


def music(frames: int, seed: int, still: float = 0.7) -> PianoRoll:
    """Frames that mostly stay as they are, as music does."""
    random = np.random.default_rng(seed)
    active = np.zeros((frames, 4), bool)
    for frame in range(frames):
        stays = frame > 0 and random.random() < still
        active[frame] = active[frame - 1] if stays else random.random(4) < 0.4
    return PianoRoll.from_active(active, pitches=PITCHES)


class TestContinuationMetrics:
    def primer(self, *columns: int) -> PianoRoll:
        active = np.zeros((2, 13), bool)
        active[0, list(columns)] = True
        return PianoRoll.from_active(active, pitches=PitchRange(62, 74))

    def roll(self, *frames: tuple[int, ...]) -> PianoRoll:
        active = np.zeros((len(frames), 13), bool)
        for frame, columns in enumerate(frames):
            active[frame, list(columns)] = True
        return PianoRoll.from_active(active, pitches=PitchRange(62, 74))

    def test_counts_by_hand(self):
        """D and F sharp, F sharp held, a rest, D sharp, and the D above; after a D major chord."""
        roll = self.roll((0, 4), (4,), (4,), (4,), (), (), (1,), (12,))
        measured = ContinuationMetrics.of(roll, self.primer(0, 4, 7))
        assert measured == ContinuationMetrics(
            longest_repeat_frames=3, silent_share=0.25, in_scale_share=0.75, polyphony=7 / 6, num_notes=4
        )

    def test_silence_is_no_repeat(self):
        """A model that stops would look like one that repeats a chord."""
        assert ContinuationMetrics.of(self.roll((), (), ()), self.primer(0)) == ContinuationMetrics(0, 1.0, 0.0, 0.0, 0)

    def test_a_repeat_after_another_frame_is_counted_from_1(self):
        roll = self.roll((1,), (1,), (2,), (1,), (1,), (), (1,))
        assert ContinuationMetrics.of(roll, self.primer(1)).longest_repeat_frames == 2

    def test_without_frames(self):
        assert ContinuationMetrics.of(self.roll(), self.primer(0)) == ContinuationMetrics(0, 0.0, 0.0, 0.0, 0)

    @given(frames=st.integers(0, 20), seed=st.integers(0, 99), still=st.floats(0, 1))
    def test_agrees_with_plain_loops(self, frames, seed, still):
        roll, primer = music(frames, seed, still), self.primer(0, 2)
        runs = [
            end - begin
            for begin in range(frames)
            for end in range(begin + 1, frames + 1)
            if roll.active[begin].any() and (roll.active[begin:end] == roll.active[begin]).all()
        ]
        onsets = [column for frame in roll.onset for column in np.nonzero(frame)[0]]
        silent = sum(not frame.any() for frame in roll.active)
        measured = ContinuationMetrics.of(roll, primer)
        assert measured.longest_repeat_frames == max(runs, default=0)
        assert measured.num_notes == len(onsets)
        assert measured.silent_share == pytest.approx(silent / frames if frames else 0)
        polyphony = [frame.sum() for frame in roll.active if frame.any()]
        assert measured.polyphony == pytest.approx(sum(polyphony) / len(polyphony) if polyphony else 0)
        assert measured.in_scale_share == pytest.approx(
            sum(column in (0, 2) for column in onsets) / len(onsets) if onsets else 0
        )
