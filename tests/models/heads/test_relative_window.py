"""Pitches decided from low to high: against loops, enumeration and exact sums."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.models.heads.relative_window_frame import RelativeWindow


def head_of(features: int = 6, pitches: int = 20, **settings: Any) -> RelativeWindowHead:
    torch.manual_seed(0)
    head = RelativeWindowHead(features, pitches, channels=8, window=4, num_frames=2, **settings).eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.4)
    return head


def inputs_of(pitches: int = 20, features: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    past = (torch.rand(2, 7, pitches, generator=generator) < 0.2).float()
    return torch.randn(2, 3, features, generator=generator), past


def frames_of(pitches: int = 20) -> torch.Tensor:
    return (torch.rand(2, 3, pitches, generator=torch.Generator().manual_seed(2)) < 0.2).float()


def test_a_pitch_depends_on_lower_pitches_only() -> None:
    """Otherwise the conditionals are no distribution: changing a pitch must not change the log-odds up to it."""
    head, frames = head_of(num_candidates=1, features=26), frames_of()
    distribution = head(*inputs_of(features=26))
    flat = distribution.context.map(lambda values: values.flatten(0, 1))
    plain = head.logits(flat, frames.flatten(0, 1))
    for pitch in range(20):
        changed = frames.clone()
        changed[:, :, pitch] = 1 - changed[:, :, pitch]
        change = (head.logits(flat, changed.flatten(0, 1)) - plain).abs()
        assert change[:, : pitch + 1].max() == 0
        assert pitch == 19 or change[:, pitch + 1 :].max() > 0


def test_samples_equal_those_of_a_loop_over_pitches() -> None:
    head = head_of()
    distribution = head(*inputs_of())
    samples = distribution.sample(generator=torch.Generator().manual_seed(4)).flatten(0, 1)
    uniform = torch.rand(6, 20, generator=torch.Generator().manual_seed(4))
    flat = distribution.context.map(lambda values: values.flatten(0, 1))
    frames = torch.zeros(6, 20)
    for pitch in range(20):
        frames[:, pitch] = (uniform[:, pitch] < torch.sigmoid(head.logits(flat, frames))[:, pitch]).float()
    assert torch.equal(samples, frames)
    assert 0 < samples.mean() < 0.9


@pytest.mark.parametrize("max_polyphony", [1, 3, 6])
def test_the_number_of_pitches_is_decided_first(max_polyphony: int) -> None:
    """Probabilities that do not sum to 1, samples of another distribution, or of another number of pitches."""
    head = head_of(pitches=8, max_polyphony=max_polyphony, active_columns=(1, 7))
    features, past = inputs_of(pitches=8)
    possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=8)))
    one = head(features[:1, :1], past[:1])
    every = head(features[:1, :1].expand(256, 1, -1), past[:1].expand(256, -1, -1))
    probabilities = every.log_prob(possible.unsqueeze(1)).detach()[:, 0].exp()
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-4)
    many = head(features[:1, :1].expand(20_000, 1, -1), past[:1].expand(20_000, -1, -1))
    samples = many.sample(generator=torch.Generator().manual_seed(0))[:, 0]
    shares = torch.bincount((samples @ (2.0 ** torch.arange(7, -1, -1))).long(), minlength=256) / len(samples)
    assert (shares - probabilities).abs().max() < 0.012
    assert (one.mean[0, 0] - probabilities @ possible).abs().max() < 0.09
    assert head.polyphony is not None
    numbers = head.polyphony.log_probs(one.context.state.flatten(0, 1)).detach().exp()[0]
    of_number = torch.zeros(max_polyphony + 1).index_add(
        0, possible[:, 1:7].sum(1).long().clamp(max=max_polyphony), probabilities
    )
    assert torch.allclose(numbers, of_number, atol=1e-4)


def test_the_number_of_pitches_is_exact_at_any_temperature() -> None:
    """At a high temperature, notes are added after the last one."""
    head = head_of(pitches=8, max_polyphony=4)
    features, past = inputs_of(pitches=8)
    distribution = head(features, past).tempered(20.0)
    probabilities = distribution.log_prob(distribution.sample(generator=torch.Generator().manual_seed(0)))
    assert torch.isfinite(probabilities).all()
    possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=8)))
    every = head(features[:1, :1].expand(256, 1, -1), past[:1].expand(256, -1, -1)).tempered(20.0)
    assert float(every.log_prob(possible.unsqueeze(1)).detach().exp().sum()) == pytest.approx(1, abs=1e-4)


def test_subsampled_losses_with_a_number_of_pitches_are_unbiased() -> None:
    """Subsampling would count the term of the number of pitches more than once, or not at all."""
    frames = frames_of()
    head = head_of(num_scored_pitches=8, max_polyphony=4)
    exact = head(*inputs_of()).log_prob(frames).mean().detach()
    head.train()
    torch.manual_seed(0)
    many = [values.repeat(400, 1, 1) for values in (*inputs_of(), frames)]
    estimates = head(*many[:2]).log_prob(many[2]).detach()
    assert float(estimates.mean()) == pytest.approx(float(exact), rel=0.03)


def test_inactive_columns_hardly_sound() -> None:
    head, frames = head_of(active_columns=(4, 18)), frames_of()
    frames[:, :, :4] = frames[:, :, 18:] = 0
    distribution = head(*inputs_of())
    inside = distribution.log_prob(frames)
    frames[:, :, 19] = 1
    torch.testing.assert_close(distribution.log_prob(frames), inside - 12, rtol=0, atol=1e-4)
    mean = distribution.mean
    assert mean[:, :, :4].max() < 1e-5
    assert mean[:, :, 4:18].min() > 1e-5
    samples = distribution.sample(generator=torch.Generator().manual_seed(0))
    assert samples.shape == frames.shape
    assert not samples[:, :, 18:].any()


def test_subsampled_losses_are_unbiased() -> None:
    head = head_of(num_scored_pitches=8, num_candidates=1, features=26)
    features, past = inputs_of(features=26)
    features[:, :, 6:] = torch.sigmoid(features[:, :, 6:])
    exact = head(features, past).log_prob(frames_of())
    head.train()
    torch.manual_seed(0)
    many = [values.repeat(1500, 1, 1) for values in (features, past, frames_of())]
    estimates = head(*many[:2]).log_prob(many[2]).detach().view(1500, 2, 3)
    assert estimates.std(dim=0).min() > 0
    error = estimates.std(dim=0) / 1500**0.5
    assert ((estimates.mean(dim=0) - exact).abs() < 5 * error).all()


def test_scoring_all_pitches_is_exact_in_training() -> None:
    head = head_of(num_scored_pitches=20)
    exact = head(*inputs_of()).log_prob(frames_of())
    torch.testing.assert_close(head.train()(*inputs_of()).log_prob(frames_of()), exact)


def test_half_precision_is_close() -> None:
    head, frames = head_of(), frames_of()
    exact = head(*inputs_of()).log_prob(frames)
    with torch.autocast("cpu", torch.bfloat16):
        distribution: RelativeWindow = head(*inputs_of())
        rough = distribution.log_prob(frames)
        samples = distribution.sample(generator=torch.Generator().manual_seed(0))
    assert rough.dtype == torch.float32
    assert samples.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_frames": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"decays": (0.9,)}, "decays"),
        ({"decays": (0.9, 1.0)}, "decays"),
        ({"num_candidates": 1}, "leave no state among 6 features"),
        ({"active_columns": (5, 5)}, "active_columns"),
        ({"active_columns": (0, 21)}, "active_columns"),
        ({"num_scored_pitches": 2}, "num_scored_pitches"),
        ({"max_polyphony": 21}, "max_polyphony"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        RelativeWindowHead(6, 20, **settings)
