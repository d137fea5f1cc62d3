"""The state of an optimizer in a checkpoint."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_models import (
    same_weights,
    stepped,
    tiny_model,
)
from torch import nn

from pianoroll_seq2seq import (
    Seq2SeqLSTM,
    save,
)
from pianoroll_seq2seq.checkpoint import restore
from pianoroll_seq2seq.errors import (
    CheckpointError,
)

pytestmark = pytest.mark.usefixtures("one_thread")


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    "AdamW, amsgrad": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, betas=(0.8, 0.9), amsgrad=True),
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.01),
    "SGD with momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9, nesterov=True),
    "RMSprop": lambda parameters: torch.optim.RMSprop(parameters, lr=0.01, momentum=0.5),
    "Adagrad": lambda parameters: torch.optim.Adagrad(parameters, lr=0.01),
    "NAdam": lambda parameters: torch.optim.NAdam(parameters, lr=0.01),
    "RAdam": lambda parameters: torch.optim.RAdam(parameters, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_resumes_with_the_optimizer_state(tmp_path: Path, name: str) -> None:
    """A resumed run must take the same steps as one that was never interrupted."""
    model = tiny_model()
    optimizer = stepped(model, OPTIMIZERS[name](model.parameters()))
    path = save(model, tmp_path / "model.safetensors", optimizer=optimizer)
    again = tiny_model(dropout=0.0)
    for parameter in again.parameters():
        nn.init.zeros_(parameter)
    optimizer_again = OPTIMIZERS[name](again.parameters())
    restore(path, again, optimizer_again)
    assert optimizer_again.state_dict()["param_groups"] == json.loads(
        json.dumps(optimizer.state_dict()["param_groups"])
    )
    stepped(model, optimizer)
    stepped(again, optimizer_again)
    assert same_weights(model, again)


def test_the_state_of_another_optimizer(tmp_path: Path) -> None:
    """NAdam goes on with the state of AdamW, and its settings too; or the next step ends in a KeyError."""
    for name, make in OPTIMIZERS.items():
        model = tiny_model()
        save(model, tmp_path / f"{name}.safetensors", optimizer=stepped(model, make(model.parameters())))
    for name, other in itertools.permutations(OPTIMIZERS, 2):
        kind, other_kind = (each.partition(",")[0].partition(" ")[0] for each in (name, other))
        if kind != other_kind:
            model = tiny_model()
            with pytest.raises(CheckpointError, match=f"holds the state of the optimizer {kind}, not of {other_kind}"):
                restore(tmp_path / f"{name}.safetensors", model, OPTIMIZERS[other](model.parameters()))


def test_several_parameter_groups(tmp_path: Path) -> None:
    """Parameter groups must keep their learning rates."""
    model = tiny_model()

    def groups(model: Seq2SeqLSTM) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            [
                {"params": model.encoder.parameters(), "lr": 0.1},
                {"params": [*model.decoder.parameters(), *model.head.parameters()]},  # type: ignore[attr-defined]
            ],
            lr=0.01,
        )

    optimizer = stepped(model, groups(model))
    path = save(model, tmp_path / "model.safetensors", optimizer=optimizer)
    again = tiny_model()
    optimizer_again = groups(again)
    restore(path, again, optimizer_again)
    assert [group["lr"] for group in optimizer_again.param_groups] == [0.1, 0.01]
    assert same_weights(model, again)
    stepped(model, optimizer)
    stepped(again, optimizer_again)
    assert same_weights(model, again)


def test_a_checkpoint_without_optimizer_says_so(tmp_path: Path) -> None:
    """Training must not silently resume with a new optimizer."""
    path = save(tiny_model(), tmp_path / "model.safetensors")
    model = tiny_model()
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        restore(path, model, torch.optim.Adam(model.parameters()))


def test_an_optimizer_of_other_groups_is_refused(tmp_path: Path) -> None:
    """The state of some weights would be used for others."""
    model = tiny_model()
    path = save(model, tmp_path / "model.safetensors", optimizer=stepped(model, torch.optim.Adam(model.parameters())))
    with pytest.raises(CheckpointError, match="does not fit this optimizer"):
        restore(path, model, torch.optim.Adam(list(model.parameters())[:2]))
