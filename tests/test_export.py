"""Exported models: what is served must be what was trained."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from typechecker import as_users_have_it

from pianoroll_seq2seq.checkpoint import save
from pianoroll_seq2seq.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    CheckpointWriteError,
    MissingExtraError,
    OverwriteError,
    SettingsError,
    ShapeError,
)
from pianoroll_seq2seq.export import OnnxModel, export_onnx
from pianoroll_seq2seq.export.files import HEADER, sealed
from pianoroll_seq2seq.heads.bernoulli import Bernoulli, BernoulliHead
from pianoroll_seq2seq.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.base import SequenceModel
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Draw, Threshold, generate

PITCHES = 13
RANGE = PitchRange(60, 72)

pytestmark = pytest.mark.usefixtures("one_thread")


class Recent(BernoulliHead):
    """Somebody's own head: the log-odds of a pitch rise with how often it sounded in the last three frames."""

    def __init__(self, features: int, pitches: int) -> None:
        super().__init__(features, pitches)
        self.context_frames = 3

    def forward(self, features: Tensor, past: Tensor) -> Bernoulli:
        padded, steps = functional.pad(past, (0, 0, 2, 0)), features.shape[1]
        ends = [padded.shape[1] - age for age in range(3)]
        return Bernoulli(self.logits(features) + sum(padded[:, end - steps : end] for end in ends))


def relative(hidden: int) -> RelativeBernoulliHead:
    return RelativeBernoulliHead(hidden, PITCHES, channels=4, window=3, frames=2)


VARIANTS: dict[str, Callable[[], dict[str, Any]]] = {
    "autoregressive": dict,
    "autoregressive, blocks": lambda: {"encoder_layers": 3, "decoder_layers": 1, "block_frames": 7, "hidden": 5},
    "autoregressive, blocks of one": lambda: {"encoder_layers": 1, "decoder_layers": 3, "block_frames": 1},
    "relative head": lambda: {"hidden": 9, "encoder_layers": 1, "decoder_layers": 1, "head": relative(9)},
    "relative head, blocks": lambda: {"decoder_layers": 1, "block_frames": 4, "head": relative(6)},
    "own head, blocks": lambda: {"head": Recent(6, PITCHES), "block_frames": 8},
    "parallel": lambda: {"decoder": "parallel", "block_frames": 5, "encoder_layers": 1},
    "parallel, batch norm": lambda: {"decoder": "parallel", "block_frames": 9, "batch_norm": True, "hidden": 4},
}


def make(variant: str = "autoregressive", **more: Any) -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = Seq2SeqLSTM(**({"pitches": PITCHES, "hidden": 6} | VARIANTS[variant]() | more))
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.4)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):  # statistics as after some training
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return model.eval()


def frames(batch: int, count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((batch, count, PITCHES)) < 0.3).float()


def rolls(batch: int, count: int) -> list[PianoRoll]:
    return [PianoRoll.from_active(each.bool().numpy(), pitches=RANGE) for each in frames(batch, count)]


def log_odds(model: Any, primer: Tensor, then: Tensor) -> Tensor:
    """Of the frame after the primer, and of the one after each frame heard then."""
    with torch.no_grad():
        distribution, state = model.start(primer)
        logits = [distribution.logits]
        for frame in then.unbind(1):
            distribution, state = model.advance(frame, state)
            logits.append(distribution.logits)
    return torch.stack(logits, 1)


@dataclass
class Exported:
    """A model, and what was written of it."""

    model: Seq2SeqLSTM
    path: Path

    @property
    def runner(self) -> OnnxModel:
        return OnnxModel(self.path)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """Exports a variant once for all tests."""
    made: dict[str, Exported] = {}

    def once(variant: str = "autoregressive") -> Exported:
        if variant not in made:
            path = tmp_path_factory.mktemp("exported") / "model.onnx"
            model = make(variant)
            assert export_onnx(model, path) == path
            made[variant] = Exported(model, path)
        return made[variant]

    return once


