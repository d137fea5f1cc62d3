"""The mode of a model that several threads use: evaluation for all of them, or training for one.

A mode belongs to the model, not to a thread. So the first of the threads that evaluate a model puts it into evaluation
mode, and the last one restores its mode; and a thread that trains a model with ``fit`` has it for itself.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from pianoroll_seq2seq.errors import ModelInUseError
from pianoroll_seq2seq.models.contract import SequenceModel


@dataclass
class _Use:
    """The present use of a model: by the thread that trains it, and by those that evaluate it."""

    trainer: int | None = None
    readers: int = 0
    to_restore: list[SequenceModel] = field(default_factory=list)


_lock = threading.Lock()
_uses: dict[int, _Use] = {}


def _identity(model: SequenceModel) -> Any:
    """The same object for a model and for a model around it: the first parameter, or the model if it has none."""
    return next(iter(model.parameters()), model)


class Evaluation:
    """A context in which a model is in evaluation mode, in whatever thread. It may be entered many times.

    Args:
        model: the model; its mode is restored when no thread evaluates it any more.

    Raises:
        ModelInUseError: when it is entered while ``fit`` trains the model in another thread.
    """

    def __init__(self, model: SequenceModel) -> None:
        """Keeps the model as it is."""
        self._model = model
        self._identity = _identity(model)

    def __enter__(self) -> None:
        """Puts the model into evaluation mode. Changing the mode visits all modules, so it is done only if needed."""
        with _lock:
            use = _uses.get(id(self._identity), _Use())
            if use.trainer not in (None, threading.get_ident()):
                raise ModelInUseError(
                    f"fit trains this {type(self._model).__name__} in another thread, which changes its weights and "
                    f"needs its mode. Use a copy (copy.deepcopy(model)), or wait until fit has ended."
                )
            if self._model.training:
                self._model.train(False)
                use.to_restore.append(self._model)
            use.readers += 1
            _uses[id(self._identity)] = use

    def __exit__(self, *error: object) -> None:
        """Restores the mode if no other thread evaluates the model."""
        with _lock:
            use = _uses[id(self._identity)]
            use.readers -= 1
            if use.readers:
                return
            while use.to_restore:
                use.to_restore.pop().train()
            if use.trainer is None:
                del _uses[id(self._identity)]


@contextmanager
def inference(model: SequenceModel) -> Iterator[None]:
    """Without gradients and in evaluation mode; afterwards the model's mode is restored.

    Raises:
        ModelInUseError: ``fit`` trains the model in another thread.
    """
    with Evaluation(model), torch.no_grad():
        yield


@contextmanager
def training(model: SequenceModel) -> Iterator[None]:
    """A context in which no other thread evaluates or trains a model.

    Raises:
        ModelInUseError: another thread does so already.
    """
    identity, thread = _identity(model), threading.get_ident()
    with _lock:
        use = _uses.get(id(identity), _Use())
        if use.readers or use.trainer not in (None, thread):
            doing = "generates or scores with" if use.readers else "trains"
            raise ModelInUseError(
                f"This {type(model).__name__} is in use: another thread {doing} it. Train a copy "
                f"(copy.deepcopy(model)), or wait until the other call has ended."
            )
        before, use.trainer = use.trainer, thread
        _uses[id(identity)] = use
    try:
        yield
    finally:
        with _lock:
            use.trainer = before
            if before is None:
                del _uses[id(identity)]
