"""Monophonic parts: against enumeration, in any order of parts, and on small chorales."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_pieces, active_windows
from torch import Tensor, nn

from pianoroll_seq2seq import FrameLayout, Part, PianoRoll, PitchRange, fit
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.heads.monophonic import MonophonicHead
from pianoroll_seq2seq.models.heads.monophonic_network import runs_of
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.sampling import Threshold, generate

pytestmark = pytest.mark.usefixtures("one_thread")

FEATURES = 3
PARTS = (
    Part("high", pitches=PitchRange(62, 64)),
    Part("middle", pitches=PitchRange(60, 61)),
    Part("low", pitches=PitchRange(57, 58)),
)


def layout_of(*, onsets: bool, parts: tuple[Part, ...] = PARTS) -> FrameLayout:
    return FrameLayout(planes=("active", "onset") if onsets else ("active",), parts=parts)


def head_of(layout: FrameLayout, *, seed: int = 0, **settings: Any) -> MonophonicHead:
    torch.manual_seed(seed)
    head = MonophonicHead(FEATURES, layout, **{"channels": 6, "lags": (2, 3)} | settings).double().eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.5)
    return head


def states(block: Part, *, onsets: bool) -> list[tuple[int, int]]:
    """A part's states, as a column (-1 for a rest) and whether a note begins there."""
    return [(-1, 0), *itertools.product(range(len(block.pitches)), (0, 1) if onsets else (1,))]


def frame_of(layout: FrameLayout, chosen: tuple[tuple[int, int], ...]) -> Tensor:
    frame = torch.zeros(layout.frame_size).double()
    for part, (column, begins) in zip(layout.parts, chosen, strict=True):
        if column >= 0:
            frame[layout.columns("active", part.name).start + column] = 1
            if layout.has_onsets and begins:
                frame[layout.columns("onset", part.name).start + column] = 1
    return frame


def every_frame(layout: FrameLayout) -> Tensor:
    each = [states(part, onsets=layout.has_onsets) for part in layout.parts]
    return torch.stack([frame_of(layout, chosen) for chosen in itertools.product(*each)])


def some_past(layout: FrameLayout, frames: int = 6, seed: int = 0) -> Tensor:
    possible = every_frame(layout)
    return possible[np.random.default_rng(seed).integers(len(possible), size=(1, frames))]


def features_of(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(*shape, FEATURES)))


@pytest.mark.parametrize("onsets", [False, True])
@pytest.mark.parametrize("order", [None, ("low", "high", "middle")])
def test_all_possible_frames_sum_to_one_in_every_order(onsets: bool, order: tuple[str, ...] | None) -> None:
    """Nats a frame mean nothing otherwise; and filling in needs the conditionals of other orders."""
    layout = layout_of(onsets=onsets)
    head = head_of(layout, order=order)
    distribution = head(features_of(1, 1), some_past(layout))[:, 0]
    every = every_frame(layout)
    means = []
    for chosen in itertools.permutations(["high", "middle", "low"]):
        other = distribution.in_order(chosen)[torch.zeros(len(every), dtype=torch.long)]
        probabilities = other.log_prob(every).detach().exp()
        assert float(probabilities.sum()) == pytest.approx(1, abs=1e-9)
        torch.testing.assert_close(other[:1].mean[0].detach(), probabilities @ every, atol=0.04, rtol=0)
        means.append(probabilities @ every)
    assert any(not torch.allclose(means[0], other) for other in means)
    torch.testing.assert_close(
        distribution.log_prob(every[:1]), distribution.in_order(order or ("high", "middle", "low")).log_prob(every[:1])
    )


