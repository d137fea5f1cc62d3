"""The encoder-decoder LSTM: what it predicts from what, in training and in generation alike."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import SettingsError, ShapeError
from pianoroll_seq2seq.heads.bernoulli import Bernoulli, BernoulliHead
from pianoroll_seq2seq.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM

PITCHES, HIDDEN = 5, 6


class Tally(nn.Module):
    """A head of the tests' own: how often each pitch sounded in the frames it may see, and some of the features.

    It keeps what it was shown.
    """

    def __init__(self, context_frames: int | None = None) -> None:
        super().__init__()
        self.features, self.pitches, self.context_frames = HIDDEN, PITCHES, context_frames
        self.shown: list[Tensor] = []

    def forward(self, features: Tensor, past: Tensor) -> Bernoulli:
        self.shown.append(past.detach())
        steps, known = features.shape[1], past.shape[1]
        ends = [known - steps + 1 + step for step in range(steps)]
        begins = [0 if self.context_frames is None else max(0, end - self.context_frames) for end in ends]
        counts = [past[:, begin:end].sum(1) for begin, end in zip(begins, ends, strict=True)]
        return Bernoulli(torch.stack(counts, 1) + features[..., :PITCHES])

    def settings(self) -> dict[str, Any]:
        return {"context_frames": self.context_frames}


def relative() -> RelativeBernoulliHead:
    return RelativeBernoulliHead(HIDDEN, PITCHES, channels=4, window=3, frames=2)


MODELS: dict[str, Any] = {
    "autoregressive": dict,
    "autoregressive, relative head": lambda: {"head": relative()},
    "autoregressive, three frames of context": lambda: {"head": Tally(3)},
    "parallel": lambda: {"decoder": "parallel", "block_frames": 4},
    "parallel, batch norm": lambda: {"decoder": "parallel", "block_frames": 4, "batch_norm": True},
}
AUTOREGRESSIVE = [name for name in MODELS if name.startswith("auto")]
PARALLEL = [name for name in MODELS if name.startswith("par")]


def make(name: str = "autoregressive", **more: Any) -> Seq2SeqLSTM:
    torch.manual_seed(3)
    model = Seq2SeqLSTM(**({"pitches": PITCHES, "hidden": HIDDEN} | MODELS[name]() | more))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):  # statistics as after some training
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.double().eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, PITCHES)) < 0.4).double()


def assert_same(one: Bernoulli, other: Bernoulli) -> None:
    torch.testing.assert_close(one.logits, other.logits, rtol=1e-9, atol=1e-11)


def by_steps(model: Seq2SeqLSTM, inputs: Tensor, targets: Tensor) -> Tensor:
    """The log-odds of every target frame, each asked for after the frames before it were heard one by one."""
    distribution, state = model.start(inputs)
    logits = [distribution.logits]
    for frame in targets[:, :-1].unbind(1):
        distribution, state = model.advance(frame, state)
        logits.append(distribution.logits)
    return torch.stack(logits, 1)


@pytest.mark.parametrize("name", MODELS)
class TestEveryVariant:
    @settings(deadline=None, max_examples=20)
    @given(batch=st.integers(1, 3), heard=st.integers(1, 6), steps=st.integers(1, 6))
    def test_loss_is_multi_label_cross_entropy_summed_over_pitches(self, name, batch, heard, steps):
        """The number in the history must be the published one: nats per frame."""
        model, targets = make(name), noise(batch, steps, seed=1)
        with torch.no_grad():
            distribution = model(noise(batch, heard), targets)
        assert distribution.mean.shape == targets.shape
        assert distribution.log_prob(targets).shape == (batch, steps)
        entropy = functional.binary_cross_entropy(distribution.mean.double(), targets, reduction="none")
        expected = float(entropy.sum(-1).mean())
        assert -float(distribution.log_prob(targets).mean()) == pytest.approx(expected, rel=1e-5)

    @settings(deadline=None, max_examples=25)
    @given(frame=st.integers(0, 5), seed=st.integers(0, 99), training=st.booleans())
    def test_no_frame_is_predicted_from_itself_or_from_later_ones(self, name, frame, seed, training):
        """A leak gives splendid losses and a model that cannot play."""
        model = make(name).train(training and "norm" not in name)
        inputs, targets = noise(2, 4, seed=seed), noise(2, 6, seed=seed + 1)
        changed = targets.clone()
        changed[:, frame] = 1 - changed[:, frame]
        with torch.no_grad():
            difference = (model(inputs, changed).logits - model(inputs, targets).logits).abs().amax(dim=(0, 2))
        assert difference[: frame + 1].max() < 1e-12
        if name in AUTOREGRESSIVE and frame < 5:
            assert difference[frame + 1] > 0, "the frame just heard makes no difference"

    @settings(deadline=None, max_examples=20)
    @given(heard=st.integers(1, 6), steps=st.integers(1, 4), seed=st.integers(0, 99))
    def test_step_by_step_gives_what_forward_gives(self, name, heard, steps, seed):
        """Generation must ask the very model that was trained: any difference is heard and never explained."""
        model, inputs, targets = make(name), noise(2, heard, seed=seed), noise(2, steps, seed=seed + 1)
        with torch.no_grad():
            torch.testing.assert_close(
                by_steps(model, inputs, targets), model(inputs, targets).logits, rtol=1e-9, atol=1e-11
            )

    def test_pieces_of_a_batch_do_not_hear_one_another(self, name):
        """Scores must not depend on the batch size."""
        model, inputs, targets = make(name), noise(3, 4), noise(3, 4, seed=1)
        with torch.no_grad():
            together = model(inputs, targets)
            for index in range(3):
                assert_same(together[index : index + 1], model(inputs[[index]], targets[[index]]))

    def test_hears_every_frame_of_the_primer(self, name):
        model, inputs = make(name), noise(1, 5)
        with torch.no_grad():
            before = model.start(inputs)[0].logits
            for frame in range(5):
                changed = inputs.clone()
                changed[:, frame] = 1 - changed[:, frame]
                assert not torch.equal(model.start(changed)[0].logits, before)

    def test_settings_build_the_same_model_again(self, name):
        """A checkpoint is only worth keeping if it gives the model back."""
        chosen = {"encoder_layers": 1, "decoder_layers": 3, "dropout": 0.25, "frame_noise": 0.125, "block_frames": 7}
        model = make(name, **chosen)
        assert model.settings() == model.settings() | chosen
        description = json.loads(json.dumps(checkpoint.describe(model)))
        again = checkpoint.build(description, classes=[Tally]).double().eval()
        assert checkpoint.describe(again) == checkpoint.describe(model)
        again.load_state_dict(model.state_dict())
        inputs, targets = noise(2, 3), noise(2, 4, seed=1)
        with torch.no_grad():
            assert_same(again(inputs, targets), model(inputs, targets))

    @pytest.mark.parametrize(("encoder_layers", "decoder_layers"), [(1, 1), (1, 3), (3, 1), (2, 3), (3, 2)])
    def test_stacks_of_any_height_work_and_every_weight_learns(self, name, encoder_layers, decoder_layers):
        """A layer without gradient is one the user paid for and did not get."""
        model = make(name, encoder_layers=encoder_layers, decoder_layers=decoder_layers).train()
        assert (model.encoder_lstm.num_layers, model.decoder_lstm.num_layers) == (encoder_layers, decoder_layers)
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
        """With one layer too: PyTorch leaves it out there, and warns (warnings fail tests)."""
        model = make(name, dropout=0.5, encoder_layers=layers, decoder_layers=layers)
        inputs, targets = noise(4, 5), noise(4, 4, seed=1)
        with torch.no_grad():
            assert_same(model(inputs, targets), model(inputs, targets))
            model.train()
            assert not torch.equal(model(inputs, targets).logits, model(inputs, targets).logits)

    @pytest.mark.parametrize("primer", [torch.zeros(1, 0, PITCHES), torch.zeros(1, 4, PITCHES + 1)])
    def test_a_primer_that_does_not_fit_is_an_error(self, name, primer):
        """Not a stack trace out of PyTorch's LSTM."""
        with pytest.raises(ShapeError, match=rf"{PITCHES}\), got \(1, {primer.shape[1]}, {primer.shape[2]}\)"):
            make(name).start(primer.double())


