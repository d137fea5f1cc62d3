"""The encoder-decoder LSTMs: causality, teacher forcing, stepping, and settings."""

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.grid import BeatGrid
from pianoroll_seq2seq.layout import FrameLayout
from pianoroll_seq2seq.models.contract import layout_of
from pianoroll_seq2seq.models.copying_lstm import CopyingLSTM
from pianoroll_seq2seq.models.heads.bernoulli import Bernoulli, BernoulliHead
from pianoroll_seq2seq.models.heads.contract import build_head
from pianoroll_seq2seq.models.heads.notes import NotesHead
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.layers.encoder import Encoder
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM
from pianoroll_seq2seq.pitches import PitchRange

PITCHES, HIDDEN = 5, 6


class Tally(nn.Module):
    """Counts each pitch in the past frames that it reads, and adds some of the features. It stores what it reads."""

    def __init__(self, context_frames: int | None = None) -> None:
        super().__init__()
        self.in_features, self.frame_size, self.context_frames = HIDDEN, PITCHES, context_frames
        self.read: list[Tensor] = []

    def forward(self, features: Tensor, past: Tensor) -> Bernoulli:
        self.read.append(past.detach())
        steps, known = features.shape[1], past.shape[1]
        ends = [known - steps + 1 + step for step in range(steps)]
        begins = [0 if self.context_frames is None else max(0, end - self.context_frames) for end in ends]
        counts = [past[:, begin:end].sum(1) for begin, end in zip(begins, ends, strict=True)]
        return Bernoulli(torch.stack(counts, 1) + features[..., :PITCHES])

    def settings(self) -> dict[str, Any]:
        return {"context_frames": self.context_frames}


Model = Seq2SeqLSTM | ParallelSeq2SeqLSTM
RELATIVE = partial(RelativeBernoulliHead, channels=4, window=3, num_frames=2)
MODELS: dict[str, Any] = {
    "autoregressive": partial(Seq2SeqLSTM),
    "autoregressive, relative head": partial(Seq2SeqLSTM, head=RELATIVE),
    "autoregressive, three frames of context": lambda *args, **more: Seq2SeqLSTM(*args, **{"head": Tally(3)} | more),
    "parallel": partial(ParallelSeq2SeqLSTM, block_frames=4),
    "parallel, batch norm": partial(ParallelSeq2SeqLSTM, block_frames=4, batch_norm=True),
}
AUTOREGRESSIVE = [name for name in MODELS if name.startswith("auto")]
PARALLEL = [name for name in MODELS if name.startswith("par")]


def make(name: str = "autoregressive", **more: Any) -> Model:
    torch.manual_seed(3)
    model: Model = MODELS[name](PITCHES, hidden_size=HIDDEN, **more)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):  # statistics as after some training
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.double().eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, PITCHES)) < 0.4).double()


def assert_same(one: Bernoulli, other: Bernoulli) -> None:
    torch.testing.assert_close(one.logits, other.logits, rtol=1e-9, atol=1e-11)


def by_steps(model: Model, inputs: Tensor, targets: Tensor) -> Tensor:
    """The log-odds of every target frame, each predicted after the frames before it were read one by one."""
    distribution, state = model.start(inputs)
    logits = [distribution.logits]
    for frame in targets[:, :-1].unbind(1):
        distribution, state = model.advance(frame, state)
        logits.append(distribution.logits)
    return torch.stack(logits, 1)


