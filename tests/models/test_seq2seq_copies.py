"""The encoder-decoder LSTM with copy heads."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pianoroll_seq2seq import BernoulliHead, RelativeBernoulliHead, Seq2SeqLSTM
from pianoroll_seq2seq.checkpoint import load, save
from pianoroll_seq2seq.errors import SettingsError

pytestmark = pytest.mark.usefixtures("one_thread")

PITCHES, HIDDEN, COPY_HEADS = 7, 8, 3
HEAD = partial(RelativeBernoulliHead, channels=5, window=2, num_frames=3)


def model_of(**settings: Any) -> Seq2SeqLSTM:
    torch.manual_seed(0)
    chosen = {"hidden_size": HIDDEN, "num_copy_heads": COPY_HEADS, "head": HEAD} | settings
    model = Seq2SeqLSTM(PITCHES, **chosen).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def music(frames: int = 60) -> torch.Tensor:
    return (torch.rand(2, frames, PITCHES, generator=torch.Generator().manual_seed(1)) < 0.3).double()


@pytest.mark.parametrize("attention", [False, True])
def test_no_frame_is_predicted_from_itself_or_from_later_ones(attention: bool) -> None:
    model, frames = model_of(attention=attention), music()
    plain = model(frames[:, :20], frames[:, 20:]).log_prob(frames[:, 20:]).detach()
    for frame in (0, 19, 20, 40, 59):
        changed = frames.clone()
        changed[:, frame] = 1 - changed[:, frame]
        change = (model(changed[:, :20], changed[:, 20:]).log_prob(changed[:, 20:]).detach() - plain).abs()
        assert frame <= 20 or change[:, : frame - 20].max() == 0
        assert change[:, max(0, frame - 20)].min() > 0


IN_BLOCKS = {"block_frames": 9, "head": BernoulliHead}  # its context does not reach beyond a block


@pytest.mark.parametrize("settings", [{}, {"attention": True}, IN_BLOCKS, {"num_encoder_layers": 3}], ids=str)
def test_step_by_step_gives_what_forward_gives(settings: dict[str, Any]) -> None:
    """Training and generation would copy different frames, or a new block would lose the past."""
    model, frames = model_of(**settings), music(39)
    block = settings.get("block_frames", 27)
    with torch.inference_mode():
        distribution, state = model.start(frames[:, :12])
        for begin in range(12, 39, block):
            expected = model(frames[:, begin - 12 : begin], frames[:, begin : begin + block]).mean
            for step in range(block):
                torch.testing.assert_close(distribution.mean, expected[:, step])
                frame = frames[:, begin + step]
                model.advance(1 - frame, state)  # another continuation of the same state, which must change nothing
                distribution, state = model.advance(frame, state)


def test_learns_to_copy_a_repeated_row() -> None:
    """The purpose of copying: a random row of twelve notes, half of it in the input, is repeated."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(12, hidden_size=24, num_encoder_layers=1, num_decoder_layers=1, num_copy_heads=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        row = torch.nn.functional.one_hot(torch.randn(64, 12).argsort(dim=1), 12).float()
        frames = torch.cat([row, row], dim=1)
        log_probs = model(frames[:, :6], frames[:, 6:]).log_prob(frames[:, 6:])
        optimizer.zero_grad()
        (-log_probs.mean()).backward()
        optimizer.step()
    first, again = -log_probs[:, :5].mean().item(), -log_probs[:, 8:].mean().item()
    assert again < 0.4 * first, (first, again)


def test_a_checkpoint_restores_it(tmp_path: Path) -> None:
    model, frames = model_of(attention=True).float(), music().float()
    save(model, tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert isinstance(loaded, Seq2SeqLSTM)
    assert loaded.settings()["num_copy_heads"] == COPY_HEADS
    expected = model(frames[:, :9], frames[:, 9:]).mean
    assert torch.equal(loaded.eval()(frames[:, :9], frames[:, 9:]).mean, expected)


def test_without_copy_heads_there_is_nothing_of_them() -> None:
    """Memory and time for candidates that no head reads."""
    model = Seq2SeqLSTM(PITCHES, hidden_size=HIDDEN)
    assert not any("copy" in name for name in model.state_dict())
    assert model.start(torch.zeros(1, 2, PITCHES))[1].copy_memory is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_copy_heads": -1}, "num_copy_heads must be at least 0, got -1"),
        ({"num_copy_heads": 2, "head": BernoulliHead(8, 7)}, "in_features=8.*the model needs 24 and 7"),
    ],
)
def test_wrong_arguments_are_errors_at_once(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Seq2SeqLSTM(7, **{"hidden_size": 8} | settings)
