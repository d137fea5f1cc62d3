"""The precision of a step."""

import math

import pytest
import torch
from run_helpers import make_model, make_windows

from pianoroll_seq2seq import fit
from pianoroll_seq2seq.errors import SettingsError
from pianoroll_seq2seq.train import precision
from pianoroll_seq2seq.train.precision import MixedPrecision, cpu_has_bfloat16

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


@pytest.mark.skipif(not cpu_has_bfloat16(), reason="this CPU has no bfloat16")
def test_bfloat16_learns_as_float32_does() -> None:
    """bfloat16 is ignored, changes the weights' type, or does not learn."""
    exact, rough = make_model(dropout=0.2), make_model(dropout=0.2)
    expected = fit(
        exact,
        make_windows(frames=40),
        make_windows(frames=40),
        epochs=6,
        batch_size=4,
        precision="float32",
        progress=False,
    )
    found = fit(
        rough,
        make_windows(frames=40),
        make_windows(frames=40),
        epochs=6,
        batch_size=4,
        precision="bfloat16",
        progress=False,
    )
    assert found.train_losses != expected.train_losses
    assert found.valid_losses == pytest.approx(expected.valid_losses, rel=0.02)
    assert {parameter.dtype for parameter in rough.parameters()} == {torch.float32}


def test_bfloat16_on_a_cpu_without_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU without AVX-512 the error is about primitive descriptors."""
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: False)
    with pytest.raises(SettingsError, match="Choose 'float32', or 'auto'"):
        fit(make_model(), make_windows(frames=40), epochs=1, batch_size=4, precision="bfloat16", progress=False)


def test_float16_on_a_cpu_is_refused() -> None:
    """The error is about primitive descriptors."""
    with pytest.raises(SettingsError, match="On a CPU choose 'bfloat16'"):
        fit(make_model(), make_windows(frames=40), epochs=1, batch_size=4, precision="float16", progress=False)


def test_a_step_that_overflows_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One overflow in float16 fills the weights with NaN; or a restart loses the scale of the loss."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scaled, again = MixedPrecision("float32", CPU, clip_norm=1.0), MixedPrecision("float32", CPU, clip_norm=1.0)
    for arithmetic in (scaled, again):  # as on a GPU
        monkeypatch.setattr(arithmetic, "scaler", torch.amp.GradScaler("cpu"))
    scale = scaled.state()["scale"]
    scaled.backward((weight * torch.tensor(math.inf)).sum())
    scaled.update(optimizer, [weight])
    assert weight.tolist() == [1.0, 1.0]
    assert scaled.state()["scale"] == scale / 2
    again.load_state(scaled.state())
    assert again.state() == scaled.state()
    optimizer.zero_grad()
    scaled.backward((weight * 0.1).sum())
    scaled.update(optimizer, [weight])
    torch.testing.assert_close(weight.detach(), torch.full((2,), 0.9))
