"""The latest frames of a continuation."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.models.contract import SequenceModel
from pianoroll_seq2seq.models.layers.latest_frames import LatestFrames
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM


@given(num_read=st.integers(1, 5), num_written=st.integers(0, 8))
def test_they_are_the_end_of_all_frames(num_read: int, num_written: int) -> None:
    """The encoder reads other frames than the latest."""
    frames = torch.arange(2.0 * (num_read + num_written) * 3).view(2, num_read + num_written, 3)
    latest = LatestFrames(frames[:, :num_read])
    for place in range(num_read, num_read + num_written):
        latest.after(torch.zeros(2, 3))  # another continuation, which must change nothing
        latest = latest.after(frames[:, place])
    assert latest.num_written == num_written
    assert torch.equal(latest.tensor(), frames[:, -num_read:])


def test_a_frame_that_is_changed_later_stays_as_it_was() -> None:
    """A caller that uses one tensor for all frames changes the past."""
    frame = torch.ones(1, 3)
    latest = LatestFrames(torch.zeros(1, 2, 3)).after(frame)
    frame.zero_()
    assert latest.tensor()[0, -1].tolist() == [1, 1, 1]


def test_a_step_does_not_copy_the_primer() -> None:
    """Each frame after a long primer takes the time and the memory of the whole primer."""
    models: list[SequenceModel] = [
        Seq2SeqLSTM(6, hidden_size=4, block_frames=5),
        ParallelSeq2SeqLSTM(6, hidden_size=4, block_frames=5),
    ]
    for model in models:
        _, first = model.start(torch.zeros(1, 100, 6))
        _, second = model.advance(torch.ones(1, 6), first)
        assert second.inputs.read is first.inputs.read
