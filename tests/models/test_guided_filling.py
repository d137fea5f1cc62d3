"""Classifier-free guidance of models that fill: exact, and given cells stay."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pianoroll_seq2seq.data.condition_sources import JoinedConditions, MetricPosition, PhraseEnds
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.given import Given
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.classifier_free_guidance import GuidedFillingModel, GuidedModel
from pianoroll_seq2seq.models.filling_lstm import FillingLSTM
from pianoroll_seq2seq.models.given_frames import GivenFrames
from pianoroll_seq2seq.models.heads.contract import HeadFactory
from pianoroll_seq2seq.models.heads.monophonic import MonophonicHead
from pianoroll_seq2seq.models.heads.nade import NADEHead
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.parts import Part
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.pretrained import open_model, save_pretrained
from pianoroll_seq2seq.sampling import fill, generate
from pianoroll_seq2seq.serving import Service

pytestmark = pytest.mark.usefixtures("one_thread")

PARTS = (Part("high", pitches=PitchRange(60, 61)), Part("low", pitches=PitchRange(48, 49)))
LAYOUT = FrameLayout(parts=PARTS)
SOURCE = JoinedConditions((MetricPosition(), PhraseEnds()))


def _model(head: HeadFactory = MonophonicHead) -> FillingLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = FillingLSTM(LAYOUT, hidden_size=8, encoder_size=4, num_copy_heads=0, head=head, condition_source=SOURCE)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)  # so that the condition changes what the model predicts
    return model.eval()


def _piece() -> PianoRoll:
    active = np.zeros((8, 4), dtype=bool)
    active[:4, 0] = active[4:, 1] = active[2:6, 2] = True
    return PianoRoll.from_active(active, parts=PARTS)


def _condition(ends: list[int]) -> Tensor:
    return torch.from_numpy(SOURCE(_piece(), phrase_ends=ends))[None]


def _frames() -> Tensor:
    """All frames that two parts of two pitches can have: (25, 8)."""
    states = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1)]  # active, active, onset, onset
    return torch.tensor([[*high[:2], *low[:2], *high[2:], *low[2:]] for high, low in itertools.product(states, states)])


def _log_probs(model: torch.nn.Module, condition: Tensor) -> Tensor:
    """Of all frames after three frames of the piece: (25,)."""
    known = torch.from_numpy(_piece().to_frames(LAYOUT)[:3]).float().expand(25, -1, -1)
    found: Tensor = model(known, _frames()[:, None].float(), condition.expand(25, -1, -1)).log_prob(
        _frames()[:, None].float()
    )[:, 0]
    return found.detach().double()


def test_it_extrapolates_the_decision_of_each_part() -> None:
    """The guided probabilities do not sum to one, or are those of another formula than guidance of each decision."""
    model, condition = _model(), _condition([4, 8])
    unknown = condition.clone()
    unknown[..., SOURCE.optional_columns] = 0
    weight = 1.5
    guided = _log_probs(GuidedFillingModel(model, weight), condition).exp().view(5, 5)
    with_ends, without = (_log_probs(model, known).exp().view(5, 5) for known in (condition, unknown))
    assert guided.sum() == pytest.approx(1, abs=1e-5)
    assert (with_ends - without).abs().max() > 0.01

    def extrapolated(conditional: Tensor, unconditional: Tensor) -> Tensor:
        values = conditional ** (1 + weight) / unconditional.clamp_min(1e-300) ** weight
        values = torch.where(unconditional > 0, values, conditional)
        return values / values.sum(dim=-1, keepdim=True)

    first = extrapolated(with_ends.sum(dim=1), without.sum(dim=1))
    second = extrapolated(*(each / each.sum(dim=1, keepdim=True) for each in (with_ends, without)))
    assert torch.allclose(guided, (first[:, None] * second).nan_to_num(), atol=1e-5)  # nan after what is impossible


@pytest.mark.parametrize("head", [MonophonicHead, NotesHead])
def test_no_weight_and_no_ends_change_nothing(head: HeadFactory) -> None:
    """A model is another one by being wrapped."""
    model = _model(head)
    ends, unknown = _condition([4]), torch.from_numpy(SOURCE(_piece()))[None]
    assert torch.allclose(_log_probs(GuidedFillingModel(model, 0.0), ends), _log_probs(model, ends), atol=1e-5)
    assert torch.allclose(_log_probs(GuidedFillingModel(model, 2.0), unknown), _log_probs(model, unknown), atol=1e-4)


@pytest.mark.parametrize("head", [MonophonicHead, NotesHead])
def test_steps_are_those_of_the_whole_piece(head: HeadFactory) -> None:
    """What is filled frame by frame is not what the likelihood is of."""
    guided, condition = GuidedFillingModel(_model(head), 1.0), _condition([3, 8])
    frames = torch.from_numpy(_piece().to_frames(LAYOUT)).float()[None]
    mask = torch.from_numpy(Given.parts("low").mask(_piece()))[None]
    given = GivenFrames.of(frames, mask, LAYOUT)
    whole = guided(frames[:, :0], frames, condition, given=given).log_prob(frames)
    distribution, state = guided.start_filling(given, condition)
    steps = []
    for frame in frames.unbind(dim=1):
        steps.append(distribution.log_prob(frame))
        distribution, state = guided.advance(frame, state)
    assert torch.allclose(torch.stack(steps, dim=1), whole, atol=1e-4)


def test_it_fills_continues_and_answers(tmp_path: Path) -> None:
    """A guided model cannot be filled with, served, saved or continued; or given notes change."""
    guided, piece = GuidedFillingModel(_model(), 2.0), _piece()
    ends = SOURCE(piece, phrase_ends=[4, 8])
    filled = fill(guided, [piece] * 8, Given.parts("high"), seed=1, condition=[ends] * 8)
    assert all(one["high"] == piece["high"] for one in filled)
    plain = fill(_model(), [piece] * 8, Given.parts("high"), seed=1, condition=[ends] * 8)
    assert any(one != other for one, other in zip(filled, plain, strict=True))
    assert len(generate(guided, piece, num_frames=4, seed=1)) == 4
    service = Service(guided, LAYOUT, condition_size=guided.condition_size)
    notes = [{"pitch": 60, "start_beat": 0, "duration_beats": 1, "part": "high"}]
    condition = ends[0].tolist()
    answer = service.answer(
        {"piece_notes": notes, "given": {"parts": ["high"]}, "num_frames": 8, "condition": condition}
    )
    assert answer["num_frames"] == 8
    saved = open_model(save_pretrained(guided, tmp_path / "guided", layout=LAYOUT)).model
    assert isinstance(saved, GuidedFillingModel)
    assert torch.equal(_log_probs(saved.eval(), _condition([4])), _log_probs(guided, _condition([4])))
    assert len(list(guided.state_dict())) == len(list(_model().state_dict()))  # each weight once


def test_what_cannot_be_guided() -> None:
    """A model that ignores the condition, or cannot fill, is guided in silence."""
    with pytest.raises(SettingsError, match="only continues music"):
        GuidedFillingModel(Seq2SeqLSTM(LAYOUT, hidden_size=4, condition_size=3, condition_dropout=0.5), 1.0)
    with pytest.raises(SettingsError, match="a model with conditions"):
        GuidedFillingModel(FillingLSTM(LAYOUT, hidden_size=4, encoder_size=4, num_copy_heads=0), 1.0)
    with pytest.raises(SettingsError, match="optional"):
        GuidedModel(
            FillingLSTM(LAYOUT, hidden_size=4, encoder_size=4, num_copy_heads=0, condition_source=MetricPosition()), 1.0
        )
    with pytest.raises(SettingsError, match="one of monophonic parts"):
        fill(GuidedFillingModel(_model(NADEHead), 1.0), _piece(), Given.parts("low"))