@pytest.mark.parametrize("name", MODELS)
class TestEveryVariant:
    @given(batch=st.integers(1, 3), num_inputs=st.integers(1, 6), steps=st.integers(1, 6))
    def test_loss_is_multi_label_cross_entropy_summed_over_pitches(self, name, batch, num_inputs, steps):
        """The number in the history must be the published one: nats per frame."""
        model, targets = make(name), noise(batch, steps, seed=1)
        with torch.no_grad():
            distribution = model(noise(batch, num_inputs), targets)
        assert distribution.mean.shape == targets.shape
        assert distribution.log_prob(targets).shape == (batch, steps)
        entropy = functional.binary_cross_entropy(distribution.mean.double(), targets, reduction="none")
        expected = float(entropy.sum(-1).mean())
        assert -float(distribution.log_prob(targets).mean()) == pytest.approx(expected, rel=1e-5)

    @given(frame=st.integers(0, 5), seed=st.integers(0, 99), training=st.booleans())
    def test_no_frame_is_predicted_from_itself_or_from_later_ones(self, name, frame, seed, training):
        """A leak gives splendid losses and a model that cannot generate."""
        model = make(name).train(training and "norm" not in name)
        inputs, targets = noise(2, 4, seed=seed), noise(2, 6, seed=seed + 1)
        changed = targets.clone()
        changed[:, frame] = 1 - changed[:, frame]
        with torch.no_grad():
            difference = (model(inputs, changed).logits - model(inputs, targets).logits).abs().amax(dim=(0, 2))
        assert difference[: frame + 1].max() < 1e-12
        if name in AUTOREGRESSIVE and frame < 5:
            assert difference[frame + 1] > 0, "the latest frame makes no difference"

    @given(num_inputs=st.integers(1, 6), steps=st.integers(1, 4), seed=st.integers(0, 99))
    def test_step_by_step_gives_what_forward_gives(self, name, num_inputs, steps, seed):
        """Generation must use the distribution that was trained."""
        model, inputs, targets = make(name), noise(2, num_inputs, seed=seed), noise(2, steps, seed=seed + 1)
        with torch.no_grad():
            torch.testing.assert_close(
                by_steps(model, inputs, targets), model(inputs, targets).logits, rtol=1e-9, atol=1e-11
            )

    def test_pieces_of_a_batch_are_independent(self, name):
        """Scores must not depend on the batch size."""
        model, inputs, targets = make(name), noise(3, 4), noise(3, 4, seed=1)
        with torch.no_grad():
            together = model(inputs, targets)
            for index in range(3):
                assert_same(together[index : index + 1], model(inputs[[index]], targets[[index]]))

    def test_reads_every_frame_of_the_primer(self, name):
        model, inputs = make(name), noise(1, 5)
        with torch.no_grad():
            before = model.start(inputs)[0].logits
            for frame in range(5):
                changed = inputs.clone()
                changed[:, frame] = 1 - changed[:, frame]
                assert not torch.equal(model.start(changed)[0].logits, before)

    def test_settings_build_the_same_model_again(self, name):
        """A checkpoint is only worth keeping if it gives the model back."""
        chosen = {
            "num_encoder_layers": 1,
            "num_decoder_layers": 3,
            "dropout": 0.25,
            "input_noise": 0.125,
            "block_frames": 7,
        }
        model = make(name, **chosen)
        assert model.settings() == model.settings() | chosen
        description = json.loads(json.dumps(checkpoint.describe(model)))
        again = checkpoint.build(description, classes=[Tally]).double().eval()
        assert checkpoint.describe(again) == checkpoint.describe(model)
        again.load_state_dict(model.state_dict())
        inputs, targets = noise(2, 3), noise(2, 4, seed=1)
        with torch.no_grad():
            assert_same(again(inputs, targets), model(inputs, targets))

    @pytest.mark.parametrize(("num_encoder_layers", "num_decoder_layers"), [(1, 1), (1, 3), (3, 1), (2, 3), (3, 2)])
    def test_stacks_of_any_height_work_and_every_weight_learns(self, name, num_encoder_layers, num_decoder_layers):
        """A layer without gradient is not connected."""
        model = make(name, num_encoder_layers=num_encoder_layers, num_decoder_layers=num_decoder_layers).train()
        assert (model.encoder.lstm.num_layers, model.decoder.num_layers) == (num_encoder_layers, num_decoder_layers)
        targets = noise(4, 4, seed=1)
        model(noise(4, 5), targets).log_prob(targets).mean().backward()
        idle = [
            name
            for name, parameter in model.named_parameters()
            if parameter.grad is None or not parameter.grad.abs().max() > 0
        ]
        assert not idle
        model.eval()
        with torch.no_grad():
            expected = model(noise(2, 5), noise(2, 4)).logits
            torch.testing.assert_close(by_steps(model, noise(2, 5), noise(2, 4)), expected)

    @pytest.mark.parametrize("layers", [1, 2])
    def test_dropout_acts_in_training_only(self, name, layers):
        """With one layer too: there PyTorch ignores dropout and warns (warnings fail tests)."""
        model = make(name, dropout=0.5, num_encoder_layers=layers, num_decoder_layers=layers)
        inputs, targets = noise(4, 5), noise(4, 4, seed=1)
        with torch.no_grad():
            assert_same(model(inputs, targets), model(inputs, targets))
            model.train()
            assert not torch.equal(model(inputs, targets).logits, model(inputs, targets).logits)

    @pytest.mark.parametrize("primer", [torch.zeros(1, 0, PITCHES), torch.zeros(1, 4, PITCHES + 1)])
    def test_a_primer_of_the_wrong_shape_is_an_error(self, name, primer):
        """Not a stack trace of PyTorch's LSTM."""
        with pytest.raises(ShapeError, match=rf"{PITCHES}\), got \(1, {primer.shape[1]}, {primer.shape[2]}\)"):
            make(name).start(primer.double())


