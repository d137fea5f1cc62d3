"""NADE: scores and samples against slow direct computations."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.nade import NADE, NADEHead


def make(*batch: int, pitches: int = 5, hidden: int = 4, seed: int = 0, dtype: torch.dtype = torch.float64) -> NADE:
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(rng.normal(size=shape)).to(dtype)

    return NADE(
        normal(*batch, hidden),
        normal(*batch, pitches) - 1,
        2 * normal(pitches, hidden),
        2 * normal(pitches, hidden),
    )


def noise(*shape: int, seed: int = 0, share: float = 0.3) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape) < share).double()


def all_frames(pitches: int) -> Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=pitches))).double()


def by_hand(start, bias, below, above, frame, *, temperature) -> float:
    """The log-probability of one frame, with a hidden state for every pitch, in plain numbers."""
    read, total = start.copy(), 0.0
    for pitch, sounds in enumerate(frame):
        hidden = 1 / (1 + np.exp(-read))
        logit = (bias[pitch] + above[pitch] @ hidden) / temperature
        total -= np.logaddexp(0, -logit if sounds else logit)  # the logarithm of a sigmoid
        if sounds:
            read += below[pitch]
    return total


def loop_log_prob(nade: NADE, frames: Tensor) -> Tensor:
    """The same in torch, for gradients: (...)."""
    read, total = nade.start, torch.zeros((), dtype=nade.start.dtype)
    for pitch in range(frames.shape[-1]):
        logit = (nade.bias[..., pitch] + torch.sigmoid(read) @ nade.above[pitch]) / nade.temperature
        total = total + functional.logsigmoid(torch.where(frames[..., pitch] > 0, logit, -logit))
        read = read + frames[..., pitch, None] * nade.below[pitch]
    return total


class TestNADE:
    @given(
        pitches=st.integers(1, 40),
        hidden=st.integers(1, 9),
        share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        temperature=st.sampled_from([0.5, 1.0, 2.0]),
        seed=st.integers(0, 999),
    )
    def test_agrees_with_a_slow_direct_computation(self, pitches, hidden, share, temperature, seed):
        """Skipping hidden states that do not change must change nothing, for frames of any polyphony in one batch."""
        nade = make(3, 2, pitches=pitches, hidden=hidden, seed=seed)
        frames = noise(3, 2, pitches, seed=seed, share=share)
        frames[0, 0] = 0
        result = nade.tempered(temperature).log_prob(frames).numpy()
        start, bias, below, above = (values.numpy() for values in (nade.start, nade.bias, nade.below, nade.above))
        for place in np.ndindex(3, 2):
            expected = by_hand(start[place], bias[place], below, above, frames[place].numpy(), temperature=temperature)
            assert result[place] == pytest.approx(expected, rel=1e-9, abs=1e-9)

    @pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
    def test_probabilities_of_all_frames_sum_to_one(self, temperature):
        """Otherwise likelihoods could be made as good as one likes."""
        frames = all_frames(8)
        nade = make(8, pitches=8).tempered(temperature)
        for row in range(8):
            alone = nade[torch.full((len(frames),), row)]
            assert float(alone.log_prob(frames).exp().sum()) == pytest.approx(1, abs=1e-12)

    def test_gradients_are_those_of_the_loop(self):
        frames = noise(4, 3, 12)
        gradients = []
        for score in (NADE.log_prob, loop_log_prob):
            nade = make(4, 3, pitches=12)
            inputs = (nade.start, nade.bias, nade.below, nade.above)
            for values in inputs:
                values.requires_grad_()
            weights = torch.arange(12).double().reshape(4, 3)
            gradients.append(torch.autograd.grad((score(nade, frames) * weights).sum(), inputs))
        for quick, slow in zip(*gradients, strict=True):
            torch.testing.assert_close(quick, slow)

    def test_gradients_are_right(self):
        frames, nade = noise(2, 5), make(2)
        inputs = tuple(values.requires_grad_() for values in (nade.start, nade.bias, nade.below, nade.above))
        assert torch.autograd.gradcheck(lambda *values: NADE(*values, temperature=0.7).log_prob(frames), inputs)

    @pytest.mark.parametrize("bias", [-300.0, 300.0])
    def test_certainty_costs_a_finite_number_of_nats(self, bias):
        """A confident and wrong model must give a loss to learn from, not infinity or NaN."""
        nade = make(dtype=torch.float32)
        biases = torch.full((5,), bias, requires_grad=True)
        wrong = NADE(nade.start, biases, nade.below, nade.above).log_prob(torch.full((5,), float(bias < 0)))
        assert -1700 < wrong.item() < -1300
        wrong.backward()
        assert torch.isfinite(biases.grad).all()

    @given(
        pitches=st.integers(1, 30),
        temperature=st.sampled_from([0.5, 1.0, 2.0]),
        seed=st.integers(0, 999),
    )
    def test_samples_equal_those_of_the_loop_over_pitches(self, pitches, temperature, seed):
        """Equal random numbers must give equal music, by the fast way and by the slow one."""
        nade = make(4, 2, pitches=pitches, seed=seed).tempered(temperature)
        samples = nade.sample(generator=torch.Generator().manual_seed(seed))
        uniform = torch.rand(8, pitches, generator=torch.Generator().manual_seed(seed)).view(4, 2, pitches)
        read, expected = nade.start, torch.zeros(4, 2, pitches).double()
        for pitch in range(pitches):
            logit = (nade.bias[..., pitch] + torch.sigmoid(read) @ nade.above[pitch]) / temperature
            expected[..., pitch] = (uniform[..., pitch] < torch.sigmoid(logit)).double()
            read = read + expected[..., pitch, None] * nade.below[pitch]
        assert torch.equal(samples, expected)

    def test_samples_are_as_frequent_as_they_are_likely(self):
        """Generated music must have the scored distribution."""
        num_samples, frames = 40_000, all_frames(5)
        nade = make(1)
        samples = nade[torch.zeros(num_samples, dtype=torch.long)].sample(generator=torch.Generator().manual_seed(7))
        seen = (samples[:, None] == frames).all(dim=-1).double().sum(dim=0)
        expected = num_samples * nade[torch.zeros(32, dtype=torch.long)].log_prob(frames).exp()
        likely = expected > 5
        statistic = float(((seen - expected).pow(2) / expected)[likely].sum())
        freedom = int(likely.sum())
        assert freedom > 10
        assert statistic < freedom + 4 * math.sqrt(2 * freedom)  # four standard deviations of chi-square
        assert float(seen[~likely].sum()) < float(expected[~likely].sum()) + 20

    def test_mean_is_near_the_marginal_probabilities(self):
        nade, frames = make(6, pitches=9), all_frames(9)
        for row in range(6):
            chance = nade[torch.full((len(frames),), row)].log_prob(frames).exp()
            error = nade.mean[row] - chance @ frames
            assert float(error.abs().max()) < 0.15
            assert float(error.pow(2).mean().sqrt()) < 0.05

    @pytest.mark.parametrize(
        "index",
        [0, -1, slice(1, 3), (slice(None), 0), (1, 2), (slice(None), slice(0, 2)), torch.tensor([2, 0]), ..., None],
        ids=str,
    )
    @pytest.mark.parametrize("pitches", [3, 7])  # an exact mean, and an estimate
    def test_is_indexed_as_a_tensor_of_its_batch_shape(self, index, pitches):
        """A custom model picks the last step with distribution[:, -1] and must get exactly that."""
        nade, frames = make(3, 4, pitches=pitches), noise(3, 4, pitches)
        picked = nade.tempered(0.8)[index]
        torch.testing.assert_close(picked.mean, nade.tempered(0.8).mean[index])
        torch.testing.assert_close(picked.log_prob(frames[index]), nade.tempered(0.8).log_prob(frames)[index])
        assert picked.sample(generator=torch.Generator().manual_seed(0)).shape == frames[index].shape

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
    def test_no_temperature_at_or_below_zero(self, temperature):
        with pytest.raises(SettingsError, match="temperature"):
            make().tempered(temperature)

    def test_temperatures_multiply(self):
        frames = noise(3, 5)
        twice, once = make(3).tempered(0.5).tempered(3.0), make(3).tempered(1.5)
        torch.testing.assert_close(twice.log_prob(frames), once.log_prob(frames))

    def test_an_empty_batch_is_no_error(self):
        empty = make(0, 3)
        assert empty.log_prob(torch.zeros(0, 3, 5)).shape == (0, 3)
        assert empty.mean.shape == empty.sample(generator=torch.Generator()).shape == (0, 3, 5)


class TestNADEHead:
    def test_starts_near_silence(self):
        """A head that starts at one half for every pitch spends its first epochs unlearning noise."""
        torch.manual_seed(0)
        features = torch.rand(2, 3, 128) * 2 - 1
        assert float(NADEHead(128, 88)(features, torch.zeros(2, 3, 88)).mean.mean()) < 0.15

    def test_its_biases_are_linear_in_the_features(self):
        head, features = NADEHead(4, 3, hidden_size=6), torch.randn(2, 5, 4)
        nade = head(features, torch.zeros(2, 9, 3))
        for values, layer in ((nade.start, head.start), (nade.bias, head.bias)):
            expected = features.numpy() @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
            np.testing.assert_allclose(values.detach().numpy(), expected, rtol=1e-4, atol=1e-5)
        assert head.context_frames == 0
        assert head.settings() == {"in_features": 4, "layout": 3, "hidden_size": 6}

    def test_learns_chords_that_independent_pitches_cannot(self):
        """Two chords, each half of the time: ln 2 nats; independent pitches need four times as many."""
        torch.manual_seed(0)
        head, features, past = NADEHead(2, 6, hidden_size=8), torch.zeros(1, 2, 2), torch.zeros(1, 2, 6)
        chords = torch.tensor([[[1.0, 0, 1, 0, 0, 1], [0, 1, 0, 1, 0, 1]]])
        optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
        for _ in range(150):
            optimizer.zero_grad()
            loss = -head(features, past).log_prob(chords).mean()
            loss.backward()
            optimizer.step()
        assert loss.item() < math.log(2) + 0.05
        samples = head(torch.zeros(1, 200, 2), past).sample(generator=torch.Generator().manual_seed(0))
        assert float((samples[0, :, None] == chords[0]).all(dim=-1).any(dim=-1).float().mean()) > 0.9

    def test_bfloat16_autocast_is_scored_in_single(self):
        """The loss would otherwise lose all but three digits."""
        torch.manual_seed(0)
        head, features, past = NADEHead(16, 30, hidden_size=8), torch.randn(4, 3, 16), torch.zeros(4, 3, 30)
        frames = noise(4, 3, 30).float()
        expected = head(features, past)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            nade = head(features, past)
            inside = nade.log_prob(frames)
            samples = nade.sample(generator=torch.Generator().manual_seed(0))
            mean = nade.mean
        outside = nade.log_prob(frames)  # as training does: the model under autocast, or the loss as well
        assert nade.start.dtype == torch.bfloat16
        assert {inside.dtype, outside.dtype, samples.dtype, mean.dtype} == {torch.float32}
        for result in (inside, outside):
            torch.testing.assert_close(result, expected.log_prob(frames), rtol=0.01, atol=0.05)
        assert torch.isfinite(torch.stack(torch.autograd.grad(inside.sum(), [head.below, head.above]))).all()
        torch.testing.assert_close(mean, expected.mean, rtol=0.05, atol=0.02)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_returns_the_dtype_of_its_weights(self, dtype):
        head = NADEHead(4, 7).to(dtype)
        nade = head(torch.randn(2, 3, 4, dtype=dtype), torch.zeros(2, 3, 7))
        frames = nade.sample(generator=torch.Generator().manual_seed(0))
        assert frames.dtype == nade.mean.dtype == nade.log_prob(frames).dtype == dtype

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ("in_features", "at least 1, got 0 and 4"),
            ("layout", "at least one column, got 0"),
            ("hidden_size", "got 3 and 0"),
        ],
    )
    def test_sizes_below_one_are_errors(self, wrong, message):
        with pytest.raises(SettingsError, match=message):
            NADEHead(**({"in_features": 3, "layout": 5, "hidden_size": 4} | {wrong: 0}))
