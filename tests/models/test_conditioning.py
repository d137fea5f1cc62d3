"""A model that is told more than frames: it hears what it is told, in its place, and can do without."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.augmentation import Augmentation
from pianoroll_seq2seq.conditions import one_hot
from pianoroll_seq2seq.errors import CheckpointError, SettingsError, ShapeError
from pianoroll_seq2seq.evaluation import evaluate
from pianoroll_seq2seq.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.heads.nade import NADEHead
from pianoroll_seq2seq.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.guided import GuidedModel
from pianoroll_seq2seq.models.lstm_stack import LSTMStack
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pieces import WholePieces
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Threshold, generate, generate_frames
from pianoroll_seq2seq.train import fit, mean_loss
from pianoroll_seq2seq.windowing import SlidingWindows

pytestmark = pytest.mark.usefixtures("one_thread")

PITCHES, HIDDEN, SIZE = 5, 6, 3
RANGE = PitchRange(60, 64)

VARIANTS: dict[str, dict[str, Any]] = {
    "autoregressive": {},
    "autoregressive, in blocks": {"block_frames": 4},
    "autoregressive, attention": {"attention": True},
    "autoregressive, copies in blocks": {"copies": 2, "block_frames": 4},
    "autoregressive, attention in blocks": {"attention": True, "block_frames": 4},
    "parallel": {"decoder": "parallel", "block_frames": 4},
    "parallel, attention": {"decoder": "parallel", "block_frames": 4, "attention": True},
    "parallel, batch norm": {"decoder": "parallel", "block_frames": 4, "batch_norm": True},
}
IN_BLOCKS = [name for name, settings in VARIANTS.items() if "block_frames" in settings]
TOLD = ["each frame", "whole piece", "nothing"]


def make(name: str = "autoregressive", **more: Any) -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = Seq2SeqLSTM(
            **{"pitches": PITCHES, "hidden": HIDDEN, "condition_size": SIZE, "condition_dropout": 0.25}
            | VARIANTS[name]
            | more
        )
        for parameter in model.parameters():  # loud, so that what is heard is seen
            nn.init.normal_(parameter, std=0.7)
    return model.double().eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, PITCHES)) < 0.4).double()


def told(kind: str, batch: int, frames: int, seed: int = 0) -> Tensor | None:
    if kind == "nothing":
        return None
    shape = (batch, frames if kind == "each frame" else 1, SIZE)
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def by_steps(model: Any, inputs: Tensor, targets: Tensor, condition: Tensor | None) -> Tensor:
    """The log-odds of every target frame, each asked for after the frames before it were heard one by one."""
    distribution, state = model.start(inputs, condition)
    logits = [distribution.logits]
    for frame in targets[:, :-1].unbind(1):
        distribution, state = model.advance(frame, state)
        logits.append(distribution.logits)
    return torch.stack(logits, 1)


@pytest.mark.parametrize("name", VARIANTS)
class TestEveryVariant:
    @settings(deadline=None, max_examples=8)
    @given(
        kind=st.sampled_from(TOLD), batch=st.sampled_from([1, 2, 65]), heard=st.integers(1, 5), steps=st.integers(1, 4)
    )
    def test_step_by_step_gives_what_forward_gives(self, name, kind, batch, heard, steps):
        """Generation must be told what training was told, frame by frame, by each quick way through the layers."""
        model, inputs, targets = make(name), noise(batch, heard), noise(batch, steps, seed=1)
        condition = told(kind, batch, heard + steps)
        with torch.no_grad():
            found = by_steps(model, inputs, targets, condition)
            torch.testing.assert_close(found, model(inputs, targets, condition).logits, rtol=1e-9, atol=1e-11)

    @pytest.mark.parametrize("frame", range(9))
    def test_what_is_told_of_a_frame_is_heard_from_that_frame_on(self, name, frame):
        """A model that is told the next chord early, or too late, cannot be played."""
        model, inputs, targets = make(name), noise(2, 5), noise(2, 4, seed=1)
        condition = told("each frame", 2, 9)
        changed = condition.clone()
        changed[:, frame] += 1
        with torch.no_grad():
            before, after = model(inputs, targets, condition).logits, model(inputs, targets, changed).logits
        difference = (after - before).abs().amax(dim=(0, 2))
        first = max(0, frame - 5)
        assert (difference[:first] == 0).all()
        assert difference[first] > 1e-6

    def test_frames_are_heard_as_ever(self, name):
        """Conditions open a door to later frames."""
        model, inputs, targets, condition = make(name), noise(2, 4), noise(2, 4, seed=1), told("each frame", 2, 8)
        with torch.no_grad():
            expected = model(inputs, targets, condition).logits
            for frame in range(4):
                changed = targets.clone()
                changed[:, frame] = 1 - changed[:, frame]
                assert torch.equal(model(inputs, changed, condition).logits[:, : frame + 1], expected[:, : frame + 1])

    def test_one_condition_for_all_frames_is_that_condition_in_each(self, name):
        model, inputs, targets, condition = make(name), noise(2, 4), noise(2, 4, seed=1), told("whole piece", 2, 1)
        with torch.no_grad():
            torch.testing.assert_close(
                model(inputs, targets, condition).logits,
                model(inputs, targets, condition.expand(-1, 8, -1)).logits,
            )

    def test_nothing_is_not_a_condition_of_zeros(self, name):
        """A piece of no style at all is taken for one of unknown style."""
        model, inputs, targets = make(name), noise(2, 4), noise(2, 4, seed=1)
        with torch.no_grad():
            nothing = model(inputs, targets).logits
            assert not torch.allclose(nothing, model(inputs, targets, torch.zeros(2, 1, SIZE).double()).logits)

    def test_pieces_of_a_batch_are_told_their_own(self, name):
        model, inputs, targets, condition = make(name), noise(3, 4), noise(3, 4, seed=1), told("each frame", 3, 8)
        with torch.no_grad():
            together = model(inputs, targets, condition).logits
            for index in range(3):
                alone = model(inputs[[index]], targets[[index]], condition[[index]]).logits
                torch.testing.assert_close(alone[0], together[index])

    def test_comes_back_from_a_checkpoint(self, name, tmp_path):
        model, inputs, targets, condition = make(name), noise(2, 4), noise(2, 4, seed=1), told("each frame", 2, 8)
        again = checkpoint.load(checkpoint.save(model.float(), tmp_path / "model.safetensors")).double()
        assert again.settings() == model.settings() | {"head": again.head}
        with torch.no_grad():
            torch.testing.assert_close(
                again(inputs, targets, condition).logits, model.double()(inputs, targets, condition).logits
            )


@pytest.mark.parametrize("name", IN_BLOCKS)
def test_after_a_block_the_encoder_is_told_of_the_latest_frames(name: str) -> None:
    """From the second block on, the model is told of the primer again, or of frames that are yet to come."""
    model, heard, condition = make(name), noise(2, 3), told("each frame", 2, 11)
    assert condition is not None
    with torch.no_grad():
        distribution, state = model.start(heard, condition)
        for block in range(3):  # the condition ends within the last: its last frame stands for those beyond
            begin = heard.shape[1] - 3
            places = torch.arange(begin, begin + 7).clamp(max=10)
            expected = by_steps(model, heard[:, -3:], noise(2, 4, seed=block), condition[:, places])
            for step, frame in enumerate(noise(2, 4, seed=block).unbind(1)):
                torch.testing.assert_close(distribution.logits, expected[:, step])
                distribution, state = model.advance(frame, state)
                heard = torch.cat([heard, frame.unsqueeze(1)], 1)


def test_one_state_may_be_continued_twice() -> None:
    model, condition = make(), told("each frame", 1, 9)
    with torch.no_grad():
        _, state = model.start(noise(1, 4), condition)
        first, after = model.advance(noise(1, seed=1), state)
        model.advance(noise(1, seed=2), after)
        assert torch.equal(model.advance(noise(1, seed=1), state)[0].logits, first.logits)


def test_any_head_may_be_told() -> None:
    head = RelativeBernoulliHead(HIDDEN, PITCHES, channels=4, window=3, frames=2)
    model, inputs, targets, condition = make(head=head), noise(2, 4), noise(2, 4, seed=1), told("each frame", 2, 8)
    with torch.no_grad():
        expected = model(inputs, targets, condition).logits
        torch.testing.assert_close(by_steps(model, inputs, targets, condition), expected)


def test_attention_is_told_as_well() -> None:
    model, condition = make("autoregressive, attention"), told("each frame", 2, 8)
    model.train()  # whatever mode it is in: nothing is silenced
    found = [model.attention_weights(noise(2, 4), noise(2, 4, seed=1), condition) for _ in range(9)]
    assert all(torch.equal(each, found[0]) for each in found)
    assert not torch.equal(model.attention_weights(noise(2, 4), noise(2, 4, seed=1)), found[0])


# ---- Without conditions


@pytest.mark.parametrize("name", ["autoregressive", "parallel"])
def test_without_conditions_it_is_the_model_it_was(name: str) -> None:
    """Weights of before do not fit, or a seed gives another model and other training."""
    torch.manual_seed(5)
    model = Seq2SeqLSTM(PITCHES, hidden=HIDDEN, **VARIANTS[name])
    ours, after = model.state_dict(), torch.rand(3)
    torch.manual_seed(5)
    head = BernoulliHead(HIDDEN, PITCHES)
    parts = {
        "encoder_lstm": LSTMStack(PITCHES, HIDDEN, 2),
        "decoder_lstm": LSTMStack(HIDDEN if name == "parallel" else PITCHES, HIDDEN, 2),
        "head": head,
    }
    expected = {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}
    assert ours.keys() == expected.keys()
    assert all(torch.equal(ours[key], expected[key]) for key in ours)
    assert torch.equal(after, torch.rand(3))


def test_checkpoints_of_before_there_were_conditions_load() -> None:
    """A header without the new settings, and runs of it that go on: they compare headers."""
    description = json.loads(json.dumps(checkpoint.describe(make(condition_size=0, condition_dropout=0.0))))
    assert not [key for key in description["settings"] if "condition" in key]
    again = checkpoint.build(description)
    assert again.condition_size == 0
    assert checkpoint.describe(again) == description


# ---- Silenced


def test_whole_examples_are_silenced_in_training() -> None:
    """A share of the frames is silenced instead, and the model never learns to do without."""
    model = make(condition_dropout=0.3)
    inputs, targets = noise(1, 3).expand(500, -1, -1), noise(1, 4, seed=1).expand(500, -1, -1)
    condition = told("each frame", 1, 7).expand(500, -1, -1)
    with torch.no_grad():
        heard, nothing = model(inputs, targets, condition).logits[0], model(inputs, targets).logits[0]
        model.train()
        torch.manual_seed(0)
        found = model(inputs, targets, condition).logits
        torch.manual_seed(0)
        assert torch.equal(model(inputs, targets, condition).logits, found)
    silenced = [torch.allclose(each, nothing) for each in found]
    assert all(torch.allclose(each, heard) or silent for each, silent in zip(found, silenced, strict=True))
    assert np.mean(silenced) == pytest.approx(0.3, abs=0.07)


def test_a_model_that_was_always_told_does_not_guess() -> None:
    """It would play on, from an input that it has never seen in training."""
    model = make(condition_dropout=0.0)
    for ask in (lambda: model(noise(1, 3), noise(1, 2)), lambda: model.start(noise(1, 3))):
        with pytest.raises(SettingsError, match=r"3 values.*not learned to do without.*condition_dropout"):
            ask()


# ---- Training on windows: pieces whose every frame is what is told of it


def obeying(frames: int, seed: int = 0) -> tuple[PianoRoll, np.ndarray]:
    """Frames of one pitch each, drawn at random: only who is told can know."""
    pitches = np.random.default_rng(seed).integers(0, PITCHES, frames)
    condition = one_hot(pitches.tolist(), classes=range(PITCHES))
    return PianoRoll.from_active(condition.astype(bool), pitches=RANGE), condition


def data(*, conditions: bool = True, frames: int = 60, **changes: Any) -> SlidingWindows:
    pieces = [obeying(frames, seed) for seed in range(3)]
    return SlidingWindows(
        [roll for roll, _ in pieces],
        **{"input_frames": 3, "target_frames": 4, "hop": 1} | changes,
        conditions=[condition for _, condition in pieces] if conditions else None,
    )


def small(**more: Any) -> Seq2SeqLSTM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        chosen = {"hidden": 24, "encoder_layers": 1, "decoder_layers": 1, "condition_size": PITCHES}
        return Seq2SeqLSTM(PITCHES, **chosen | {"condition_dropout": 0.2} | more)


@pytest.fixture(scope="module", params=["autoregressive", "parallel"])
def trained(request: pytest.FixtureRequest) -> Seq2SeqLSTM:
    model = small(decoder=request.param, block_frames=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    fit(model, data(), epochs=6, batch_size=16, optimizer=optimizer, progress=False)
    return model


def test_plays_what_it_is_told(trained: Seq2SeqLSTM) -> None:
    """The whole way, from pieces to music: a condition that is late by a frame gives other notes."""
    roll, condition = obeying(40, seed=9)
    played = generate(trained, roll[:5], frames=35, sampler=Threshold(0.5), condition=condition)
    assert (played.active == roll.active[5:]).all()
    always = np.zeros(PITCHES, np.float32)
    always[2] = 1
    played = generate(trained, roll[:5], frames=9, sampler=Threshold(0.5), condition=always)
    assert (played.active == always.astype(bool)).all()


def test_each_primer_has_a_condition_of_its_own(trained: Seq2SeqLSTM) -> None:
    (roll, first), (_, second) = obeying(20, seed=9), obeying(30, seed=8)
    third = first[3]
    conditions = [first, second, third]
    together = generate(trained, [roll[:5]] * 3, frames=15, sampler=Threshold(0.5), condition=conditions)
    for played, condition in zip(together, conditions, strict=True):
        alone = generate(trained, roll[:5], frames=15, sampler=Threshold(0.5), condition=condition)
        assert played == alone
    assert len({played.active.tobytes() for played in together}) == 3
    all_alike = generate(trained, [roll[:5]] * 2, frames=15, sampler=Threshold(0.5), condition=third)
    assert all_alike == [together[2]] * 2


def test_a_stream_goes_on_with_the_last_condition(trained: Seq2SeqLSTM) -> None:
    roll, condition = obeying(12, seed=9)
    stream = generate_frames(trained, roll.active[None, :5], sampler=Threshold(0.5), condition=[condition])
    played = np.concatenate(list(itertools.islice(stream, 20)))
    assert (played[:7] == roll.active[5:]).all()
    assert (played[7:] == roll.active[-1]).all()


def test_told_it_predicts_better_than_untold(trained: Seq2SeqLSTM) -> None:
    """evaluate and the validation loss leave out what the model was trained to hear."""
    with_conditions, without = data(frames=30), data(frames=30, conditions=False)
    heard, alone = evaluate(trained, with_conditions), evaluate(trained, without)
    assert heard.model.all.nats < 0.5
    assert alone.model.all.nats > 1.5
    assert (heard.copy_last, heard.frames) == (alone.copy_last, alone.frames)
    every_frame_once = with_conditions.with_hop(4)
    assert mean_loss(trained, every_frame_once) == pytest.approx(heard.model.all.nats, rel=1e-5)


def test_a_run_with_conditions_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """What is silenced, or what is told, is another after a resume."""
    augmentation = Augmentation((-2, 2))

    def run(folder: Path, epochs: int, **changes: Any) -> tuple[dict[str, Tensor], list[float]]:
        model = small(dropout=0.2, **changes)
        windows = data(frames=20, augmentation=augmentation)
        history = fit(
            model, windows, windows, epochs=epochs, batch_size=8, progress=False, checkpoint_dir=folder, accumulate=2
        )
        return model.state_dict(), history.train_losses + history.valid_losses

    expected = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    found = run(tmp_path / "parts", 4)
    assert found[1] == expected[1]
    assert all(torch.equal(found[0][name], value) for name, value in expected[0].items())
    with pytest.raises(CheckpointError, match="condition_dropout"):
        run(tmp_path / "parts", 5, condition_dropout=0.5)
    plain = data(frames=20, conditions=False, augmentation=augmentation)
    with pytest.raises(CheckpointError, match="data"):
        fit(small(dropout=0.2), plain, epochs=5, batch_size=8, progress=False, checkpoint_dir=tmp_path / "parts")


def test_silencing_is_drawn_in_training() -> None:
    """fit tells everything, always, whatever was asked for: untold, the model knows nothing."""
    told_always, told_often = small(condition_dropout=0.01), small(condition_dropout=0.5)
    for model in (told_always, told_often):
        fit(model, data(frames=30), epochs=2, batch_size=16, progress=False)
    without = data(frames=30, conditions=False)
    assert mean_loss(told_often, without) < mean_loss(told_always, without)


# ---- Guided


@pytest.mark.parametrize("name", ["autoregressive", "autoregressive, attention in blocks", "parallel"])
def test_guided_it_goes_on_beyond_what_it_is_told(name: str) -> None:
    """Guidance is of another size in music than in scores, or leads away from the condition."""
    model, inputs, targets, condition = make(name), noise(2, 4), noise(2, 6, seed=1), told("each frame", 2, 10)
    with torch.no_grad():
        expected, without = by_steps(model, inputs, targets, condition), by_steps(model, inputs, targets, None)
        for weight in (0.0, 0.5, 3.0):
            guided = GuidedModel(model, weight)
            found = by_steps(guided, inputs, targets, condition)
            torch.testing.assert_close(found, expected + weight * (expected - without))
            torch.testing.assert_close(by_steps(guided, inputs, targets, None), without)
        if "blocks" not in name and name != "parallel":
            torch.testing.assert_close(guided(inputs, targets, condition).logits, found)
            torch.testing.assert_close(guided(inputs, targets).logits, without)


def test_a_guided_model_plays_and_is_kept(trained: Seq2SeqLSTM, tmp_path: Path) -> None:
    (roll, condition), guided = obeying(30, seed=9), GuidedModel(trained.train(), 0.5)
    again = checkpoint.load(checkpoint.save(guided, tmp_path / "guided.safetensors"))
    for model in (guided, again):
        played = generate(model, roll[:5], frames=25, sampler=Threshold(0.5), condition=condition)
        assert (played.active == roll.active[5:]).all()
    assert again.weight == 0.5


def test_guidance_needs_two_opinions_and_log_odds() -> None:
    """Not music from an input that the model has never seen, and not a stack trace."""
    for model, weight in ((small(), -1.0), (small(condition_size=0, condition_dropout=0.0), 0.5)):
        with pytest.raises(SettingsError, match=f"got {weight}.*condition_size={model.condition_size}"):
            GuidedModel(model, weight)
    roll, condition = obeying(9)
    with pytest.raises(SettingsError, match="do without"):
        generate(GuidedModel(small(condition_dropout=0.0), 0.5), roll[:5], frames=3, condition=condition)
    with pytest.raises(SettingsError, match="gives a NADE"):
        generate(GuidedModel(small(head=NADEHead(24, PITCHES)), 0.5), roll[:5], frames=3, condition=condition)


# ---- What does not fit


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"condition_size": -1}, "condition_size.*got -1"),
        ({"condition_dropout": 1.0}, r"condition_dropout in \[0, 1\), got 3 and 1.0"),
        ({"condition_dropout": -0.1}, "condition_dropout"),
        ({"condition_size": 0, "condition_dropout": 0.1}, "condition_dropout=0.1.*Set condition_size"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_an_error(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make(**wrong)


@pytest.mark.parametrize("hears", [0, 4])
def test_a_model_that_hears_other_conditions_says_so(hears: int) -> None:
    """Not a stack trace out of PyTorch, and not a condition that is left out without a word."""
    model = small(condition_size=hears, condition_dropout=0.0)
    (roll, condition), windows = obeying(20), data(frames=20)
    wanted = f"Conditions of {PITCHES}.*hears {'conditions of 4' if hears else 'none'}.*condition_size={PITCHES}"
    for ask in (
        lambda: generate(model, roll[:5], frames=3, condition=condition),
        lambda: fit(model, windows, epochs=1, batch_size=4, progress=False),
        lambda: evaluate(model, windows),
        lambda: mean_loss(model, windows),
        lambda: model(*windows.conditioned_batch([0, 1])),
    ):
        with pytest.raises(SettingsError, match=wanted):
            ask()


def test_a_model_that_knows_of_no_conditions_says_so() -> None:
    model, (roll, condition) = CopyingLSTM(PITCHES, hidden=4, copies=1), obeying(20)
    for ask in (
        lambda: generate(model, roll[:5], frames=3, condition=condition),
        lambda: fit(model, data(frames=20), epochs=1, batch_size=4, progress=False),
    ):
        with pytest.raises(SettingsError, match=r"CopyingLSTM hears none.*leave the conditions out"):
            ask()


def test_conditions_of_another_shape_are_an_error() -> None:
    model, (roll, condition) = small(), obeying(20)
    with pytest.raises(ShapeError, match=r"continuation 0 covers 20 frames.*have 21"):
        generate(model, roll[:5], frames=16, condition=condition)
    with pytest.raises(ShapeError, match="1 conditions for 2"):
        generate(model, [roll[:5]] * 2, frames=3, condition=[condition])
    for shape in ((3, 7), (2, 0)):
        with pytest.raises(ShapeError, match=rf"\(2, frames >= 1, {PITCHES}\).*got \({shape[0]}, {shape[1]}, "):
            model(torch.zeros(2, 3, PITCHES), torch.zeros(2, 4, PITCHES), torch.zeros(*shape, PITCHES))


def test_whole_pieces_tell_nothing() -> None:
    """They have no conditions: a model that can do without is trained on them all the same."""
    pieces = WholePieces([obeying(20)[0]], group_frames=40, input_frames=3)
    assert fit(small(), pieces, epochs=1, batch_size=1, progress=False).train_losses[0] > 0
    with pytest.raises(SettingsError, match="do without"):
        fit(small(condition_dropout=0.0), pieces, epochs=1, batch_size=1, progress=False)


def test_an_exported_file_hears_none() -> None:
    pytest.importorskip("onnxruntime")
    from pianoroll_seq2seq.export import export_onnx

    with pytest.raises(SettingsError, match=r"condition_size=5.*cannot be exported"):
        export_onnx(small(), "nowhere.onnx")