# Not with the relative head, which remembers more than a primer; test_a_head_is_shown_... is about such heads.
@pytest.mark.parametrize("name", [name for name in MODELS if "relative" not in name])
@pytest.mark.parametrize("block_frames", [1, 3])
def test_after_a_block_the_encoder_hears_the_latest_frames(name, block_frames):
    """Past what it was trained to write, the model must begin anew from what it just played."""
    model = make(name, block_frames=block_frames)
    heard = noise(2, 4)
    with torch.no_grad():
        distribution, state = model.start(heard)
        for block in range(4):
            expected = by_steps(model, heard[:, -4:], noise(2, block_frames, seed=block))
            for step, frame in enumerate(noise(2, block_frames, seed=block).unbind(1)):
                torch.testing.assert_close(distribution.logits, expected[:, step])
                distribution, state = model.advance(frame, state)
                heard = torch.cat([heard, frame.unsqueeze(1)], 1)


@pytest.mark.parametrize("name", PARALLEL)
class TestParallel:
    def test_the_targets_make_no_difference_at_all(self, name):
        """All frames are written at once: scores with teacher forcing are those of free generation."""
        model, inputs = make(name), noise(2, 4)
        with torch.no_grad():
            assert_same(model(inputs, noise(2, 5, seed=1)), model(inputs, noise(2, 5, seed=2)))
            _, state = model.start(inputs)
            assert_same(
                model.advance(noise(2, seed=1), state)[0],
                model.advance(noise(2, seed=2), state)[0],
            )

    def test_blocks_are_not_repeated_word_for_word(self, name):
        """Music that starts over every block is the bug this model is known for."""
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
def test_a_head_is_shown_all_the_past_it_asks_for(context_frames, block_frames):
    """Longer than the primer or not, across blocks too: a tonal context that is forgotten changes the key."""
    frames = noise(2, 15)
    with torch.no_grad():
        logits = by_steps(make(head=Tally(context_frames), block_frames=block_frames), frames[:, :4], frames[:, 4:])
        of_features = by_steps(make(head=Tally(0), block_frames=block_frames), frames[:, :4], frames[:, 4:])
    for step in range(11):
        heard = frames[:, : 4 + step]
        expected = (heard if context_frames is None else heard[:, -context_frames:]).sum(1)
        torch.testing.assert_close(logits[:, step] - of_features[:, step], expected)


