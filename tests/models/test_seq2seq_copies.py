"""An encoder and decoder that may copy frames of the input, and those written since."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pianoroll_seq2seq import RelativeBernoulliHead, Seq2SeqLSTM
from pianoroll_seq2seq.checkpoint import load, save
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.export import export_onnx
from pianoroll_seq2seq.heads.bernoulli import BernoulliHead

pytestmark = pytest.mark.usefixtures("one_thread")

PITCHES, HIDDEN, COPIES = 7, 8, 3
FEATURES = Seq2SeqLSTM.features(PITCHES, HIDDEN, COPIES)


def model_of(**settings: Any) -> Seq2SeqLSTM:
    torch.manual_seed(0)
    head = RelativeBernoulliHead(FEATURES, PITCHES, channels=5, window=2, frames=3, proposals=COPIES)
    model = Seq2SeqLSTM(PITCHES, **{"hidden": HIDDEN, "copies": COPIES, "head": head} | settings).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model


def music(frames: int = 60) -> torch.Tensor:
    return (torch.rand(2, frames, PITCHES, generator=torch.Generator().manual_seed(1)) < 0.3).double()


@pytest.mark.parametrize("attention", [False, True])
def test_no_frame_is_heard_before_its_time(attention: bool) -> None:
    model, frames = model_of(attention=attention), music()
    plain = model(frames[:, :20], frames[:, 20:]).log_prob(frames[:, 20:]).detach()
    for frame in (0, 19, 20, 40, 59):
        changed = frames.clone()
        changed[:, frame] = 1 - changed[:, frame]
        moved = (model(changed[:, :20], changed[:, 20:]).log_prob(changed[:, 20:]).detach() - plain).abs()
        assert frame <= 20 or moved[:, : frame - 20].max() == 0
        assert moved[:, max(0, frame - 20)].min() > 0


FORGETFUL = {"block_frames": 9, "head": BernoulliHead(FEATURES, PITCHES)}  # whose past does not reach beyond a block's


@pytest.mark.parametrize("settings", [{}, {"attention": True}, FORGETFUL, {"encoder_layers": 3}], ids=str)
def test_frame_by_frame_is_all_at_once(settings: dict[str, Any]) -> None:
    """What is copied in training is not what is copied in generation; or a new block forgets what there was."""
    model, frames = model_of(**settings), music(39)
    block = settings.get("block_frames", 27)
    with torch.inference_mode():
        distribution, state = model.start(frames[:, :12])
        for begin in range(12, 39, block):
            expected = model(frames[:, begin - 12 : begin], frames[:, begin : begin + block]).mean
            for step in range(block):
                torch.testing.assert_close(distribution.mean, expected[:, step])
                frame = frames[:, begin + step]
                model.advance(1 - frame, state)  # another way to go on, which changes nothing here
                distribution, state = model.advance(frame, state)


def test_what_was_heard_once_is_known_when_it_comes_again() -> None:
    """What copies are for: a row of twelve notes by chance, half of it in the input, that comes again."""
    torch.manual_seed(0)
    head = BernoulliHead(Seq2SeqLSTM.features(12, 24, 2), 12)
    model = Seq2SeqLSTM(12, hidden=24, encoder_layers=1, decoder_layers=1, copies=2, head=head)
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


def test_it_comes_back_from_a_file(tmp_path: Path) -> None:
    model, frames = model_of(attention=True).float(), music().float()
    save(model, tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    assert isinstance(loaded, Seq2SeqLSTM)
    assert loaded.settings()["copies"] == COPIES
    expected = model(frames[:, :9], frames[:, 9:]).mean
    assert torch.equal(loaded.eval()(frames[:, :9], frames[:, 9:]).mean, expected)


def test_without_copies_nothing_is_new() -> None:
    """Runs from before there were copies cannot go on."""
    model = Seq2SeqLSTM(PITCHES, hidden=HIDDEN)
    assert "copies" not in model.settings()
    assert not any("copy" in name for name in model.state_dict())
    assert model.start(torch.zeros(1, 2, PITCHES))[1].copying is None


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"copies": -1}, "copies at least 0"),
        ({"copies": 2, "decoder": "parallel", "block_frames": 4}, "cannot copy those before, got copies=2"),
        ({"copies": 2, "head": BernoulliHead(8, 7)}, r"reads 8 features.*24 \(hidden=8, copies=2\).*\.features\("),
    ],
)
def test_what_makes_no_sense_is_an_error_at_once(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        Seq2SeqLSTM(**{"pitches": 7, "hidden": 8} | settings)


def test_it_is_not_exported(tmp_path: Path) -> None:
    """Not by an error out of the exporter, and not by writing a model that has forgotten its copies."""
    with pytest.raises(SettingsError, match="copies=0"):
        export_onnx(model_of().float(), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
