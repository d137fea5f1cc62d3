"""Likelihoods of whole pieces, against sums of the model's own log-probabilities."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from layouts import active_windows

from pianoroll_seq2seq import (
    BeatGrid,
    BernoulliHead,
    CopyingLSTM,
    FillingLSTM,
    FrameLayout,
    Given,
    MonophonicHead,
    NADEHead,
    NotesHead,
    ParallelSeq2SeqLSTM,
    Part,
    PianoRoll,
    PitchRange,
    RelativeBernoulliHead,
    RelativeWindowHead,
    Seq2SeqLSTM,
    evaluate,
    likelihood,
)
from pianoroll_seq2seq.errors import GridError, PitchRangeError, SettingsError, ShapeError


def roll_of(frames: int, seed: int) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, 10)) < 0.3
    return PianoRoll.from_active(active, pitches=PitchRange(60, 69), name=str(seed))


ROLLS = [roll_of(11, 0), roll_of(24, 1), roll_of(1, 2)]


def tensor(roll: PianoRoll) -> torch.Tensor:
    return torch.from_numpy(roll.active.astype(np.float32))


def test_of_whole_pieces() -> None:
    torch.manual_seed(0)
    model = CopyingLSTM(10, hidden_size=8, num_copy_heads=2).eval()
    log_probs = [
        model(torch.zeros(1, 0, 10), tensor(roll)[None]).log_prob(tensor(roll)[None])[0].detach() for roll in ROLLS
    ]
    found = likelihood(model, ROLLS)
    assert found.num_frames == 36
    assert found.nats == pytest.approx(-float(torch.cat(log_probs).mean()), rel=1e-5)
    assert found.nats_after_first == pytest.approx(-float(torch.cat([one[1:] for one in log_probs]).mean()), rel=1e-5)
    assert found.pieces == pytest.approx([-float(one.mean()) for one in log_probs], rel=1e-5)
    assert "36 frames of 3 pieces" in str(found)


def test_of_windows_with_silence_before_the_piece() -> None:
    """Every frame once, given the frames before it in its window, at least four."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(10, hidden_size=8).eval()
    total = 0.0
    for roll in ROLLS:
        padded = torch.cat([torch.zeros(4, 10), tensor(roll)])
        for frame in range(len(roll)):
            begin = frame - frame % 6
            window = padded[begin : 5 + frame][None]
            total -= float(model(window[:, :4], window[:, 4:]).log_prob(window[:, 4:]).detach()[0, -1])
    found = likelihood(model, ROLLS, input_frames=4, target_frames=6)
    assert found.nats == pytest.approx(total / 36, rel=1e-5)


def test_a_mixture_averages_probabilities() -> None:
    models = []
    for seed in range(2):
        torch.manual_seed(seed)
        models.append(Seq2SeqLSTM(10, hidden_size=8).eval())
    window = tensor(ROLLS[0])[None]
    probabilities = torch.stack(
        [m(torch.zeros(1, 3, 10), window).log_prob(window).detach().exp() for m in models]
    ).mean(0)
    found = likelihood(models, ROLLS[:1], input_frames=3)
    assert found.nats == pytest.approx(-float(probabilities.log().mean()), rel=1e-5)
    assert found.nats < max(likelihood(m, ROLLS[:1], input_frames=3).nats for m in models)