def test_one_state_may_be_continued_twice():
    """Trying several next frames from one state, as a beam search does, must not mix them up."""
    model = make()
    with torch.no_grad():
        _, state = model.start(noise(1, 4))
        first = model.advance(noise(1, seed=1), state)[0]
        model.advance(noise(1, seed=2), state)
        assert_same(model.advance(noise(1, seed=1), state)[0], first)


class TestFrameNoise:
    @pytest.mark.parametrize("name", MODELS)
    def test_is_gone_outside_training(self, name):
        """Scores and music must come from what was really heard."""
        noisy, clean = make(name, frame_noise=0.4), make(name)
        inputs, targets = noise(3, 5), noise(3, 4, seed=1)
        with torch.no_grad():
            assert_same(noisy(inputs, targets), clean(inputs, targets))
            assert torch.equal(by_steps(noisy, inputs, targets), by_steps(clean, inputs, targets))
            torch.manual_seed(0)
            first = noisy.train()(inputs, targets).logits
            assert not torch.equal(first, noisy(inputs, targets).logits)
            torch.manual_seed(0)
            assert torch.equal(first, noisy(inputs, targets).logits)

    def test_flips_its_share_of_what_is_heard_and_nothing_of_what_is_predicted(self):
        head = Tally()
        model = make(head=head, frame_noise=0.2).train()
        inputs, targets = noise(40, 30), noise(40, 20, seed=1)
        before = inputs.clone(), targets.clone()
        model(inputs, targets)
        assert torch.equal(inputs, before[0])
        assert torch.equal(targets, before[1])
        heard = torch.cat([inputs, targets[:, :-1]], 1)
        flipped = head.shown[-1] != heard
        assert set(head.shown[-1].unique().tolist()) == {0.0, 1.0}
        for part in (flipped[:, :30], flipped[:, 30:], flipped[heard == 0], flipped[heard == 1]):
            assert float(part.double().mean()) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"pitches": 0}, "at least 1"),
        ({"hidden": 0}, "at least 1"),
        ({"encoder_layers": 0}, "at least 1"),
        ({"decoder_layers": 0}, "at least 1"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"block_frames": 0}, "block_frames"),
        ({"frame_noise": 0.5}, "frame_noise"),
        ({"frame_noise": -0.1}, "frame_noise"),
        ({"decoder": "parallel"}, "needs block_frames"),
        ({"batch_norm": True}, "decoder='parallel'"),
        ({"head": BernoulliHead(HIDDEN + 1, PITCHES)}, f"{HIDDEN + 1} features.*hidden={HIDDEN}"),
        ({"head": BernoulliHead(HIDDEN, PITCHES + 1)}, f"{PITCHES + 1} pitches.*pitches={PITCHES}"),
        ({"head": relative(), "decoder": "parallel", "block_frames": 3}, "RelativeBernoulliHead.*autoregressive"),
        ({"head": Tally(1), "decoder": "parallel", "block_frames": 3}, "Tally.*context_frames=1"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_an_error_at_once(wrong, message):
    """Not after an hour of training, and not by silently doing something else."""
    with pytest.raises(SettingsError, match=message):
        Seq2SeqLSTM(**({"pitches": PITCHES, "hidden": HIDDEN} | wrong))


def test_learns_to_tell_a_scale_from_another():
    """The smallest proof that the encoder's memory reaches the decoder: what to play is only in the input."""
    torch.manual_seed(0)
    model = Seq2SeqLSTM(4, hidden=16, encoder_layers=1, decoder_layers=1)
    up = torch.eye(4).repeat(2, 1)[None]
    both = torch.cat([up, up.flip(1)])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(80):
        loss = -model(both[:, :4], both[:, 4:]).log_prob(both[:, 4:]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
