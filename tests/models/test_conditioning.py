"""Conditional models: conditions reach the right frames, can be dropped, and can be guided."""

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import active_pieces, active_windows
from torch import Tensor, nn

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.data.augmentation import Augmentation
from pianoroll_seq2seq.data.conditions import one_hot
from pianoroll_seq2seq.errors import CheckpointError, SettingsError, ShapeError
from pianoroll_seq2seq.evaluation.prediction_scores import evaluate
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.classifier_free_guidance import GuidedModel
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import BernoulliHead
from pianoroll_seq2seq.models.heads.nade import NADEHead
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.layers.lstm_stack import LSTMStack
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pianoroll import PianoRoll
from pianoroll_seq2seq.pitches import PitchRange
from pianoroll_seq2seq.sampling import Threshold, generate, generate_frames
from pianoroll_seq2seq.train import fit, mean_loss
from pianoroll_seq2seq.windowing import SlidingWindows

pytestmark = pytest.mark.usefixtures("one_thread")

PITCHES, HIDDEN, SIZE = 5, 6, 3
RANGE = PitchRange(60, 64)

Model = Seq2SeqLSTM | ParallelSeq2SeqLSTM
IN_BLOCKS: dict[str, Any] = {
    "autoregressive, in blocks": partial(Seq2SeqLSTM, block_frames=4),
    "autoregressive, copies in blocks": partial(Seq2SeqLSTM, num_copy_heads=2, block_frames=4),
    "autoregressive, attention in blocks": partial(Seq2SeqLSTM, attention=True, block_frames=4),
    "parallel": partial(ParallelSeq2SeqLSTM, block_frames=4),
    "parallel, attention": partial(ParallelSeq2SeqLSTM, block_frames=4, attention=True),
    "parallel, batch norm": partial(ParallelSeq2SeqLSTM, block_frames=4, batch_norm=True),
}
VARIANTS: dict[str, Any] = {
    "autoregressive": Seq2SeqLSTM,
    "autoregressive, attention": partial(Seq2SeqLSTM, attention=True),
    **IN_BLOCKS,
}
KINDS = ["each frame", "whole piece", "none"]


def make(name: str = "autoregressive", **more: Any) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        chosen = {"hidden_size": HIDDEN, "condition_size": SIZE, "condition_dropout": 0.25} | more
        model: Model = VARIANTS[name](PITCHES, **chosen)
        for parameter in model.parameters():  # large weights, so that every input makes a difference
            nn.init.normal_(parameter, std=0.7)
    return model.double().eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, PITCHES)) < 0.4).double()


def condition_of(kind: str, batch: int, frames: int, seed: int = 0) -> Tensor | None:
    if kind == "none":
        return None
    shape = (batch, frames if kind == "each frame" else 1, SIZE)
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def by_steps(model: Any, inputs: Tensor, targets: Tensor, condition: Tensor | None) -> Tensor:
    """The log-odds of every target frame, each predicted after the frames before it were read one by one."""
    distribution, state = model.start(inputs, condition)
    logits = [distribution.logits]
    for frame in targets[:, :-1].unbind(1):
        distribution, state = model.advance(frame, state)
        logits.append(distribution.logits)
    return torch.stack(logits, 1)