def test_with_conditions() -> None:
    """Each frame has its own condition; silence before a piece has that of its first frame."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(10, hidden_size=8, condition_size=2).eval()
    rng = np.random.default_rng(3)
    conditions = [rng.random((11, 2)), rng.random(2), rng.random((1, 2))]
    total = 0.0
    for roll, values in zip(ROLLS, conditions, strict=True):
        condition = torch.tensor(np.broadcast_to(values, (len(roll), 2)), dtype=torch.float32)
        padded = torch.cat([torch.zeros(4, 10), tensor(roll)])
        condition = torch.cat([condition[:1].expand(4, 2), condition])
        for frame in range(len(roll)):
            cut = slice(frame - frame % 6, 5 + frame)
            window = padded[cut][None]
            distribution = model(window[:, :4], window[:, 4:], condition[cut][None])
            total -= float(distribution.log_prob(window[:, 4:]).detach()[0, -1])
    found = likelihood(model, ROLLS, input_frames=4, target_frames=6, conditions=conditions)
    assert found.nats == pytest.approx(total / 36, rel=1e-5)
    with pytest.raises(ShapeError, match="3 pieces"):
        likelihood(model, ROLLS, input_frames=4, conditions=conditions[:2])
    with pytest.raises(SettingsError, match="Pass one"):
        likelihood(model, ROLLS, input_frames=4)


def test_with_onsets() -> None:
    """Onsets must be scored too."""
    torch.manual_seed(0)
    both = FrameLayout.of(ROLLS[0], onsets=True)
    model = Seq2SeqLSTM(both, hidden_size=8, head=NotesHead).eval()
    planes = [torch.cat([tensor(roll), torch.from_numpy(roll.onset.astype(np.float32))], dim=1)[None] for roll in ROLLS]
    total = sum(-float(model(torch.zeros(1, 3, 20), piece).log_prob(piece).detach().sum()) for piece in planes)
    assert likelihood(model, ROLLS, input_frames=3).nats == pytest.approx(total / 36, rel=1e-5)
    plain = Seq2SeqLSTM(20, hidden_size=8, head=NotesHead).eval()
    plain.load_state_dict(model.state_dict())
    assert likelihood(plain, ROLLS, input_frames=3, layout=both).nats == pytest.approx(total / 36, rel=1e-5)


def test_the_mode_of_the_model_is_restored() -> None:
    model = Seq2SeqLSTM(10, hidden_size=8, dropout=0.5).train()
    first, second = (likelihood(model, ROLLS, input_frames=3) for _ in range(2))
    assert first == second
    assert model.training


def test_wrong_arguments_are_errors() -> None:
    model = Seq2SeqLSTM(10, hidden_size=8)
    for settings in ({"input_frames": -1}, {"target_frames": 0, "input_frames": 1}, {"target_frames": 4}):
        with pytest.raises(SettingsError, match="input_frames"):
            likelihood(model, ROLLS, **settings)
    with pytest.raises(SettingsError, match="at least one piece"):
        likelihood(model, [])
    with pytest.raises(SettingsError, match="at least one frame"):
        likelihood(model, [roll_of(0, 0)])
    with pytest.raises(SettingsError, match="at least one model"):
        likelihood([], ROLLS)


@pytest.mark.parametrize(
    ("layout", "error"),
    [
        (FrameLayout(BeatGrid(8), PitchRange(60, 69), planes=("active",)), GridError),
        (FrameLayout(pitches=PitchRange(61, 70), planes=("active",)), PitchRangeError),
    ],
)
def test_pieces_and_mixtures_of_another_layout_are_refused(layout: FrameLayout, error: type[Exception]) -> None:
    """Likelihoods would be of frames that mean something else to the model."""
    own, other = (Seq2SeqLSTM(each, hidden_size=4) for each in (FrameLayout.of(ROLLS[0], onsets=False), layout))
    assert likelihood(own, ROLLS, input_frames=3).num_frames == 36
    for call in (
        lambda: likelihood(other, ROLLS, input_frames=3),
        lambda: likelihood([own, other], ROLLS, input_frames=3),
        lambda: likelihood(own, ROLLS, input_frames=3, layout=layout),
    ):
        with pytest.raises(error):
            call()


HEADS: dict[str, Any] = {
    "default": {},
    "Bernoulli": {"head": BernoulliHead},
    "NADE": {"head": NADEHead},
    "RelativeBernoulli": {"head": RelativeBernoulliHead},
    "RelativeWindow": {"head": RelativeWindowHead},
    "Notes": {"head": NotesHead},
}
ANY_MODEL: dict[str, Any] = {
    "Seq2SeqLSTM": Seq2SeqLSTM,
    "Seq2SeqLSTM, copying": partial(Seq2SeqLSTM, num_copy_heads=2),
    "ParallelSeq2SeqLSTM": partial(ParallelSeq2SeqLSTM, block_frames=4),
    "CopyingLSTM": CopyingLSTM,
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("model", ANY_MODEL)
def test_the_default_arguments_work_or_say_what_to_pass(model: str, head: str) -> None:
    """``likelihood(model, rolls)`` ends in an error of PyTorch's."""
    if model == "ParallelSeq2SeqLSTM" and head not in ("default", "Bernoulli", "NADE"):
        pytest.skip("a head that reads past frames")
    scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
    built = ANY_MODEL[model](FrameLayout.of(scale, onsets=head == "Notes"), hidden_size=4, **HEADS[head])
    if model == "CopyingLSTM":
        assert likelihood(built, [scale]).num_frames == 12
        return
    with pytest.raises(ShapeError, match=r"reads at least one input frame .*\(1, 0, \d+\)\. Pass input_frames"):
        likelihood(built, [scale])
    assert likelihood(built, [scale], input_frames=4, target_frames=4).num_frames == 12


