"""Nucleus and typical sampling against distributions whose frames are all enumerated."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from pianoroll_seq2seq import Bernoulli, NADEHead, TopP, Typical
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.contract import FrameDistribution

PITCHES = 4
FRAMES = torch.tensor(list(itertools.product((0.0, 1.0), repeat=PITCHES)))

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bernoulli(seed: int) -> FrameDistribution:
    return Bernoulli(2 * torch.randn(1, PITCHES, generator=seeded(seed)).double())


def joint(seed: int) -> FrameDistribution:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = NADEHead(3, PITCHES, hidden_size=5).double()
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter)
        with torch.no_grad():
            return head(torch.randn(1, 1, 3).double(), torch.zeros(1, 1, PITCHES).double())[:, 0]


def probabilities(distribution: FrameDistribution) -> Tensor:
    """Of all 16 frames."""
    return torch.cat([distribution.log_prob(frame[None].double()) for frame in FRAMES]).detach().exp()


def expected_set(distribution: FrameDistribution, sampler: TopP | Typical) -> Tensor:
    """The renormalized probability of every frame, by definition."""
    probs = probabilities(distribution.tempered(sampler.temperature))
    key = -probs if isinstance(sampler, TopP) else (-probs.log() + (probs * probs.log()).sum()).abs()
    expected, mass = torch.zeros(len(FRAMES)).double(), 0.0
    for place in key.argsort(stable=True).tolist():
        if mass >= sampler.p:
            break
        expected[place] = probs[place]
        mass += float(probs[place])
    return expected / expected.sum()


def found_set(distribution: FrameDistribution, sampler: TopP | Typical, seed: int) -> tuple[Tensor, bool]:
    """The same, as the sampler finds it."""
    get = sampler.nucleus if isinstance(sampler, TopP) else sampler.typical_set
    found = get(distribution, generator=seeded(seed))
    probs = torch.zeros(len(FRAMES)).double()
    for frame, prob in zip(found.frames, found.probs, strict=True):
        probs[(frame == FRAMES).all(dim=1)] = prob.double()
    return probs, found.is_exact


@pytest.mark.parametrize("make", [bernoulli, joint])
@pytest.mark.parametrize("p", [0.2, 0.6, 0.9])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_top_p_chooses_from_the_nucleus(make: Any, p: float, temperature: float) -> None:
    """With the probabilities of the model, renormalized; 'exact' may be said of nothing else."""
    exact = 0
    for seed in range(12):
        distribution, sampler = make(seed), TopP(p, temperature, num_samples=64)
        found, is_exact = found_set(distribution, sampler, seed)
        exact += is_exact
        if is_exact:
            torch.testing.assert_close(found, expected_set(distribution, sampler), atol=1e-6, rtol=0)
    assert exact >= (12 if p < 0.9 else 6)  # the least likely frames of a large nucleus may not be sampled


@pytest.mark.parametrize("make", [bernoulli, joint])
@pytest.mark.parametrize("p", [0.2, 0.6, 0.9])
def test_typical_chooses_from_the_typical_set(make: Any, p: float) -> None:
    exact = 0
    for seed in range(6):
        distribution, sampler = make(seed), Typical(p, temperature=0.8, num_samples=4000)
        found, is_exact = found_set(distribution, sampler, seed)
        exact += is_exact
        if is_exact:
            torch.testing.assert_close(found, expected_set(distribution, sampler), atol=1e-6, rtol=0)
    assert exact >= 2  # those whose rarest frame is not too rare


@pytest.mark.parametrize("kind", [TopP, Typical])
def test_an_estimate_says_so_and_is_better_with_more_samples(kind: Any) -> None:
    distribution = Bernoulli(torch.linspace(-0.4, 0.4, PITCHES).double()[None])
    errors = []
    for num_samples in (8, 10_000):
        sampler = kind(0.7, num_samples=num_samples)
        differences = []
        for seed in range(5):
            found, is_exact = found_set(distribution, sampler, seed)
            differences.append(float((found - expected_set(distribution, sampler)).abs().sum()))
            assert not is_exact or num_samples > 8
        errors.append(sum(differences) / 5)
    assert errors[1] < 0.3 < errors[0]


@pytest.mark.parametrize("kind", [TopP, Typical])
def test_frames_are_drawn_as_often_as_the_set_says(kind: Any) -> None:
    distribution, sampler, draws = bernoulli(3), kind(0.8, num_samples=600), 300
    generator = seeded()
    drawn = torch.cat([sampler(distribution, generator=generator) for _ in range(draws)])
    seen = (drawn[:, None] == FRAMES).all(dim=2).double().mean(dim=0)
    expected = expected_set(distribution, sampler)
    assert ((seen - expected).abs() < 5 * (expected * (1 - expected) / draws).sqrt() + 5 / draws).all()


@pytest.mark.parametrize("kind", [TopP, Typical])
def test_all_of_the_probability_is_the_distribution_itself(kind: Any) -> None:
    """p = 1 is documented as sampling the whole distribution."""
    distribution, draws, generator = bernoulli(1), 500, seeded()
    sampler = kind(1.0, num_samples=3)
    drawn = torch.cat([sampler(distribution, generator=generator) for _ in range(draws)])
    seen = (drawn[:, None] == FRAMES).all(dim=2).double().mean(dim=0)
    expected = probabilities(distribution)
    assert ((seen - expected).abs() < 5 * (expected * (1 - expected) / draws).sqrt() + 2 / draws).all()


@pytest.mark.parametrize("kind", [TopP, Typical])
def test_each_distribution_of_a_batch_has_its_own_set(kind: Any) -> None:
    logits = torch.tensor([[[-50.0] * 4, [50.0] * 4], [[50.0, -50.0] * 2, [-50.0, 50.0] * 2], [[0.0] * 4] * 2])
    frames = kind(0.5)(Bernoulli(logits), generator=seeded())
    assert frames.shape == (3, 2, 4)
    assert torch.equal(frames[:2], (logits[:2] > 0).float())
    assert kind(0.5)(Bernoulli(torch.full((4,), 50.0)), generator=seeded()).tolist() == [1.0] * 4


def test_a_typical_set_may_lack_the_most_likely_frame() -> None:
    """The difference between the two samplers."""
    logits = torch.tensor([[1.0, 1.0, 1.0, 1.0]]).double()
    likely, _ = found_set(Bernoulli(logits), TopP(0.3, num_samples=4000), 0)
    typical, _ = found_set(Bernoulli(logits), Typical(0.3, num_samples=4000), 0)
    assert likely[-1] > 0
    assert typical[-1] == 0


@pytest.mark.parametrize("kind", [TopP, Typical])
@pytest.mark.parametrize("wrong", [{"p": 0.0}, {"p": 1.1}, {"p": float("nan")}, {"p": 0.5, "num_samples": 0}])
def test_wrong_arguments_are_errors(kind: Any, wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=rf"{kind.__name__} needs 0 < p <= 1 and num_samples"):
        kind(**wrong)
    with pytest.raises(SettingsError, match="temperature"):
        kind(0.5, temperature=0.0)
