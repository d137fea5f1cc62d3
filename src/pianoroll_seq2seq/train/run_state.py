"""What a checkpoint of ``fit`` holds beside the model and its optimizer: how far the run is, and its history."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from pianoroll_seq2seq._internal.documents import convert
from pianoroll_seq2seq.checkpoint.files import USE_ANOTHER
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.train.history import History
from pianoroll_seq2seq.train.progress import Progress


class Scaler(Struct, frozen=True, forbid_unknown_fields=True):
    """The state of ``torch.amp.GradScaler``."""

    scale: Annotated[float, Meta(gt=0)]
    growth_factor: Annotated[float, Meta(gt=1)]
    backoff_factor: Annotated[float, Meta(gt=0, lt=1)]
    growth_interval: Annotated[int, Meta(ge=1, le=2**31)]
    growth_tracker: Annotated[int, Meta(ge=0, le=2**31)] = field(name="_growth_tracker")


class RunState(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a run is."""

    progress: Progress
    """Within its epoch."""
    scaler: Scaler | None
    """Of the loss, in float16."""
    epochs: Annotated[int, Meta(ge=1, le=2**53)]
    """Of the call of ``fit``."""


def read_state(header: Mapping[str, Any], label: str) -> tuple[RunState, History]:
    """How far the run of a checkpoint is, and its epochs.

    Args:
        header: the checkpoint's header.
        label: names the checkpoint.

    Raises:
        CheckpointError: not the checkpoint of a run, or one that contradicts itself.
    """
    where = f"{label}: not the checkpoint of a run of fit"
    state = convert(header.get("state"), RunState, where, CheckpointError, fix=USE_ANOTHER)
    history = History.from_json(header["details"].get("history"), where=f"{where}: its history", error=CheckpointError)
    if state.progress.epoch != len(history.epochs) + 1:
        raise CheckpointError(
            f"{where}: it is in epoch {state.progress.epoch}, but {len(history.epochs)} epochs have ended. "
            f"{USE_ANOTHER}"
        )
    return state, history
