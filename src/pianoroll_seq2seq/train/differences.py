"""Whether a checkpoint belongs to the same run, and what differs if it does not."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from pianoroll_seq2seq._internal.documents import convert
from pianoroll_seq2seq._internal.names import printable
from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.train.schedules import Schedule, first_change, schedule_difference

RESOLVED_PRECISION = "resolved_precision"
"""The precision that ``auto`` stands for on the device of a run."""
_MAX_LISTED = 5
_MAX_STEPS = 2_000_000
"""Steps of a schedule that are compared, if this run has fewer."""
_SHOWN = 300
_PARTS = {"train": "training", "valid": "validation"}

_Optimizer = TypedDict("_Optimizer", {"class": str, "groups": list[dict[str, Any]], "frozen": list[str]})


class _Data(TypedDict):
    """The examples, as far as a run needs the same."""

    layout: Any
    condition_size: Any
    train: dict[str, Any]
    valid: dict[str, Any] | None


class _Schedule(TypedDict):
    """As :func:`~pianoroll_seq2seq.train.schedules.sample_schedule` describes it, with the number of epochs."""

    name: str
    steps: Annotated[int, Meta(ge=1, le=2**53)]
    epochs: Annotated[int, Meta(ge=1, le=2**53)]
    factors: list[float]


class _Description(TypedDict):
    """What :func:`~pianoroll_seq2seq.train.identity.describe_run` and the functions beside it say of a run."""

    model: dict[str, Any]
    data: _Data
    optimizer: _Optimizer
    schedule: _Schedule
    run: dict[str, Any]


def check_same_run(
    label: str, saved: Mapping[str, Any], now: Mapping[str, Any], *, schedule: Schedule | None = None, steps: int = 0
) -> None:
    """Refuses a checkpoint of another model, other data or other settings.

    Args:
        label: names the checkpoint.
        saved: the description of its run, under ``model``, ``data``, ``optimizer``, ``schedule`` and ``run``.
        now: the description of the run that would resume it.
        schedule: the schedule of that run.
        steps: optimizer steps that the checkpoint's run has done.

    Raises:
        CheckpointError: names what differs; or it is no description.
    """
    before = convert(saved, _Description, f"{label}: not the checkpoint of a run of fit", CheckpointError)
    unlike = _schedule_problem(before["schedule"], now["schedule"])
    found = [
        *_differences("model", before["model"], now["model"]),
        *_data_differences(before["data"], now["data"]),
        *_optimizer_differences(before["optimizer"], now["optimizer"]),
        *(schedule_difference(before["schedule"], now["schedule"], schedule) if unlike is None else ()),
        *_differences("run", before["run"], _with_same_precision(now["run"], before["run"])),
    ]
    if found:
        more = f"; and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
        raise CheckpointError(
            f"{label}: cannot resume this run: {'; '.join(found[:_MAX_LISTED])}{more}. Choose another checkpoint_dir "
            f"(--output), or train with the same data and settings."
        )
    if unlike is not None:
        raise CheckpointError(f"{label}: {unlike}")
    _check_epochs(label, before["schedule"], now["schedule"], schedule, steps)


def _with_same_precision(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of this run; with the earlier precision if both name the same, or stand for the same."""
    names = ("precision", RESOLVED_PRECISION)
    is_same = any(before.get(name) == now[name] for name in names)
    return {**now, **({name: before.get(name) for name in names} if is_same else {})}


def _schedule_problem(before: _Schedule, now: Mapping[str, Any]) -> str | None:
    """Why two schedules cannot be compared step by step; None if they can."""
    if before["steps"] * now["epochs"] != now["steps"] * before["epochs"]:
        return (
            f"not the checkpoint of a run of fit: it has {before['steps']} steps in {before['epochs']} epochs, but "
            f"{now['epochs']} of them have {now['steps']}. Use another checkpoint of the run."
        )
    if before["steps"] > max(_MAX_STEPS, now["steps"]):
        return (
            f"was planned for {before['steps']} steps, too many to compare the learning rate of each. Pass "
            f"epochs={before['epochs']}, as before."
        )
    return None