def test_progress_is_shown_only_when_asked(capfd: pytest.CaptureFixture[str]) -> None:
    """Minutes pass without a sign of life; or a library prints of its own accord."""
    scale = PianoRoll.from_active(np.eye(12, dtype=bool), pitches=PitchRange(60, 71))
    windows = active_windows([scale], input_frames=4, target_frames=4, hop=4)
    model = Seq2SeqLSTM(12, hidden_size=4)
    likelihood(model, [scale], input_frames=4)
    evaluate(model, windows)
    assert capfd.readouterr() == ("", "")
    likelihood(model, [scale], input_frames=4, progress=True)
    evaluate(model, windows, progress=True)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "1/1" in shown.err
    assert "2/2" in shown.err


class TestGiven:
    """What is given is not scored, and what is scored is what the model writes."""

    PARTS = (Part("high", pitches=PitchRange(60, 62)), Part("low", pitches=PitchRange(50, 51)))

    def piece(self, frames: int = 12, seed: int = 0) -> PianoRoll:
        rng = np.random.default_rng(seed)
        planes = [
            rng.integers(len(part.pitches), size=(frames, 1)) == np.arange(len(part.pitches)) for part in self.PARTS
        ]
        return PianoRoll.from_active(np.concatenate(planes, axis=1), parts=self.PARTS, name=str(seed))

    def model(self) -> FillingLSTM:
        torch.manual_seed(0)
        head = partial(MonophonicHead, channels=5, look_ahead=(2,))
        layout = FrameLayout.of(self.piece(), onsets=False)
        return FillingLSTM(layout, hidden_size=8, encoder_size=4, head=head).eval()

    def test_nothing_given_is_the_likelihood_of_the_piece(self) -> None:
        model, pieces = self.model(), [self.piece(12), self.piece(7, seed=1)]
        expected, scored = likelihood(model, pieces), likelihood(model, pieces, given=Given.nothing(), ends=False)
        assert scored.nats == pytest.approx(expected.nats, rel=1e-6)
        assert scored.num_frames == 19

    def test_frames_given_as_a_whole_do_not_count(self) -> None:
        model, pieces = self.model(), [self.piece(12), self.piece(7, seed=1)]
        scored = likelihood(model, pieces, given=[Given.frames(3, 12), Given.before(7)])
        assert scored.num_frames == 3
        assert math.isnan(scored.pieces[1])
        assert scored.nats == pytest.approx(scored.pieces[0])
        ended = likelihood(model, pieces, given=[Given.frames(3, 12), Given.parts("low")])
        assert ended.num_frames == 10

    def test_refuses_what_cannot_be_scored(self) -> None:
        model, piece = self.model(), self.piece()
        with pytest.raises(SettingsError, match="Everything is given of all pieces"):
            likelihood(model, [piece], given=Given.before(12))
        with pytest.raises(SettingsError, match="input_frames must be 0"):
            likelihood(model, [piece], given=Given.nothing(), input_frames=4)
        with pytest.raises(ShapeError, match="2 values of given for 1 pieces"):
            likelihood(model, [piece], given=[Given.nothing()] * 2)
        with pytest.raises(SettingsError, match="CopyingLSTM only continues music"):
            likelihood(CopyingLSTM(model.layout, hidden_size=4), [piece], given=Given.parts("low"))  # type: ignore[arg-type]