@pytest.mark.parametrize("name", VARIANTS)
class TestEveryVariant:
    @settings(max_examples=8)
    @given(
        kind=st.sampled_from(KINDS),
        batch=st.sampled_from([1, 2, 65]),
        num_inputs=st.integers(1, 5),
        steps=st.integers(1, 4),
    )
    def test_step_by_step_gives_what_forward_gives(self, name, kind, batch, num_inputs, steps):
        """Generation must read the conditions of the same frames as training, by each of the ways to step."""
        model, inputs, targets = make(name), noise(batch, num_inputs), noise(batch, steps, seed=1)
        condition = condition_of(kind, batch, num_inputs + steps)
        with torch.no_grad():
            found = by_steps(model, inputs, targets, condition)
            torch.testing.assert_close(found, model(inputs, targets, condition).logits, rtol=1e-9, atol=1e-11)

    @pytest.mark.parametrize("frame", [0, 4, 5, 8])
    def test_a_condition_acts_from_its_frame_on(self, name, frame):
        """A model that reads the next chord too early or too late cannot be controlled."""
        model, inputs, targets = make(name), noise(2, 5), noise(2, 4, seed=1)
        condition = condition_of("each frame", 2, 9)
        changed = condition.clone()
        changed[:, frame] += 1
        with torch.no_grad():
            before, after = model(inputs, targets, condition).logits, model(inputs, targets, changed).logits
        difference = (after - before).abs().amax(dim=(0, 2))
        first = max(0, frame - 5)
        assert (difference[:first] == 0).all()
        assert difference[first] > 1e-6

    def test_conditions_do_not_leak_later_frames(self, name):
        """A leak gives splendid losses and a model that cannot generate."""
        model, inputs, targets, condition = (
            make(name),
            noise(2, 4),
            noise(2, 4, seed=1),
            condition_of("each frame", 2, 8),
        )
        with torch.no_grad():
            expected = model(inputs, targets, condition).logits
            for frame in range(4):
                changed = targets.clone()
                changed[:, frame] = 1 - changed[:, frame]
                assert torch.equal(model(inputs, changed, condition).logits[:, : frame + 1], expected[:, : frame + 1])

    def test_one_condition_for_a_piece_is_that_condition_in_each_frame(self, name):
        model, inputs, targets, condition = (
            make(name),
            noise(2, 4),
            noise(2, 4, seed=1),
            condition_of("whole piece", 2, 1),
        )
        with torch.no_grad():
            torch.testing.assert_close(
                model(inputs, targets, condition).logits,
                model(inputs, targets, condition.expand(-1, 8, -1)).logits,
            )

    def test_no_condition_is_not_a_condition_of_zeros(self, name):
        """A piece of no style would be taken for one of unknown style."""
        model, inputs, targets = make(name), noise(2, 4), noise(2, 4, seed=1)
        with torch.no_grad():
            without = model(inputs, targets).logits
            assert not torch.allclose(without, model(inputs, targets, torch.zeros(2, 1, SIZE).double()).logits)

    def test_pieces_of_a_batch_have_their_own_conditions(self, name):
        model, inputs, targets, condition = (
            make(name),
            noise(3, 4),
            noise(3, 4, seed=1),
            condition_of("each frame", 3, 8),
        )
        with torch.no_grad():
            together = model(inputs, targets, condition).logits
            for index in range(3):
                alone = model(inputs[[index]], targets[[index]], condition[[index]]).logits
                torch.testing.assert_close(alone[0], together[index])

    def test_a_checkpoint_restores_it(self, name, tmp_path):
        model, inputs, targets, condition = (
            make(name),
            noise(2, 4),
            noise(2, 4, seed=1),
            condition_of("each frame", 2, 8),
        )
        again = checkpoint.load(checkpoint.save(model.float(), tmp_path / "model.safetensors")).double()
        assert again.settings() == model.settings() | {"head": again.head}
        with torch.no_grad():
            torch.testing.assert_close(
                again(inputs, targets, condition).logits, model.double()(inputs, targets, condition).logits
            )


@pytest.mark.parametrize("name", IN_BLOCKS)
def test_after_a_block_the_encoder_reads_the_latest_conditions(name: str) -> None:
    """From the second block on, the model would read the conditions of the primer again, or of later frames."""
    model, past, condition = make(name), noise(2, 3), condition_of("each frame", 2, 11)
    assert condition is not None
    with torch.no_grad():
        distribution, state = model.start(past, condition)
        for block in range(3):  # the condition ends within the last block: its last frame is repeated
            begin = past.shape[1] - 3
            places = torch.arange(begin, begin + 7).clamp(max=10)
            expected = by_steps(model, past[:, -3:], noise(2, 4, seed=block), condition[:, places])
            for step, frame in enumerate(noise(2, 4, seed=block).unbind(1)):
                torch.testing.assert_close(distribution.logits, expected[:, step])
                distribution, state = model.advance(frame, state)
                past = torch.cat([past, frame.unsqueeze(1)], 1)


def test_one_state_may_be_continued_twice() -> None:
    model, condition = make(), condition_of("each frame", 1, 9)
    with torch.no_grad():
        _, state = model.start(noise(1, 4), condition)
        first, after = model.advance(noise(1, seed=1), state)
        model.advance(noise(1, seed=2), after)
        assert torch.equal(model.advance(noise(1, seed=1), state)[0].logits, first.logits)


