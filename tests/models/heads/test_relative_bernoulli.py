"""Independent pitches with inputs relative to the pitch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead


def make(pitches: int, *, seed: int = 0, **chosen) -> RelativeBernoulliHead:
    torch.manual_seed(seed)
    features = 3 + chosen.get("num_candidates", 0) * pitches
    return RelativeBernoulliHead(features, pitches, **({"channels": 4, "window": 5, "num_frames": 3} | chosen)).double()


def noise(*shape: int, seed: int = 0, share: float = 0.3) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape) < share).double()


def features_of(*shape: int, size: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(*shape, size)))


def by_hand(head: RelativeBernoulliHead, features: torch.Tensor, past: torch.Tensor, step: int, pitch: int) -> float:
    """The log-odds of one pitch at one step of one example, in loops, from the docstring."""
    chosen = head.settings()
    weights = {name: value.numpy() for name, value in head.state_dict().items()}
    known = past[: len(past) - len(features) + 1 + step].numpy()
    window = []
    for frame in range(len(known) - chosen["num_frames"], len(known)):
        for column in range(pitch - chosen["window"], pitch + chosen["window"] + 1):
            inside = frame >= 0 and 0 <= column < chosen["layout"]
            window.append(known[frame, column] if inside else 0.0)
    sounds = [[any(frame[(pitch + above) % 12 :: 12]) for above in range(12)] for frame in known]
    tones = []
    for decay in chosen["decays"]:
        left = [decay ** (len(known) - 1 - index) for index in range(len(known))]
        tones += [
            sum(weight for weight, frame in zip(left, sounds, strict=True) if frame[above]) / sum(left)
            for above in range(12)
        ]
    tones += [float(any(frame[above] for frame in sounds)) for above in range(12)]

    def gelu(values: np.ndarray) -> np.ndarray:
        return np.array([value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in values])

    def layer(name: str, values: np.ndarray) -> np.ndarray:
        return weights[f"{name}.weight"] @ values + weights[f"{name}.bias"]

    chroma_proj = layer("chroma_proj.2", gelu(layer("chroma_proj.0", np.array(tones))))
    window_proj = weights["window_proj.weight"].reshape(chosen["channels"], -1) @ np.array(window)
    pitch_embedding = weights["pitch_embedding"][:, 0, pitch]
    state = features[step].numpy()
    candidates = [0.0]
    if chosen["num_candidates"]:
        state, candidates = state[:3], []
        for candidate in features[step].numpy()[3:].reshape(chosen["num_candidates"], chosen["layout"]):
            for column in range(pitch - 6, pitch + 7):
                candidates.append(candidate[column] if 0 <= column < chosen["layout"] else 0.0)
    candidate_proj = weights.get("candidate_proj.weight", np.zeros((1, 1))).reshape(-1, len(candidates)) @ np.array(
        candidates
    )
    first = np.maximum(
        window_proj + candidate_proj + chroma_proj[:-1] + layer("feature_proj", state) + pitch_embedding, 0
    )
    hidden = first + np.maximum(layer("mix", first), 0)
    return float(layer("logit", hidden)[0] + chroma_proj[-1])


@given(
    pitches=st.integers(1, 30),
    window=st.integers(1, 14),
    num_frames=st.integers(1, 7),
    steps=st.integers(1, 5),
    before=st.integers(0, 6),
    decays=st.lists(st.floats(0.1, 0.999), min_size=1, max_size=3),
    num_candidates=st.integers(0, 2),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_agrees_with_a_slow_direct_computation(
    *, pitches, window, num_frames, steps, before, decays, num_candidates, seed, data
):
    """The convolution and the tonal context must be what the documentation says."""
    head = make(pitches, seed=seed, window=window, num_frames=num_frames, decays=decays, num_candidates=num_candidates)
    torch.nn.init.normal_(head.pitch_embedding)  # it starts at zero
    past, features = (
        noise(1, steps + before, pitches, seed=seed),
        features_of(1, steps, size=head.in_features, seed=seed),
    )
    logits = head(features, past).logits.detach()
    step, pitch = data.draw(st.integers(0, steps - 1)), data.draw(st.integers(0, pitches - 1))
    expected = by_hand(head, features[0], past[0], step, pitch)
    assert float(logits[0, step, pitch]) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(steps=st.integers(1, 6), before=st.integers(0, 8), seed=st.integers(0, 99), data=st.data())
def test_reads_all_frames_up_to_the_one_before_and_no_later_ones(steps, before, seed, data):
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
            assert difference[step] > 0, "a past frame is ignored"
        else:
            assert difference[step] < 1e-12, "a future frame is read"


@given(semitones=st.integers(1, 13), seed=st.integers(0, 99), pitches=st.integers(14, 40))
def test_a_transposed_past_gives_transposed_log_odds(semitones, seed, pitches):
    """What it learns in C must hold in C sharp, as long as the pitch embedding is untrained."""
    head = make(pitches, seed=seed)
    past, features = noise(1, 9, pitches, seed=seed), features_of(1, 4, seed=seed)
    past[..., -semitones:] = 0  # no note may leave the range
    with torch.no_grad():
        here = head(features, past).logits
        there = head(features, past.roll(semitones, dims=-1)).logits
    torch.testing.assert_close(there[..., semitones:], here[..., :-semitones])


def test_reads_notes_of_the_distant_past():
    """The key of a piece is set by notes far outside the window of frames."""
    head = make(24, num_frames=2)
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
    head = make(16, num_candidates=2)
    head(features_of(2, 4, size=head.in_features), noise(2, 9, 16)).log_prob(
        noise(2, 4, 16, seed=1).float()
    ).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in head.parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 0},
        {"window": 0},
        {"num_frames": 0},
        {"in_features": 0},
        {"layout": 0},
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
    message = "at least one column" if "layout" in wrong else f"at least 1 .*{next(iter(wrong))}"
    with pytest.raises(SettingsError, match=message):
        RelativeBernoulliHead(**({"in_features": 3, "layout": 5} | wrong))


@pytest.mark.parametrize("num_candidates", [-1, 1])
def test_candidates_that_leave_no_state_are_an_error(num_candidates):
    message = f"{num_candidates} candidates of 5 columns leave no state among 5 features"
    with pytest.raises(SettingsError, match=message):
        RelativeBernoulliHead(5, 5, num_candidates=num_candidates)


def test_dropout_acts_in_training_only():
    """Scores would change from one evaluation to the next; or the argument would do nothing."""
    head, past, features = make(16, dropout=0.5), noise(2, 9, 16), features_of(2, 4)
    assert not torch.equal(head(features, past).logits, head(features, past).logits)
    head.eval()
    assert torch.equal(head(features, past).logits, head(features, past).logits)
