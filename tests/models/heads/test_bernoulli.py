"""Independent pitches: the loss that is trained and published, and the frames that are sampled."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli, BernoulliHead


def logits_of(shape, limit: float = 15) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float32, shape, elements=st.floats(-limit, limit, width=32))


shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=5)


def all_frames(pitches: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=pitches)))


def probabilities(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


class TestBernoulli:
    @given(logits=shapes.flatmap(logits_of), data=st.data())
    def test_log_prob_is_minus_binary_cross_entropy_summed_over_pitches(self, logits, data):
        """The loss would not be the published unit, nats per frame, and could not be compared."""
        frames = data.draw(hnp.arrays(np.float32, logits.shape, elements=st.sampled_from([0.0, 1.0])))
        chance = probabilities(logits)
        entropy = -(frames * np.log(chance) + (1 - frames) * np.log(1 - chance))
        result = Bernoulli(torch.from_numpy(logits)).log_prob(torch.from_numpy(frames))
        np.testing.assert_allclose(result.numpy(), -entropy.sum(axis=-1), rtol=1e-5, atol=1e-5)

    @given(logits=st.integers(1, 5).flatmap(lambda pitches: logits_of((pitches,))))
    def test_probabilities_of_all_frames_sum_to_one(self, logits):
        """Otherwise likelihoods could be made as good as one likes."""
        frames = all_frames(len(logits))
        distribution = Bernoulli(torch.from_numpy(logits).double().expand(len(frames), -1))
        assert float(distribution.log_prob(frames).double().exp().sum()) == pytest.approx(1, abs=1e-5)

    @pytest.mark.parametrize("logit", [-200.0, 200.0])
    def test_certainty_costs_a_finite_number_of_nats(self, logit):
        """A confident and wrong model must give a loss to learn from, not infinity or NaN."""
        logits = torch.full((3,), logit, requires_grad=True)
        wrong = Bernoulli(logits).log_prob(torch.full((3,), float(logit < 0)))
        assert wrong.item() == pytest.approx(-600)
        wrong.backward()
        assert torch.isfinite(logits.grad).all()

    def test_samples_are_as_frequent_as_they_are_likely(self):
        """With a biased sampler, generated music does not have the distribution that was trained."""
        logits = torch.tensor([-4.0, -1.0, 0.0, 2.0])
        num_samples = 40_000
        generator = torch.Generator().manual_seed(7)
        samples = Bernoulli(logits.expand(num_samples, -1)).sample(generator=generator)
        assert samples.dtype == torch.float32
        assert set(samples.unique().tolist()) == {0.0, 1.0}
        frames = all_frames(4)
        seen = (samples[:, None] == frames).all(dim=-1).double().mean(dim=0).numpy()
        chance = probabilities(logits.numpy())
        expected = np.where(frames.numpy() > 0, chance, 1 - chance).prod(axis=1)
        assert (np.abs(seen - expected) < 5 * np.sqrt(expected * (1 - expected) / num_samples) + 1e-4).all()

    @given(logits=shapes.flatmap(logits_of))
    def test_mean_is_the_probability_of_each_pitch(self, logits):
        np.testing.assert_allclose(Bernoulli(torch.from_numpy(logits)).mean.numpy(), probabilities(logits), rtol=1e-4)

    @given(seed=st.integers(0, 2**31))
    def test_a_sample_depends_on_the_generator_alone(self, seed):
        """Equal seeds must give equal music, whatever else in the program draws random numbers."""
        distribution = Bernoulli(torch.zeros(40, 10))
        outside = torch.get_rng_state()
        first = distribution.sample(generator=torch.Generator().manual_seed(seed))
        torch.rand(1)
        second = distribution.sample(generator=torch.Generator().manual_seed(seed))
        other = distribution.sample(generator=torch.Generator().manual_seed(seed + 1))
        torch.set_rng_state(outside)
        assert torch.equal(first, second)
        assert not torch.equal(first, other)

    def test_sampling_leaves_the_global_random_state_alone(self):
        """Sampling during training must not change the training."""
        before = torch.get_rng_state()
        Bernoulli(torch.zeros(4, 3)).sample(generator=torch.Generator().manual_seed(0))
        assert torch.equal(torch.get_rng_state(), before)

    @given(logits=logits_of((4,), limit=8), temperature=st.floats(0.3, 5))
    def test_tempered_raises_probabilities_to_the_inverse_temperature(self, logits, temperature):
        chance = probabilities(logits)
        raised = chance ** (1 / temperature)
        expected = raised / (raised + (1 - chance) ** (1 / temperature))
        result = Bernoulli(torch.from_numpy(logits)).tempered(temperature).mean.numpy()
        np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-7)

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
    def test_temperatures_at_or_below_zero_are_errors(self, temperature):
        with pytest.raises(SettingsError, match="temperature"):
            Bernoulli(torch.zeros(3)).tempered(temperature)

    @pytest.mark.parametrize(
        "index",
        [0, -1, slice(1, 3), (slice(None), 0), (1, 2), (slice(None), slice(0, 2)), torch.tensor([2, 0]), ..., None],
        ids=str,
    )
    def test_is_indexed_as_a_tensor_of_its_batch_shape(self, index):
        """A custom model picks the last step with distribution[:, -1] and must get exactly that."""
        logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
        frames = (logits > 0.3).float()
        picked = Bernoulli(logits)[index]
        torch.testing.assert_close(picked.mean, Bernoulli(logits).mean[index])
        torch.testing.assert_close(picked.log_prob(frames[index]), Bernoulli(logits).log_prob(frames)[index])

    def test_half_precision_is_scored_in_single(self):
        """Under bfloat16 autocast the loss would otherwise lose all but three digits."""
        logits = torch.randn(6, 50, generator=torch.Generator().manual_seed(0)).bfloat16()
        frames = torch.zeros(6, 50)
        result = Bernoulli(logits).log_prob(frames)
        assert result.dtype == Bernoulli(logits).mean.dtype == torch.float32
        torch.testing.assert_close(result, Bernoulli(logits.float()).log_prob(frames))


class TestBernoulliHead:
    def test_starts_near_silence(self):
        """A head that starts at one half for every pitch spends its first epochs unlearning noise."""
        torch.manual_seed(0)
        head = BernoulliHead(128, 88)
        features = torch.rand(2, 3, 128) * 2 - 1
        assert float(head(features, torch.zeros(2, 3, 88)).mean.detach().mean()) < 0.15

    def test_is_one_linear_layer_that_ignores_past_frames(self):
        head = BernoulliHead(4, 3)
        features = torch.randn(2, 5, 4)
        logits = head(features, torch.zeros(2, 9, 3)).logits
        expected = features.detach().numpy() @ head.logits.weight.detach().numpy().T + head.logits.bias.detach().numpy()
        np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=1e-4, atol=1e-5)
        assert head.context_frames == 0
        assert torch.equal(logits, head(features, torch.ones(2, 9, 3)).logits)
