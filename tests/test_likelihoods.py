import numpy as np
import pytest
import torch

from pianoroll_seq2seq import CopyingLSTM, NotesHead, PianoRoll, PitchRange, Seq2SeqLSTM, likelihood
from pianoroll_seq2seq.errors import SettingsError, ShapeError


def roll_of(frames: int, seed: int) -> PianoRoll:
    active = np.random.default_rng(seed).random((frames, 10)) < 0.3
    return PianoRoll.from_active(active, pitches=PitchRange(60, 69), name=str(seed))


ROLLS = [roll_of(11, 0), roll_of(24, 1), roll_of(1, 2)]


def tensor(roll: PianoRoll) -> torch.Tensor:
    return torch.from_numpy(roll.active.astype(np.float32))


def test_of_whole_pieces() -> None:
    torch.manual_seed(0)
    model = CopyingLSTM(10, hidden=8, copies=2).eval()
    log_probs = [
        model(torch.zeros(1, 0, 10), tensor(roll)[None]).log_prob(tensor(roll)[None])[0].detach() for roll in ROLLS
    ]
    found = likelihood(model, ROLLS)
    assert found.frames == 36
    assert found.nats == pytest.approx(-float(torch.cat(log_probs).mean()), rel=1e-5)
    assert found.nats_after_first == pytest.approx(-float(torch.cat([one[1:] for one in log_probs]).mean()), rel=1e-5)
    assert found.pieces == pytest.approx([-float(one.mean()) for one in log_probs], rel=1e-5)
    assert "36 frames of 3 pieces" in str(found)


def test_frame_by_frame_with_what_is_heard_before() -> None:
    """Every frame once, given the frames before it from the beginning of its window on, which are at least four."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(10, hidden=8).eval()
    total = 0.0
    for roll in ROLLS:
        begun = torch.cat([torch.zeros(4, 10), tensor(roll)])
        for frame in range(len(roll)):
            begin = frame - frame % 6
            window = begun[begin : 5 + frame][None]
            total -= float(model(window[:, :4], window[:, 4:]).log_prob(window[:, 4:]).detach()[0, -1])
    found = likelihood(model, ROLLS, input_frames=4, target_frames=6)
    assert found.nats == pytest.approx(total / 36, rel=1e-5)


def test_a_mixture_averages_probabilities() -> None:
    models = []
    for seed in range(2):
        torch.manual_seed(seed)
        models.append(Seq2SeqLSTM(10, hidden=8).eval())
    window = tensor(ROLLS[0])[None]
    chances = torch.stack([m(torch.zeros(1, 3, 10), window).log_prob(window).detach().exp() for m in models]).mean(0)
    found = likelihood(models, ROLLS[:1], input_frames=3)
    assert found.nats == pytest.approx(-float(chances.log().mean()), rel=1e-5)
    assert found.nats < max(likelihood(m, ROLLS[:1], input_frames=3).nats for m in models)


def test_what_is_told_of_each_frame() -> None:
    """Conditions of other frames, or of another piece; silence before a piece is told what its first frame is."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(10, hidden=8, condition_size=2).eval()
    rng = np.random.default_rng(3)
    conditions = [rng.random((11, 2)), rng.random(2), rng.random((1, 2))]
    total = 0.0
    for roll, given in zip(ROLLS, conditions, strict=True):
        told = torch.tensor(np.broadcast_to(given, (len(roll), 2)), dtype=torch.float32)
        begun, told = torch.cat([torch.zeros(4, 10), tensor(roll)]), torch.cat([told[:1].expand(4, 2), told])
        for frame in range(len(roll)):
            cut = slice(frame - frame % 6, 5 + frame)
            window = begun[cut][None]
            distribution = model(window[:, :4], window[:, 4:], told[cut][None])
            total -= float(distribution.log_prob(window[:, 4:]).detach()[0, -1])
    found = likelihood(model, ROLLS, input_frames=4, target_frames=6, conditions=conditions)
    assert found.nats == pytest.approx(total / 36, rel=1e-5)
    with pytest.raises(ShapeError, match="3 pieces"):
        likelihood(model, ROLLS, input_frames=4, conditions=conditions[:2])
    with pytest.raises(SettingsError, match="Give it one"):
        likelihood(model, ROLLS, input_frames=4)


def test_of_what_is_struck_too() -> None:
    """A model of onsets is scored as if nothing were ever struck again."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(20, hidden=8, head=NotesHead(8, 20)).eval()
    planes = [torch.cat([tensor(roll), torch.from_numpy(roll.onset.astype(np.float32))], dim=1)[None] for roll in ROLLS]
    total = sum(-float(model(torch.zeros(1, 3, 20), both).log_prob(both).detach().sum()) for both in planes)
    assert likelihood(model, ROLLS, input_frames=3, onsets=True).nats == pytest.approx(total / 36, rel=1e-5)


def test_a_model_is_left_in_its_mode() -> None:
    model = Seq2SeqLSTM(10, hidden=8, dropout=0.5).train()
    first, second = (likelihood(model, ROLLS, input_frames=3) for _ in range(2))
    assert first == second
    assert model.training


def test_nonsense_is_refused() -> None:
    model = Seq2SeqLSTM(10, hidden=8)
    for settings in ({"input_frames": -1}, {"target_frames": 0, "input_frames": 1}, {"target_frames": 4}):
        with pytest.raises(SettingsError, match="input_frames"):
            likelihood(model, ROLLS, **settings)
    with pytest.raises(SettingsError, match="at least one piece"):
        likelihood(model, [])
    with pytest.raises(SettingsError, match="at least one frame"):
        likelihood(model, [roll_of(0, 0)])
    with pytest.raises(SettingsError, match="at least one model"):
        likelihood([], ROLLS)
