"""What a model can do for the page, and how it takes the parts of a piece."""

from collections.abc import Sequence
from typing import Literal, get_args

from pianoroll_seq2seq.models.contract import FillingModel, source_of
from pianoroll_seq2seq.parts import Part, listed
from pianoroll_seq2seq.pretrained.trained_model import TrainedModel
from pianoroll_seq2seq.serving.errors import RequestError

NUM_PITCH_CLASSES = 12
"""A conditional model of this condition size is given the pitch classes of the scale."""

Task = Literal["continue", "fill", "harmonize", "vary"]
TASKS: tuple[Task, ...] = get_args(Task)


def abilities(trained: TrainedModel) -> dict[Task, str | None]:
    """Why a model cannot do a task, in a sentence; None for what it can do."""
    name = trained.name
    if trained.condition_size not in (0, NUM_PITCH_CLASSES) and source_of(trained.model) is None:
        return dict.fromkeys(TASKS, f"{name} reads conditions that the studio does not have.")
    fills = None if isinstance(trained.model, FillingModel) else f"{name} only continues music. Choose one that fills."
    alone = f"{name} writes one part, so it cannot add others to a melody." if len(trained.parts) == 1 else None
    return {"continue": None, "fill": fills, "harmonize": fills or alone, "vary": fills}


def reads_scale(trained: TrainedModel) -> bool:
    """Whether a model reads a scale as its condition, instead of being held to it."""
    return trained.condition_size == NUM_PITCH_CLASSES and source_of(trained.model) is None


def model_parts(trained: TrainedModel, parts: Sequence[Part]) -> list[int | None]:
    """The part of a model that each part of a piece is, by index.

    A model of one part takes all parts merged, without drums; if its part is drums, it takes all drums. Of another
    model, parts are found by their names; those whose name no part of the model has are taken in their order.

    Returns:
        An index for each part; None for drums, or others than drums, if the model does not read them.

    Raises:
        RequestError: the piece has more parts than the model, or fewer.
    """
    own = trained.parts
    if len(own) == 1:
        return [0 if part.drums == own[0].drums else None for part in parts]
    if len(parts) != len(own):
        problem = (
            f"{trained.name} writes {len(own)} parts, {listed(part.name for part in own)}, and the piece has "
            f"{len(parts)}. {'Add' if len(parts) < len(own) else 'Remove'} parts, or choose another model."
        )
        raise RequestError(422, "parts", problem)
    return [*places_in(own, parts)]


def places_in(own: Sequence[Part], parts: Sequence[Part]) -> list[int]:
    """Which part of a model each part of a piece is, which has no more: found by their names, or else in their order.

    Example:
        >>> places_in((Part("soprano"), Part("alto"), Part("bass")), (Part("Bass"), Part("left hand")))
        [2, 0]
    """
    names, same = [part.name.casefold() for part in parts], [part.name.casefold() for part in own]
    found = {names.index(name): place for place, name in enumerate(same) if name in names}
    left = iter(place for place in range(len(own)) if place not in found.values())
    return [found[index] if index in found else next(left) for index in range(len(parts))]