def test_works_with_any_head() -> None:
    head = partial(RelativeBernoulliHead, channels=4, window=3, num_frames=2)
    model, inputs, targets, condition = (
        make(head=head),
        noise(2, 4),
        noise(2, 4, seed=1),
        condition_of("each frame", 2, 8),
    )
    with torch.no_grad():
        expected = model(inputs, targets, condition).logits
        torch.testing.assert_close(by_steps(model, inputs, targets, condition), expected)


def test_attention_weights_depend_on_the_condition() -> None:
    model, condition = make("autoregressive, attention"), condition_of("each frame", 2, 8)
    model.train()  # in either mode, no condition is dropped
    found = [model.attention_weights(noise(2, 4), noise(2, 4, seed=1), condition) for _ in range(9)]
    assert all(torch.equal(each, found[0]) for each in found)
    assert not torch.equal(model.attention_weights(noise(2, 4), noise(2, 4, seed=1)), found[0])


# ---- Without conditions


@pytest.mark.parametrize("name", ["autoregressive", "parallel"])
def test_without_conditions_the_weights_are_those_of_the_plain_parts(name: str) -> None:
    """The layers must be built in a fixed order, or a seed gives other weights."""
    torch.manual_seed(5)
    model = VARIANTS[name](PITCHES, hidden_size=HIDDEN)
    weights, after = model.state_dict(), torch.rand(3)
    torch.manual_seed(5)
    head = BernoulliHead(HIDDEN, PITCHES)
    parts = {
        "encoder.lstm": LSTMStack(PITCHES, HIDDEN, 2),
        "decoder": LSTMStack(HIDDEN if name == "parallel" else PITCHES, HIDDEN, 2),
        "head": head,
    }
    expected = {f"{part}.{key}": value for part, module in parts.items() for key, value in module.state_dict().items()}
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[key], expected[key]) for key in weights)
    assert torch.equal(after, torch.rand(3))


# ---- Condition dropout


def test_dropout_drops_the_conditions_of_whole_examples() -> None:
    """If it dropped those of some frames, the model would never learn to work without."""
    model = make(condition_dropout=0.3)
    inputs, targets = noise(1, 3).expand(500, -1, -1), noise(1, 4, seed=1).expand(500, -1, -1)
    condition = condition_of("each frame", 1, 7).expand(500, -1, -1)
    with torch.no_grad():
        with_condition, without = model(inputs, targets, condition).logits[0], model(inputs, targets).logits[0]
        model.train()
        torch.manual_seed(0)
        found = model(inputs, targets, condition).logits
        torch.manual_seed(0)
        assert torch.equal(model(inputs, targets, condition).logits, found)
    dropped = [torch.allclose(each, without) for each in found]
    assert all(torch.allclose(each, with_condition) or none for each, none in zip(found, dropped, strict=True))
    assert np.mean(dropped) == pytest.approx(0.3, abs=0.07)


def test_without_condition_dropout_a_condition_is_required() -> None:
    """The model would generate from an input that it has never read in training."""
    model = make(condition_dropout=0.0)
    for call in (lambda: model(noise(1, 3), noise(1, 2)), lambda: model.start(noise(1, 3))):
        with pytest.raises(SettingsError, match=r"conditions of size 3.*without condition_dropout.*Pass one"):
            call()


# ---- Training on windows: pieces whose frames equal their conditions


def determined(frames: int, seed: int = 0) -> tuple[PianoRoll, np.ndarray]:
    """Frames of one random pitch each, which only the condition determines."""
    pitches = np.random.default_rng(seed).integers(0, PITCHES, frames)
    condition = one_hot(pitches.tolist(), classes=range(PITCHES))
    return PianoRoll.from_active(condition.astype(bool), pitches=RANGE), condition


def data(*, conditions: bool = True, frames: int = 60, **changes: Any) -> SlidingWindows:
    pieces = [determined(frames, seed) for seed in range(3)]
    return active_windows(
        [roll for roll, _ in pieces],
        **{"input_frames": 3, "target_frames": 4, "hop": 1} | changes,
        conditions=[condition for _, condition in pieces] if conditions else None,
    )


def small(kind: Any = Seq2SeqLSTM, **more: Any) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        chosen = {"hidden_size": 24, "num_encoder_layers": 1, "num_decoder_layers": 1, "condition_size": PITCHES}
        model: Model = kind(PITCHES, **chosen | {"condition_dropout": 0.2} | more)
        return model


