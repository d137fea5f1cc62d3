"""Samples and means of distributions that decide pitches from low to high."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pianoroll_seq2seq.models.heads.pitch_autoregression import estimated_mean, sample_skipping_silence

CPU = torch.device("cpu")


class Chain:
    """A distribution without any network: every pitch's log-odds are a bias and a weight for each pitch below it."""

    def __init__(self, rows: int, pitches: int, *, seed: int = 0, silence: float = -1.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.bias = silence + torch.randn(rows, pitches, generator=generator).double()
        self.weights = 2 * torch.randn(pitches, pitches, generator=generator).double().tril(-1)
        self.calls: list[Tensor] = []

    def __call__(self, frames: Tensor, rows: Tensor) -> Tensor:
        self.calls.append(rows)
        return self.bias[rows] + frames.double() @ self.weights.T


def sample_by_loop(logits_given: Callable[[Tensor, Tensor], Tensor], uniform: Tensor) -> Tensor:
    """Pitch by pitch, as the distribution is defined."""
    frames = torch.zeros_like(uniform)
    for pitch in range(uniform.shape[1]):
        logits = logits_given(frames, torch.arange(len(uniform)))
        frames[:, pitch] = (uniform[:, pitch] < torch.sigmoid(logits[:, pitch])).to(frames.dtype)
    return frames


def exact_mean(chain: Chain, row: int) -> Tensor:
    """The sum over all frames, each scored in a loop."""
    pitches = chain.bias.shape[1]
    total = torch.zeros(pitches).double()
    for values in itertools.product((0.0, 1.0), repeat=pitches):
        chance = 1.0
        for pitch, value in enumerate(values):
            below = sum(float(chain.weights[pitch, other]) * values[other] for other in range(pitch))
            sounds = 1 / (1 + math.exp(-float(chain.bias[row, pitch]) - below))
            chance *= sounds if value else 1 - sounds
        total += chance * torch.tensor(values).double()
    return total


class TestSampleSkippingSilence:
    @given(
        rows=st.integers(0, 6),
        pitches=st.integers(1, 30),
        seed=st.integers(0, 999),
        silence=st.sampled_from([-40.0, -3.0, 0.0, 3.0, 40.0]),
    )
    def test_equal_numbers_give_the_frames_of_the_loop(self, rows, pitches, seed, silence):
        """Skipping must only be faster: one wrong decision, and music no longer has the scored distribution."""
        chain = Chain(rows, pitches, seed=seed, silence=silence)
        uniform = torch.rand(rows, pitches, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(sample_skipping_silence(chain, uniform), sample_by_loop(chain, uniform))

    def test_takes_a_pass_for_each_pitch_that_sounds_and_one_more(self):
        """Its speed comes from this."""
        chain = Chain(20, 60, silence=-3.0)
        frames = sample_skipping_silence(chain, torch.rand(20, 60, generator=torch.Generator().manual_seed(3)))
        passes = torch.cat(chain.calls).bincount(minlength=20)
        assert torch.equal(passes, frames.sum(dim=1).long() + 1)
        assert len(chain.calls) == int(passes.max())

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_returns_zeros_and_ones_of_the_dtype_of_the_random_numbers(self, dtype):
        uniform = torch.rand(5, 9, generator=torch.Generator().manual_seed(0), dtype=dtype)
        before = uniform.clone()
        frames = sample_skipping_silence(Chain(5, 9), uniform)
        assert frames.dtype == dtype
        assert set(frames.unique().tolist()) == {0.0, 1.0}
        assert torch.equal(uniform, before)

    def test_samples_are_as_frequent_as_they_are_likely(self):
        count, chain = 20_000, Chain(1, 6)
        uniform = torch.rand(count, 6, generator=torch.Generator().manual_seed(1))
        samples = sample_skipping_silence(lambda frames, rows: chain(frames, torch.zeros_like(rows)), uniform)
        expected = exact_mean(chain, 0)
        assert ((samples.double().mean(dim=0) - expected).abs() < 5 * (expected * (1 - expected) / count).sqrt()).all()


class TestEstimatedMean:
    @pytest.mark.parametrize("pitches", [1, 3, 5])
    def test_is_exact_if_there_are_few_frames(self, pitches):
        chain = Chain(3, pitches)
        expected = torch.stack([exact_mean(chain, row) for row in range(3)])
        torch.testing.assert_close(estimated_mean(chain, 3, pitches, device=CPU), expected)

    @pytest.mark.parametrize("num_samples", [32, 2000])
    def test_is_as_accurate_as_documented(self, num_samples):
        chain = Chain(4, 9)
        expected = torch.stack([exact_mean(chain, row) for row in range(4)])
        error = estimated_mean(chain, 4, 9, device=CPU, num_samples=num_samples) - expected
        assert float(error.pow(2).mean().sqrt()) < 0.5 / math.sqrt(num_samples - 1)
        assert float(error.abs().max()) < 4 * 0.5 / math.sqrt(num_samples - 1)
        assert float(error.abs().max()) > 0  # otherwise this would test the exact mean

    def test_the_lowest_pitch_is_exact(self):
        """There is no pitch below it: its conditional probability is its probability."""
        chain = Chain(4, 20)
        mean = estimated_mean(chain, 4, 20, device=CPU)
        torch.testing.assert_close(mean[:, 0], torch.sigmoid(chain.bias[:, 0]))

    def test_is_deterministic(self):
        """A threshold on it must choose the same frames at every call, and the call must not change training."""
        chain, outside = Chain(3, 12), torch.get_rng_state()
        first = estimated_mean(chain, 3, 12, device=CPU)
        assert torch.equal(first, estimated_mean(chain, 3, 12, device=CPU))
        assert torch.equal(torch.get_rng_state(), outside)

    @pytest.mark.parametrize("rows", [1, 7, 700])
    def test_a_row_has_the_same_mean_in_any_batch(self, rows):
        """A prediction must not depend on the rest of the batch."""
        chain = Chain(700, 8)
        whole = estimated_mean(chain, 700, 8, device=CPU)
        part = estimated_mean(lambda frames, chosen: chain(frames, chosen + 700 - rows), rows, 8, device=CPU)
        torch.testing.assert_close(part, whole[-rows:])

    def test_no_rows_have_no_mean(self):
        assert estimated_mean(Chain(0, 12), 0, 12, device=CPU).shape == (0, 12)