def _check_epochs(label: str, before: _Schedule, now: Mapping[str, Any], schedule: Schedule | None, steps: int) -> None:
    """Refuses another number of epochs if the steps done so far would have had other learning rates.

    Raises:
        CheckpointError: names the schedule, and what can be done.
    """
    changed = first_change(schedule, before["steps"], now["steps"], steps)
    if changed is None:
        return
    raise CheckpointError(
        f"{label}: cannot resume this run with another number of epochs. It was planned for {before['epochs']} and "
        f"would now have {now['epochs']}; its schedule, {now['name']}, spans all epochs, so that the learning rates of "
        f"the {steps} steps done would have been others from step {changed + 1} on. Pass epochs={before['epochs']}, or "
        f"train from the beginning in another checkpoint_dir (--output). Runs can be extended with a schedule that "
        f"depends on the step alone, such as a constant learning rate (schedule=None; --schedule constant)."
    )


def _data_differences(before: _Data, now: Mapping[str, Any]) -> Iterator[str]:
    yield from _differences("data.layout", before["layout"], now["layout"])
    yield from _differences("data.condition_size", before["condition_size"], now["condition_size"])
    yield from _part_differences("train", before["train"], now["train"])
    if before["valid"] is not None and now["valid"] is not None:  # validation alone changes no weights
        yield from _part_differences("valid", before["valid"], now["valid"])


def _part_differences(part: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Differences in the training or the validation data. Hashes are named by what they are hashes of."""
    hashes, name = ("content", "order", "conditions", "batches"), _PARTS[part]
    if before.get("content") != now["content"]:
        kind = "pieces" if "pieces" in now else "examples"
        count, new_count = before.get(kind), now[kind]
        yield f"the {name} {kind} are others ({_shown(count)}" + (f", now {new_count})" if new_count != count else ")")
    elif before.get("order") != now.get("order"):
        yield f"the {name} pieces are in another order"
    if before.get("conditions") != now.get("conditions") and (before.get("content") == now["content"]):
        yield f"the conditions of the {name} pieces are others"
    if before.get("batches") != now.get("batches"):
        yield f"the batches of the {name} examples are others"
    for key in (*before, *(key for key in now if key not in before)):
        if key not in (*hashes, "pieces", "examples"):
            yield from _differences(f"data.{part}.{key}", before.get(key), now.get(key))


def _optimizer_differences(before: _Optimizer, now: Mapping[str, Any]) -> Iterator[str]:
    same_class = before["class"] == now["class"]
    if not same_class:
        yield f"run.optimizer was {_shown(before['class'])} and is now {now['class']}"
    ours, theirs = before["groups"], now["groups"]
    if len(ours) != len(theirs):
        yield f"run.optimizer had {len(ours)} parameter groups and now has {len(theirs)}"
        return
    for number, (old, new) in enumerate(zip(ours, theirs, strict=True)):
        path = "run.optimizer" if len(theirs) == 1 else f"run.optimizer.param_groups[{number}]"
        for key in (*old, *(key for key in new if key not in old)):
            if key == "parameters" and isinstance(old.get(key), list):
                yield from _name_differences(f"{path} updates", old[key], new[key])
            elif same_class or (key in old and key in new):  # other classes have other arguments
                yield from _differences(f"{path}.{key}", old.get(key), new.get(key))
    yield from _name_differences("frozen parameters:", before["frozen"], now["frozen"])


def _name_differences(path: str, saved: list[Any], now: list[str]) -> Iterator[str]:
    """How two lists of parameters differ."""
    before = [_shown(name) for name in saved]
    if before == now:
        return
    gone = [name for name in before if name not in set(now)]
    added = [name for name in now if name not in set(before)]
    parts = [f"{verb} {_listed(names)}" for verb, names in (("no longer", gone), ("now also", added)) if names]
    yield f"{path} {' and '.join(parts)}" if parts else f"{path} the same parameters in another order"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _differences(name: str, before: Any, now: Any) -> list[str]:
    """What differs between two descriptions, such as ``model.hidden_size was 64 and is now 48``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        inner = {key: name if key == "settings" else f"{name}.{key}" for key in (*before, *now)}
        return [line for key, path in inner.items() for line in _differences(path, before.get(key), now.get(key))]
    return [] if before == now else [f"{_shown(name)} was {_shown(before)} and is now {now}"]


def _shown(value: Any) -> str:
    """A value from a file in a message."""
    return printable(str(value), longest=_SHOWN)
