"""The most likely of several continuations, and its log-probability."""

from typing import Any

import numpy as np
import pytest
import torch

from pianoroll_seq2seq import (
    CausalTransformer,
    CopyingLSTM,
    Draw,
    FrameLayout,
    NotesHead,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    best_of,
    continuation_log_probs,
    generate,
    likelihood,
)
from pianoroll_seq2seq.errors import SettingsError, ShapeError

PITCHES = PitchRange(60, 65)
LAYOUT = FrameLayout(pitches=PITCHES, planes=("active", "onset"))

pytestmark = pytest.mark.usefixtures("one_thread")


def model(kind: Any = Seq2SeqLSTM, *, seed: int = 1, **settings: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = kind(LAYOUT, hidden_size=8, head=NotesHead, **settings).eval()
        for parameter in built.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return built


def primers(count: int) -> list[PianoRoll]:
    chance = np.random.default_rng(0)
    return [PianoRoll.from_active(chance.random((5, 6)) < 0.3, pitches=PITCHES) for _ in range(count)]


@pytest.mark.parametrize("kind", [Seq2SeqLSTM, CopyingLSTM, CausalTransformer])
def test_the_log_probability_is_that_of_the_model(kind: Any) -> None:
    built, given = model(kind), primers(2)
    written = generate(built, given, num_frames=9, seed=2)
    frames = torch.from_numpy(
        np.stack([(roll + more).to_frames(LAYOUT) for roll, more in zip(given, written, strict=True)])
    ).float()
    with torch.no_grad():
        expected = built(frames[:, :5], frames[:, 5:]).log_prob(frames[:, 5:]).sum(dim=1)
    found = continuation_log_probs(built, given, written)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4)


def test_of_a_whole_piece_it_is_its_likelihood_after_the_first_frames() -> None:
    """Two functions of the library would give two numbers for one thing."""
    built, (roll,) = model(CopyingLSTM), primers(1)
    nats = [likelihood(built, [roll[:end]]).nats * end for end in (2, 5)]
    found = continuation_log_probs(built, [roll[:2]], [roll[2:]])
    assert found[0] == pytest.approx(nats[0] - nats[1], rel=1e-4)


@pytest.mark.parametrize("scorer", [None, model(CopyingLSTM, seed=5)])
def test_the_most_likely_of_all_is_returned(scorer: Any) -> None:
    built, given = model(), primers(3)
    best = best_of(built, given, n=4, num_frames=7, scorer=scorer, sampler=Draw(1.3), seed=6)
    everything = generate(built, [roll for roll in given for _ in range(4)], num_frames=7, sampler=Draw(1.3), seed=6)
    for row, chosen in enumerate(best):
        group = everything[4 * row : 4 * row + 4]
        scores = continuation_log_probs(scorer or built, [given[row]] * 4, group)
        assert chosen == group[int(scores.argmax())]
        assert scores.max() > scores.min()
    assert best.primers == tuple(given)


def test_a_primer_does_not_depend_on_the_others() -> None:
    built, given = model(), primers(3)
    whole = best_of(built, given, n=3, num_frames=6, seed=2)
    assert best_of(built, given[:2], n=3, num_frames=6, seed=2) == whole[:2]
    assert best_of(built, given[0], n=3, num_frames=6, seed=2) == whole[0]
    assert best_of(built, given[0], n=1, num_frames=6, seed=2) == generate(built, given[0], num_frames=6, seed=2)


@pytest.mark.parametrize("kind", ["one", "each", "of frames"])
def test_conditions_are_read_by_both(kind: str) -> None:
    built, given = model(condition_size=2, condition_dropout=0.5), primers(2)
    rows = {"one": np.array([3.0, -3]), "each": [np.array([3.0, -3]), np.array([-3.0, 3])]}
    condition = rows.get(kind, [np.eye(2)[np.arange(11) % 2] * 3] * 2)
    best = best_of(built, given, n=3, num_frames=6, seed=2, condition=condition)
    repeated = condition if kind == "one" else [each for each in condition for _ in range(3)]
    everything = generate(built, [roll for roll in given for _ in range(3)], num_frames=6, seed=2, condition=repeated)
    scores = continuation_log_probs(
        built, [given[1]] * 3, everything[3:], condition=repeated[3:] if kind != "one" else condition
    )
    assert best[1] == everything[3 + int(scores.argmax())]
    alone = best_of(built, given[0], n=3, num_frames=6, seed=2, condition=condition if kind == "one" else condition[0])
    assert alone == best[0]


def test_wrong_arguments_are_errors() -> None:
    built, given = model(), primers(2)
    with pytest.raises(SettingsError, match="n of at least 1, got 0"):
        best_of(built, given, n=0, num_frames=4)
    with pytest.raises(ShapeError, match="2 primers and 1 continuations"):
        continuation_log_probs(built, given, given[:1])
    with pytest.raises(ShapeError, match=r"lengths \[\(5, 3\), \(5, 5\)\]"):
        continuation_log_probs(built, given, [given[0], given[1][:3]])
