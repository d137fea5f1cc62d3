"""The encoder of what is given."""

import torch

from pianoroll_seq2seq.models.layers.given_encoder import GivenEncoder, num_known_frames


def test_reads_known_frames_in_both_directions_and_nothing_after_them() -> None:
    torch.manual_seed(0)
    encoder = GivenEncoder(3, 4).double()
    inputs = torch.randn(4, 6, 3).double()
    known = torch.tensor([6, 3, 1, 0])
    encoded = encoder(inputs, known)
    for row, count in enumerate(known.tolist()):
        if count:
            alone = inputs[row : row + 1, :count]
            onward, _ = encoder.forwards(alone)
            back, _ = encoder.backwards(alone.flip(1))
            torch.testing.assert_close(encoded[row, :count, :4], onward[0])
            torch.testing.assert_close(encoded[row, :count, 4:], back[0].flip(0))
            torch.testing.assert_close(encoded[row, count:, :4], onward[0, -1:].expand(6 - count, -1))
        assert not encoded[row, count:, 4:].any()
    assert not encoded[3].any()


def test_counts_frames_up_to_the_last_of_which_something_is_given() -> None:
    mask = torch.zeros(3, 5, 2, dtype=torch.bool)
    mask[0, 2, 1] = mask[1, 4, 0] = True
    assert num_known_frames(mask).tolist() == [3, 5, 0]
    assert num_known_frames(mask[:, :0]).tolist() == [0, 0, 0]
