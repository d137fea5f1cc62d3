"""The head that hears every pitch relative to the others."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.heads.relative_bernoulli import RelativeBernoulliHead


def make(pitches: int, *, seed: int = 0, **chosen) -> RelativeBernoulliHead:
    torch.manual_seed(seed)
    features = 3 + chosen.get("proposals", 0) * pitches
    return RelativeBernoulliHead(features, pitches, **({"channels": 4, "window": 5, "frames": 3} | chosen)).double()


def noise(*shape: int, seed: int = 0, share: float = 0.3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape) < share).double()


def features_of(*shape: int, size: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(*shape, size)))


def by_hand(head: RelativeBernoulliHead, features: torch.Tensor, past: torch.Tensor, step: int, pitch: int) -> float:
    """The log-odds of one pitch at one step of one example, in loops, as the docstring tells it."""
    chosen = head.settings()
    weights = {name: value.numpy() for name, value in head.state_dict().items()}
    heard = past[: len(past) - len(features) + 1 + step].numpy()
    window = []
    for frame in range(len(heard) - chosen["frames"], len(heard)):
        for column in range(pitch - chosen["window"], pitch + chosen["window"] + 1):
            inside = frame >= 0 and 0 <= column < chosen["pitches"]
            window.append(heard[frame, column] if inside else 0.0)
    sounds = [[any(frame[(pitch + above) % 12 :: 12]) for above in range(12)] for frame in heard]
    tones = []
    for decay in chosen["decays"]:
        left = [decay ** (len(heard) - 1 - index) for index in range(len(heard))]
        tones += [
            sum(weight for weight, frame in zip(left, sounds, strict=True) if frame[above]) / sum(left)
            for above in range(12)
        ]
    tones += [float(any(frame[above] for frame in sounds)) for above in range(12)]

    def gelu(values: np.ndarray) -> np.ndarray:
        return np.array([value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in values])

    def layer(name: str, values: np.ndarray) -> np.ndarray:
        return weights[f"{name}.weight"] @ values + weights[f"{name}.bias"]

    of_tones = layer("of_tones.2", gelu(layer("of_tones.0", np.array(tones))))
    of_window = weights["of_window.weight"].reshape(chosen["channels"], -1) @ np.array(window)
    of_pitch = weights["of_pitch"][:, 0, pitch]
    state = features[step].numpy()
    proposed = [0.0]
    if chosen["proposals"]:
        state, proposed = state[:3], []
        for proposal in features[step].numpy()[3:].reshape(chosen["proposals"], chosen["pitches"]):
            for column in range(pitch - 6, pitch + 7):
                proposed.append(proposal[column] if 0 <= column < chosen["pitches"] else 0.0)
    of_proposals = weights.get("of_proposals.weight", np.zeros((1, 1))).reshape(-1, len(proposed)) @ np.array(proposed)
    seen = np.maximum(of_window + of_proposals + of_tones[:-1] + layer("of_features", state) + of_pitch, 0)
    hidden = seen + np.maximum(layer("mix", seen), 0)
    return float(layer("logit", hidden)[0] + of_tones[-1])


@settings(deadline=None, max_examples=60)
@given(
    pitches=st.integers(1, 30),
    window=st.integers(1, 14),
    frames=st.integers(1, 7),
    steps=st.integers(1, 5),
    before=st.integers(0, 6),
    decays=st.lists(st.floats(0.1, 0.999), min_size=1, max_size=3),
    proposals=st.integers(0, 2),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_agrees_with_a_slow_direct_reading(*, pitches, window, frames, steps, before, decays, proposals, seed, data):
    """The fast convolution and the tonal context must be what the documentation says they are."""
    head = make(pitches, seed=seed, window=window, frames=frames, decays=decays, proposals=proposals)
    torch.nn.init.normal_(head.of_pitch)
    torch.nn.init.normal_(head.of_pitch)  # it starts at zero
    past, features = noise(1, steps + before, pitches, seed=seed), features_of(1, steps, size=head.features, seed=seed)
    logits = head(features, past).logits.detach()
    step, pitch = data.draw(st.integers(0, steps - 1)), data.draw(st.integers(0, pitches - 1))
    expected = by_hand(head, features[0], past[0], step, pitch)
    assert float(logits[0, step, pitch]) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@settings(deadline=None)
@given(steps=st.integers(1, 6), before=st.integers(0, 8), seed=st.integers(0, 99), data=st.data())
def test_hears_everything_up_to_the_frame_before_and_nothing_later(steps, before, seed, data):
    """A look ahead makes training losses wonderful and generation useless."""
    known = steps + before
    head = make(14, seed=seed)
    past, features = noise(2, known, 14, seed=seed), features_of(2, steps, seed=seed)
    frame = data.draw(st.integers(0, known - 1))
    changed = past.clone()
    changed[:, frame] = 1 - changed[:, frame]
    with torch.no_grad():
        difference = (head(features, changed).logits - head(features, past).logits).abs().amax(dim=(0, 2))
    for step in range(steps):
        if frame < known - steps + 1 + step:
            assert difference[step] > 0, "a frame that may be heard is not"
        else:
            assert difference[step] < 1e-12, "a frame from the future is heard"


@settings(deadline=None)
@given(semitones=st.integers(1, 13), seed=st.integers(0, 99), pitches=st.integers(14, 40))
def test_a_transposed_past_gives_transposed_log_odds(semitones, seed, pitches):
    """What it learns in C it must know in C sharp, but for the registers it has yet to learn."""
    head = make(pitches, seed=seed)
    past, features = noise(1, 9, pitches, seed=seed), features_of(1, 4, seed=seed)
    past[..., -semitones:] = 0  # no note may leave the range
    with torch.no_grad():
        here = head(features, past).logits
        there = head(features, past.roll(semitones, dims=-1)).logits
    torch.testing.assert_close(there[..., semitones:], here[..., :-semitones])


def test_hears_a_note_long_gone():
    """The key of a piece is set by notes far outside the window of frames."""
    head = make(24, frames=2)
    past, features = torch.zeros(1, 60, 24).double(), torch.zeros(1, 1, 3).double()
    once = past.clone()
    once[0, 0, 7] = 1
    assert head.context_frames is None
    assert not torch.allclose(head(features, past).logits, head(features, once).logits, atol=1e-4)


def test_starts_near_silence():
    head = RelativeBernoulliHead(3, 88)
    assert float(head(torch.zeros(1, 4, 3), torch.zeros(1, 9, 88)).mean.detach().mean()) < 0.15


def test_every_weight_learns():
    """A weight without gradient is a layer that is not connected."""
    head = make(16, proposals=2)
    head(features_of(2, 4, size=head.features), noise(2, 9, 16)).log_prob(
        noise(2, 4, 16, seed=1).float()
    ).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in head.parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 0},
        {"window": 0},
        {"frames": 0},
        {"features": 0},
        {"pitches": 0},
        {"decays": ()},
        {"decays": (0.5, 1.0)},
        {"decays": (0.0,)},
        {"decays": [-0.5]},
        {"decays": (math.nan,)},
        {"dropout": 1.0},
        {"dropout": -0.1},
    ],
    ids=str,
)
def test_settings_out_of_range_are_errors(wrong):
    with pytest.raises(SettingsError, match=f"at least 1 .*{next(iter(wrong))}"):
        RelativeBernoulliHead(**({"features": 3, "pitches": 5} | wrong))


@pytest.mark.parametrize("proposals", [-1, 1])
def test_proposals_that_leave_no_state_are_an_error(proposals):
    with pytest.raises(SettingsError, match=f"{proposals} proposals of 5 pitches leave no state among 5 features"):
        RelativeBernoulliHead(5, 5, proposals=proposals)


def test_dropout_is_for_training_alone():
    """Figures that change from one evaluation to the next; or a knob that does nothing."""
    head, past, features = make(16, dropout=0.5), noise(2, 9, 16), features_of(2, 4)
    assert not torch.equal(head(features, past).logits, head(features, past).logits)
    head.eval()
    assert torch.equal(head(features, past).logits, head(features, past).logits)