# Not with the relative head, which reads frames before the primer; test_a_head_reads_its_whole_context covers it.
@pytest.mark.parametrize("name", [name for name in MODELS if "relative" not in name])
@pytest.mark.parametrize("block_frames", [1, 3])
def test_after_a_block_the_encoder_reads_the_latest_frames(name, block_frames):
    """After as many frames as in training, the model must read its own latest frames as new inputs."""
    model = make(name, block_frames=block_frames)
    past = noise(2, 4)
    with torch.no_grad():
        distribution, state = model.start(past)
        for block in range(4):
            expected = by_steps(model, past[:, -4:], noise(2, block_frames, seed=block))
            for step, frame in enumerate(noise(2, block_frames, seed=block).unbind(1)):
                torch.testing.assert_close(distribution.logits, expected[:, step])
                distribution, state = model.advance(frame, state)
                past = torch.cat([past, frame.unsqueeze(1)], 1)


@pytest.mark.parametrize("name", PARALLEL)
class TestParallel:
    def test_the_targets_make_no_difference_at_all(self, name):
        """All frames are written at once, so scores with teacher forcing are those of free generation."""
        model, inputs = make(name), noise(2, 4)
        with torch.no_grad():
            assert_same(model(inputs, noise(2, 5, seed=1)), model(inputs, noise(2, 5, seed=2)))
            _, state = model.start(inputs)
            assert_same(
                model.advance(noise(2, seed=1), state)[0],
                model.advance(noise(2, seed=2), state)[0],
            )

    def test_blocks_do_not_repeat(self, name):
        """Music that starts again in every block is the known bug of this model."""
        model = make(name)
        with torch.no_grad():
            logits = by_steps(model, noise(1, 6), noise(1, 12, seed=1))
        first, second, third = logits.split(4, dim=1)
        assert not torch.allclose(first, second)
        assert not torch.allclose(second, third)

    def test_every_frame_of_a_block_has_a_distribution_of_its_own(self, name):
        with torch.no_grad():
            logits = make(name)(noise(1, 6), noise(1, 4)).logits
        assert not torch.allclose(logits[:, 0], logits[:, 1])


@pytest.mark.parametrize("block_frames", [None, 2])
@pytest.mark.parametrize("context_frames", [None, 7, 2])
def test_a_head_reads_its_whole_context(context_frames, block_frames):
    """Also across blocks, and if it is longer than the primer: a lost tonal context changes the key."""
    frames = noise(2, 15)
    with torch.no_grad():
        logits = by_steps(make(head=Tally(context_frames), block_frames=block_frames), frames[:, :4], frames[:, 4:])
        features = by_steps(make(head=Tally(0), block_frames=block_frames), frames[:, :4], frames[:, 4:])
    for step in range(11):
        past = frames[:, : 4 + step]
        expected = (past if context_frames is None else past[:, -context_frames:]).sum(1)
        torch.testing.assert_close(logits[:, step] - features[:, step], expected)


