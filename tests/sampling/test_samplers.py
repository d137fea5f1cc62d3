"""Samplers: thresholds, samples at a temperature, and samples in a scale."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, ScaleConstrained, Threshold

LAYOUT = FrameLayout(pitches=PitchRange(60, 65), planes=("active",))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestThreshold:
    @given(probability=st.floats(0.01, 1), seed=st.integers(0, 99))
    def test_a_pitch_sounds_from_the_threshold_on(self, probability, seed):
        logits = torch.randn(4, 6, generator=seeded(seed))
        generator = seeded()
        before = generator.get_state()
        frames = Threshold(probability)(Bernoulli(logits), generator=generator)
        expected = 1 / (1 + np.exp(-logits.numpy())) >= np.float32(probability)
        np.testing.assert_array_equal(frames.numpy(), expected)
        assert torch.equal(generator.get_state(), before)

    def test_reaching_it_is_enough(self):
        """Documented as 'reaches': at 0.5 a probability of one half is enough."""
        assert Threshold(0.5)(Bernoulli(torch.zeros(1)), generator=seeded()).tolist() == [1.0]
        assert Threshold(1.0)(Bernoulli(torch.tensor([99.0, 0.0])), generator=seeded()).tolist() == [1.0, 0.0]

    @pytest.mark.parametrize("probability", [0.0, -0.1, 1.01, math.nan])
    def test_out_of_range_is_an_error(self, probability):
        """Threshold(0) would set every pitch."""
        with pytest.raises(SettingsError, match="probability"):
            Threshold(probability)


class TestDraw:
    @given(temperature=st.one_of(st.just(1.0), st.floats(0.1, 10)), seed=st.integers(0, 99))
    def test_samples_the_tempered_distribution(self, temperature, seed):
        distribution = Bernoulli(torch.randn(4, 6, generator=seeded(seed)))
        frames = Draw(temperature)(distribution, generator=seeded(seed))
        assert torch.equal(frames, distribution.tempered(temperature).sample(generator=seeded(seed)))

    def test_lower_temperatures_give_likelier_frames(self):
        """Documented as 'below 1 safer, above 1 bolder'."""
        distribution = Bernoulli(torch.randn(4000, 6, generator=seeded(5)))
        scores = [
            float(distribution.log_prob(Draw(temperature)(distribution, generator=seeded())).mean())
            for temperature in (0.01, 0.5, 1.0, 2.0, 10.0)
        ]
        assert scores == sorted(scores, reverse=True)
        frames = Draw(1e-4)(distribution, generator=seeded())
        assert float((frames == (distribution.mean > 0.5)).float().mean()) > 0.999

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
    def test_out_of_range_is_an_error(self, temperature):
        with pytest.raises(SettingsError, match="temperature"):
            Draw(temperature)


class Chords(Bernoulli):
    """C and E, or C# and F, with equal probability in each row."""

    FRAMES = torch.tensor([[1.0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1]])

    def sample(self, *, generator: torch.Generator) -> Tensor:
        return self.FRAMES[torch.randint(2, self.logits.shape[:-1], generator=generator)]


class TestScaleConstrained:
    def test_is_a_sample_of_the_model_given_that_it_is_in_the_scale(self):
        """Dropping only some of the notes of a chord would give chords that the model never samples."""
        sampler = ScaleConstrained(Draw(), (0, 2, 4, 5), LAYOUT)  # F is in it, the C# of its chord is not
        frames = sampler(Chords(torch.zeros(500, 6)), generator=torch.Generator().manual_seed(0))
        assert (frames == Chords.FRAMES[0]).all()

    def test_if_all_tries_fail_notes_outside_the_scale_are_dropped(self):
        """The music would leave the scale, or sampling would never end."""
        sampler = ScaleConstrained(Draw(), (5,), LAYOUT)
        frames = sampler(Chords(torch.zeros(500, 6)), generator=torch.Generator().manual_seed(0))
        assert set(map(tuple, frames.tolist())) == {(0,) * 6, (0,) * 5 + (1,)}
        once = ScaleConstrained(Draw(), (0,), LAYOUT, tries=1)(
            Chords(torch.zeros(500, 6)), generator=torch.Generator().manual_seed(0)
        )
        assert 0.4 < once[:, 0].mean() < 0.6

    def test_frames_in_the_scale_are_unchanged(self):
        everything = ScaleConstrained(Draw(0.7), tuple(range(12)), LAYOUT)
        distribution = Bernoulli(torch.randn(9, 6))
        samples = [
            sampler(distribution, generator=torch.Generator().manual_seed(1)) for sampler in (everything, Draw(0.7))
        ]
        assert torch.equal(*samples)

    def test_both_planes_are_constrained(self):
        """A note outside the scale would have an onset without being active."""
        sampler = ScaleConstrained(Threshold(), (0, 4), FrameLayout.of(LAYOUT, onsets=True))
        frames = sampler(Bernoulli(torch.full((2, 12), 9.0)), generator=torch.Generator())
        assert frames.tolist() == [[1, 0, 0, 0, 1, 0] * 2] * 2

    @pytest.mark.parametrize("wrong", [{"scale": ()}, {"scale": (12,)}, {"tries": 0}])
    def test_wrong_arguments_are_errors(self, wrong):
        with pytest.raises(SettingsError, match=r"ScaleConstrained|Pitch classes"):
            ScaleConstrained(**({"sampler": Draw(), "scale": (0,), "layout": LAYOUT} | wrong))

    def test_frames_of_another_size_are_errors(self):
        """The wrong pitches would be dropped."""
        with pytest.raises(ShapeError, match=r"6 columns.*got 7.*model's layout"):
            ScaleConstrained(Draw(), (0,), LAYOUT)(Bernoulli(torch.zeros(7)), generator=torch.Generator())

    def test_drums_are_in_every_scale(self):
        """The numbers of drums are instruments, not pitches: half of the kit is silent."""
        kit, tune = Part("kit", drums=True, pitches=PitchRange(35, 37)), Part("tune", pitches=PitchRange(60, 62))
        for planes in (("active", "onset"), ("active", "onset", "velocity")):
            layout = FrameLayout(parts=(kit, tune), planes=planes)
            certain = Bernoulli(torch.full((layout.frame_size,), 99.0))
            frame = ScaleConstrained(Draw(), (0,), layout)(certain, generator=seeded())
            assert frame.tolist() == [1, 1, 1, 1, 0, 0] * len(planes)