@pytest.fixture(scope="module", params=[Seq2SeqLSTM, ParallelSeq2SeqLSTM])
def trained(request: pytest.FixtureRequest) -> Model:
    model = small(request.param, block_frames=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    fit(model, data(), epochs=6, batch_size=16, optimizer=optimizer, progress=False)
    return model


def test_generates_what_the_condition_says(trained: Model) -> None:
    """From pieces to music: a condition that is late by one frame gives other notes."""
    roll, condition = determined(40, seed=9)
    written = generate(trained, roll[:5], num_frames=35, sampler=Threshold(0.5), condition=condition)
    assert (written.active == roll.active[5:]).all()
    constant = np.zeros(PITCHES, np.float32)
    constant[2] = 1
    written = generate(trained, roll[:5], num_frames=9, sampler=Threshold(0.5), condition=constant)
    assert (written.active == constant.astype(bool)).all()


def test_each_primer_has_a_condition_of_its_own(trained: Model) -> None:
    (roll, first), (_, second) = determined(20, seed=9), determined(30, seed=8)
    third = first[3]
    conditions = [first, second, third]
    together = generate(trained, [roll[:5]] * 3, num_frames=15, sampler=Threshold(0.5), condition=conditions)
    for written, condition in zip(together, conditions, strict=True):
        alone = generate(trained, roll[:5], num_frames=15, sampler=Threshold(0.5), condition=condition)
        assert written == alone
    assert len({written.active.tobytes() for written in together}) == 3
    shared = generate(trained, [roll[:5]] * 2, num_frames=15, sampler=Threshold(0.5), condition=third)
    assert shared == [together[2]] * 2


def test_a_stream_repeats_the_last_condition(trained: Model) -> None:
    roll, condition = determined(12, seed=9)
    stream = generate_frames(trained, roll.active[None, :5], sampler=Threshold(0.5), condition=[condition])
    written = np.concatenate(list(itertools.islice(stream, 20)))
    assert (written[:7] == roll.active[5:]).all()
    assert (written[7:] == roll.active[-1]).all()


def test_predicts_better_with_conditions(trained: Model) -> None:
    """evaluate and the validation loss would leave out the conditions."""
    with_conditions, without = data(frames=30), data(frames=30, conditions=False)
    scores, blind = evaluate(trained, with_conditions), evaluate(trained, without)
    assert scores.model.all.nats < 0.5
    assert blind.model.all.nats > 1.5
    assert (scores.copy_last, scores.num_frames) == (blind.copy_last, blind.num_frames)
    every_frame_once = with_conditions.with_hop(4)
    assert mean_loss(trained, every_frame_once) == pytest.approx(scores.model.all.nats, rel=1e-5)


def test_a_run_with_conditions_resumes_bit_for_bit(tmp_path: Path) -> None:
    """Other conditions would be read or dropped after a resume."""
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


def test_fit_trains_with_condition_dropout() -> None:
    """If fit always passed the conditions undropped, the model would not learn to work without."""
    rarely, often = small(condition_dropout=0.01), small(condition_dropout=0.5)
    for model in (rarely, often):
        fit(model, data(frames=30), epochs=2, batch_size=16, progress=False)
    without = data(frames=30, conditions=False)
    assert mean_loss(often, without) < mean_loss(rarely, without)


# ---- Classifier-free guidance


@pytest.mark.parametrize("name", ["autoregressive", "autoregressive, attention in blocks", "parallel"])
def test_guidance_extrapolates_the_effect_of_the_condition(name: str) -> None:
    """Guidance would differ between generation and scores, or lead away from the condition."""
    model, inputs, targets, condition = make(name), noise(2, 4), noise(2, 6, seed=1), condition_of("each frame", 2, 10)
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


def test_guidance_of_notes_extrapolates_each_state_of_a_pitch() -> None:
    """A guided model of onsets is refused, or holds pitches that did not sound."""
    layout = FrameLayout(pitches=PitchRange(60, 63))
    model = Seq2SeqLSTM(layout, hidden_size=8, condition_size=2, condition_dropout=0.2).eval()
    past, condition = torch.zeros(1, 4, 8), torch.tensor([[[1.0, 0.0]]])
    past[0, -1, 1] = 1  # only the second pitch can be held
    with torch.no_grad():
        without, expected = (torch.log_softmax(model.start(past, *given)[0].logits, -1) for given in ((), (condition,)))
        for weight in (0.0, 0.5, 3.0):
            found, _ = GuidedModel(model, weight).start(past, condition)
            assert found.logits[0, :, 1].isfinite().tolist() == [False, True, False, False]
            possible = found.logits.isfinite()
            torch.testing.assert_close(
                found.logits[possible], (expected + weight * (expected - without))[possible], rtol=1e-4, atol=1e-4
            )
            assert float(found.mean[..., :4].max()) <= 1


def test_a_guided_model_generates_and_is_saved(trained: Model, tmp_path: Path) -> None:
    (roll, condition), guided = determined(30, seed=9), GuidedModel(trained.train(), 0.5)
    again = checkpoint.load(checkpoint.save(guided, tmp_path / "guided.safetensors"))
    for model in (guided, again):
        written = generate(model, roll[:5], num_frames=25, sampler=Threshold(0.5), condition=condition)
        assert (written.active == roll.active[5:]).all()
    assert again.weight == 0.5


def test_guidance_needs_condition_dropout_and_log_odds() -> None:
    """Not music from an input that the model has never read, and not a stack trace."""
    for model, weight in ((small(), -1.0), (small(condition_size=0, condition_dropout=0.0), 0.5)):
        with pytest.raises(SettingsError, match=f"got {weight}.*condition_size={model.condition_size}"):
            GuidedModel(model, weight)
    roll, condition = determined(9)
    with pytest.raises(SettingsError, match="trained without condition_dropout"):
        generate(GuidedModel(small(condition_dropout=0.0), 0.5), roll[:5], num_frames=3, condition=condition)
    with pytest.raises(SettingsError, match="head returns a NADE"):
        generate(GuidedModel(small(head=NADEHead), 0.5), roll[:5], num_frames=3, condition=condition)


# ---- Errors


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
def test_wrong_arguments_are_errors(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make(**wrong)


@pytest.mark.parametrize("size", [0, 4])
def test_conditions_of_another_size_are_errors(size: int) -> None:
    """Not a stack trace of PyTorch, and not a condition that is ignored in silence."""
    model = small(condition_size=size, condition_dropout=0.0)
    (roll, condition), windows = determined(20), data(frames=20)
    message = (
        f"conditions of size {PITCHES}.*expects {'conditions of size 4' if size else 'none'}.*condition_size={PITCHES}"
    )
    for call in (
        lambda: generate(model, roll[:5], num_frames=3, condition=condition),
        lambda: fit(model, windows, epochs=1, batch_size=4, progress=False),
        lambda: evaluate(model, windows),
        lambda: mean_loss(model, windows),
        lambda: model(*windows.conditioned_batch([0, 1])),
    ):
        with pytest.raises(SettingsError, match=message):
            call()


def test_a_model_without_conditions_refuses_them() -> None:
    model, (roll, condition) = CopyingLSTM(PITCHES, hidden_size=4, num_copy_heads=1), determined(20)
    for call in (
        lambda: generate(model, roll[:5], num_frames=3, condition=condition),
        lambda: fit(model, data(frames=20), epochs=1, batch_size=4, progress=False),
    ):
        with pytest.raises(SettingsError, match=r"CopyingLSTM expects none.*leave the conditions out"):
            call()


def test_conditions_of_another_shape_are_errors() -> None:
    model, (roll, condition) = small(), determined(20)
    with pytest.raises(ShapeError, match=r"continuation 0 covers 20 frames.*have 21"):
        generate(model, roll[:5], num_frames=16, condition=condition)
    with pytest.raises(ShapeError, match="1 conditions for 2"):
        generate(model, [roll[:5]] * 2, num_frames=3, condition=[condition])
    for shape in ((3, 7), (2, 0)):
        with pytest.raises(ShapeError, match=rf"\(2, frames >= 1, {PITCHES}\).*got \({shape[0]}, {shape[1]}, "):
            model(torch.zeros(2, 3, PITCHES), torch.zeros(2, 4, PITCHES), torch.zeros(*shape, PITCHES))


def test_whole_pieces_have_no_conditions() -> None:
    """A model with condition_dropout can be trained on them without conditions."""
    pieces = active_pieces([determined(20)[0]], max_frames_per_batch=40, input_frames=3)
    assert fit(small(), pieces, epochs=1, batch_size=1, progress=False).train_losses[0] > 0
    with pytest.raises(SettingsError, match="trained without condition_dropout"):
        fit(small(condition_dropout=0.0), pieces, epochs=1, batch_size=1, progress=False)
