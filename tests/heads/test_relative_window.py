import itertools
from typing import Any

import pytest
import torch
from torch import nn

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.heads.relative_window import RelativeWindowHead
from pianoroll_seq2seq.heads.relative_window_frame import RelativeWindow


def head_of(features: int = 6, pitches: int = 20, **settings: Any) -> RelativeWindowHead:
    torch.manual_seed(0)
    head = RelativeWindowHead(features, pitches, channels=8, window=4, frames=2, **settings).eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.4)
    return head


def heard(pitches: int = 20, features: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    past = (torch.rand(2, 7, pitches, generator=generator) < 0.2).float()
    return torch.randn(2, 3, features, generator=generator), past


def frames_of(pitches: int = 20) -> torch.Tensor:
    return (torch.rand(2, 3, pitches, generator=torch.Generator().manual_seed(2)) < 0.2).float()


def test_a_pitch_is_judged_by_those_below_alone() -> None:
    """Otherwise the decisions are no distribution: pitch by pitch, changing a pitch moves no decision up to it."""
    head, frames = head_of(proposals=1, features=26), frames_of()
    distribution = head(*heard(features=26))
    flat = distribution.around.map(lambda values: values.flatten(0, 1))
    plain = head.logits(flat, frames.flatten(0, 1))
    for pitch in range(20):
        changed = frames.clone()
        changed[:, :, pitch] = 1 - changed[:, :, pitch]
        moved = (head.logits(flat, changed.flatten(0, 1)) - plain).abs()
        assert moved[:, : pitch + 1].max() == 0
        assert pitch == 19 or moved[:, pitch + 1 :].max() > 0


def test_draws_are_those_of_a_loop_over_pitches() -> None:
    head = head_of()
    distribution = head(*heard())
    drawn = distribution.sample(generator=torch.Generator().manual_seed(4)).flatten(0, 1)
    uniform = torch.rand(6, 20, generator=torch.Generator().manual_seed(4))
    flat = distribution.around.map(lambda values: values.flatten(0, 1))
    frames = torch.zeros(6, 20)
    for pitch in range(20):
        frames[:, pitch] = (uniform[:, pitch] < torch.sigmoid(head.logits(flat, frames))[:, pitch]).float()
    assert torch.equal(drawn, frames)
    assert 0 < drawn.mean() < 0.9


@pytest.mark.parametrize("counted", [1, 3, 6])
def test_the_number_of_pitches_is_decided_first(counted: int) -> None:
    """Probabilities of all frames that do not sum to 1, draws of unlikely ones, or of another number."""
    head = head_of(pitches=8, counted=counted, within=(1, 7))
    features, past = heard(pitches=8)
    possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=8)))
    one = head(features[:1, :1], past[:1])
    every = head(features[:1, :1].expand(256, 1, -1), past[:1].expand(256, -1, -1))
    chances = every.log_prob(possible.unsqueeze(1)).detach()[:, 0].exp()
    assert float(chances.sum()) == pytest.approx(1, abs=1e-4)
    many = head(features[:1, :1].expand(20_000, 1, -1), past[:1].expand(20_000, -1, -1))
    drawn = many.sample(generator=torch.Generator().manual_seed(0))[:, 0]
    shares = torch.bincount((drawn @ (2.0 ** torch.arange(7, -1, -1))).long(), minlength=256) / len(drawn)
    assert (shares - chances).abs().max() < 0.012
    assert (one.mean[0, 0] - chances @ possible).abs().max() < 0.09
    assert head.counting is not None
    numbers = head.counting.chances(one.around.state.flatten(0, 1)).detach().exp()[0]
    of_number = torch.zeros(counted + 1).index_add(0, possible[:, 1:7].sum(1).long().clamp(max=counted), chances)
    assert torch.allclose(numbers, of_number, atol=1e-4)


def test_counted_draws_stay_certain_at_any_temperature() -> None:
    """Heat moves notes to where none can be, or adds some after the last."""
    head = head_of(pitches=8, counted=4)
    features, past = heard(pitches=8)
    distribution = head(features, past).tempered(20.0)
    chances = distribution.log_prob(distribution.sample(generator=torch.Generator().manual_seed(0)))
    assert torch.isfinite(chances).all()
    possible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=8)))
    every = head(features[:1, :1].expand(256, 1, -1), past[:1].expand(256, -1, -1)).tempered(20.0)
    assert float(every.log_prob(possible.unsqueeze(1)).detach().exp().sum()) == pytest.approx(1, abs=1e-4)


def test_counted_training_is_right_on_average() -> None:
    """Scoring some pitches would count the number of pitches more than once, or not at all."""
    frames = frames_of()
    head = head_of(scored_pitches=8, counted=4)
    exact = head(*heard()).log_prob(frames).mean().detach()
    head.train()
    torch.manual_seed(0)
    estimates = torch.stack([head(*heard()).log_prob(frames).mean().detach() for _ in range(400)])
    assert float(estimates.mean()) == pytest.approx(float(exact), rel=0.03)


def test_pitches_outside_the_range_hardly_sound() -> None:
    head, frames = head_of(within=(4, 18)), frames_of()
    frames[:, :, :4] = frames[:, :, 18:] = 0
    distribution = head(*heard())
    inside = distribution.log_prob(frames)
    frames[:, :, 19] = 1
    torch.testing.assert_close(distribution.log_prob(frames), inside - 12, rtol=0, atol=1e-4)
    mean = distribution.mean
    assert mean[:, :, :4].max() < 1e-5
    assert mean[:, :, 4:18].min() > 1e-5
    drawn = distribution.sample(generator=torch.Generator().manual_seed(0))
    assert drawn.shape == frames.shape
    assert not drawn[:, :, 18:].any()


def test_training_scores_some_pitches_and_is_right_on_average() -> None:
    head = head_of(scored_pitches=8, proposals=1, features=26)
    features, past = heard(features=26)
    features[:, :, 6:] = torch.sigmoid(features[:, :, 6:])
    exact = head(features, past).log_prob(frames_of())
    head.train()
    torch.manual_seed(0)
    estimates = torch.stack([head(features, past).log_prob(frames_of()).detach() for _ in range(1500)])
    assert estimates.std(dim=0).min() > 0
    error = estimates.std(dim=0) / 1500**0.5
    assert ((estimates.mean(dim=0) - exact).abs() < 5 * error).all()


def test_scoring_all_pitches_is_exact_in_training_too() -> None:
    head = head_of(scored_pitches=20)
    exact = head(*heard()).log_prob(frames_of())
    torch.testing.assert_close(head.train()(*heard()).log_prob(frames_of()), exact)


def test_half_precision_is_close() -> None:
    head, frames = head_of(), frames_of()
    exact = head(*heard()).log_prob(frames)
    with torch.autocast("cpu", torch.bfloat16):
        distribution: RelativeWindow = head(*heard())
        rough = distribution.log_prob(frames)
        drawn = distribution.sample(generator=torch.Generator().manual_seed(0))
    assert rough.dtype == torch.float32
    assert drawn.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"decays": (0.9,)}, "decays"),
        ({"decays": (0.9, 1.0)}, "decays"),
        ({"proposals": 1}, "leave no state among 6 features"),
        ({"within": (5, 5)}, "within"),
        ({"within": (0, 21)}, "within"),
        ({"scored_pitches": 2}, "scored_pitches"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        RelativeWindowHead(6, 20, **settings)