@pytest.mark.parametrize("variant", VARIANTS)
class TestEveryVariant:
    @pytest.mark.parametrize(("batch", "heard"), [(1, 1), (1, 30), (5, 2), (5, 9)])
    def test_gives_the_log_odds_of_the_model(self, exported, variant, batch, heard):
        """Music that is served would not be what was listened to in training, above all at other sizes than traced."""
        one = exported(variant)
        primer, then = frames(batch, heard), frames(batch, 25, seed=1)
        torch.testing.assert_close(
            log_odds(one.runner, primer, then), log_odds(one.model, primer, then), rtol=1e-5, atol=1e-5
        )

    @pytest.mark.parametrize("sampler", [Draw(), Draw(0.7), Threshold(0.1)], ids=str)
    @pytest.mark.parametrize("batch", [1, 5])
    def test_plays_the_same_music(self, exported, variant, batch, sampler):
        """A piece that someone liked must come out of the exported model again, frame for frame."""
        one, primers = exported(variant), rolls(batch, 6)
        played = generate(one.runner, primers, frames=60, sampler=sampler, seed=3)
        assert played == generate(one.model, primers, frames=60, sampler=sampler, seed=3)
        assert any(roll.active.any() for roll in played)

    def test_one_state_may_be_continued_twice(self, exported, variant):
        """Trying several next frames from one state, as a beam search does, must not mix them up."""
        runner = exported(variant).runner
        _, state = runner.start(frames(2, 4))
        one, other = frames(2, 2, seed=1).unbind(1)
        first, after = runner.advance(one, state)
        runner.advance(other, state)
        again, after_again = runner.advance(one, state)
        assert torch.equal(first.logits, again.logits)
        assert torch.equal(runner.advance(other, after)[0].logits, runner.advance(other, after_again)[0].logits)

    def test_any_onnx_runtime_can_run_it(self, exported, variant):
        """Users in other languages have no OnnxModel, only the file and what the documentation says of it."""
        one, primer, frame = exported(variant), frames(3, 8), frames(3, 1, seed=1)
        onnx.checker.check_model(onnx.load(one.path), full_check=True)
        session = onnxruntime.InferenceSession(one.path, providers=["CPUExecutionProvider"])
        expected = log_odds(one.model, primer, frame).numpy()
        if one.model.decoder == "parallel":
            (block,) = session.run(["logits"], {"frames": primer.numpy()})
            np.testing.assert_allclose(block[:, :2], expected, rtol=1e-5, atol=1e-5)
            return
        silence = np.zeros((one.model.decoder_lstm.num_layers, 3, one.model.hidden), np.float32)
        looks_back = one.model.head.context_frames != 0
        begin = {"frames": primer.numpy(), "begin": np.array(True), "hidden": silence, "cell": silence}
        logits, hidden, cell = session.run(None, begin | ({"past": primer.numpy()} if looks_back else {}))
        np.testing.assert_allclose(logits, expected[:, 0], rtol=1e-5, atol=1e-5)
        if one.model.block_frames == 1:
            return  # begins anew from every frame
        step = {"frames": frame.numpy(), "begin": np.array(False), "hidden": hidden, "cell": cell}
        past = torch.cat([primer, frame], 1).numpy()
        logits, _, _ = session.run(None, step | ({"past": past} if looks_back else {}))
        np.testing.assert_allclose(logits, expected[:, 1], rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(batch=st.integers(1, 4), heard=st.integers(1, 12), then=st.integers(0, 20), seed=st.integers(0, 99))
def test_every_size_is_served(exported, batch, heard, then, seed):
    """A length that was frozen at export is an error in production, or silently other music."""
    one = exported("relative head, blocks")
    primer, rest = frames(batch, heard, seed), frames(batch, then, seed + 1)
    torch.testing.assert_close(
        log_odds(one.runner, primer, rest), log_odds(one.model, primer, rest), rtol=1e-5, atol=1e-5
    )


class TestWriting:
    def test_leaves_the_model_as_it_was(self, tmp_path):
        """Exporting between two epochs must not end dropout, lose gradients or change what is drawn next."""
        model = make(dropout=0.5).train()
        model(frames(2, 3), frames(2, 3)).log_prob(frames(2, 3)).mean().backward()
        weights = {name: (each.clone(), each.grad.clone()) for name, each in model.named_parameters()}
        before = torch.get_rng_state()
        path = export_onnx(model, tmp_path / "model.onnx")
        assert model.training
        assert all(module.training for module in model.modules())
        assert torch.equal(torch.get_rng_state(), before)
        for name, parameter in model.named_parameters():
            assert parameter.requires_grad
            assert torch.equal(parameter, weights[name][0])
            assert torch.equal(parameter.grad, weights[name][1])
        assert type(model.encoder_lstm) is type(make().encoder_lstm)
        primer, then = frames(2, 4), frames(2, 4, seed=1)
        torch.testing.assert_close(log_odds(OnnxModel(path), primer, then), log_odds(model.eval(), primer, then))

    def test_other_precisions_become_single(self, tmp_path):
        """A model trained in double or half precision would be refused by whoever serves it."""
        model = make("parallel").double()
        path = export_onnx(model, tmp_path / "model.onnx")
        assert next(model.parameters()).dtype == torch.float64
        primer, then = frames(2, 4), frames(2, 4, seed=1)
        expected = log_odds(model, primer.double(), then.double())
        torch.testing.assert_close(log_odds(OnnxModel(path), primer, then).double(), expected, rtol=1e-5, atol=1e-5)

    def test_equal_models_give_equal_files_that_tell_nothing_of_the_machine(self, exported, tmp_path):
        """A file to be published holds the paths of whoever made it, or cannot be compared with another."""
        data = exported().path.read_bytes()
        assert export_onnx(make(), tmp_path / "again.onnx").read_bytes() == data
        for trace in (b"pkg.torch", b"graphs.py", b"site-packages", str(Path.home()).encode()):
            assert trace not in data

    def test_prints_and_changes_nothing(self, tmp_path, capfd):
        """A library prints nothing of its own accord; PyTorch's exporter warns of torchvision."""
        OnnxModel(export_onnx(make("parallel"), tmp_path / "model.onnx")).start(frames(1, 3))
        assert capfd.readouterr() == ("", "")

    def test_overwrites_only_when_asked(self, tmp_path):
        """Another model's file is gone."""
        path = tmp_path / "models" / "model.onnx"
        path.parent.mkdir()
        path.write_bytes(b"precious")
        with pytest.raises(OverwriteError, match=r"model\.onnx.*overwrite=True"):
            export_onnx(make(), path)
        assert path.read_bytes() == b"precious"
        assert export_onnx(make("parallel"), str(path), overwrite=True) == path
        assert OnnxModel(path).pitches == PITCHES
        assert list(path.parent.iterdir()) == [path]

    def test_nowhere_to_write_is_named(self, tmp_path):
        """A full disk or a wrong folder ends in an error of another library."""
        (tmp_path / "file").touch()
        with pytest.raises(CheckpointWriteError, match=r"model\.onnx.*could not be written"):
            export_onnx(make(), tmp_path / "file" / "model.onnx")

    def test_what_is_no_seq2seq_lstm_is_refused(self, tmp_path):
        with pytest.raises(SettingsError, match="Seq2SeqLSTM, got LSTM"):
            as_users_have_it(export_onnx)(nn.LSTM(2, 2), tmp_path / "model.onnx")


class OneNote(Bernoulli):
    """Another distribution, though its parameters could be taken for log-odds: exactly one pitch sounds."""

    def log_prob(self, frames: Tensor) -> Tensor:
        return (self.logits.log_softmax(-1) * frames).sum(-1)

    def __getitem__(self, index: Any) -> "OneNote":
        return OneNote(self.logits[index])


class Melody(BernoulliHead):
    """A head of another distribution."""

    def forward(self, features: Tensor, past: Tensor) -> OneNote:
        return OneNote(self.logits(features))


class Branching(BernoulliHead):
    """A head that computes different things for different frames: no graph can be made of it."""

    def forward(self, features: Tensor, past: Tensor) -> Bernoulli:
        return Bernoulli(self.logits(features) * (2 if float(features.sum()) > 0 else 1))


class Misunderstood(BernoulliHead):
    """A head of which the exporter makes another: it has a running maximum, and uses all of it."""

    def __init__(self, features: int, pitches: int) -> None:
        super().__init__(features, pitches)
        self.context_frames: int | None = None

    def forward(self, features: Tensor, past: Tensor) -> Bernoulli:
        return Bernoulli(self.logits(features) + past.cummax(dim=1).values.mean(dim=1, keepdim=True))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (Melody, "Melody gives a OneNote, .*independent pitches"),
        (Branching, "Branching cannot be expressed in ONNX"),
        (Misunderstood, "differ from the model's by .*Misunderstood"),
    ],
)
def test_a_head_that_would_be_another_is_refused(head, message, tmp_path):
    """Serving music of another distribution than the trained one, and nobody would know."""
    with pytest.raises(SettingsError, match=message):
        export_onnx(make(head=head(6, PITCHES)), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_that_has_diverged_is_refused(tmp_path):
    """Silence in production, days after the training that broke."""
    model = make("parallel")
    nn.init.constant_(model.head.logits.bias, float("nan"))
    with pytest.raises(SettingsError, match=r"differ from the model's by nan.*not finite"):
        export_onnx(model, tmp_path / "model.onnx")


class TestReading:
    def test_asks_no_more_than_generating_needs(self, exported):
        """It is no model to train: that must be seen before an hour of training."""
        runner = exported().runner
        assert not isinstance(runner, SequenceModel)
        assert runner.pitches == PITCHES

    def test_threads_change_nothing_but_time(self, exported):
        one, primer = exported("relative head"), rolls(1, 6)[0]
        played = generate(OnnxModel(one.path, threads=2), primer, frames=40, seed=1)
        assert played == generate(one.runner, primer, frames=40, seed=1)
        with pytest.raises(SettingsError, match="threads must be at least 1, got 0"):
            OnnxModel(one.path, threads=0)

    @pytest.mark.parametrize("primer", [torch.zeros(1, 0, PITCHES), torch.zeros(1, 4, PITCHES + 1)])
    def test_a_primer_that_does_not_fit_is_an_error(self, exported, primer):
        """Not a message out of the runtime about nodes."""
        with pytest.raises(ShapeError, match=rf"{PITCHES}\), got \(1, {primer.shape[1]}, {primer.shape[2]}\)"):
            exported().runner.start(primer)

    @pytest.mark.parametrize("frame", [torch.zeros(3, PITCHES), torch.zeros(2, PITCHES + 1)])
    def test_a_frame_that_does_not_fit_is_an_error(self, exported, frame):
        """A frame for another batch could be taken for all of it."""
        runner = exported().runner
        _, state = runner.start(frames(2, 3))
        with pytest.raises(ShapeError, match=rf"\(2, {PITCHES}\)"):
            runner.advance(frame, state)

    @settings(deadline=None, max_examples=60)
    @given(data=st.data())
    def test_a_damaged_file_is_an_error_that_names_it(self, exported, tmp_path_factory, data):
        """One flipped bit in a weight is heard as a model that was trained badly."""
        path = tmp_path_factory.mktemp("damaged") / "model.onnx"
        content = bytearray(exported().path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                content[place] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del content[place:]
            case _:
                content.insert(place, 0)
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"damaged.*model\.onnx"):
            OnnxModel(path)

    def test_strangers_are_errors_that_say_what_they_are(self, exported, tmp_path):
        """A checkpoint, or somebody else's ONNX file, in the place of an exported model."""
        stranger = onnx.load(exported().path)
        del stranger.metadata_props[:]
        onnx.save(stranger, tmp_path / "stranger.onnx")
        save(make(), tmp_path / "checkpoint.onnx")
        for name in ("stranger.onnx", "checkpoint.onnx"):
            with pytest.raises(CheckpointError, match=rf"{name}: not written by export_onnx"):
                OnnxModel(tmp_path / name)

    def test_a_later_format_is_named(self, exported, tmp_path):
        """Files of a newer library must not be misread by an older one."""
        later = onnx.load(exported().path)
        (header,) = [entry for entry in later.metadata_props if entry.key == HEADER]
        header.value = json.dumps(json.loads(header.value) | {"version": 2})
        path = tmp_path / "later.onnx"
        path.write_bytes(sealed(later.SerializeToString()))
        with pytest.raises(CheckpointError, match=r"later\.onnx.*format version 2"):
            OnnxModel(path)

    def test_what_the_runtime_cannot_run_is_named(self, exported, tmp_path):
        """An ONNX Runtime of years ago ends in its own words."""
        newer = onnx.load(exported().path)
        newer.opset_import[0].version = 999
        path = tmp_path / "newer.onnx"
        path.write_bytes(sealed(newer.SerializeToString()))
        with pytest.raises(CheckpointError, match=r"newer\.onnx: ONNX Runtime .*Update onnxruntime"):
            OnnxModel(path)

    def test_a_missing_file_is_an_error_that_names_it(self, tmp_path):
        for path in (tmp_path / "missing.onnx", tmp_path):
            with pytest.raises(CheckpointNotFoundError, match=f"{path.name}.*export_onnx"):
                OnnxModel(path)


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named(package, exported, tmp_path, monkeypatch):
    """A user is not told what to install, or is told when the work is half done."""
    path = exported().path
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*pip install 'pianoroll-seq2seq\[onnx\]'"):
        export_onnx(make(), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
    if package == "onnxruntime":
        with pytest.raises(MissingExtraError, match=r"onnxruntime.*\[onnx\]"):
            OnnxModel(path)
    else:
        assert OnnxModel(path).pitches == PITCHES, "who serves a model needs the runtime alone"
