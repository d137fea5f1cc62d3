"""Attention: its formula, and models with it."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pianoroll_seq2seq import checkpoint
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.models.heads.relative_bernoulli import RelativeBernoulliHead
from pianoroll_seq2seq.models.layers.attention import Attention
from pianoroll_seq2seq.models.layers.conditioning import NO_CONDITION
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.models.seq2seq_lstm import Seq2SeqLSTM

pytestmark = pytest.mark.usefixtures("one_thread")

PITCHES, HIDDEN = 5, 6

Model = Seq2SeqLSTM | ParallelSeq2SeqLSTM
MODELS: dict[str, Any] = {
    "autoregressive": Seq2SeqLSTM,
    "autoregressive, relative head": partial(
        Seq2SeqLSTM, head=partial(RelativeBernoulliHead, channels=4, window=3, num_frames=2)
    ),
    "parallel": partial(ParallelSeq2SeqLSTM, block_frames=4),
    "parallel, batch norm": partial(ParallelSeq2SeqLSTM, block_frames=4, batch_norm=True),
}


def make(name: str = "autoregressive", **more: Any) -> Model:
    """A model whose attention is sharp enough to matter."""
    torch.manual_seed(3)
    model: Model = MODELS[name](PITCHES, **{"hidden_size": HIDDEN, "attention": True} | more)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.7)
        if model.attention is not None:
            model.attention.query.weight.mul_(6)
    return model.double().eval()


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((*shape, PITCHES)) < 0.4).double()


def by_steps(model: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    """The log-odds of every target frame, each predicted after the frames before it were read one by one."""
    distribution, state = model.start(inputs)
    logits = [distribution.logits]
    for frame in targets[:, :-1].unbind(1):
        distribution, state = model.advance(frame, state)
        logits.append(distribution.logits)
    return torch.stack(logits, 1)


@given(
    batch=st.integers(1, 3),
    steps=st.integers(1, 4),
    num_inputs=st.integers(1, 5),
    hidden=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_is_the_published_formula(batch: int, steps: int, num_inputs: int, hidden: int, seed: int) -> None:
    """Another score, scale or order trains too, but worse, without an error."""
    torch.manual_seed(seed)
    layer = Attention(hidden).double()
    outputs, encoded = torch.randn(batch, steps, hidden).double(), torch.randn(batch, num_inputs, hidden).double()
    with torch.no_grad():
        weights, features = layer.weights(outputs, encoded).numpy(), layer(outputs, encoded).numpy()
    query, combine = layer.query.weight.detach().numpy(), layer.combine.weight.detach().numpy()
    for piece in range(batch):
        for step in range(steps):
            output, keys = outputs[piece, step].numpy(), encoded[piece].numpy()
            scores = [math.exp(float((query @ output) @ key) / math.sqrt(hidden)) for key in keys]
            expected = [score / sum(scores) for score in scores]
            np.testing.assert_allclose(weights[piece, step], expected, rtol=1e-10)
            context = sum(weight * key for weight, key in zip(expected, keys, strict=True))
            mixed = np.tanh(combine @ np.concatenate([context, output]))
            np.testing.assert_allclose(features[piece, step], mixed, rtol=1e-9, atol=1e-12)


def test_agrees_with_pytorch() -> None:
    """PyTorch's own attention is the second opinion."""
    torch.manual_seed(0)
    layer, outputs, encoded = Attention(7).double(), torch.randn(2, 3, 7).double(), torch.randn(2, 4, 7).double()
    expected = functional.scaled_dot_product_attention(layer.query(outputs), encoded, encoded)
    torch.testing.assert_close(layer.weights(outputs, encoded) @ encoded, expected)