@pytest.mark.parametrize("onsets", [False, True])
def test_the_conditionals_of_an_order_read_the_parts_decided_before_only(onsets: bool) -> None:
    """p(rest | soprano) from a model that was asked for the soprano first would read the parts to be found."""
    layout = layout_of(onsets=onsets)
    head, every = head_of(layout), every_frame(layout)
    distribution = head(features_of(1, 1), some_past(layout))[:, 0].in_order(("low", "high", "middle"))
    probabilities = distribution[torch.zeros(len(every), dtype=torch.long)].log_prob(every).detach().exp()
    # The marginal of the first part does not depend on the network's reading of the others: chain rule by sums.
    low = torch.cat([every[:, layout.columns(plane, "low")] for plane in layout.planes], dim=1)
    marginal = {tuple(row): float(probabilities[(low == row).all(dim=1)].sum()) for row in low.unique(dim=0)}
    sampled = distribution[torch.zeros(4000, dtype=torch.long)].sample(generator=torch.Generator().manual_seed(0))
    drawn = torch.cat([sampled[:, layout.columns(plane, "low")] for plane in layout.planes], dim=1)
    for row, expected in marginal.items():
        seen = float((drawn == torch.stack(row)).all(dim=1).double().mean())
        assert abs(seen - expected) < 5 * math.sqrt(expected * (1 - expected) / 4000) + 1e-3


def test_impossible_frames_have_no_probability_and_no_gradient() -> None:
    layout = layout_of(onsets=True)
    head = head_of(layout)
    past = torch.zeros(1, 3, layout.frame_size).double()
    frames = torch.zeros(1, 3, layout.frame_size).double()
    frames[0, 0, :2] = 1  # two pitches of one part
    frames[0, 1, layout.columns("onset")] = 1  # onsets without notes
    frames[0, 2, 0] = 1  # held after silence
    log_probs = head(features_of(1, 3), past).log_prob(frames)
    assert log_probs[0].isneginf().all()
    frames[:] = 0
    frames[0, 0, :2] = 1
    log_probs = head(features_of(1, 3), past).log_prob(frames)
    assert log_probs[0].isinf().tolist() == [True, False, False]
    log_probs[0, 1:].sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in head.parameters())


def test_held_notes_after_noise_have_a_finite_loss_in_training() -> None:
    layout = layout_of(onsets=True)
    head = head_of(layout).train()
    frame = torch.zeros(1, 1, layout.frame_size).double()
    frame[0, 0, 0] = 1
    silence = torch.zeros_like(frame)
    assert -20 < float(head(features_of(1, 1), silence).log_prob(frame).detach()) < -9
    every = every_frame(layout)
    distribution = head(features_of(1, 1), silence)[:, 0][torch.zeros(len(every), dtype=torch.long)]
    assert float(distribution.log_prob(every).detach().exp().sum()) == pytest.approx(1, abs=1e-9)


def test_orders_are_drawn_in_training_from_the_generator_that_fit_seeds() -> None:
    layout, features = layout_of(onsets=False), features_of(4, 5)
    past, frame = some_past(layout, 5).expand(4, -1, -1), every_frame(layout)[7].expand(4, 5, -1)
    head = head_of(layout)
    fixed = [head(features, past).log_prob(frame) for _ in range(2)]
    assert torch.equal(fixed[0], fixed[1])
    head.train()
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(head(features, past).ranks)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert len({tuple(row.tolist()) for row in drawn[0].flatten(0, 1)}) > 3
    assert torch.equal(
        head_of(layout, order=("low", "middle", "high")).train()(features, past).ranks[0, 0], torch.tensor([2, 1, 0])
    )


@pytest.mark.parametrize("onsets", [False, True])
def test_few_and_many_rows_agree(onsets: bool) -> None:
    """Intervals are looked up in two ways, the faster one for the number of rows."""
    layout = layout_of(onsets=onsets)
    head, rows = head_of(layout), 70
    past = some_past(layout, rows).transpose(0, 1)
    frames = some_past(layout, rows, seed=1).transpose(0, 1)
    features = features_of(rows, 1)
    together = head(features, past).log_prob(frames)
    alone = torch.cat([head(features[[row]], past[[row]]).log_prob(frames[[row]]) for row in range(rows)])
    torch.testing.assert_close(together, alone)