def test_one_state_may_be_continued_twice():
    """A beam search tries several next frames from one state."""
    model = make()
    with torch.no_grad():
        _, state = model.start(noise(1, 4))
        first = model.advance(noise(1, seed=1), state)[0]
        model.advance(noise(1, seed=2), state)
        assert_same(model.advance(noise(1, seed=1), state)[0], first)


class TestInputNoise:
    @pytest.mark.parametrize("name", MODELS)
    def test_acts_in_training_only(self, name):
        """Scores and music must be computed from the true frames."""
        noisy, clean = make(name, input_noise=0.4), make(name)
        inputs, targets = noise(3, 5), noise(3, 4, seed=1)
        with torch.no_grad():
            assert_same(noisy(inputs, targets), clean(inputs, targets))
            assert torch.equal(by_steps(noisy, inputs, targets), by_steps(clean, inputs, targets))
            torch.manual_seed(0)
            first = noisy.train()(inputs, targets).logits
            assert not torch.equal(first, noisy(inputs, targets).logits)
            torch.manual_seed(0)
            assert torch.equal(first, noisy(inputs, targets).logits)

    def test_flips_its_share_of_the_inputs_and_no_targets(self):
        head = Tally()
        model = make(head=head, input_noise=0.2).train()
        inputs, targets = noise(40, 30), noise(40, 20, seed=1)
        before = inputs.clone(), targets.clone()
        model(inputs, targets)
        assert torch.equal(inputs, before[0])
        assert torch.equal(targets, before[1])
        clean = torch.cat([inputs, targets[:, :-1]], 1)
        flipped = head.read[-1] != clean
        assert set(head.read[-1].unique().tolist()) == {0.0, 1.0}
        for part in (flipped[:, :30], flipped[:, 30:], flipped[clean == 0], flipped[clean == 1]):
            assert float(part.double().mean()) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("kind", [Seq2SeqLSTM, partial(ParallelSeq2SeqLSTM, block_frames=3)])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": 0}, "at least one column, got 0"),
        ({"hidden_size": 0}, "at least 1"),
        ({"num_encoder_layers": 0}, "at least 1"),
        ({"num_decoder_layers": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"block_frames": 0}, "block_frames"),
        ({"input_noise": 0.5}, "input_noise"),
        ({"input_noise": -0.1}, "input_noise"),
        ({"head": BernoulliHead(HIDDEN + 1, PITCHES)}, f"in_features={HIDDEN + 1}.*the model needs {HIDDEN} and"),
        ({"head": BernoulliHead(HIDDEN, PITCHES + 1)}, f"frame_size={PITCHES + 1}.*the model needs.* and {PITCHES}"),
        ({"head": lambda in_features, layout: BernoulliHead(1, layout)}, "in_features=1.*head=BernoulliHead"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_wrong_arguments_are_errors_at_once(kind, wrong, message):
    """Not after an hour of training, and not by silently doing something else."""
    with pytest.raises(SettingsError, match=message):
        kind(**({"layout": PITCHES, "hidden_size": HIDDEN} | wrong))


@pytest.mark.parametrize(("head", "context"), [(RELATIVE, "RelativeBernoulliHead.*None"), (Tally(1), "Tally.*=1")])
def test_a_parallel_model_refuses_heads_that_read_past_frames(head, context):
    """It would train on frames that it does not know when it writes."""
    with pytest.raises(SettingsError, match=rf"{context}.*Use Seq2SeqLSTM"):
        ParallelSeq2SeqLSTM(PITCHES, block_frames=3, hidden_size=HIDDEN, head=head)


def test_both_models_have_the_same_encoder():
    """The comparison of the two decoders would also compare two encoders."""
    encoders = []
    for kind in (Seq2SeqLSTM, partial(ParallelSeq2SeqLSTM, block_frames=3)):
        model = kind(PITCHES, hidden_size=HIDDEN, num_encoder_layers=3, condition_size=2)
        assert type(model.encoder) is Encoder
        encoders.append({name: weights.shape for name, weights in model.encoder.state_dict().items()})
    assert encoders[0] == encoders[1]


class TestLayout:
    LAYOUT = FrameLayout(BeatGrid(2), PitchRange(60, 64), planes=("active",))

    @pytest.mark.parametrize("kind", [Seq2SeqLSTM, partial(ParallelSeq2SeqLSTM, block_frames=3), CopyingLSTM])
    def test_a_model_keeps_its_layout(self, kind):
        """A checkpoint could not say which pitches its columns are."""
        model = kind(self.LAYOUT, hidden_size=HIDDEN)
        assert (layout_of(model), model.frame_size) == (self.LAYOUT, 5)
        again = checkpoint.build(json.loads(json.dumps(checkpoint.describe(model))))
        assert layout_of(again) == self.LAYOUT
        assert again.head.layout == self.LAYOUT
        plain = kind(5, hidden_size=HIDDEN)
        assert (layout_of(plain), plain.frame_size) == (None, 5)
        assert plain.state_dict().keys() == model.state_dict().keys()

    def test_the_head_is_built_from_it(self):
        """Onsets or velocities would be read as pitches, without an error."""
        both = FrameLayout.of(self.LAYOUT, onsets=True)
        assert Seq2SeqLSTM(both, hidden_size=HIDDEN, head=NotesHead).head.frame_size == 10
        with pytest.raises(SettingsError, match="NotesHead needs"):
            Seq2SeqLSTM(self.LAYOUT, hidden_size=HIDDEN, head=NotesHead)
        assert Seq2SeqLSTM(both, hidden_size=HIDDEN, head=RELATIVE).head.columns.plane_size == 5
        all_planes = FrameLayout.of(self.LAYOUT, velocity=True)
        with pytest.raises(SettingsError, match="VelocityHead, inner=RelativeBernoulliHead"):
            Seq2SeqLSTM(all_planes, hidden_size=HIDDEN, head=RELATIVE)


class TestBuildHead:
    @pytest.mark.parametrize("head", [BernoulliHead, partial(BernoulliHead), BernoulliHead(HIDDEN, PITCHES)], ids=str)
    def test_takes_a_class_a_partial_or_a_head(self, head):
        built = build_head(head, HIDDEN, PITCHES, 0)
        assert isinstance(built, BernoulliHead)
        assert (built.in_features, built.frame_size) == (HIDDEN, PITCHES)

    def test_passes_candidates_to_the_heads_that_take_them(self):
        """A head that reads copies would not know of them, or one that does not could not be built."""
        size = 8 + 3 * (1 + PITCHES)
        assert build_head(RELATIVE, size, PITCHES, 3).settings()["num_candidates"] == 3
        assert build_head(RELATIVE, size, PITCHES, 0).settings()["num_candidates"] == 0
        assert build_head(BernoulliHead, size, PITCHES, 3).in_features == size
        wide = partial(RelativeBernoulliHead, channels=7)
        settings = Seq2SeqLSTM(PITCHES, hidden_size=8, num_copy_heads=3, head=wide).head.settings()
        assert (settings["channels"], settings["num_candidates"], settings["in_features"]) == (7, 3, size)


def test_learns_to_distinguish_two_scales():
    """The encoder's memory must reach the decoder: only the input says what to play."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(4, hidden_size=16, num_encoder_layers=1, num_decoder_layers=1)
    up = torch.eye(4).repeat(2, 1)[None]
    both = torch.cat([up, up.flip(1)])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(80):
        loss = -model(both[:, :4], both[:, 4:]).log_prob(both[:, 4:]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