@pytest.mark.parametrize("name", MODELS)
class TestEveryVariant:
    @given(
        batch=st.sampled_from([1, 2, 66]),
        num_inputs=st.integers(1, 6),
        steps=st.integers(1, 4),
        seed=st.integers(0, 99),
    )
    def test_step_by_step_gives_what_forward_gives(self, name, batch, num_inputs, steps, seed):
        """Generation must use the distribution that was trained, by each of the ways to step."""
        model, inputs, targets = make(name), noise(batch, num_inputs, seed=seed), noise(batch, steps, seed=seed + 1)
        with torch.no_grad():
            expected = model(inputs, targets).logits
            torch.testing.assert_close(by_steps(model, inputs, targets), expected, rtol=1e-9, atol=1e-10)
        with torch.enable_grad():
            torch.testing.assert_close(by_steps(model, inputs, targets), expected, rtol=1e-9, atol=1e-10)

    @given(frame=st.integers(0, 5), seed=st.integers(0, 99))
    def test_no_frame_is_predicted_from_itself_or_from_later_ones(self, name, frame, seed):
        """A leak gives splendid losses and a model that cannot generate."""
        model, inputs, targets = make(name), noise(2, 4, seed=seed), noise(2, 6, seed=seed + 1)
        changed = targets.clone()
        changed[:, frame] = 1 - changed[:, frame]
        with torch.no_grad():
            difference = (model(inputs, changed).log_prob(targets) - model(inputs, targets).log_prob(targets)).abs()
            weights = (model.attention_weights(inputs, changed) - model.attention_weights(inputs, targets)).abs()
        assert difference[:, : frame + 1].max() == 0
        assert weights[:, : frame + 1].max() == 0

    def test_weights_sum_to_one_over_the_input(self, name):
        """Plots of them show one row for each target frame and one column for each input frame."""
        model, inputs, targets = make(name, dropout=0.5, input_noise=0.3).train(), noise(3, 7), noise(3, 4, seed=1)
        weights = model.attention_weights(inputs, targets)
        assert weights.shape == (3, 4, 7)
        assert (weights > 0).all()
        torch.testing.assert_close(weights.sum(2), torch.ones(3, 4).double())
        assert not weights.requires_grad
        assert model.training
        assert all(part.training for part in model.modules())
        assert torch.equal(model.attention_weights(inputs, targets), weights), "computed with noise or dropout"
        assert torch.equal(model.eval().attention_weights(inputs, targets), weights)

    def test_weights_are_those_the_prediction_was_made_with(self, name):
        """Weights of another pass than forward's would explain nothing."""
        model, inputs, targets = make(name), noise(2, 5), noise(2, 4, seed=1)
        used = []
        assert model.attention is not None
        hook = model.attention.combine.register_forward_hook(lambda layer, inputs, output: used.append(inputs[0]))
        with torch.no_grad():
            model(inputs, targets)
            encoded, _ = model.encoder(inputs, NO_CONDITION)
        hook.remove()
        context = used[0][..., :HIDDEN]
        torch.testing.assert_close(model.attention_weights(inputs, targets) @ encoded, context)

    def test_every_weight_learns(self, name):
        """A layer without gradient is not connected."""
        model, targets = make(name).train(), noise(4, 4, seed=1)
        model(noise(4, 5), targets).log_prob(targets).mean().backward()
        for part, parameter in model.named_parameters():
            assert parameter.grad is not None, part
            assert parameter.grad.abs().max() > 0, part

    def test_a_checkpoint_restores_it(self, name, tmp_path):
        """A model saved with attention must not be loaded without it."""
        model, inputs, targets = make(name).float(), noise(2, 3).float(), noise(2, 4, seed=1).float()
        assert model.settings()["attention"] is True
        again = checkpoint.load(checkpoint.save(model, tmp_path / "model.safetensors")).eval()
        assert checkpoint.describe(again) == checkpoint.describe(model)
        with torch.no_grad():
            assert torch.equal(again(inputs, targets).logits, model(inputs, targets).logits)

    def test_dropout_acts_in_training_only(self, name):
        model, inputs, targets = make(name, dropout=0.5), noise(3, 4), noise(3, 4, seed=1)
        plain = make(name)
        with torch.no_grad():
            assert torch.equal(model(inputs, targets).mean, plain(inputs, targets).mean)
            model.train()
            assert not torch.equal(model(inputs, targets).mean, model(inputs, targets).mean)


class TestWithoutAttention:
    """A model without attention must not pay for it."""

    def test_the_other_weights_are_the_same(self):
        """A comparison with and without attention would start from other weights."""
        torch.manual_seed(0)
        plain = Seq2SeqLSTM(PITCHES, hidden_size=HIDDEN)
        after = torch.rand(1)
        torch.manual_seed(0)
        attending = Seq2SeqLSTM(PITCHES, hidden_size=HIDDEN, attention=True)
        own = {name for name in attending.state_dict() if name.startswith("attention.")}
        assert own == {"attention.query.weight", "attention.combine.weight"}
        assert attending.state_dict().keys() - own == plain.state_dict().keys()
        for name, weight in plain.state_dict().items():
            assert torch.equal(attending.state_dict()[name], weight)
        assert not torch.equal(torch.rand(1), after)

    def test_no_encoder_outputs_are_kept(self):
        """They would take memory for nothing."""
        with torch.no_grad():
            assert make(attention=False).start(noise(2, 4))[1].encoded is None
            assert make().start(noise(2, 4))[1].encoded is not None

    def test_has_no_weights_to_show(self):
        with pytest.raises(SettingsError, match="attention=True"):
            make(attention=False).attention_weights(noise(2, 3), noise(2, 4))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", ["autoregressive", "parallel", "parallel, batch norm"])  # heads without a memory
def test_after_a_block_it_attends_to_the_latest_frames(name, batch):
    """A decoder that still attends to the old primer repeats itself block after block."""
    model = make(name, block_frames=4)
    past = noise(batch, 5)
    with torch.no_grad():
        distribution, state = model.start(past)
        for block in range(3):
            written = noise(batch, 4, seed=block + 1)
            expected = model(past[:, -5:], written).logits
            for step, frame in enumerate(written.unbind(1)):
                torch.testing.assert_close(distribution.logits, expected[:, step], rtol=1e-9, atol=1e-10)
                distribution, state = model.advance(frame, state)
            past = torch.cat([past, written], 1)


def test_one_state_may_be_continued_twice():
    """A beam search tries several next frames from one state."""
    model = make()
    with torch.no_grad():
        _, state = model.start(noise(1, 4))
        first = model.advance(noise(1, seed=1), state)[0].logits
        model.advance(noise(1, seed=2), state)
        assert torch.equal(model.advance(noise(1, seed=1), state)[0].logits, first)


def test_learns_where_to_attend():
    """The purpose of attention: to repeat eight frames, more than the encoder's memory learns to hold in this time."""
    losses, hits = {}, 0.0
    for attention in (False, True):
        torch.manual_seed(0)
        model = Seq2SeqLSTM(6, hidden_size=24, num_encoder_layers=1, num_decoder_layers=1, attention=attention)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(220):
            frames = functional.one_hot(torch.randint(6, (32, 8)), 6).float()
            loss = -model(frames, frames).log_prob(frames).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses[attention] = loss.item()
        if attention:
            attended = model.attention_weights(frames, frames).argmax(dim=2)
            hits = float((attended == torch.arange(8)).double().mean())
    assert losses[True] < 0.5
    assert losses[False] > 2
    assert hits > 0.9