def test_a_held_pitch_is_known_by_its_length_and_the_note_before() -> None:
    pitches = torch.tensor([[[3], [3], [5], [5], [5], [-1], [5], [5]]])
    begins = torch.tensor([[[1], [0], [1], [0], [1], [0], [1], [0]]]).bool()
    runs, before = runs_of(pitches, begins)
    assert runs[0, :, 0].tolist() == [1, 2, 1, 2, 1, 1, 1, 2]
    assert before[0, :, 0].tolist() == [-1, -1, 3, 3, 5, 5, -1, -1]


def rolls_of_two_parts(count: int = 12, frames: int = 24) -> list[PianoRoll]:
    """The upper part walks; the lower one follows it a fifth below after one frame, in an own key for each piece."""
    rng, layout = np.random.default_rng(0), two_parts()
    rolls = []
    for piece in range(count):
        steps = np.clip(np.cumsum(rng.integers(-1, 2, size=frames)) + 6, 0, 12)
        planes = np.zeros((frames, layout.frame_size), dtype=bool)
        planes[np.arange(frames), steps] = True
        planes[np.arange(1, frames), 13 + steps[:-1]] = True
        rolls.append(PianoRoll.from_frames(planes, layout, name=f"piece {piece}"))
    return rolls


def two_parts() -> FrameLayout:
    return FrameLayout(
        parts=(Part("upper", pitches=PitchRange(60, 72)), Part("lower", pitches=PitchRange(53, 65))), planes=("active",)
    )


def test_learns_a_part_that_follows_another() -> None:
    """Ln 3 nats a frame: the upper part has three ways to go, the lower one has one."""
    torch.manual_seed(0)
    rolls = rolls_of_two_parts()
    windows = active_pieces(rolls, max_frames_per_batch=96)
    model = CopyingLSTM(two_parts(), hidden_size=8, num_copy_heads=1, head=MonophonicHead)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    history = fit(model, windows, epochs=14, batch_size=1, optimizer=optimizer, progress=False)
    assert history.train_losses[-1] < 1.6
    played = generate(model, rolls[0][:8], num_frames=16, seed=0)
    assert (played["upper"].active.sum(axis=1) <= 1).all()
    assert (played["lower"].active.sum(axis=1) <= 1).all()
    assert generate(model, rolls[0][:8], num_frames=4, sampler=Threshold(0.3)).active.sum(axis=1).max() <= 2


@pytest.mark.parametrize("kind", ["windows", "whole"])
def test_fit_names_the_piece_and_the_part_that_are_not_monophonic(kind: str) -> None:
    """The loss would be infinite after the first step, and nothing would say why."""
    rolls = rolls_of_two_parts(4)
    active = rolls[2].active.copy()
    active[9, 13:16] = True
    rolls[2] = PianoRoll.from_active(active, parts=two_parts().parts, name="with chords")
    windows = (
        active_windows(rolls, input_frames=4, target_frames=4, hop=2)
        if kind == "windows"
        else active_pieces(rolls, max_frames_per_batch=48)
    )
    model = Seq2SeqLSTM(two_parts(), hidden_size=4, head=MonophonicHead)
    with pytest.raises(
        SettingsError, match=r"train: part 'lower' of 'with chords' has several pitches.*RelativeWindow"
    ):
        fit(model, windows, epochs=1, batch_size=4, progress=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 0}, "at least 1"),
        ({"lags": ()}, "at least 1"),
        ({"lags": (0,)}, "at least 1"),
        ({"decays": (1.0,)}, "decays"),
        ({"dropout": 1.0}, "dropout"),
        ({"order": ("high", "low")}, r"order must have the name of every part once.*\['high', 'middle', 'low'\]"),
        ({"num_candidates": 1}, "leave no state"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        MonophonicHead(FEATURES, layout_of(onsets=False), **settings)


def test_a_layout_with_velocities_is_refused() -> None:
    layout = FrameLayout(planes=("active", "onset", "velocity"), parts=PARTS)
    with pytest.raises(SettingsError, match="VelocityHead, inner=MonophonicHead"):
        MonophonicHead(FEATURES, layout)
